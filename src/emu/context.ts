// Layer emu. A flow of control on one CPU: a task, or a softirq, interrupt, NMI or trap on top of one
// (CC-M2). It holds a stack of activities: guest code, or a kernel path, each called by the one below.
import { assert, known } from '../assert.ts';
import type { Address } from './address.ts';
import type { Cell, Guard, Waiter } from './cell.ts';
import type { Cpu } from './cpu.ts';
import type { Watcher } from './machine.ts';
import { ACCESS, type Access, type Path, type PathStart } from './path.ts';
import type { Task } from './task.ts';

/** Context levels, and the `level` column of events. */
export const LEVEL = { task: 0, softirq: 1, hardirq: 2, nmi: 3, trap: 4 } as const;
export type Level = (typeof LEVEL)[keyof typeof LEVEL];

/** FRAME_WORDS words (regs.ts): 32 low words, 32 high words, pc. */
export type Frame = Int32Array;

/** Guest code that a path called: where to go on when it returns. */
export interface GuestActivity {
  readonly kind: 'guest';
  readonly pc: Address;
  /** ra and sp (lo, hi each) of the caller, restored at the return. */
  readonly saved: readonly number[];
  /** Depth of `Context.calls` when it began. */
  readonly callsBelow: number;
  /** The caller's `Context.preemptFloor`. */
  readonly floorBelow: number;
}

/** A live kernel path. */
export interface PathActivity {
  readonly kind: 'path';
  readonly start: PathStart<unknown>;
  path: Path<unknown>;
  /** Those that entered `path` (see `enter`), outermost first. */
  readonly outer: Path<unknown>[];
  /** What it will do in its next step. */
  pending: Access | undefined;
  /** Everything that was fed to it: results of accesses, guarded reads, made objects. */
  fed: unknown[];
  /** Position in `fed` while rewinding; -1 when live. */
  cursor: number;
  result: unknown;
  /** Called by guest code that expects a pointer. */
  readonly pointer: boolean;
}

export type Activity = GuestActivity | PathActivity;

/** A true call: noted when a function's first instruction executes, before any hook. */
export interface TrueCall {
  readonly func: Address;
  readonly ra: Address;
  readonly sp: Address;
  /** Sees the call, if anybody does. */
  readonly watcher: Watcher | undefined;
  /** Its registers, laid out as `Hart.x`, as it reached its patched call site; undefined while it has not. */
  args: Int32Array | undefined;
}

export class Context {
  readonly level: Level;
  /** Changes when the task migrates. */
  cpu: Cpu;
  readonly task: Task;
  readonly activities: Activity[] = [];
  /** The last of `activities`. */
  top: Activity | undefined;
  /** True calls that have not returned, innermost last. */
  readonly calls: TrueCall[] = [];
  /** Registers of whatever this context interrupted; a task's own while it is switched out. */
  readonly frame: Frame;
  /** preempt_count when this context opened, or when its innermost guest function was called: its floor. */
  preemptFloor = 0;
  /** Whether IRQs were on when this context opened. */
  irqsBefore = true;
  /** What a trap leaves IRQs as, where that is not `irqsBefore`; undefined: as it found them. */
  irqsAfter: boolean | undefined;
  /**
   * The level that preempt_count shows: an interrupt counts itself in its entry code, and no more in its exit
   * code (CC-H5). Whoever looks before sees the level of what it interrupted.
   */
  shown: Level;
  /** What an interrupt context runs; 0 for tasks. */
  readonly handler: Address;
  /** Registered with the cell that the top path waits on. */
  waiter: Waiter | undefined;
  /** Version of the site whose first half was the last one that this context fetched (FT-12); -1: none. */
  half = -1;
  /** Whom this context works for: it sleeps meanwhile, and its locks protect what is done here (CC-M8). */
  caller: Context | undefined;
  constructor(options: { level: Level; cpu: Cpu; task: Task; frame: Frame; handler: Address }) {
    this.level = options.level;
    this.shown = options.level;
    this.cpu = options.cpu;
    this.task = options.task;
    this.frame = options.frame;
    this.handler = options.handler;
  }

  push(activity: Activity): void {
    this.activities.push(activity);
    this.top = activity;
  }

  pop(): void {
    this.activities.pop();
    this.top = this.activities[this.activities.length - 1];
  }

  /** Drops everything: the context is over, whatever it was doing. */
  abandon(): void {
    this.activities.length = 0;
    this.calls.length = 0;
    this.top = undefined;
  }

  /** Starts `start` above what runs now; its first segment, up to its first access, runs at once. */
  begin(start: PathStart<unknown>, pointer = false): void {
    const activity: PathActivity = {
      kind: 'path',
      start,
      path: start(),
      outer: [],
      pending: undefined,
      fed: [],
      cursor: -1,
      result: undefined,
      pointer,
    };
    this.push(activity);
    advance(activity, undefined);
    this.arm(activity);
  }

  /** Feeds the result of its access to the top path; the path runs up to its next access. */
  feed(result: unknown): void {
    const activity = this.running();
    activity.fed.push(result);
    advance(activity, result);
    this.arm(activity);
  }

  /** Rebuilds the top path at the point where it had been fed `fed` (state is restored by others). */
  rewind(fed: readonly unknown[]): void {
    const activity = this.running();
    activity.fed = fed.slice();
    activity.cursor = 0;
    activity.path = activity.start();
    activity.outer.length = 0;
    advance(activity, undefined);
    while (activity.cursor < fed.length) advance(activity, fed[activity.cursor++]);
    activity.cursor = -1;
  }

  /** Reads state that a lock held by this context protects; no step. */
  read<T>(cell: Cell<T>): T {
    const activity = this.running();
    if (activity.cursor >= 0) return activity.fed[activity.cursor++] as T;
    this.assertHeld(cell);
    activity.fed.push(cell.value);
    return cell.value;
  }

  /** Writes state that a lock held by this context protects; no step. */
  write<T>(cell: Cell<T>, value: T): void {
    if (this.running().cursor >= 0) return;
    this.assertHeld(cell);
    cell.set(value);
  }

  /** Makes an object (or asks the host for a fact) once; a rewound path gets the same one again. */
  make<T>(create: () => T): T {
    const activity = this.running();
    if (activity.cursor >= 0) return activity.fed[activity.cursor++] as T;
    const made = create();
    activity.fed.push(made);
    return made;
  }

  /** Reports event `id` with up to eight payload words; mute while rewinding. */
  emit(id: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0): void {
    const { top } = this;
    if (top?.kind === 'path' && top.cursor >= 0) return;
    this.cpu.machine.emitFrom(this, id, a, b, c, d, e, f, g, h);
  }

  /** A path that came to a spin is told when the cell changes. */
  private arm(activity: PathActivity): void {
    const { pending } = activity;
    if (pending?.kind !== ACCESS.spin) return;
    this.waiter = { poke: () => this.cpu.machine.touchCpu(this.cpu) };
    pending.cell.wait(this.waiter);
  }

  /** Does this context hold `guard`, or whoever it works for? */
  holds(guard: Guard): boolean {
    return guard.holder === this || (this.caller !== undefined && guard.holder === this.caller);
  }

  private assertHeld(cell: Cell<unknown>): void {
    const guard = known(cell.guard, `${cell.name} is declared with a lock`);
    assert(this.holds(guard), `${cell.name} is touched under ${guard.name}`);
  }

  private running(): PathActivity {
    const { top } = this;
    assert(top !== undefined && top.kind === 'path', 'a path is running');
    return top;
  }
}

/** Runs a path up to its next access, or to its end. */
function advance(activity: PathActivity, fed: unknown): void {
  let value = fed;
  for (;;) {
    const next = activity.path.next(value);
    if (next.done === true) {
      value = next.value;
      const outer = activity.outer.pop();
      if (outer !== undefined) {
        activity.path = outer;
        continue;
      }
      activity.pending = undefined;
      activity.result = value;
      return;
    }
    if (next.value.kind !== ACCESS.enter) {
      activity.pending = next.value;
      return;
    }
    activity.outer.push(activity.path);
    activity.path = next.value.operand as Path<unknown>;
    value = undefined;
  }
}
