// Registering and unregistering an fprobe in the eras of rethook: what it hooks, what it is refused for, and what a
// refusal leaves (FP-20 to FP-23, FP-40 to FP-44).
import { expect, test } from 'vitest';
import { smallFprobes, type SmallFprobes } from '../../properties/small-fprobe.ts';
import { CHOICE } from '../emu/choose.ts';
import { synchronize } from '../emu/rcu.ts';
import { start } from '../emu/schedule.ts';
import type { ScriptOp } from '../emu/script.ts';
import { EBUSY, EINVAL, ENODEV, ENOENT, ENOMEM } from './errno.ts';
import type { FprobeRequest } from './fprobe-operation.ts';
import { zeroUsedOps } from './fprobe-rethook.ts';
import type { Fprobe } from './fprobe.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FUNCTIONS = { a1: WORK, a2: WORK, a3: WORK, b1: WORK, '-hidden': WORK };
const ALL = ['a1', 'a2', 'a3', 'b1'] as const;

/** What `request` returns for a new fprobe, and the functions that it hooks then. */
function hookedBy(
  request: FprobeRequest,
  m: SmallFprobes = smallFprobes({ functions: FUNCTIONS }),
): readonly [number, string] {
  const fp = m.fprobe('A');
  let result = 0;
  m.control(function* (cx) {
    result = yield* m.ask(cx, fp, request);
    for (const name of ALL) yield* m.call(cx, name);
  });
  const hooked = m.story().filter((line) => line.startsWith('A.entry '));
  return [result, hooked.map((line) => line.replace('A.entry ', '')).join(' ')];
}

function byFilter(filter: string | undefined, notfilter?: string): readonly [number, string] {
  return hookedBy({ op: 'register_fprobe', filter, notfilter });
}

test('FP-21, FP-23: the functions of one pattern, without those of another one', () => {
  expect(byFilter('a*')).toEqual([0, 'a1 a2 a3']);
  expect(byFilter('a*', 'a2')).toEqual([0, 'a1 a3']);
  expect(byFilter('a*', '*2')).toEqual([0, 'a1 a3']);
  expect(byFilter('a1', 'a1')).toEqual([0, '']);
  expect(byFilter('[ab]1')).toEqual([0, 'a1 b1']);
  expect(byFilter('a*', 'nobody')).toEqual([-EINVAL, '']);
  expect(byFilter('a*', '')).toEqual([-EINVAL, '']);
  expect(byFilter('nobody')).toEqual([-EINVAL, '']);
  expect(byFilter('')).toEqual([-EINVAL, '']);
  expect(byFilter(undefined)).toEqual([-EINVAL, '']);
  expect(byFilter('hidden')).toEqual([-EINVAL, '']);
  expect(byFilter('a1,a2')).toEqual([-EINVAL, '']);
  expect(byFilter('!a1')).toEqual([-EINVAL, '']); // Nothing is left, and an empty pool is refused (FP-22).
});

function byIps(
  ...of: readonly (readonly [name: string, plus: number])[]
): readonly [number, string] {
  const m = smallFprobes({ functions: FUNCTIONS });
  const ips = of.map(([name, plus]) => m.fn(name).address + plus);
  return hookedBy({ op: 'register_fprobe_ips', ips }, m);
}

test('FP-23: addresses of sites or of functions, one of them twice, and none that is neither', () => {
  expect(byIps(['a1', 0], ['a2', 4])).toEqual([0, 'a1 a2']);
  expect(byIps(['a1', 0], ['a1', 4])).toEqual([0, 'a1']);
  expect(byIps(['a1', 0], ['a2', 8])).toEqual([-EINVAL, '']);
  expect(byIps(['hidden', 0])).toEqual([-EINVAL, '']);
  expect(byIps()).toEqual([-EINVAL, '']);
});

function bySyms(...syms: readonly string[]): readonly [number, string] {
  return hookedBy({ op: 'register_fprobe_syms', syms });
}

test('FP-23: names of functions that are there, each once', () => {
  expect(bySyms('b1', 'a1')).toEqual([0, 'a1 b1']);
  for (const wrong of ['a1', 'nobody', '', 'a*', 'hidden']) {
    expect(bySyms('a1', wrong)).toEqual([-ENOENT, '']);
  }
  expect(bySyms()).toEqual([-EINVAL, '']);
});

/** How many nodes the pool of a registered fprobe has; the error if it was refused. */
function poolOf(
  filled: Partial<Fprobe> & Parameters<SmallFprobes['fprobe']>[1],
  target: FprobeRequest,
): number {
  const m = smallFprobes({ functions: FUNCTIONS });
  const fp = m.fprobe('A', filled);
  let result = 0;
  m.control(function* (cx) {
    result = yield* m.ask(cx, fp, target);
  });
  return result < 0 ? result : m.k.fn.fprobeState(m.k, fp).nodes;
}

function asking(filter: string, notfilter?: string): FprobeRequest {
  return { op: 'register_fprobe', filter, notfilter };
}

test('FP-22: the pool has nr_maxactive nodes, or two for each CPU and function of the filter', () => {
  expect(poolOf({}, asking('a1'))).toBe(4);
  expect(poolOf({}, asking('a*'))).toBe(12);
  expect(poolOf({}, asking('a*', 'a2'))).toBe(12); // Notrace is not looked at.
  expect(poolOf({ nrMaxactive: 5 }, asking('a*'))).toBe(5);
  expect(poolOf({ nrMaxactive: -1 }, asking('a*'))).toBe(-EINVAL);
  expect(poolOf({ nrMaxactive: 5, exit: null }, asking('a*'))).toBe(0);
  expect(poolOf({ nrMaxactive: -1, exit: null }, asking('a*'))).toBe(0);
  expect(poolOf({ entryDataSize: 1000 }, asking('a1'))).toBe(4);
  expect(poolOf({ entryDataSize: 65536 }, asking('a1'))).toBe(-ENOMEM);
});

test('FP-22, FP-23: a pool that is larger than the memory of the kernel is -ENOMEM, and takes none of it', () => {
  const huge = 2_000_000_000;
  expect(poolOf({ nrMaxactive: huge }, asking('a*'))).toBe(-ENOMEM);
  expect(poolOf({ nrMaxactive: huge, entryDataSize: 8 }, asking('a*'))).toBe(-ENOMEM);
  expect(poolOf({ nrMaxactive: 10_000 }, asking('a*'))).toBe(10_000);

  const m = smallFprobes({ functions: FUNCTIONS });
  const [large, larger] = [
    m.fprobe('A', { nrMaxactive: 200_000 }),
    m.fprobe('B', { nrMaxactive: 200_000 }),
  ];
  const results: number[] = [];
  m.control(function* (cx) {
    results.push(yield* m.register(cx, large, 'a1'));
    results.push(yield* m.register(cx, larger, 'a1'));
    results.push(yield* m.unregister(cx, large));
    yield* synchronize(cx, 'synchronize_rcu');
    cx.make(() => {
      zeroUsedOps(m.k, larger);
    });
    results.push(yield* m.register(cx, larger, 'a1'));
  });
  expect(results).toEqual([0, -ENOMEM, 0, 0]);
  expect(m.events('alloc_failed').map(({ bytes }) => bytes)).toEqual([200_000 * 64]);
});

test('FP-4: registration sets nmissed to 0', () => {
  const m = smallFprobes({ functions: FUNCTIONS });
  const fp = m.fprobe('A');
  m.machine.memory.store64(fp.address + 64, 5, 0);
  m.control(function* (cx) {
    yield* m.register(cx, fp, 'a1');
  });
  expect(m.machine.memory.loadLo(fp.address + 64)).toBe(0);
  expect(m.events('count').map(({ old, new: now }) => [old, now])).toEqual([[5, 0]]);
});

test('FP-21: a failure after the first filter frees what was made; the filter itself may stay', () => {
  const m = smallFprobes({
    functions: FUNCTIONS,
    chooser: { choose: ({ kind }, count) => (kind === CHOICE.alloc ? count - 1 : 0) },
  });
  const fp = m.fprobe('A');
  m.control(function* (cx) {
    m.machine.slab.failing = new Set(['rethook_node']);
    expect(yield* m.register(cx, fp, 'a1')).toBe(-ENOMEM);
    m.machine.slab.failing = new Set();
  });
  const made = m.events('alloc').filter(({ kind }) => kind !== 'trampoline');
  expect(made.map(({ kind }) => kind)).toEqual(['ftrace_hash', 'rethook']);
  expect(m.events('free').map(({ object }) => object)).toEqual(
    made.map(({ object }) => object).toReversed(),
  );
  expect(m.hooked()).toEqual([]);
});

test('FP-40.1, FP-44: unregister of who never was, of who is no more, and where ftrace is dead', () => {
  const m = smallFprobes({ functions: FUNCTIONS });
  const [never, once, dead] = [m.fprobe('A'), m.fprobe('B'), m.fprobe('C')];
  const results: number[] = [];
  m.control(function* (cx) {
    results.push(yield* m.unregister(cx, never));
    results.push(yield* m.register(cx, never, 'nobody'));
    results.push(yield* m.unregister(cx, never));
    yield* m.register(cx, once, 'a1');
    results.push(yield* m.unregister(cx, once));
    results.push(yield* m.unregister(cx, once));
    yield* m.register(cx, dead, 'a1');
    m.k.ftrace.disabled.set(true);
    results.push(yield* m.unregister(cx, dead));
    yield* m.call(cx, 'a1');
  });
  expect(results).toEqual([-EINVAL, -EINVAL, -EINVAL, 0, -EBUSY, -ENODEV]);
  expect(m.events('printk').map(({ text }) => text)).toEqual([
    'WARNING: __unregister_ftrace_function',
  ]);
  // Stopped, but still hooked.
  expect(m.story().slice(-2)).toEqual(['C skips a1: no_node', 'a1 returns']);
});

/** How a run ends that does what `path` says. */
function endingOf(m: SmallFprobes, path: Parameters<SmallFprobes['control']>[0]): string {
  const cpu = m.machine.cpus[0];
  if (cpu === undefined) throw new Error('there is a first CPU');
  const task = m.machine.newTask('control', 'task', cpu);
  start(task, () => path(task.context));
  m.machine.run();
  return m
    .story()
    .filter((line) => line.startsWith('oops'))
    .join(' ');
}

test('FP-21: a registered fprobe that is registered again is -EBUSY, and the kernel dies when it is unregistered', () => {
  const m = smallFprobes({ functions: FUNCTIONS });
  const fp = m.fprobe('A');
  const results: number[] = [];
  const ending = endingOf(m, function* (cx) {
    results.push(yield* m.register(cx, fp, 'a1'));
    results.push(yield* m.register(cx, fp, 'a1'));
    results.push(yield* m.unregister(cx, fp));
  });
  expect([results, ending]).toEqual([[0, -EBUSY], 'oops: freed']);
});

test('FP-21: a hit after that finds no pool', () => {
  const m = smallFprobes({ functions: FUNCTIONS });
  const fp = m.fprobe('A');
  const ending = endingOf(m, function* (cx) {
    yield* m.register(cx, fp, 'a1');
    yield* m.register(cx, fp, 'a1');
    yield* m.call(cx, 'a1');
  });
  expect(ending).toBe('oops: NULL rethook');
});

test('FP-21: one that was unregistered and whose ops is not zeroed copies a hash that is gone', () => {
  const m = smallFprobes({ functions: FUNCTIONS });
  const fp = m.fprobe('A');
  const ending = endingOf(m, function* (cx) {
    yield* m.register(cx, fp, 'a1');
    yield* m.unregister(cx, fp);
    yield* m.register(cx, fp, 'a1');
  });
  expect(ending).toBe('oops: freed');
});

test('FP-5, FP-23, FP-30: hooked with others it is called from the list, without exit handler it takes no node', () => {
  const m = smallFprobes({ functions: FUNCTIONS });
  const [a, b] = [m.fprobe('A', { exit: null }), m.fprobe('B', { entry: null })];
  m.control(function* (cx) {
    yield* m.register(cx, a, 'a1');
    expect(m.hooked()).toEqual(['a1 -> A']);
    yield* m.register(cx, b, 'a1');
    expect(m.hooked()).toEqual(['a1 -> regs list']);
    yield* m.call(cx, 'a1');
    yield* m.unregister(cx, a);
    yield* m.unregister(cx, b);
    yield* m.call(cx, 'a1');
  });
  expect(m.story()).toEqual(['A.entry a1', 'B.exit a1', 'a1 returns', 'a1 returns']);
  expect(m.hooked()).toEqual([]);
  expect(m.events('alloc').filter(({ kind }) => kind === 'rethook')).toHaveLength(1);
});
