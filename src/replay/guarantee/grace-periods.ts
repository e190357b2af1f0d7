// Layer replay. Grace periods that somebody waits for, and whether they ought to be over: whatever they may be
// waiting for has passed (CC-M10..M12). This asks for more than any of the waits does, so that what it says is
// certain: since the waiter fell asleep every CPU has changed tasks (it was in no region then) or is gone, every other
// task that was awake has slept, ended or entered user mode, and every read section that was open is closed.
import type { Event, EventOf } from '../schema.ts';

/** What a wait may be waiting for, from the moment on at which the waiter fell asleep. */
interface Wait {
  readonly begin: EventOf<'wait_begin'>;
  readonly cpus: Set<number>;
  readonly tasks: Set<number>;
  readonly sections: Set<number>;
  asleep: boolean;
  /** When the last of it went. */
  passed: Event | undefined;
}

export interface GracePeriods {
  /** CPUs that have changed tasks, tasks that are not asleep, and read sections that are open. */
  readonly cpus: Set<number>;
  readonly awake: Set<number>;
  readonly sections: Set<number>;
  /** By the pid that waits. */
  readonly waits: Map<number, Wait>;
  /** How many are over. */
  ended: number;
}

export function newGracePeriods(): GracePeriods {
  const [cpus, awake, sections] = [new Set<number>(), new Set<number>(), new Set<number>()];
  return { cpus, awake, sections, waits: new Map(), ended: 0 };
}

export function waitBegins(all: GracePeriods, begin: EventOf<'wait_begin'>): void {
  const [cpus, tasks, sections] = [new Set<number>(), new Set<number>(), new Set<number>()];
  const wait = { begin, cpus, tasks, sections, asleep: false, passed: undefined };
  all.waits.set(begin.pid, wait);
}

export function waitEnds(all: GracePeriods, { pid }: EventOf<'wait_end'>): void {
  if (all.waits.delete(pid)) all.ended++;
}

export function taskAwakes(all: GracePeriods, pid: number): void {
  all.awake.add(pid);
  const wait = all.waits.get(pid);
  if (wait !== undefined) wait.asleep = false;
}

export function tasksSwitch(all: GracePeriods, e: EventOf<'sched_switch'>): void {
  all.cpus.add(e.cpu);
  const gone = e.state === 'sleeping' || e.state === 'dead';
  if (gone) all.awake.delete(e.prev);
  if (all.waits.size === 0) return;
  if (gone) fallsAsleep(all, e.prev);
  for (const wait of all.waits.values()) {
    wait.cpus.delete(e.cpu);
    if (gone) wait.tasks.delete(e.prev);
    settle(wait, e);
  }
}

/** A CPU that is gone has left its last region; one that comes may have entered one (CC-M11). */
export function cpuMoves(all: GracePeriods, e: EventOf<'cpu_online'>): void {
  if (e.on) {
    all.cpus.add(e.which);
    return;
  }
  all.cpus.delete(e.which);
  for (const wait of all.waits.values()) {
    wait.cpus.delete(e.which);
    settle(wait, e);
  }
}

/** In user mode a task is as good as asleep (CC-M12). */
export function userModeTurns(all: GracePeriods, e: EventOf<'user_mode'>): void {
  if (!e.on) {
    all.awake.add(e.pid);
    return;
  }
  all.awake.delete(e.pid);
  for (const wait of all.waits.values()) {
    wait.tasks.delete(e.pid);
    settle(wait, e);
  }
}

export function sectionOpens(all: GracePeriods, { section }: EventOf<'rcu_read_lock'>): void {
  all.sections.add(section);
}

export function sectionCloses(all: GracePeriods, e: EventOf<'rcu_read_unlock'>): void {
  all.sections.delete(e.section);
  for (const wait of all.waits.values()) {
    wait.sections.delete(e.section);
    settle(wait, e);
  }
}

/** A wait whose waiter sleeps although everything passed more than `steps` before `now`. */
export function overdueWait(all: GracePeriods, now: number, steps: number): Wait | undefined {
  for (const wait of all.waits.values()) {
    const { asleep, passed } = wait;
    if (asleep && passed !== undefined && now - passed.step > steps) return wait;
  }
  return undefined;
}

/** A waiter sleeps until its wait is over: the snapshot cannot be later than this (CC-M12 takes a second one). */
function fallsAsleep(all: GracePeriods, pid: number): void {
  const wait = all.waits.get(pid);
  if (wait === undefined) return;
  wait.asleep = true;
  wait.passed = undefined;
  for (const cpu of all.cpus) wait.cpus.add(cpu);
  for (const task of all.awake) wait.tasks.add(task);
  for (const section of all.sections) wait.sections.add(section);
}

function settle(wait: Wait, e: Event): void {
  const { asleep, cpus, tasks, sections, passed } = wait;
  if (!asleep || passed !== undefined) return;
  if (cpus.size === 0 && tasks.size === 0 && sections.size === 0) wait.passed = e;
}
