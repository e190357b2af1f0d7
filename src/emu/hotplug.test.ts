// CPU hotplug (docs/spec/concurrency.md, section 1; FT-55 speaks of its code).
import { expect, test } from 'vitest';
import { type SmallMachine, smallMachine } from '../../properties/small-machine.ts';
import { known } from '../assert.ts';
import { randomChooser } from '../replay/explore/random.ts';
import type { Event, EventName } from '../replay/schema.ts';
import { NO_ADDRESS } from './address.ts';
import { calmChooser, type Chooser } from './choose.ts';
import type { Context } from './context.ts';
import { cpuDown, cpuUp } from './hotplug.ts';
import { act, type Path } from './path.ts';
import { callRcu, synchronize } from './rcu.ts';
import { startStoppers } from './stop-machine.ts';
import { sync } from './text.ts';
import { sleepFor } from './timer.ts';

const FUNCTIONS = {
  f: [{ op: 'work', count: 2 }],
  last: [{ op: 'work', count: 2 }],
  first: [{ op: 'work', count: 2 }],
} as const;

function random(seed: number): Chooser {
  return randomChooser({ seed, schedule: [1, 3], inject: [1, 8] });
}

function withStoppers(chooser: Chooser = calmChooser, cpus = 2): SmallMachine {
  const m = smallMachine({ functions: FUNCTIONS, chooser, machine: { cpus } });
  startStoppers(m.machine);
  return m;
}

function find<N extends EventName>(m: SmallMachine, name: N): Extract<Event, { event: N }>[] {
  return [...m.log.events()].filter((e): e is Extract<Event, { event: N }> => e.event === name);
}

/** Runs `path` on CPU 0 until all is over. */
function control(m: SmallMachine, path: (cx: Context) => Path<unknown>): void {
  m.thread('control', 0, path);
  expect(m.machine.run()).toBe('run_end');
}

test('the last and the first code of a CPU runs in its idle task, where RCU does not watch (CC-M3)', () => {
  const m = withStoppers();
  control(m, function* (cx) {
    expect(yield* cpuDown(cx, 1, m.at('last'))).toBe(0);
    expect(yield* cpuUp(cx, 1, m.at('first'))).toBe(0);
  });
  const told = [...m.log.events()].flatMap((e) => {
    if (e.event === 'cpu_online') return [`CPU ${e.which} ${e.on ? 'on' : 'off'}`];
    if (e.cpu !== 1) return [];
    if (e.event === 'rcu_watching') return [e.watching ? 'watched' : 'unwatched'];
    if (e.event === 'func_enter') return [`${e.func === m.at('last') ? 'last' : 'first'} ${e.pid}`];
    return [];
  });
  expect(told).toEqual([
    'unwatched',
    'last 0',
    'watched',
    'CPU 1 off',
    'CPU 1 on',
    'unwatched',
    'first 0',
    'watched',
  ]);
});

test('tasks of a CPU that goes are moved, whatever they do, and all is done elsewhere', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const m = withStoppers(random(seed));
    m.task('busy', 1, 'f', 30);
    m.task('ready', 1, 'f', 30);
    m.thread('sleeper', 1, function* (cx) {
      yield* sleepFor(cx, 400);
      expect(cx.cpu.id).toBe(0);
      expect(cx.task.cpu.id).toBe(0);
    });
    control(m, function* (cx) {
      yield* sleepFor(cx, 20);
      yield* cpuDown(cx, 1, NO_ADDRESS);
      expect(m.machine.cpus.map(({ online }) => online)).toEqual([true, false]);
    });
    const gone = known(find(m, 'cpu_online')[0], 'it went').index;
    const later = [...m.log.events()].slice(gone).filter(({ cpu }) => cpu === 1);
    expect(later.map(({ event }) => event)).toEqual(['cpu_state']);
    expect(find(m, 'func_return')).toHaveLength(60);
  }
});

test('a thread that takes its own CPU down goes on elsewhere; the last CPU stays', () => {
  const m = withStoppers(calmChooser, 3);
  control(m, function* (cx) {
    expect(yield* cpuDown(cx, 0, NO_ADDRESS)).toBe(0);
    expect(cx.cpu.id).toBe(1);
    expect(yield* cpuDown(cx, 0, NO_ADDRESS)).toBe(-22);
    expect(yield* cpuDown(cx, 1, NO_ADDRESS)).toBe(0);
    expect(yield* cpuDown(cx, 2, NO_ADDRESS)).toBe(-16);
    expect(yield* cpuUp(cx, 2, NO_ADDRESS)).toBe(-22);
    expect(yield* cpuUp(cx, 1, NO_ADDRESS)).toBe(0);
  });
});

test('CC-M7: a SYNC asks CPUs that are online, and no others', () => {
  const m = withStoppers(calmChooser, 3);
  control(m, function* (cx) {
    yield* cpuDown(cx, 2, NO_ADDRESS);
    yield* sync(cx);
    yield* cpuUp(cx, 2, NO_ADDRESS);
    yield* sync(cx);
  });
  expect(find(m, 'sync_ack').map(({ cpu, sync: number }) => `${number} ${cpu}`)).toEqual([
    '1 1',
    '2 1',
    '2 2',
  ]);
});

test('CC-M11: the rude wait sees out the last code of a CPU, and does not wait for one that is gone', () => {
  let waited = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const m = withStoppers(random(seed), 3);
    m.thread('waiter', 2, function* (cx) {
      yield* sleepFor(cx, 30);
      for (let i = 0; i < 12; i++) yield* synchronize(cx, 'synchronize_rcu_tasks_rude');
    });
    control(m, function* (cx) {
      yield* sleepFor(cx, 30);
      yield* cpuDown(cx, 1, m.at('last'));
      yield* synchronize(cx, 'synchronize_rcu_tasks_rude');
    });
    const [enter] = find(m, 'func_enter');
    const [leave] = find(m, 'func_return');
    for (const begin of find(m, 'wait_begin')) {
      if (enter === undefined || leave === undefined) continue;
      if (begin.index < enter.index || begin.index > leave.index) continue;
      const end = find(m, 'wait_end').find(({ wait }) => wait === begin.wait);
      expect(end?.index).toBeGreaterThan(leave.index);
      waited++;
    }
  }
  expect(waited).toBeGreaterThan(0);
});

test('CC-M13: a callback that was queued on a CPU that is gone runs on another one', () => {
  const m = withStoppers();
  const ran: number[] = [];
  m.thread('queuer', 1, function* (cx) {
    yield* sleepFor(cx, 5);
    yield* callRcu(cx, function* (own) {
      yield* act(own.cpu.state, () => ran.push(own.cpu.id));
    });
  });
  m.thread('reader', 0, function* (cx) {
    m.machine.rcu.readLock(cx.task);
    yield* sleepFor(cx, 300);
    m.machine.rcu.readUnlock(cx.task);
  });
  control(m, function* (cx) {
    yield* sleepFor(cx, 20);
    yield* cpuDown(cx, 1, NO_ADDRESS);
  });
  expect(ran).toEqual([0]);
});
