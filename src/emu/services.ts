// Layer emu. The machine's own kernel symbols (stub-table.ts): what guest code gets when it calls them.
// A guest's misuse is an oops event, never an assertion.
import { type Address, NO_ADDRESS } from './address.ts';
import { type Context, LEVEL } from './context.ts';
import { guestLocks } from './guest-locks.ts';
import { kthreadServices } from './kthread.ts';
import type { Machine } from './machine.ts';
import { misuse, whenSleepable } from './misuse.ts';
import { act, type Path } from './path.ts';
import { changePreemptCount, setIrqs } from './preempt.ts';
import { printk } from './printk.ts';
import { synchronize, type WaitKind } from './rcu.ts';
import { exitTask, mayExit } from './schedule.ts';
import { allocate } from './slab.ts';
import { EMU_STUBS, type EmuStub } from './stub-table.ts';
import type { Stub } from './stubs.ts';
import { sleepFor } from './timer.ts';

const US_PER_MS = 1000;
const NS_PER_STEP = 1000;

/** Publishes and defines every symbol of EMU_STUBS. `softirqs`: handlers by number, for raise_softirq. */
export function defineServices(machine: Machine): void {
  const stubs: Readonly<Record<EmuStub, Stub>> = {
    __return_to_path: { now: (cx) => misuse(cx, 'jump') },
    ...preemption(),
    ...rcuServices(),
    ...sleeping(),
    ...guestLocks(machine),
    ...memory(),
    ...kthreadServices(machine),
    _printk: { now: printk },
    num_online_cpus: { now: () => machine.cpus.filter(({ online }) => online).length },
    smp_processor_id: { now: (cx) => cx.cpu.id },
    ktime_get: { now: () => machine.step * NS_PER_STEP, wide: true },
    raise_softirq: {
      now: (cx, args) => {
        const raised = machine.softirqs[args.lo(0)];
        if (raised === undefined) return misuse(cx, 'no such softirq');
        if (!cx.cpu.pending.includes(raised)) cx.cpu.pending.push(raised);
        return 0;
      },
    },
  };
  EMU_STUBS.forEach((name, index) => {
    machine.stubs.name(name, index);
    machine.stubs.define(name, stubs[name]);
  });
}

function preemption(): Pick<
  Record<EmuStub, Stub>,
  | 'preempt_disable'
  | 'preempt_enable'
  | 'local_irq_disable'
  | 'local_irq_enable'
  | 'local_bh_disable'
  | 'local_bh_enable'
> {
  return {
    preempt_disable: { now: (cx) => done(changePreemptCount(cx, 1)) },
    preempt_enable: {
      now: (cx) => {
        if (cx.cpu.preemptCount.value <= cx.preemptFloor) return misuse(cx, 'preempt imbalance');
        return done(changePreemptCount(cx, -1));
      },
    },
    local_irq_disable: { now: (cx) => done(setIrqs(cx, false, true)) },
    local_irq_enable: {
      now: (cx) =>
        cx.level > LEVEL.softirq ? misuse(cx, 'irqs on in irq') : done(setIrqs(cx, true, true)),
    },
    local_bh_disable: { now: (cx) => changeBhCount(cx, 1) },
    local_bh_enable: {
      now: (cx) => (cx.cpu.bhCount === 0 ? misuse(cx, 'bh imbalance') : changeBhCount(cx, -1)),
    },
  };
}

/** Softirqs off are a region as preemption off is (CC-M2). */
function changeBhCount(cx: Context, delta: 1 | -1): number {
  cx.cpu.bhCount += delta;
  cx.cpu.settle();
  return 0;
}

function rcuServices(): Pick<
  Record<EmuStub, Stub>,
  | 'rcu_read_lock'
  | 'rcu_read_unlock'
  | 'rcu_is_watching'
  | 'synchronize_rcu'
  | 'synchronize_rcu_tasks'
  | 'synchronize_rcu_tasks_rude'
> {
  return {
    rcu_read_lock: { now: (cx) => done(cx.cpu.machine.rcu.readLock(cx.task)) },
    rcu_read_unlock: {
      now: (cx) => {
        if (cx.task.rcuDepth === 0) return misuse(cx, 'rcu imbalance');
        return done(cx.cpu.machine.rcu.readUnlock(cx.task));
      },
    },
    rcu_is_watching: { now: (cx) => (cx.cpu.watching ? 1 : 0) },
    synchronize_rcu: waiting('synchronize_rcu'),
    synchronize_rcu_tasks: waiting('synchronize_rcu_tasks'),
    synchronize_rcu_tasks_rude: waiting('synchronize_rcu_tasks_rude'),
  };
}

function waiting(kind: WaitKind): Stub {
  return { path: (cx) => whenSleepable(cx, () => synchronize(cx, kind)) };
}

function sleeping(): Pick<Record<EmuStub, Stub>, 'msleep' | 'usleep_range' | 'do_exit'> {
  return {
    msleep: { path: (cx, args) => whenSleepable(cx, () => sleepFor(cx, args.lo(0) * US_PER_MS)) },
    usleep_range: { path: (cx, args) => whenSleepable(cx, () => sleepFor(cx, args.lo(0))) },
    do_exit: {
      now: (cx, args) => {
        if (cx.task.kind === 'idle' || !mayExit(cx.cpu)) return misuse(cx, 'exit while atomic');
        cx.task.exitCode = args.lo(0);
        exitTask(cx.cpu);
        return 0;
      },
    },
  };
}

function memory(): Pick<Record<EmuStub, Stub>, 'kmalloc' | 'kfree'> {
  return {
    kmalloc: { path: (cx, args) => kmalloc(cx, args.lo(0)), pointer: true },
    kfree: { path: (cx, args) => kfree(cx, args.isNull(0) ? undefined : args.address(0)) },
  };
}

function* kmalloc(cx: Context, bytes: number): Path<number> {
  if (bytes <= 0) return NO_ADDRESS;
  const made = yield* allocate(cx, { kind: 'heap', bytes });
  return made?.address ?? NO_ADDRESS;
}

/** Looked up in the step that frees: of two that free the same object the second is wrong. */
function* kfree(cx: Context, address: Address | undefined): Path<number> {
  const { machine } = cx.cpu;
  return yield* act(machine.slabCell, () => {
    if (address === undefined) return 0;
    const made = machine.slab.at(address);
    if (made === undefined) return misuse(cx, 'bad free');
    machine.slab.destroy(cx, made);
    return 0;
  });
}

/** For effects without a result. */
function done(_effect: void): number {
  return 0;
}
