import { expect, test } from 'vitest';
import { smallMachine } from '../../properties/small-machine.ts';
import { known } from '../assert.ts';
import { randomChooser } from '../replay/explore/random.ts';
import { CHOICE } from './choose.ts';
import { LEVEL } from './context.ts';
import { guestHandler } from './interrupt.ts';
import { callGuest } from './path.ts';
import { synchronize } from './rcu.ts';
import type { ScriptOp } from './script.ts';
import { EMU_STUBS, stubAddress } from './stub-table.ts';
import { sync } from './text.ts';
import { sleepFor } from './timer.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 3 }];

function reasonsOf(m: ReturnType<typeof smallMachine>): string[] {
  return [...m.log.events()].flatMap((e) => (e.event === 'oops' ? [e.reason] : []));
}

test('a handler that takes away the preemption count of what it interrupted is an oops', () => {
  const m = smallMachine({ functions: { f: WORK, tick: [{ op: 'preempt_on' }] } });
  m.task('t', 1, 'f', 5);
  m.thread('sender', 0, function* (cx) {
    const handler = m.at('tick');
    cx.cpu.pending.push({ level: LEVEL.hardirq, handler, body: guestHandler(handler) });
    yield* sync(cx);
  });
  expect(m.machine.run()).toBe('oops');
  expect(reasonsOf(m)).toEqual(['preempt imbalance']);
});

test('an interrupt that leaves preemption off is an oops', () => {
  const every = { choose: (): number => 1 };
  const m = smallMachine({ functions: { f: WORK, tick: [{ op: 'preempt_off' }] }, chooser: every });
  m.machine.injector.add({ name: 'tick', level: 2, handler: m.at('tick'), cpu: 0, left: 1 });
  m.task('t', 0, 'f', 5);
  expect(m.machine.run()).toBe('oops');
  expect(reasonsOf(m)).toEqual(['preempt imbalance']);
});

test('a task that ends with interrupts or preemption off, or in a read section, is an oops', () => {
  for (const op of ['irq_off', 'preempt_off', 'rcu_read_lock'] as const) {
    const m = smallMachine({ functions: { f: [{ op }] } });
    m.task('t', 0, 'f');
    expect(m.machine.run()).toBe('oops');
    expect(reasonsOf(m)).toEqual(['exit while atomic']);
  }
});

test('of two CPUs that free one object the second is wrong, in every order', () => {
  for (let seed = 0; seed < 40; seed++) {
    const m = smallMachine({
      functions: {},
      chooser: randomChooser({ seed, schedule: [1, 2], inject: [1, 32] }),
    });
    const address = stubAddress(EMU_STUBS.indexOf('kfree'));
    const allocate = stubAddress(EMU_STUBS.indexOf('kmalloc'));
    const shared = m.machine.cells.cell('pointer', 0);
    m.thread('maker', 0, function* (cx) {
      const lo = yield* callGuest(cx.cpu.state, allocate, [32, 0]);
      shared.set(lo);
      for (const cpu of [0, 1]) {
        m.thread(`freer${cpu}`, cpu, (own) => callGuest(own.cpu.state, address, [lo, -1]));
      }
    });
    expect(m.machine.run()).toBe('oops');
    expect(reasonsOf(m)).toEqual(['bad free']);
  }
});

test('local_bh_disable is a region that grace periods wait for (CC-M3)', () => {
  const body: ScriptOp[] = [
    { op: 'call', target: 'local_bh_disable' },
    { op: 'work', count: 20 },
    { op: 'call', target: 'local_bh_enable' },
  ];
  const m = smallMachine({ functions: { f: body } });
  m.task('closed', 1, 'f');
  m.machine.running = known(m.machine.cpus[1], 'there is a second CPU');
  m.thread('waiter', 0, (cx) => synchronize(cx, 'synchronize_rcu'));
  expect(m.machine.run()).toBe('run_end');
  const events = [...m.log.events()];
  expect(events.filter((e) => e.event === 'region_open' && e.cpu === 1)).toHaveLength(1);
});

test('a timer beyond the step limit is no deadlock', () => {
  const m = smallMachine({ functions: {}, machine: { stepsMax: 1000 } });
  m.thread('t', 0, (cx) => sleepFor(cx, 5000));
  expect(m.machine.run()).toBe('no_progress');
  expect(m.machine.step).toBe(1000);
});

test('an NMI does not wait behind an interrupt that is put off', () => {
  const m = smallMachine({
    functions: { f: WORK, irq: WORK, nmi: WORK },
    chooser: { choose: (point) => (point.kind === CHOICE.deliver ? 1 : 0) },
  });
  m.task('t', 0, 'f', 3);
  const cpu = known(m.machine.cpus[0], 'there is a first CPU');
  for (const [name, level] of [
    ['irq', LEVEL.hardirq],
    ['nmi', LEVEL.nmi],
  ] as const) {
    const handler = m.at(name);
    cpu.pending.push({ level, handler, body: guestHandler(handler) });
  }
  m.machine.touchCpu(cpu);
  m.machine.run();
  const enters = [...m.log.events()].flatMap((e) => (e.event === 'irq_enter' ? [e.level] : []));
  expect(enters[0]).toBe(LEVEL.nmi);
});

test('ktime_get counts on beyond 32 bits', () => {
  const m = smallMachine({ functions: {}, machine: { stepsMax: 10_000_000 } });
  const ktime = stubAddress(EMU_STUBS.indexOf('ktime_get'));
  const { hart } = known(m.machine.cpus[0], 'there is a first CPU');
  let time = 0n;
  m.thread('t', 0, function* (cx) {
    yield* sleepFor(cx, 5_000_000);
    const lo = yield* callGuest(cx.cpu.state, ktime, []);
    time = (BigInt(hart.hi[10] ?? 0) << 32n) | BigInt(lo >>> 0);
  });
  expect(m.machine.run()).toBe('run_end');
  expect(time).toBeGreaterThan(5_000_000_000n);
});
