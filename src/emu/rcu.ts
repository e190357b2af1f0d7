// Layer emu. Regions, read sections and grace periods (CC-M3, CC-M10..M13, CC-M17). A wait is a
// snapshot in one step and an end in another; the end comes at the earliest legal moment or later.
//
// CC-M14 (2.6.31) is as the rude wait: all open regions, and nothing else.
import { assert } from '../assert.ts';
import { NO_ADDRESS } from './address.ts';
import type { Cell } from './cell.ts';
import { type Context, LEVEL } from './context.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { standIn } from './hotplug-idle.ts';
import type { Machine } from './machine.ts';
import { act, type Path, sleepUntil } from './path.ts';
import type { Task } from './task.ts';

export type WaitKind =
  | 'synchronize_rcu'
  | 'synchronize_rcu_tasks'
  | 'synchronize_rcu_tasks_rude'
  | 'synchronize_sched';

/** A grace period in progress: what its snapshot found and has not seen end. */
interface GracePeriod {
  readonly number: number;
  readonly kind: WaitKind | 'call_rcu';
  /** Open region per CPU; 0 where none. */
  readonly regions: number[];
  /** Open read sections by number. */
  readonly sections: Set<number>;
  /** Tasks that have not slept since, with their sleep count (CC-M12). */
  readonly tasks: Map<Task, number>;
  /** 1 while it lasts. */
  readonly open: Cell<number>;
  /** Runs in softirq context afterwards (CC-M13). */
  readonly callback: ((cx: Context) => Path<void>) | undefined;
  readonly cpu: Cpu;
}

export class Rcu {
  private readonly machine: Machine;
  private readonly periods: GracePeriod[] = [];
  private regionCount = 0;
  private sectionCount = 0;
  private periodCount = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  regionOpens(cpu: Cpu): void {
    cpu.region = ++this.regionCount;
    this.machine.report(cpu, EMU_EVENTS.region_open.id, cpu.region, cpu.watching ? 1 : 0);
  }

  regionCloses(cpu: Cpu): void {
    const closed = cpu.region;
    cpu.region = 0;
    this.machine.report(cpu, EMU_EVENTS.region_close.id, closed);
    if (this.periods.length > 0) this.forgetRegion(cpu, closed, false);
  }

  watchingChanged(cpu: Cpu): void {
    this.machine.report(cpu, EMU_EVENTS.rcu_watching.id, cpu.watching ? 1 : 0);
    if (!cpu.watching && this.periods.length > 0) this.forgetRegion(cpu, cpu.region, true);
  }

  /** A task slept of its own accord, or died. */
  slept(task: Task): void {
    task.sleeps++;
    this.quiescent(task);
  }

  /** It holds nothing up that waits for tasks: it slept, died, or is in user mode (CC-M12). */
  quiescent(task: Task): void {
    for (const period of this.periods.slice()) {
      if (period.tasks.delete(task)) this.endIfOver(period);
    }
  }

  readLock(task: Task): void {
    if (task.rcuDepth++ > 0) return;
    task.rcuSection = ++this.sectionCount;
    this.machine.report(task.cpu, EMU_EVENTS.rcu_read_lock.id, task.rcuSection);
  }

  readUnlock(task: Task): void {
    assert(task.rcuDepth > 0, 'a read section ends once');
    if (--task.rcuDepth > 0) return;
    this.machine.report(task.cpu, EMU_EVENTS.rcu_read_unlock.id, task.rcuSection);
    for (const period of this.periods.slice()) {
      if (period.sections.delete(task.rcuSection)) this.endIfOver(period);
    }
  }

  /** Snapshot for a wait of `kind` by `cx` (one step, performed by the caller's access). */
  begin(
    cx: Context,
    kind: GracePeriod['kind'],
    callback?: (cx: Context) => Path<void>,
  ): GracePeriod {
    const machine = this.machine;
    const number = ++this.periodCount;
    const period: GracePeriod = {
      number,
      kind,
      regions: machine.cpus.map((cpu) => (counts(cpu, kind) ? cpu.region : 0)),
      sections: new Set(machine.tasks.filter((t) => t.rcuDepth > 0).map((t) => t.rcuSection)),
      tasks: new Map(),
      open: machine.cells.cell(`${kind}/${number}`, 1),
      callback,
      cpu: cx.cpu,
    };
    if (isForRegions(kind)) period.sections.clear();
    if (kind === 'synchronize_rcu_tasks') {
      for (const task of machine.tasks) if (holdsOut(task, cx)) period.tasks.set(task, task.sleeps);
    }
    this.periods.push(period);
    return period;
  }

  /** Ends a period whose snapshot is empty from the start; call after `begin`. */
  endIfOver(period: GracePeriod): void {
    if (period.tasks.size > 0 || period.sections.size > 0) return;
    if (period.regions.some((region) => region > 0)) return;
    const index = this.periods.indexOf(period);
    if (index < 0) return;
    this.periods.splice(index, 1);
    this.machine.afterWait(() => {
      this.finish(period);
    }, period.cpu);
  }

  private finish(period: GracePeriod): void {
    period.open.set(0);
    const callback = period.callback;
    if (callback === undefined) return;
    const cpu = standIn(period.cpu);
    cpu.pending.push({
      level: LEVEL.softirq,
      handler: NO_ADDRESS,
      body: (cx) => () => runCallback(cx, period.number, callback),
    });
    this.machine.touchCpu(cpu);
  }

  private forgetRegion(cpu: Cpu, region: number, watchingOnly: boolean): void {
    for (const period of this.periods.slice()) {
      if (watchingOnly && isForRegions(period.kind)) continue;
      if (period.regions[cpu.id] !== region || region === 0) continue;
      period.regions[cpu.id] = 0;
      this.endIfOver(period);
    }
  }
}

function* runCallback(
  cx: Context,
  number: number,
  callback: (cx: Context) => Path<void>,
): Path<void> {
  cx.emit(EMU_EVENTS.rcu_callback.id, number);
  yield* callback(cx);
}

/** Does an open region on `cpu` hold up a wait of this kind? */
function counts(cpu: Cpu, kind: GracePeriod['kind']): boolean {
  return isForRegions(kind) || cpu.watching;
}

/** Such a wait covers regions where RCU does not watch, too, and no read sections (CC-M11, CC-M14). */
function isForRegions(kind: GracePeriod['kind']): boolean {
  return kind === 'synchronize_rcu_tasks_rude' || kind === 'synchronize_sched';
}

/** Running or preempted (or woken and not run yet), not idle, not in user mode, not the waiter (CC-M12, FT-33). */
function holdsOut(task: Task, waiter: Context): boolean {
  if (task.kind === 'idle' || task === waiter.task) return false;
  if (task.mode === 'user') return false;
  return task.state === 'running' || task.state === 'ready';
}

/** `synchronize_rcu` and its two relatives: sleeps until the grace period is over. */
export function* synchronize(cx: Context, kind: WaitKind): Path<void> {
  const machine = cx.cpu.machine;
  assert(cx.level === LEVEL.task, 'only a task waits for a grace period (CC-M17)');
  const period = yield* act(cx.cpu.state, () => {
    const begun = machine.rcu.begin(cx, kind);
    machine.emitFrom(
      cx,
      EMU_EVENTS.wait_begin.id,
      machine.strings.id(kind),
      begun.number,
      0,
      0,
      0,
      0,
      0,
      0,
    );
    machine.rcu.endIfOver(begun);
    return begun;
  });
  yield* sleepUntil(period.open, (open) => open === 0);
  if (kind === 'synchronize_rcu_tasks') yield* trailingGracePeriod(cx);
  cx.emit(EMU_EVENTS.wait_end.id, machine.strings.id(kind), period.number);
}

/** The second half of CC-M12: one more plain grace period after the last holdout slept. */
function* trailingGracePeriod(cx: Context): Path<void> {
  const rcu = cx.cpu.machine.rcu;
  const period = yield* act(cx.cpu.state, () => {
    const begun = rcu.begin(cx, 'synchronize_rcu');
    rcu.endIfOver(begun);
    return begun;
  });
  yield* sleepUntil(period.open, (open) => open === 0);
}

/** `call_rcu`: `callback` runs in softirq context on this CPU after a grace period; nobody waits. */
export function* callRcu(cx: Context, callback: (cx: Context) => Path<void>): Path<void> {
  yield* act(cx.cpu.state, () => {
    queueRcu(cx, callback);
  });
}

/** The effect of `callRcu`, for a step of somebody else. */
export function queueRcu(cx: Context, callback: (cx: Context) => Path<void>): void {
  const { machine } = cx.cpu;
  const begun = machine.rcu.begin(cx, 'call_rcu', callback);
  machine.emitFrom(cx, EMU_EVENTS.call_rcu.id, begun.number);
  machine.rcu.endIfOver(begun);
}
