// Layer emu. One CPU: its hart, its stack of contexts, what is pending on it, and the region bookkeeping
// that grace periods are stated with (CC-M3).
import { assert, known } from '../assert.ts';
import type { Address } from './address.ts';
import type { Cell } from './cell.ts';
import { type Context, type Frame, LEVEL, type Level } from './context.ts';
import type { Machine } from './machine.ts';
import type { PathStart } from './path.ts';
import type { Hart } from './regs.ts';
import type { Task } from './task.ts';

/** Something that will open a context on this CPU: an interrupt, a softirq, an NMI. */
export interface Pending {
  readonly level: Level;
  /** Guest handler, or NO_ADDRESS when `body` is kernel code. */
  readonly handler: Address;
  readonly body: (cx: Context) => PathStart<void>;
}

export class Cpu {
  readonly id: number;
  /** 1 << id. */
  readonly bit: number;
  readonly machine: Machine;
  readonly hart: Hart;
  /** What the current task and the interrupts above it are; the last one runs. */
  readonly contexts: Context[] = [];
  /** Frames of closed contexts, to be used again. */
  readonly frames: Frame[] = [];
  /** What calls that are over were called with, to be used again: hits are frequent. */
  readonly spareArguments: Int32Array[] = [];
  readonly preemptCount: Cell<number>;
  /** Identity of steps that change the IRQ state or hand the CPU over. */
  readonly state: Cell<number>;
  /** Ready tasks, longest waiting first; the current one is not among them. */
  readonly runQueue: Task[] = [];
  /** Unanswered IPIs, oldest first, as sync numbers (CC-M7). */
  readonly ipis: number[] = [];
  readonly pending: Pending[] = [];
  /** Nesting of local_bh_disable. */
  bhCount = 0;
  /** Number of the open region, 0 when preemptible. */
  region = 0;
  /** The idle task runs hooked code with RCU not watching. */
  idleWork = false;
  /** A function that the idle task still runs `left` times. */
  idleRuns: { readonly func: Address; left: number } | undefined;
  watching = true;
  /** Others wait for its answers, and for its regions. */
  online = true;
  /** It takes tasks and work. */
  active = true;
  /** What its idle task does when it goes or comes. */
  hotplug: { readonly func: Address; readonly up: boolean } | undefined;
  /** `migration/N`, where the machine can be stopped (CC-M8). */
  stopper: Task | undefined;
  /** It has turned interrupts off for the others: nothing comes in between, not even an NMI. */
  stopped = false;
  private idleTask: Task | undefined;
  private currentTask: Task | undefined;
  private topContext: Context | undefined;

  constructor(id: number, machine: Machine, hart: Hart) {
    this.id = id;
    this.bit = 1 << id;
    this.machine = machine;
    this.hart = hart;
    this.preemptCount = machine.cells.cell(`preempt_count/${id}`, 0);
    this.state = machine.cells.cell(`cpu/${id}`, 0);
  }

  get idle(): Task {
    return known(this.idleTask, 'every CPU has an idle task');
  }

  get current(): Task {
    return known(this.currentTask, 'every CPU runs a task');
  }

  /** The context that runs: the last of `contexts`. */
  get top(): Context {
    return known(this.topContext, 'a CPU has a context');
  }

  /** Boots with its idle task. */
  adopt(idle: Task): void {
    assert(this.idleTask === undefined, 'a CPU is booted once');
    this.idleTask = idle;
    this.replaceTask(idle);
  }

  /** `task` becomes the current one; only without contexts above the task's own. */
  replaceTask(task: Task): void {
    assert(this.contexts.length <= 1, 'only task context is switched');
    this.currentTask = task;
    task.state = 'running';
    this.contexts[0] = task.context;
    this.topContext = task.context;
  }

  /** Opens a context on top. */
  push(cx: Context): void {
    this.contexts.push(cx);
    this.topContext = cx;
  }

  /** Closes the top context. */
  pop(): void {
    assert(this.contexts.length > 1, "a task's own context stays");
    this.contexts.pop();
    this.topContext = this.contexts[this.contexts.length - 1];
  }

  level(): Level {
    return this.top.level;
  }

  /** Task context that may be switched away here (CC-M2). */
  preemptible(): boolean {
    if (this.contexts.length > 1 || this.preemptCount.value > 0) return false;
    return this.hart.irqsOn && this.bhCount === 0;
  }

  /** An interrupt may be taken: IRQs on, and not inside an irq, NMI or trap. */
  interruptible(): boolean {
    return this.hart.irqsOn && this.level() <= LEVEL.softirq;
  }

  /** A softirq may be taken. */
  softirqAllowed(): boolean {
    return this.hart.irqsOn && this.contexts.length === 1 && this.bhCount === 0;
  }

  /** May a context of `level` open on top of the running one? */
  mayEnter(level: Level): boolean {
    if (!this.online) return false;
    if (level === LEVEL.nmi) {
      return !this.stopped && this.contexts.every((cx) => cx.level !== LEVEL.nmi);
    }
    return level === LEVEL.hardirq ? this.interruptible() : this.softirqAllowed();
  }

  /** Recomputes region and watching after anything that may have changed them; reports changes. */
  settle(): void {
    const isWatched = !this.idleWork && this.current.mode === 'kernel';
    const watching = this.contexts.length > 1 || isWatched;
    if (watching !== this.watching) {
      this.watching = watching;
      this.machine.rcu.watchingChanged(this);
    }
    const open = !this.preemptible();
    if (open === this.region > 0) return;
    if (open) this.machine.rcu.regionOpens(this);
    else this.machine.rcu.regionCloses(this);
  }
}
