// Layer emu. Tasks: workload tasks, kernel threads and the idle task of each CPU. A task migrates only when its CPU
// is taken down (hotplug.ts).
import {
  type Address,
  addressHi,
  addressLo,
  GUARD_BYTES,
  STACK_BASE,
  STACK_BYTES,
  STACK_STRIDE,
  TASK_STRUCT_BASE,
  TASK_STRUCT_BYTES,
} from './address.ts';
import type { Cell } from './cell.ts';
import { Context, type Frame, LEVEL } from './context.ts';
import type { Cpu } from './cpu.ts';
import { LIMITS } from './limits.ts';
import type { Memory } from './memory.ts';
import type { PathStart } from './path.ts';

/** Offsets in `struct task_struct`; include/linux/sched.h repeats them: change both or neither. */
const TASK_PID = 0;
const TASK_TGID = 4;
const TASK_COMM = 8;
const TASK_FLAGS = 24;
const TASK_CPU = 28;
const TASK_MM = 32;
/** What `mm` points to: nothing of it is modelled but that it is there. */
const TASK_MM_STRUCT = 40;
const PF_IDLE = 0x00000002;
const PF_KTHREAD = 0x00200000;
const FLAGS: Readonly<Record<TaskKind, number>> = {
  task: 0,
  kthread: PF_KTHREAD,
  idle: PF_KTHREAD | PF_IDLE,
};

export type TaskState = 'new' | 'ready' | 'running' | 'sleeping' | 'dead';
/** `border`: kernel code between user mode and the point from which RCU watches (CC-M3). */
export type TaskMode = 'kernel' | 'border' | 'user';
export type TaskKind = 'task' | 'kthread' | 'idle';

export class Task {
  /** From 1; idle tasks have 0. */
  readonly pid: number;
  /** At most 15 characters, as the kernel's comm. */
  readonly name: string;
  readonly kind: TaskKind;
  cpu: Cpu;
  readonly context: Context;
  /** Of all tasks, idle ones included, from 0. */
  readonly index: number;
  /** Lowest usable byte of its stack. */
  readonly stackBase: Address;
  /** Its `struct task_struct`: what `current` points to. */
  readonly structAddress: Address;
  state: TaskState = 'new';
  mode: TaskMode = 'kernel';
  /** How many system calls its program has made. */
  syscalls = 0;
  /** What it begins with when it first runs. */
  program: PathStart<unknown> | undefined;
  /** A thread that serves a queue: sleeping on this cell when the run ends is no deadlock. */
  work: Cell<unknown> | undefined;
  /** Counts voluntary sleeps: the tasks wait looks for a change (CC-M12). */
  sleeps = 0;
  /** Nesting of rcu_read_lock, and the number of the open section. */
  rcuDepth = 0;
  rcuSection = 0;
  /** What it ended with, and a cell that becomes 1 then, if anybody waits for that. */
  exitCode = 0;
  exited: Cell<number> | undefined;

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
    this.structAddress = TASK_STRUCT_BASE + options.stackIndex * TASK_STRUCT_BYTES;
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

/** `task`, which is not running, belongs to `to` from here on. */
export function moveTask(task: Task, to: Cpu): void {
  task.cpu = to;
  task.context.cpu = to;
  to.machine.memory.store32(task.structAddress + TASK_CPU, to.id);
}

/** Fills in what guest code sees of the task. Of this only its CPU ever changes. */
export function writeTaskStruct(memory: Memory, task: Task): void {
  const { structAddress: at, name } = task;
  memory.store32(at + TASK_PID, task.pid);
  memory.store32(at + TASK_TGID, task.pid);
  for (let i = 0; i < Math.min(name.length, LIMITS.commMax); i++) {
    memory.store8(at + TASK_COMM + i, name.charCodeAt(i));
  }
  memory.store32(at + TASK_FLAGS, FLAGS[task.kind]);
  if (task.kind === 'task') {
    const mm = at + TASK_MM_STRUCT;
    memory.store64(at + TASK_MM, addressLo(mm), addressHi(mm));
  }
  memory.store32(at + TASK_CPU, task.cpu.id);
}
