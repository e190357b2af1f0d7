// Layer emu. Tasks: workload tasks, kernel threads and the idle task of each CPU. A task never migrates.
import { type Address, GUARD_BYTES, STACK_BASE, STACK_BYTES, STACK_STRIDE } from './address.ts';
import type { Cell } from './cell.ts';
import { Context, type Frame, LEVEL } from './context.ts';
import type { Cpu } from './cpu.ts';
import type { PathStart } from './path.ts';

export type TaskState = 'new' | 'ready' | 'running' | 'sleeping' | 'dead';
export type TaskKind = 'task' | 'kthread' | 'idle';

export class Task {
  /** From 1; idle tasks have 0. */
  readonly pid: number;
  /** At most 15 characters, as the kernel's comm. */
  readonly name: string;
  readonly kind: TaskKind;
  readonly cpu: Cpu;
  readonly context: Context;
  /** Of all tasks, idle ones included, from 0. */
  readonly index: number;
  /** Lowest usable byte of its stack. */
  readonly stackBase: Address;
  state: TaskState = 'new';
  /** What it begins with when it first runs. */
  program: PathStart<unknown> | undefined;
  /** A thread that serves a queue: sleeping on this cell when the run ends is no deadlock. */
  work: Cell<unknown> | undefined;
  /** Counts voluntary sleeps: the tasks wait looks for a change (CC-M12). */
  sleeps = 0;
  /** Nesting of rcu_read_lock, and the number of the open section. */
  rcuDepth = 0;
  rcuSection = 0;

  constructor(options: {
    pid: number;
    name: string;
    kind: TaskKind;
    cpu: Cpu;
    stackIndex: number;
    frame: Frame;
  }) {
    this.pid = options.pid;
    this.name = options.name;
    this.kind = options.kind;
    this.cpu = options.cpu;
    this.index = options.stackIndex;
    this.stackBase = STACK_BASE + options.stackIndex * STACK_STRIDE + GUARD_BYTES;
    this.context = new Context({
      level: LEVEL.task,
      cpu: options.cpu,
      task: this,
      frame: options.frame,
      handler: 0,
    });
  }

  /** Where sp starts: 16-byte aligned, below the top. */
  stackTop(): Address {
    return this.stackBase + STACK_BYTES;
  }
}
