// "Using ftrace to hook to functions", read sentence by sentence: what it promises and no other test of this folder shows.
// Callbacks are paths in TypeScript, which keep what they find in shared data.
import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  setFilter,
  setNotrace,
  smallKernel,
} from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import { calmChooser } from '../emu/choose.ts';
import { type DefinedPath, defineHandler, defineTask } from '../replay/handler.ts';
import { openSession, prepareModel } from '../replay/prepare.ts';
import type { Event, EventName } from '../replay/schema.ts';
import type { Workload } from '../replay/workload/model.ts';

interface Ran {
  of<N extends EventName>(name: N): Extract<Event, { event: N }>[];
  read(symbol: string): number;
}

/** Runs a workload on two CPUs, calmly, to its end. */
function run(
  model: Omit<Workload, 'name' | 'machine'>,
  handlers: readonly DefinedPath[] = [],
): Ran {
  const typescript = Object.fromEntries(handlers.map(({ name, version }) => [name, version]));
  const whole = {
    name: 'uses',
    machine: { cpus: 2 },
    ...model,
    ...(handlers.length > 0 ? { typescript } : {}),
  };
  const { plan } = prepareModel(whole, {}, 'uses', handlers);
  const boot = { profile: 'today', variants: [] } as const;
  const session = openSession(plan, boot, calmChooser, handlers);
  while (session.tick());
  expect(session.ending).toBe('run_end');
  const events = [...session.log.events(0, session.log.count)];
  return {
    of: <N extends EventName>(name: N) =>
      events.filter((e): e is Extract<Event, { event: N }> => e.event === name),
    read: (symbol) => session.readData(symbol, 0),
  };
}

test('a callback can be called from any context: task, softirq, irq and NMI, and the idle task (FT-55, FT-56)', () => {
  const ran = run({
    functions: {
      vfs_read: { body: ['work 3'] },
      ksys_read: { body: ['call vfs_read', 'sleep 20'] },
      idle_tick: { body: ['call vfs_read'], notrace: true },
    },
    tasks: { reader: { cpu: 0, run: 'ksys_read', times: 12 } },
    idle: [{ cpu: 0, run: 'idle_tick', times: 40 }],
    probes: { ops: { kind: 'ftrace', filter: 'vfs_read', callback: 'count' } },
    timeline: [
      { at: 'start', register: 'ops', expect: 0 },
      { on: { enter: 'vfs_read', cpu: 0, nth: 8 }, softirq: { run: 'vfs_read' } },
      { on: { enter: 'vfs_read', cpu: 0, nth: 10 }, irq: { run: 'vfs_read' } },
      { on: { enter: 'vfs_read', cpu: 0, nth: 12 }, nmi: { run: 'vfs_read' } },
    ],
  });
  const calls = ran.of('cb_begin');
  expect(new Set(calls.map(({ level }) => level))).toEqual(new Set([0, 1, 2, 3]));
  expect(calls.some(({ pid, level }) => pid === 0 && level === 0)).toBe(true);
});

test('func alone is required: without flags it is registered, and private is as it was set, in the struct that a callback gets', () => {
  const PRIVATE = 0x5eed;
  const callback = defineHandler('callback', 1, function* (cx) {
    yield* cx.write('given', (cx.args[2] ?? 0) - cx.addressOf('ops'));
    yield* cx.write('private', yield* cx.read('ops+16'));
    yield* cx.add('calls', 1);
  });
  const driver = defineTask('driver', 1, function* (cx) {
    yield* cx.write('ops', cx.addressOf('callback'));
    yield* cx.write('given', -1);
    yield* cx.write('registered', yield* cx.call('register_ftrace_function', cx.addressOf('ops')));
    yield* cx.call('vfs_read');
    yield* cx.write('first', yield* cx.read('private'));
    yield* cx.call('unregister_ftrace_function', cx.addressOf('ops'));
    yield* cx.write('ops+16', PRIVATE);
    yield* cx.call('register_ftrace_function', cx.addressOf('ops'));
    yield* cx.call('vfs_read');
    yield* cx.call('unregister_ftrace_function', cx.addressOf('ops'));
    yield* cx.call('vfs_read');
  });
  const words = { given: 8, private: 8, first: 8, calls: 8, registered: 8 };
  const ran = run(
    {
      data: { ops: 64, ...words },
      functions: { vfs_read: { body: [] } },
      tasks: { driver: { cpu: 0, run: 'driver' } },
    },
    [callback, driver],
  );
  expect(
    ['registered', 'given', 'first', 'private', 'calls'].map((name) => ran.read(name)),
  ).toEqual([0, 0, 0, PRIVATE, 2]);
});

test('rcu_is_watching tells a callback whether RCU is: not in an idle task (FT-55)', () => {
  const callback = defineHandler('callback', 1, function* (cx) {
    const isWatching = (yield* cx.call('rcu_is_watching')) !== 0;
    yield* cx.add(cx.pid === 0 ? 'idle' : 'task', isWatching ? 1000 : 1);
  });
  const ran = run(
    {
      data: { idle: 8, task: 8 },
      functions: {
        vfs_read: { body: [] },
        ksys_read: { body: ['sleep 300', 'call vfs_read'], notrace: true },
        idle_tick: { body: ['call vfs_read'], notrace: true },
      },
      tasks: { reader: { cpu: 0, run: 'ksys_read', times: 2 } },
      idle: [{ cpu: 0, run: 'idle_tick', times: 40 }],
      probes: { ops: { kind: 'ftrace', filter: 'vfs_read', callback: 'callback' } },
      timeline: [{ at: 'start', register: 'ops', expect: 0 }],
    },
    [callback],
  );
  expect(ran.read('task')).toBe(2000);
  expect(ran.read('idle')).toBeGreaterThan(0);
  expect(ran.read('idle')).toBeLessThan(1000);
});

test('unlock turns preemption on again only if it was on before (FT-53)', () => {
  const ran = run({
    data: { hits: 8 },
    functions: {
      vfs_read: { body: ['work 2'] },
      quiet_read: { body: ['preempt_off', 'call vfs_read', 'work 2', 'preempt_on'], notrace: true },
    },
    tasks: { reader: { cpu: 0, run: 'quiet_read' } },
    callbacks: { guarded: { body: [{ trylock: ['amoadd hits 1'] }] } },
    probes: { ops: { kind: 'ftrace', filter: 'vfs_read', callback: 'guarded' } },
    timeline: [{ at: 'start', register: 'ops', expect: 0 }],
  });
  const unlock = known(ran.of('recursion_unlock').at(-1), 'the lock is given back');
  const left = ran.of('func_return').find(({ index }) => index > unlock.index);
  const between = ran
    .of('region_close')
    .filter(({ index, cpu }) => cpu === 0 && index > unlock.index);
  expect(ran.read('hits')).toBe(1);
  expect(between.filter(({ index }) => index < known(left, 'it returns').index)).toEqual([]);
  expect(between.length).toBeGreaterThan(0);
});

test('the notrace set is a list of its own: clearing it leaves the filter, which never changed (FT-36, FT-37, FT-38)', () => {
  const m = smallKernel({ functions: { a1: [], a2: [], b1: [] } });
  const ops = m.ops('A', 'cb');
  const steps = [
    setFilter('a*'),
    REGISTER,
    setNotrace('a1'),
    setNotrace('a2', true),
    setNotrace('b1', true),
    setNotrace('a*'),
    setNotrace(undefined, true),
  ];
  const hooked: string[] = [];
  m.control(function* (cx) {
    for (const step of steps) {
      expect(yield* perform(cx, m.k, ops, step)).toBe(0);
      hooked.push(
        m
          .hooked()
          .map((site) => site.slice(0, 2))
          .join(' '),
      );
    }
  });
  expect(hooked).toEqual(['', 'a1 a2', 'a2', 'a1', 'a1 a2', '', 'a1 a2']);
});

test('a filter can be changed before and after registering, by one call and by several (FT-38, FT-40, FT-41)', () => {
  const m = smallKernel({ functions: { schedule: [], try_to_wake_up: [], kmalloc: [] } });
  const ops = m.ops('A', 'cb');
  const hooked: string[][] = [];
  const steps = [
    setFilter('schedule', true),
    REGISTER,
    setFilter('kmalloc'),
    setFilter('try_to_wake_up', true),
    // The other way: with a time in which all functions call the callback.
    setFilter('schedule', true),
    setFilter(undefined, true),
    setFilter('try_to_wake_up'),
  ];
  m.control(function* (cx) {
    for (const step of steps) {
      expect(yield* perform(cx, m.k, ops, step)).toBe(0);
      hooked.push(m.hooked().map((site) => known(site.split(' ')[0], 'a name')));
    }
  });
  expect(hooked).toEqual([
    [],
    ['schedule'],
    ['schedule', 'kmalloc'],
    ['try_to_wake_up'],
    ['schedule'],
    ['schedule', 'try_to_wake_up', 'kmalloc'],
    ['try_to_wake_up'],
  ]);
});
