// Layer trace. What the tracing subsystem keeps for each task (fields of `task_struct`), and which of its
// callbacks are open in it, which only events need.
import type { Address } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Task } from '../emu/task.ts';
import type { Kernel } from './kernel.ts';

export interface TaskTrace {
  /** `trace_recursion` (FT-50). */
  readonly recursion: Cell<number>;
  /** The innermost callback that has not returned, in this task or in what interrupted it. */
  readonly callback: Cell<OpenCallback | undefined>;
}

/** A callback between its first instruction and its return. */
export interface OpenCallback {
  /** False: a call of the function that no hook made. */
  readonly isHook: boolean;
  /** What events call its kind, as a string of the run; 0 where no hook made it. */
  readonly kind: number;
  /** 0: none, or a hook that passed no ops. */
  readonly object: number;
  readonly generation: number;
  readonly ip: Address;
  /** How many callbacks of hooks are open below it. */
  readonly depth: number;
  /** What `strict` compares when it returns. */
  readonly given: GivenIp | undefined;
  readonly below: OpenCallback | undefined;
}

/** The place of `regs->ip` that a callback must leave as it is (FT-46), and what it held. */
export interface GivenIp {
  readonly at: Address;
  readonly lo: number;
  readonly hi: number;
  /** Where the callback returns to: one that is left otherwise is not looked at. */
  readonly returnsTo: Address;
}

/** Made when a task is first traced. */
export function taskTrace(k: Kernel, task: Task): TaskTrace {
  const present = k.tasks[task.index];
  if (present !== undefined) return present;
  const { cells } = k.machine;
  const made: TaskTrace = {
    recursion: cells.cell(`trace_recursion/${task.name}`, 0),
    callback: cells.cell<OpenCallback | undefined>(`callback/${task.name}`, undefined),
  };
  k.tasks[task.index] = made;
  return made;
}
