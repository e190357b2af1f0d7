import { expect, test } from 'vitest';
import { watchAccesses } from '../../properties/accesses.ts';
import {
  perform,
  REGISTER,
  setFilter,
  setFilterIp,
  setNotrace,
  smallKernel,
  type SmallKernel,
} from '../../properties/small-kernel.ts';
import { CHOICE, type Chooser } from '../emu/choose.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { EINVAL, ENOENT, ENOMEM } from './errno.ts';
import type { FtraceHash } from './ftrace-hash.ts';
import type { OperationRequest } from './operation.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FIVE = { a1: WORK, a2: WORK, a3: WORK, b1: WORK, b2: WORK, '-quiet': WORK } as const;

/** Performs `steps` and says, after each one, what it returned and which functions are hooked. */
function sequence(
  steps: (m: SmallKernel) => readonly OperationRequest[],
  chooser?: Chooser,
): string[] {
  const m = smallKernel({ functions: FIVE, ...(chooser === undefined ? {} : { chooser }) });
  if (chooser !== undefined) m.machine.slab.failing = new Set(['ftrace_hash']);
  const ops = m.ops('A', 'cb');
  const lines: string[] = [];
  m.control(function* (cx) {
    for (const step of steps(m)) {
      const result = yield* perform(cx, m.k, ops, step);
      lines.push(`${result}: ${m.hooked().join(' ').replaceAll(' -> A', '')}`);
    }
  });
  return lines;
}

test('a filter outlives nothing but a reset; notrace wins (FT-36, FT-37, FT-41, FT-44, F03, F04, F06)', () => {
  expect(
    sequence(() => [
      setFilter('a1'),
      REGISTER,
      setFilter('a2'),
      setNotrace('a1'),
      setNotrace('a2'),
      setNotrace(undefined, true),
      setFilter('a3', true),
      setFilter('a3'),
      setFilter(undefined),
      setFilter(undefined, true),
      setNotrace('a*'),
    ]),
  ).toEqual([
    '0: ',
    '0: a1',
    '0: a1 a2',
    '0: a2',
    '0: ',
    '0: a1 a2',
    '0: a3',
    '0: a3',
    '0: a3',
    '0: a1 a2 a3 b1 b2',
    '0: b1 b2',
  ]);
});

test('a pattern without a match fails and keeps the old set, reset or not (FT-43, F08)', () => {
  const bad = -EINVAL;
  expect(
    sequence(() => [
      setFilter('a1'),
      REGISTER,
      setFilter('nobody'),
      setFilter('nobody', true),
      setFilter('', true),
      setFilter('quiet', true),
      setFilter('a2 ', true),
      setNotrace('nobody', true),
      setFilter('9', true),
    ]),
  ).toEqual(['0: ', '0: a1', ...Array.from({ length: 7 }, () => `${bad}: a1`)]);
  // On an ops that never had a filter, all functions remain (F08b).
  expect(sequence(() => [setFilter('nobody', true), REGISTER])).toEqual([
    `${bad}: `,
    '0: a1 a2 a3 b1 b2',
  ]);
});

test('! takes functions out; the last one out means all functions (FT-44, F10, F11)', () => {
  expect(
    sequence(() => [
      setFilter('*'),
      REGISTER,
      setFilter('!a1'),
      setFilter('!b*'),
      setFilter('!b*'),
      setFilter('!nobody'),
      setFilter('!a*'),
      setFilter('!a1', true),
      setFilter('3', true),
      setFilter('!3'),
    ]),
  ).toEqual([
    '0: ',
    '0: a1 a2 a3 b1 b2',
    '0: a2 a3 b1 b2',
    '0: a2 a3',
    '0: a2 a3',
    `${-EINVAL}: a2 a3`,
    '0: a1 a2 a3 b1 b2',
    '0: a1 a2 a3 b1 b2',
    '0: a3',
    '0: a1 a2 a3 b1 b2',
  ]);
});

test('set_filter_ip takes the start or a byte of the site, nothing else (FT-49, F12)', () => {
  const offsets = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12];
  const results = sequence((m) => offsets.map((at) => setFilterIp(m.fn('a1').address + at)));
  const accepted = offsets.filter((_, i) => results[i] === '0: ');
  expect(accepted).toEqual([0, 4, 5, 6, 7]);
  expect(
    sequence((m) => [
      setFilterIp(m.fn('a1').address),
      REGISTER,
      setFilterIp(m.fn('a2').site),
      setFilterIp(m.fn('a2').site),
      setFilterIp(m.fn('a1').address, true),
      setFilterIp(m.fn('a1').address, true),
      setFilterIp(m.fn('b1').address, false, true),
      setFilterIp(m.fn('quiet').address, false, true),
      setFilterIp(-1, false, true),
      setFilterIp(m.fn('b1').address, true),
    ]),
  ).toEqual([
    '0: ',
    '0: a1',
    '0: a1 a2',
    '0: a1 a2',
    '0: a2',
    `${-ENOENT}: a2`,
    '0: b1',
    `${-EINVAL}: b1`,
    `${-EINVAL}: b1`,
    '0: a1 a2 a3 b1 b2',
  ]);
});

test('without memory the old set stays (FT-43)', () => {
  let allocations = 0;
  const second: Chooser = {
    choose: (point) => (point.kind === CHOICE.alloc && ++allocations === 2 ? 1 : 0),
  };
  expect(sequence(() => [setFilter('a1'), REGISTER, setFilter('b1', true)], second)).toEqual([
    '0: ',
    '0: a1',
    `${-ENOMEM}: a1`,
  ]);
});

test('a swap patches what differs, in one pass, and frees the old hash later (FT-39)', () => {
  const m = smallKernel({ functions: FIVE });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a*'));
    yield* perform(cx, m.k, ops, REGISTER);
    yield* perform(cx, m.k, ops, setFilter('?2', true));
  });
  const swap = m.events('ctl_begin').at(-1)?.index ?? 0;
  const written = m.events('text_write').filter((e) => e.index > swap);
  const sites = (['a1', 'a3', 'b2'] as const).map((name) => m.fn(name).site);
  // Breakpoints, tails, first halves: each phase in address order, a2 never touched.
  expect(written.map((e) => [e.ip, e.part])).toEqual([
    ...sites.map((ip) => [ip, 0]),
    ...sites.map((ip) => [ip, 1]),
    ...sites.map((ip) => [ip, 0]),
  ]);
  expect(m.events('sync_done').filter((e) => e.index > swap)).toHaveLength(3);
  const old = m.events('alloc').find((e) => e.kind === 'ftrace_hash');
  const freed = m.events('free').filter((e) => e.object === old?.object);
  expect(freed.map((e) => e.level)).toEqual([1]);
  expect(m.hooked()).toEqual(['a2 -> A', 'b2 -> A']);
});

test('a change is made in a private set, a copy or an empty one, and takes the place of the old one whole (FT-38)', () => {
  const m = smallKernel({ functions: FIVE });
  const ops = m.ops('A', 'cb');
  const steps = [setFilter('a1'), setFilter('a2'), setFilter('b1', true), REGISTER];
  m.thread('control', 0, function* (cx) {
    for (const step of [...steps, setFilter('a[23]'), setFilter('a[12]', true)])
      expect(yield* perform(cx, m.k, ops, step)).toBe(0);
  });
  const sets = new Map<FtraceHash, string>();
  // After each step of the machine: the set in force came under both locks, and is what it was when it came.
  watchAccesses(m.machine, () => {
    const hash = ops.filterHash.value;
    const names = m.k.records.flatMap(({ ip, func }) => (hash.ips.value.has(ip) ? func.name : []));
    const isLocked = [ops.regexLock, m.k.ftrace.ftraceLock].every(({ holder }) => holder);
    if (!sets.has(hash) && sets.size > 0) expect(isLocked).toBe(true);
    if (!sets.has(hash)) sets.set(hash, names.join(' '));
    expect(names.join(' ')).toBe(sets.get(hash));
    return '';
  });
  expect([...sets.values()]).toEqual(['', 'a1', 'a1 a2', 'b1', 'a2 a3 b1', 'a1 a2']);
});

test('the old set is freed when a grace period is over: who reads it finds it there (FT-38)', () => {
  const m = smallKernel({ functions: FIVE });
  const ops = m.ops('A', 'cb');
  m.thread('reads', 1, function* (cx) {
    const { rcu } = m.machine;
    cx.make(() => rcu.readLock(cx.task));
    yield* sleepFor(cx, 5000);
    cx.make(() => rcu.readUnlock(cx.task));
  });
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    yield* perform(cx, m.k, ops, setFilter('b1', true));
  });
  const old = m.events('alloc').find((e) => e.kind === 'ftrace_hash');
  const freed = m.events('free').find((e) => e.object === old?.object)?.index ?? 0;
  expect(freed).toBeGreaterThan(m.events('rcu_read_unlock')[0]?.index ?? Infinity);
  expect(m.events('rcu_read_lock')[0]?.index).toBeLessThan(m.events('call_rcu')[0]?.index ?? 0);
});

test('private hashes that come to nothing are freed, the empty one never', () => {
  const m = smallKernel({ functions: FIVE });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    for (const text of ['nobody', undefined, '!a1']) {
      yield* perform(cx, m.k, ops, setFilter(text, true));
    }
  });
  expect(m.events('alloc')).toHaveLength(3);
  expect(m.events('free').map((e) => e.object)).toEqual(m.events('alloc').map((e) => e.object));
  expect(ops.filterHash.value).toBe(m.k.ftrace.emptyHash);
});

test('the list function says why it skips an ops', () => {
  const m = smallKernel({ functions: FIVE });
  const [a, b, all] = [m.ops('A', 'cb'), m.ops('B', 'cb'), m.ops('all', 'cb')];
  m.control(function* (cx) {
    yield* perform(cx, m.k, a, setFilter('a1'));
    yield* perform(cx, m.k, b, setNotrace('b1'));
    for (const ops of [a, b, all]) yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'b1');
    yield* m.call(cx, 'a2');
  });
  // b1 serves `all` alone: its trampoline tests nothing (FT-20).
  expect(m.events('skip').map((e) => [e.object, e.generation, e.reason, e.ip])).toEqual([
    [a.object, 1, 'filter', m.fn('a2').site],
  ]);
  expect(m.events('cb_begin').map((e) => e.object)).toEqual([all.object, all.object, b.object]);
});
