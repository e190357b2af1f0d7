// Layer trace. An unwinder on the shadow stack, as one that runs in an interrupt uses it (CC-G22): from descriptor to
// descriptor it finds where the calls of the current task whose returns are taken will go on. Left out: everything that
// is not on the shadow stack.
import type { Context } from '../emu/context.ts';
import { act, type Path, readOnce } from '../emu/path.ts';
import { TRACE_EVENTS } from './event.ts';
import { frameBelow, loadFrame } from './fgraph-stack.ts';
import { taskStack, type TaskStack, wordsOf } from './fgraph-state.ts';
import type { Kernel } from './kernel.ts';
import { rethookRecover } from './rethook-return.ts';

/**
 * `reprobe_unwind`: an event for each frame, innermost first; how many there are. A word that is no descriptor is an
 * oops. Any context.
 */
export function* unwindShadowStack(cx: Context, k: Kernel): Path<number> {
  if (cx.make(() => k.fgraph === undefined)) return 0;
  const task = cx.make(() => taskStack(k, cx.task));
  let end = yield* readOnce(task.curr); // CC-G22
  let depth = 0;
  while (end > 0) {
    const at = end;
    const number = depth++;
    end = yield* act(task.words, () => unwindFrame(cx, k, { task, end: at, depth: number })); // CC-G22
  }
  return depth;
}

/** Reports the frame that ends before word `end`; where it begins. */
function unwindFrame(
  cx: Context,
  k: Kernel,
  { task, end, depth }: { readonly task: TaskStack; readonly end: number; readonly depth: number },
): number {
  const stack = wordsOf(cx, k, task);
  const start = frameBelow(stack, end);
  if (start === undefined) {
    cx.cpu.machine.oops(cx.cpu, 'unwind', cx.cpu.hart.pc, stack.base);
    return 0;
  }
  const { fp, ret } = loadFrame(stack, start);
  cx.emit(TRACE_EVENTS.unwind.id, depth, rethookRecover(k, cx.task, { ret, frame: fp }));
  return start;
}
