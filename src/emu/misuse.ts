// Layer emu. What kernel symbols say to guests that call them where or how they may not: an oops event.
import type { Context } from './context.ts';
import { act, type Path } from './path.ts';

/** An oops in this step; 0, for `return misuse(...)`. */
export function misuse(cx: Context, reason: string): number {
  cx.cpu.machine.oops(cx.cpu, reason, cx.cpu.hart.pc);
  return 0;
}

/** An oops in a step of its own. */
export function* refused(cx: Context, reason: string): Path<number> {
  return yield* act(cx.cpu.state, () => misuse(cx, reason));
}

/** Runs `path` where sleeping is allowed; else an oops (CC-M17). */
export function whenSleepable(cx: Context, path: () => Path<void>): Path<number> {
  return resultWhenSleepable(cx, () => zero(path()));
}

/** As `whenSleepable`, for a path with a result. */
export function resultWhenSleepable(cx: Context, path: () => Path<number>): Path<number> {
  if (!cx.cpu.preemptible() || cx.task.kind === 'idle')
    return refused(cx, 'scheduling while atomic');
  return path();
}

function* zero(path: Path<void>): Path<number> {
  yield* path;
  return 0;
}
