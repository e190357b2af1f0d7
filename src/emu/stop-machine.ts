// Layer emu. `stop_machine` (CC-M8), after kernel/stop_machine.c: every CPU switches to its stopper thread
// `migration/N`, all turn interrupts off, all run the same function, and no other code runs anywhere meanwhile.
// Tasks that were preempted stay parked wherever they were. Left out: sets of CPUs, stopping one CPU only.
//
// An NMI that is raised meanwhile waits: the architecture whose text is patched like this has none that could come
// in between (FT-12).
import { known } from '../assert.ts';
import type { Cell } from './cell.ts';
import type { Context } from './context.ts';
import { EMU_EVENTS } from './event.ts';
import { Mutex, mutexLock, mutexUnlock } from './lock.ts';
import type { Machine } from './machine.ts';
import { act, enter, fetchAdd, type Path, sleepUntil, waitUntil, writeOnce } from './path.ts';
import { preemptDisable, preemptEnable, setIrqs } from './preempt.ts';
import { start } from './schedule.ts';

/** What the CPUs do together. */
interface Stop {
  readonly number: number;
  readonly run: (cx: Context) => Path<void>;
  readonly caller: Context;
  readonly cpus: number;
  /** How often a CPU has come to a rendezvous. */
  readonly arrived: Cell<number>;
  /** CPUs that are not done. */
  readonly left: Cell<number>;
}

/** `struct cpu_stopper`, of all CPUs. */
export interface Stoppers {
  /** `cpu_hotplug_lock`: no CPU comes or goes. */
  readonly hotplug: Mutex;
  /** `stop_cpus_mutex`: one stop at a time. */
  readonly mutex: Mutex;
  /** 1 while a CPU goes or comes, by CPU. */
  readonly moving: readonly Cell<number>[];
  /** What the thread of each CPU is to do. */
  readonly work: readonly Cell<Stop | undefined>[];
  count: number;
}

/** Makes and starts the stopper thread of every CPU. */
export function startStoppers(machine: Machine): void {
  const { cells, cpus } = machine;
  const work = cpus.map(({ id }) =>
    cells.cell<Stop | undefined>(`migration/${id} work`, undefined),
  );
  machine.stoppers = {
    hotplug: new Mutex(cells, 'cpu_hotplug_lock'),
    mutex: new Mutex(cells, 'stop_cpus_mutex'),
    moving: cpus.map(({ id }) => cells.cell(`hotplug/${id}`, 0)),
    work,
    count: 0,
  };
  for (const cpu of cpus) {
    const task = machine.newTask(`migration/${cpu.id}`, 'kthread', cpu);
    cpu.stopper = task;
    const own = known(work[cpu.id], 'every CPU has a stopper');
    task.work = own;
    start(task, () => stopperThread(task.context, own));
  }
}

/**
 * `stop_machine`: `run` runs on every CPU with interrupts off everywhere, under the locks of the caller, who sleeps
 * until all have left.
 */
export function* stopMachine(cx: Context, run: (cx: Context) => Path<void>): Path<void> {
  const { hotplug } = known(cx.cpu.machine.stoppers, 'the machine has stopper threads');
  yield* mutexLock(cx, hotplug);
  yield* stopCpus(cx, run);
  yield* mutexUnlock(cx, hotplug);
}

/** `stop_machine_cpuslocked`: as `stopMachine`. Caller holds `cpu_hotplug_lock`. */
export function* stopCpus(cx: Context, run: (cx: Context) => Path<void>): Path<void> {
  const { machine } = cx.cpu;
  const stoppers = known(machine.stoppers, 'the machine has stopper threads');
  yield* mutexLock(cx, stoppers.mutex);
  const stop = yield* act(stoppers.mutex.cell, () => queue(cx, stoppers, run));
  yield* sleepUntil(stop.left, (left) => left === 0);
  yield* mutexUnlock(cx, stoppers.mutex);
}

/** `queue_stop_cpus_work`. */
function queue(cx: Context, stoppers: Stoppers, run: Stop['run']): Stop {
  const { cells, cpus } = cx.cpu.machine;
  const online = cpus.filter((cpu) => cpu.online);
  const number = ++stoppers.count;
  const stop: Stop = {
    number,
    run,
    caller: cx,
    cpus: online.length,
    arrived: cells.cell(`stop/${number}`, 0),
    left: cells.cell(`stop/${number} left`, online.length),
  };
  cx.emit(EMU_EVENTS.stop_begin.id, number);
  for (const { id } of online) known(stoppers.work[id], 'every CPU has a stopper').set(stop);
  return stop;
}

/** `cpu_stopper_thread`. */
function* stopperThread(cx: Context, work: Cell<Stop | undefined>): Path<void> {
  for (;;) {
    const queued = yield* sleepUntil(work, (stop) => stop !== undefined);
    const stop = known(queued, 'a woken stopper has work');
    yield* multiCpuStop(cx, stop);
    yield* writeOnce(work, undefined);
    yield* fetchAdd(stop.left, -1);
  }
}

/** `multi_cpu_stop`: no CPU goes on to the next state before all have come to it. */
function* multiCpuStop(cx: Context, stop: Stop): Path<void> {
  const { cpu } = cx;
  yield* preemptDisable(cx);
  yield* rendezvous(stop, 1);
  yield* act(cpu.state, () => {
    stopOrGo(cx, true);
  });
  yield* rendezvous(stop, 2);
  cx.caller = stop.caller;
  yield* enter(stop.run(cx));
  cx.caller = undefined;
  yield* rendezvous(stop, 3); // CC-S2.4
  yield* act(cpu.state, () => {
    stopOrGo(cx, false);
    cx.emit(EMU_EVENTS.stop_leave.id, stop.number);
  });
  yield* preemptEnable(cx);
}

/** Waits until every CPU has come here, as the `nth` place of this stop. */
function* rendezvous({ arrived, cpus }: Stop, nth: number): Path<void> {
  yield* fetchAdd(arrived, 1);
  yield* waitUntil(arrived, (count) => count >= nth * cpus);
}

function stopOrGo(cx: Context, stopped: boolean): void {
  cx.cpu.stopped = stopped;
  setIrqs(cx, !stopped, false);
}
