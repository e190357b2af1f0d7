// Layer trace. What the tracing subsystem keeps for each task (fields of `task_struct`), and which of its
// callbacks are open in it, which only events need.
import type { Cell } from '../emu/cell.ts';
import type { Task } from '../emu/task.ts';
import type { Kernel } from './kernel.ts';

export interface TaskTrace {
  /** `trace_recursion` (FT-50). */
  readonly recursion: Cell<number>;
  /** Watched callbacks that have not returned, in this task and in what interrupted it, innermost last. */
  readonly callbacks: Cell<readonly OpenCallback[]>;
}

/** A callback between its first instruction and its return. */
export interface OpenCallback {
  readonly object: number;
  readonly generation: number;
  readonly ip: number;
}

/** Made when a task is first traced. */
export function taskTrace(k: Kernel, task: Task): TaskTrace {
  const present = k.tasks.get(task);
  if (present !== undefined) return present;
  const { cells } = k.machine;
  const made: TaskTrace = {
    recursion: cells.cell(`trace_recursion/${task.name}`, 0),
    callbacks: cells.cell<readonly OpenCallback[]>(`callbacks/${task.name}`, []),
  };
  k.tasks.set(task, made);
  return made;
}
