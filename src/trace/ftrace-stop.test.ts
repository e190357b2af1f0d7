// Sites of two instructions, patched while all CPUs are stopped (FT-12, CC-S2, CC-M8).
import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  restless,
  setFilter,
  setFilterIp,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import type { ScriptOp } from '../emu/script.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FUNCTIONS = { a1: WORK, a2: WORK, f: [{ op: 'call', target: 'a1' }, ...WORK] } as const;

function busyKernel(seed: number, variants: readonly string[] = []): SmallKernel {
  const m = smallKernel({
    functions: FUNCTIONS,
    patching: 'stopMachine',
    chooser: restless(seed),
    variants,
  });
  m.task('busy', 1, 'f', 60);
  m.task('other', 1, 'a1', 60);
  return m;
}

/** Registers and unregisters one ops for `a1` a few times. */
function comeAndGo(m: SmallKernel): void {
  const ops = m.ops('A', 'cb');
  m.thread('control', 0, function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    for (let i = 0; i < 4; i++) {
      yield* perform(cx, m.k, ops, REGISTER);
      yield* perform(cx, m.k, ops, UNREGISTER);
    }
  });
  m.machine.run();
}

/** Does any CPU fetch old text, whatever is chosen? */
function isStale(variants: readonly string[]): boolean {
  for (let seed = 1; seed <= 60; seed++) {
    const m = busyKernel(seed, variants);
    comeAndGo(m);
    if (m.events('site_fetch').some(({ seen, newest }) => seen < newest)) return true;
  }
  return false;
}

test('sites have two instructions, and any of their bytes names them (FT-12, FT-49)', () => {
  const m = smallKernel({ functions: FUNCTIONS, patching: 'stopMachine' });
  const ops = m.ops('A', 'cb');
  const { site } = m.fn('a1');
  m.control(function* (cx) {
    expect(yield* perform(cx, m.k, ops, setFilterIp(site + 7))).toBe(0);
    expect(yield* perform(cx, m.k, ops, setFilterIp(site + 8))).toBe(-22);
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'f');
    expect(m.hooked()).toEqual(['a1 -> A']);
    yield* perform(cx, m.k, ops, UNREGISTER);
  });
  expect(m.hooked()).toEqual([]);
  expect(m.events('cb_begin').map(({ ip }) => ip)).toEqual([site]);
  expect(m.events('func_return').filter(({ func }) => func === m.fn('a1').address)).toHaveLength(1);
});

test('two ops share a site through the generic caller, whose inner call has two instructions too (FT-13)', () => {
  const m = smallKernel({ functions: FUNCTIONS, patching: 'stopMachine' });
  const [a, b] = [m.ops('A', 'cb'), m.ops('B', 'cb')];
  m.control(function* (cx) {
    yield* perform(cx, m.k, a, REGISTER);
    yield* perform(cx, m.k, b, REGISTER);
    yield* m.call(cx, 'a2');
    expect(m.hooked()).toEqual(['a1 -> list', 'a2 -> list', 'f -> list']);
  });
  expect(m.events('cb_begin').map(({ object }) => object)).toEqual([b.object, a.object]);
});

test('CC-S2.1-4: the last CPU to arrive writes both halves at once, interrupts off on all, and all leave later', () => {
  const writers = new Set<number>();
  for (let seed = 1; seed <= 20; seed++) {
    const m = busyKernel(seed);
    comeAndGo(m);
    const events = [...m.log.events()];
    for (const { index, stop } of m.events('stop_begin')) {
      const leaves = m.events('stop_leave').filter((e) => e.stop === stop);
      const firstLeave = known(leaves[0], 'somebody leaves').index;
      const during = events.filter((e) => e.index > index && e.index < firstLeave);
      const off = during.findLastIndex((e) => e.event === 'irqs' && !e.on);
      const writes = during.flatMap((e, at) =>
        e.event === 'text_pair' ? [{ at, cpu: e.cpu }] : [],
      );
      expect(leaves.map(({ cpu }) => cpu).toSorted((a, b) => a - b)).toEqual([0, 1]);
      expect(writes.length).toBeGreaterThan(0);
      expect(new Set(writes.map(({ cpu }) => cpu)).size).toBe(1);
      // Nothing but the patching itself from the last CPU's irq_off to the first one's irq_on.
      expect(known(writes[0], 'something is written').at).toBeGreaterThan(off);
      const inside = during.slice(off + 1).map(({ event }) => event);
      expect(inside.filter((event) => event !== 'text_pair' && event !== 'irqs')).toEqual([]);
      writers.add(known(writes[0], 'something is written').cpu);
    }
    expect(m.events('text_write')).toEqual([]);
    expect(m.events('sync_send')).toEqual([]);
  }
  expect([...writers].toSorted((a, b) => a - b)).toEqual([0, 1]);
});

test('every CPU runs its stopper thread, and what it ran before stays where it was (CC-M8)', () => {
  const m = busyKernel(3);
  comeAndGo(m);
  const stoppers = m.events('task_new').filter(({ name }) => name.startsWith('migration/'));
  expect(stoppers.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
    'migration/0 kthread',
    'migration/1 kthread',
  ]);
  const pids = stoppers.map(({ child }) => child);
  for (const { pid } of m.events('stop_leave')) expect(pids).toContain(pid);
  const switches = m.events('sched_switch').filter(({ cpu }) => cpu === 1);
  expect(switches.some(({ next, state }) => pids.includes(next) && state === 'preempted')).toBe(
    true,
  );
});

test('tasks give way between two calls only, so nobody is between the halves of a site (FT-12)', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const m = busyKernel(seed);
    comeAndGo(m);
    expect(m.machine.ending).toBe('run_end');
    expect(m.events('site_fetch').filter(({ does }) => does === 'torn')).toEqual([]);
  }
});

test('a kernel that preempts tasks between the halves executes halves of two calls (H-37)', () => {
  const reasons = new Set<string>();
  for (let seed = 1; seed <= 200 && reasons.size === 0; seed++) {
    const m = busyKernel(seed, ['H-37']);
    comeAndGo(m);
    for (const { reason } of m.events('oops')) reasons.add(reason);
  }
  expect([...reasons]).toEqual(['torn instruction']);
});

test('without the resync a CPU that was stopped fetches old text (CC-S2.3, CC-M5, M-110)', () => {
  expect(isStale(['M-110'])).toBe(true);
  expect(isStale([])).toBe(false);
});

test('an NMI waits until the machine goes on (CC-M8)', () => {
  const m = smallKernel({ functions: FUNCTIONS, patching: 'stopMachine', chooser: restless(2) });
  m.machine.injector.add({
    name: 'nmi',
    level: 3,
    handler: m.fn('a1').address,
    cpu: 1,
    left: 40,
  });
  const ops = m.ops('A', 'cb');
  m.task('busy', 1, 'f', 40);
  m.control(function* (cx) {
    for (let i = 0; i < 4; i++) {
      yield* perform(cx, m.k, ops, REGISTER);
      yield* perform(cx, m.k, ops, UNREGISTER);
    }
  });
  const off = new Set<number>();
  for (const e of m.log.events()) {
    if (e.event === 'irqs' && e.level === 0) {
      if (e.on) off.delete(e.cpu);
      else off.add(e.cpu);
    }
    if (e.event === 'irq_enter') expect(off.has(e.cpu)).toBe(false);
  }
  expect(m.events('irq_enter').length).toBeGreaterThan(0);
});
