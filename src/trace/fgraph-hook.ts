// Layer trace. Whose returns are taken, for events only: `hook` when somebody has taken one, `unhook` when that is over,
// and a `skip` before it where nobody is told. All of it is part of the steps of others (fgraph.ts, fprobe-fgraph-hit.ts).
import type { Context } from '../emu/context.ts';
import { TRACE_EVENTS } from './event.ts';
import type { OpenHook, TaskStack } from './fgraph-state.ts';
import type { GraphCall, GraphReturn } from './fgraph.ts';
import { skip, type SkipReason } from './ftrace-caller.ts';
import type { Kernel } from './kernel.ts';

/** Reports that the return is taken for somebody; part of a step. */
export function hookReturn(cx: Context, { task, ret }: GraphCall, hook: OpenHook): void {
  const { object, generation, ip, frame } = hook;
  cx.make(() => {
    task.hooks.set([...task.hooks.value, hook]);
  });
  cx.emit(TRACE_EVENTS.hook.id, object, generation, ip, frame, ret);
}

/** Reports that the returns of `call` and of those above are not taken any more; why they are passed over, if so. */
export function unhookFrom(
  cx: Context,
  k: Kernel,
  { task, start }: Pick<GraphReturn, 'task' | 'start'>,
  reason?: SkipReason,
): void {
  unhook(cx, k, { task, ends: (hook) => hook.start >= start, reason });
}

/** As `unhookFrom`, for those whose data begin at word `data`. */
export function unhookData(
  cx: Context,
  k: Kernel,
  { task, data }: { readonly task: TaskStack; readonly data: number },
  reason?: SkipReason,
): void {
  unhook(cx, k, { task, ends: (hook) => hook.data === data, reason });
}

interface Unhooking {
  readonly task: TaskStack;
  readonly ends: (hook: OpenHook) => boolean;
  readonly reason: SkipReason | undefined;
}

function unhook(cx: Context, k: Kernel, { task, ends, reason }: Unhooking): void {
  const gone = cx.make(() => {
    const all = task.hooks.value;
    const found = all.filter(ends);
    if (found.length > 0) task.hooks.set(all.filter((hook) => !ends(hook)));
    return found;
  });
  for (const hook of gone) {
    const { object, generation, ip } = hook;
    if (reason !== undefined) skip(cx, { object, generation, reason, ip });
    reportUnhook(cx, k, hook, 'return');
  }
}

/** The task of `cx` is over, and with it its shadow stack (CC-H18); part of that step. */
export function flushHooks(cx: Context, k: Kernel, task: TaskStack): void {
  for (const hook of task.hooks.value.toReversed()) {
    reportUnhook(cx, k, hook, 'flush');
  }
  task.hooks.set([]);
}

function reportUnhook(
  cx: Context,
  k: Kernel,
  { object, generation, ip, frame }: OpenHook,
  why: 'return' | 'flush',
): void {
  const text = k.machine.strings.id(why);
  cx.emit(TRACE_EVENTS.unhook.id, object, generation, ip, frame, text);
}
