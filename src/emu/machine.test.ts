import { expect, test } from 'vitest';
import { type SmallMachine, smallMachine } from '../../properties/small-machine.ts';
import { randomChooser } from '../replay/explore/random.ts';
import type { Event, EventName } from '../replay/schema.ts';
import { mutexLock, mutexUnlock, Mutex } from './lock.ts';
import { readOnce, sleepUntil, waitUntil, writeOnce } from './path.ts';
import { preemptDisable, preemptEnable } from './preempt.ts';
import { callRcu, synchronize, type WaitKind } from './rcu.ts';
import type { ScriptOp } from './script.ts';
import { sleepFor } from './timer.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 3 }];

function names(m: SmallMachine): EventName[] {
  return [...m.log.events()].map((event) => event.event);
}

function find<N extends EventName>(m: SmallMachine, name: N): Extract<Event, { event: N }>[] {
  return [...m.log.events()].filter((e): e is Extract<Event, { event: N }> => e.event === name);
}

function random(seed: number): ReturnType<typeof randomChooser> {
  return randomChooser({ seed, schedule: [1, 3], inject: [1, 8] });
}

test('a task calls functions; true calls and returns nest', () => {
  const m = smallMachine({
    functions: { outer: [{ op: 'call', target: 'inner' }], inner: [{ op: 'return', value: 7 }] },
  });
  m.task('t', 0, 'outer');
  expect(m.machine.run()).toBe('run_end');
  expect(find(m, 'func_enter').map((e) => e.func)).toEqual([m.at('outer'), m.at('inner')]);
  expect(find(m, 'func_return').map((e) => [e.func, e.value])).toEqual([
    [m.at('inner'), 7n],
    [m.at('outer'), 0n],
  ]);
});

test('two CPUs add to shared memory: atomically always, in three instructions not always', () => {
  const counts = new Set<number>();
  for (let seed = 0; seed < 30; seed++) {
    const m = smallMachine({
      functions: {
        f: [
          { op: 'add', symbol: 'plain', offset: 0, value: 1 },
          { op: 'amoadd', symbol: 'atomic', offset: 0, value: 1 },
        ],
      },
      data: ['plain', 'atomic'],
      chooser: random(seed),
    });
    m.task('a', 0, 'f', 5);
    m.task('b', 1, 'f', 5);
    expect(m.machine.run()).toBe('run_end');
    expect(m.data('atomic')).toBe(10);
    counts.add(m.data('plain'));
  }
  expect(Math.min(...counts)).toBeLessThan(10);
  expect(Math.max(...counts)).toBe(10);
});

test('sleeping lets another task of the CPU run, and idle time jumps to the timer', () => {
  const m = smallMachine({ functions: { f: [{ op: 'sleep', us: 500 }], g: WORK } });
  m.task('sleeper', 0, 'f');
  m.task('other', 0, 'g');
  expect(m.machine.run()).toBe('run_end');
  expect(m.machine.step).toBeGreaterThanOrEqual(500);
  expect(m.machine.step).toBeLessThan(600);
  expect(find(m, 'sched_switch').map((e) => [e.prev, e.next, e.state])).toEqual([
    [0, 1, 'idle'],
    [1, 2, 'sleeping'],
    [2, 0, 'dead'],
    [0, 1, 'idle'],
    [1, 0, 'dead'],
  ]);
});

test('a mutex is handed over in order, and two that are taken in opposite order deadlock', () => {
  let deadlocks = 0;
  for (let seed = 0; seed < 40; seed++) {
    const m = smallMachine({ functions: { f: WORK }, chooser: random(seed) });
    const a = new Mutex(m.machine.cells, 'a');
    const b = new Mutex(m.machine.cells, 'b');
    for (const [cpu, first, second] of [
      [0, a, b],
      [1, b, a],
    ] as const) {
      m.thread(`t${cpu}`, cpu, function* (cx) {
        yield* mutexLock(cx, first);
        yield* mutexLock(cx, second);
        yield* mutexUnlock(cx, second);
        yield* mutexUnlock(cx, first);
      });
    }
    if (m.machine.run() === 'deadlock') {
      deadlocks++;
      expect(
        find(m, 'deadlock')
          .map((e) => `${e.waiting} ${e.on}`)
          .toSorted(),
      ).toEqual(['1 b', '2 a']);
    }
  }
  expect(deadlocks).toBeGreaterThan(0);
  expect(deadlocks).toBeLessThan(40);
});

test('guarded state may be touched under its lock only', () => {
  const m = smallMachine({ functions: { f: WORK } });
  const lock = new Mutex(m.machine.cells, 'lock');
  const cell = m.machine.cells.cell('guarded', 1, lock);
  m.thread('t', 0, function* (cx) {
    yield* mutexLock(cx, lock);
    cx.write(cell, cx.read(cell) + 1);
    yield* mutexUnlock(cx, lock);
    cx.read(cell);
  });
  expect(() => m.machine.run()).toThrow('guarded is touched under lock');
  expect(cell.value).toBe(2);
});

test('synchronize_rcu waits for a region that was open, not for one that opens later (CC-M10)', () => {
  const m = smallMachine({ functions: { f: WORK } });
  const { cells } = m.machine;
  const [opened, close] = [cells.cell('opened', 0), cells.cell('close', 0)];
  const order: string[] = [];
  m.thread('reader', 1, function* (cx) {
    yield* preemptDisable(cx);
    yield* writeOnce(opened, 1);
    yield* waitUntil(close, (value) => value === 1);
    order.push('reader leaves');
    yield* preemptEnable(cx);
  });
  m.thread('waiter', 0, function* (cx) {
    yield* sleepUntil(opened, (value) => value === 1);
    yield* synchronize(cx, 'synchronize_rcu');
    order.push('waiter returns');
  });
  m.thread('closer', 0, function* (cx) {
    yield* sleepFor(cx, 200);
    order.push('closing');
    yield* writeOnce(close, 1);
  });
  expect(m.machine.run()).toBe('run_end');
  expect(order).toEqual(['closing', 'reader leaves', 'waiter returns']);
});

test('the tasks wait outlasts a task that never sleeps, the rude wait does not (FT-33, CC-M11, CC-M12)', () => {
  for (const [kind, endings] of [
    ['synchronize_rcu_tasks', ['busy ends, waited']],
    ['synchronize_rcu_tasks_rude', ['busy ends, waited', 'waited, busy ends']],
  ] as const) {
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) seen.add(busyAndWaiter(kind, seed));
    expect([...seen].toSorted()).toEqual(endings);
  }
});

/** A task that runs or is ready all the time, and one that waits for a grace period meanwhile. */
function busyAndWaiter(kind: WaitKind, seed: number): string {
  const m = smallMachine({ functions: { f: WORK }, chooser: random(seed) });
  const [begun, idle] = [m.machine.cells.cell('begun', 0), m.machine.cells.cell('idle', 0)];
  const order: string[] = [];
  m.thread('busy', 1, function* (cx) {
    yield* writeOnce(begun, 1);
    for (let i = 0; i < 30; i++) yield* readOnce(idle);
    order.push('busy ends');
    yield* readOnce(cx.cpu.state);
  });
  m.thread('waiter', 0, function* (cx) {
    yield* sleepUntil(begun, (value) => value === 1);
    yield* synchronize(cx, kind);
    order.push('waited');
  });
  expect(m.machine.run()).toBe('run_end');
  return order.join(', ');
}

test('call_rcu runs its callback in softirq context after the grace period (CC-M13)', () => {
  const m = smallMachine({ functions: { f: WORK } });
  const levels: number[] = [];
  m.thread('t', 0, function* (cx) {
    yield* callRcu(cx, function* (softirq) {
      levels.push(softirq.level);
      yield* readOnce(softirq.cpu.state);
    });
  });
  expect(m.machine.run()).toBe('run_end');
  expect(levels).toEqual([1]);
});

test('an interrupt may strike anywhere, a bounded number of times, and NMIs on top of it (CC-M2)', () => {
  const m = smallMachine({ functions: { f: WORK, tick: WORK, nmi: WORK }, chooser: random(5) });
  m.machine.injector.add({ name: 'tick', level: 2, handler: m.at('tick'), cpu: -1, left: 3 });
  m.machine.injector.add({ name: 'nmi', level: 3, handler: m.at('nmi'), cpu: 0, left: 2 });
  m.task('a', 0, 'f', 40);
  m.task('b', 1, 'f', 40);
  expect(m.machine.run()).toBe('run_end');
  const enters = find(m, 'irq_enter').map((e) => e.level);
  expect(enters.toSorted((a, b) => a - b)).toEqual([2, 2, 2, 3, 3]);
  expect(find(m, 'irq_exit')).toHaveLength(5);
  const open = names(m).filter((name) => name === 'region_open').length;
  expect(open).toBe(names(m).filter((name) => name === 'region_close').length);
});

test('a jump to nowhere, a stack that is gone and bad calls are oops events', () => {
  const cases: Readonly<Record<string, readonly ScriptOp[]>> = {
    stack: [{ op: 'call', target: 'f' }],
    'preempt imbalance': [{ op: 'call', target: 'preempt_enable' }],
    'scheduling while atomic': [{ op: 'preempt_off' }, { op: 'sleep', us: 5 }],
    unmapped: [{ op: 'call', target: 'mutex_unlock' }],
  };
  for (const [reason, body] of Object.entries(cases)) {
    const m = smallMachine({ functions: { f: body } });
    m.task('t', 0, 'f');
    expect(m.machine.run()).toBe('oops');
    expect(find(m, 'oops').map((e) => e.reason)).toEqual([reason]);
  }
});

test('the step limit ends a run', () => {
  const m = smallMachine({
    functions: {
      f: [{ op: 'loop', times: 1_000_000, body: [{ op: 'call', target: 'g' }] }],
      g: WORK,
    },
    machine: { stepsMax: 500 },
  });
  m.task('t', 0, 'f');
  expect(m.machine.run()).toBe('no_progress');
  expect(m.machine.step).toBeLessThan(520);
});

test('equal seeds give equal runs, in both grains', () => {
  for (const grain of ['visible', 'instruction'] as const) {
    const once = (): Int32Array => {
      const m = smallMachine({
        functions: { f: [{ op: 'add', symbol: 'x', offset: 0, value: 1 }, ...WORK], tick: WORK },
        data: ['x'],
        chooser: random(9),
        machine: { cpus: 4, grain },
      });
      m.machine.injector.add({ name: 'tick', level: 2, handler: m.at('tick'), cpu: -1, left: 3 });
      for (let cpu = 0; cpu < 4; cpu++) m.task(`t${cpu}`, cpu, 'f', 10);
      m.machine.run();
      return m.log.rows().slice();
    };
    expect(once()).toEqual(once());
  }
});
