import { expect, test } from 'vitest';
import {
  begins,
  calls,
  callsDirectly,
  ends,
  enters,
  hit,
  image,
  judge,
  leaves,
  NULL_PATTERN,
  PATCHED_CALLER,
  register,
  REMOVE,
  RESET,
  returns,
  setFilter,
  setNotrace,
  shown,
  site,
  type Told,
  unregister,
} from './example-run.ts';
import { filterSwap } from './filter-swap.ts';

const SET_FILTER = 'ftrace_set_filter';
const SET_IP = 'ftrace_set_filter_ip';
/** ops1 selects vfs_open and vfs_read, and is registered. */
const vfs: Told[] = [...image(1), ...setFilter(1, 'vfs_*'), ...register(1, 1)];
const toKmalloc: Told = calls(SET_FILTER, 1, { text: 'kmalloc', flags: RESET });
const done: Told = returns(SET_FILTER, 1);
const other = { pid: 2, cpu: 1 };

/** Nothing but swaps was put to the test. */
const swapped = (times: number): unknown => ({
  status: 'held',
  exercised: times,
  parts: { swaps: times, disabled: 0, pids: 0 },
});

test('held: old and new functions during the change, new ones after it, the others never', () => {
  const run = [
    ...vfs,
    ...hit(1, 1, 'vfs_read'),
    toKmalloc,
    ...hit(1, 1, 'vfs_open', other),
    ...hit(1, 1, 'kmalloc', other),
    ...enters('schedule', other),
    done,
    ...hit(1, 1, 'kmalloc'),
    ...enters('vfs_read'),
  ];
  expect(judge(filterSwap, run)).toEqual(swapped(1));
});

test('held: a function outside of the filter after the change is enough', () => {
  const run = [...vfs, toKmalloc, done, ...enters('vfs_open')];
  expect(judge(filterSwap, run)).toEqual(swapped(1));
});

test('held: a change by address counts like one by name', () => {
  const adds = [calls(SET_IP, 1, { ip: site('kmalloc') }), returns(SET_IP, 1)];
  const removes = [
    calls(SET_IP, 1, { ip: site('kmalloc') + 2, flags: REMOVE }),
    returns(SET_IP, 1),
  ];
  const run = [...vfs, ...adds, ...hit(1, 1, 'kmalloc'), ...enters('schedule'), ...removes];
  expect(judge(filterSwap, [...run, ...enters('kmalloc')])).toEqual(swapped(2));
});

const SET_IPS = 'ftrace_set_filter_ips';
/** As the text of a call that is given an array. */
function addresses(...names: readonly string[]): string {
  return names
    .map((name) => `0x${(0xffffffff80000000n + BigInt(site(name))).toString(16)}`)
    .join(' ');
}

test('held: an array of addresses counts like each of them, and one bad entry like none (FT-49)', () => {
  const both = addresses('kmalloc', 'schedule');
  const adds = [calls(SET_IPS, 1, { text: both, flags: RESET }), returns(SET_IPS, 1)];
  const refused = calls(SET_IPS, 1, { text: `${both} 0x7fffffff x`, flags: RESET });
  const run = [
    ...vfs,
    refused,
    returns(SET_IPS, 1, { result: -22 }),
    ...hit(1, 1, 'vfs_read'),
    ...adds,
    ...hit(1, 1, 'kmalloc'),
    ...hit(1, 1, 'schedule'),
    ...enters('vfs_open'),
  ];
  expect(judge(filterSwap, run)).toEqual(swapped(1));
});

test('broken: what an array takes out is hit again (FT-49)', () => {
  const removes = calls(SET_IPS, 1, { text: addresses('vfs_open'), flags: REMOVE });
  const hitAgain = [removes, returns(SET_IPS, 1), ...hit(1, 1, 'vfs_open')];
  expect(judge(filterSwap, [...vfs, ...hitAgain, ...hit(1, 1, 'vfs_open')])).toMatchObject({
    status: 'broken',
  });
});

test('broken: a window for all functions during the change (M-13)', () => {
  const run = [...vfs, toKmalloc, ...hit(1, 1, 'schedule', other), done];
  const verdict = judge(filterSwap, run);
  expect(verdict).toMatchObject({
    status: 'broken',
    why:
      'the callback of ops1 for schedule ran (step 160, CPU 1, task reader) during ' +
      'ftrace_set_filter(ops1, "kmalloc", reset), but from its hit on the filter was ' +
      '{vfs_open, vfs_read} or {kmalloc}',
  });
  expect(shown(verdict, run)).toEqual([
    `ctl_begin ${SET_FILTER}`,
    `ctl_end ${SET_FILTER}`,
    `ctl_begin ${SET_FILTER}`,
    'site_fetch',
    'cb_begin',
  ]);
});

test('broken: the hit began in the window, the callback came after the change', () => {
  const run = [...vfs, toKmalloc, ...enters('schedule'), done, begins(1, 1, 'schedule')];
  expect(judge(filterSwap, run)).toMatchObject({ status: 'broken', at: run.length - 1 });
});

test('broken: an old function whose hit began after the change', () => {
  const run = [...vfs, toKmalloc, done, ...hit(1, 1, 'vfs_read')];
  expect(judge(filterSwap, run)).toMatchObject({
    status: 'broken',
    why:
      'the callback of ops1 for vfs_read ran (step 170, CPU 0, task opener) after ' +
      'ftrace_set_filter(ops1, "kmalloc", reset), but from its hit on the filter was {kmalloc}',
  });
});

test('broken: the site is fetched after the change by a task that had entered before', () => {
  const [entry, fetch] = enters('vfs_read', other) as [Told, Told];
  const run = [...vfs, toKmalloc, entry, done, fetch, begins(1, 1, 'vfs_read', other)];
  expect(judge(filterSwap, run)).toMatchObject({ status: 'broken' });
  const noFetch = [...vfs, toKmalloc, entry, done, begins(1, 1, 'vfs_read', other)];
  expect(judge(filterSwap, noFetch).status).not.toBe('broken');
});

test('broken: a function outside of a filter that never changes', () => {
  const run = [...vfs, ...hit(1, 1, 'kmalloc')];
  expect(judge(filterSwap, run)).toMatchObject({ status: 'broken' });
});

test('broken: a function outside of what !pattern left, unless it left nothing (FT-44)', () => {
  const left = [...vfs, ...setFilter(1, '!vfs_read', 0), ...hit(1, 1, 'vfs_read')];
  expect(judge(filterSwap, left).status).toBe('broken');
  const nothingLeft = [...vfs, ...setFilter(1, '!vfs_*', 0), ...hit(1, 1, 'schedule')];
  expect(judge(filterSwap, nothingLeft).status).not.toBe('broken');
});

test('broken: a call that failed changed the filter all the same', () => {
  const fails = [
    calls(SET_FILTER, 1, { text: 'kmalloc', flags: RESET }),
    returns(SET_FILTER, 1, { result: -12 }),
  ];
  const run = [...vfs, ...fails, ...hit(1, 1, 'kmalloc')];
  expect(judge(filterSwap, run)).toMatchObject({ status: 'broken' });
});

test('broken: a pattern that matches nothing clears the filter (FT-43)', () => {
  const run = [
    ...vfs,
    calls(SET_FILTER, 1, { text: 'no_such_*', flags: RESET }),
    ...hit(1, 1, 'schedule', other),
    returns(SET_FILTER, 1, { result: -22 }),
  ];
  expect(judge(filterSwap, run)).toMatchObject({ status: 'broken' });
});

test('not flagged: an old function whose hit began before the return (FT-42)', () => {
  const run = [
    ...vfs,
    toKmalloc,
    ...enters('vfs_read', other),
    done,
    ...setFilter(1, 'schedule'),
    begins(1, 1, 'vfs_read', other),
    ends(1, 1, 'vfs_read', other),
    leaves('vfs_read', other),
    ...enters('vfs_open', other),
  ];
  // The second change counts; during the first nothing ran but a function that it may still select.
  expect(judge(filterSwap, run)).toEqual(swapped(1));
});

test('not flagged: the list goes on after a nested hit of the same function', () => {
  const run = [
    ...image(1, 2),
    ...setFilter(1, 'vfs_read'),
    ...register(1, 1),
    ...register(2, 2),
    ...enters('vfs_read', {}, 0x900),
    begins(2, 2, 'vfs_read'),
    toKmalloc,
    done,
    ...enters('vfs_read', {}, 0x800),
    leaves('vfs_read'),
    ends(2, 2, 'vfs_read'),
    begins(1, 1, 'vfs_read'),
  ];
  expect(judge(filterSwap, run)).toEqual(swapped(1));
});

test('not flagged: an interrupt that enters the function between a hit and its callback', () => {
  const run = [
    ...vfs,
    ...enters('vfs_read'),
    toKmalloc,
    done,
    ...enters('vfs_read', { level: 2 }),
    begins(1, 1, 'vfs_read'),
  ];
  expect(judge(filterSwap, run).status).toBe('held');
});

test('not flagged: the two-call form, which opens a window for all (FT-41)', () => {
  const run = [
    ...vfs,
    ...setFilter(1, '', RESET | NULL_PATTERN),
    ...hit(1, 1, 'schedule'),
    ...setFilter(1, 'kmalloc', 0),
    ...enters('schedule'),
  ];
  expect(judge(filterSwap, run)).toEqual(swapped(1));
});

test('not flagged: functions of neither selection between two swaps (CC-G3 (a))', () => {
  const run = [
    ...image(1),
    ...setFilter(1, 'vfs_*'),
    ...setNotrace(1, 'schedule'),
    ...register(1, 1),
    ...setFilter(1, '*'),
    ...hit(1, 1, 'kmalloc'),
    ...setNotrace(1, 'kmalloc'),
    ...hit(1, 1, 'schedule'),
  ];
  expect(judge(filterSwap, run).status).toBe('never exercised');
});

test('not flagged: old and new together first, then new (E-3), and text before hash (E-2)', () => {
  const run = [
    ...vfs,
    toKmalloc,
    ...hit(1, 1, 'kmalloc', other),
    ...hit(1, 1, 'vfs_read', other),
    ...hit(1, 1, 'kmalloc', other),
    ...hit(1, 1, 'vfs_open', other),
    done,
    ...enters('vfs_read'),
  ];
  expect(judge(filterSwap, run).status).toBe('held');
});

test('not flagged: two tasks change the filter at once, in either order', () => {
  const orders = [hit(1, 1, 'kmalloc'), hit(1, 1, 'schedule')];
  for (const last of orders) {
    const run = [
      ...vfs,
      toKmalloc,
      calls(SET_FILTER, 1, { pid: 2, text: 'schedule', flags: RESET }),
      ...hit(1, 1, 'vfs_read'),
      done,
      ...hit(1, 1, 'kmalloc'),
      returns(SET_FILTER, 1, { pid: 2 }),
      ...last,
    ];
    expect(judge(filterSwap, run).status).toBe('never exercised');
  }
});

test('not flagged: a failed call, and calls that change nothing (FT-44)', () => {
  const run = [
    ...vfs,
    calls(SET_FILTER, 1, { text: 'no_such', flags: RESET }),
    returns(SET_FILTER, 1, { result: -22 }),
    ...setFilter(1, '', NULL_PATTERN),
    ...setFilter(1, '!schedule', 0),
    calls(SET_IP, 1, { ip: 0x30, flags: RESET }),
    returns(SET_IP, 1, { result: -22 }),
    calls(SET_IP, 1, { ip: site('kmalloc'), flags: REMOVE }),
    returns(SET_IP, 1, { result: -2 }),
    ...hit(1, 1, 'vfs_read'),
  ];
  expect(judge(filterSwap, run).status).toBe('never exercised');
});

test('not flagged: a run that does not tell when the hit began', () => {
  const run = [...vfs, toKmalloc, done, begins(1, 1, 'vfs_read')];
  expect(judge(filterSwap, run).status).not.toBe('broken');
});

test('never exercised: no change of a registered ops', () => {
  const why = 'No filter of a registered ops was changed successfully.';
  const failed = [...vfs, toKmalloc, returns(SET_FILTER, 1, { result: -12 })];
  const gone = [...vfs, ...unregister(1, 1), ...setFilter(1, 'kmalloc'), ...enters('vfs_read')];
  const during = [
    ...vfs,
    toKmalloc,
    ...enters('schedule'),
    ...unregister(1, 1),
    done,
    ...enters('schedule'),
  ];
  for (const run of [vfs, failed, gone, during]) {
    expect(judge(filterSwap, run)).toEqual({ status: 'never exercised', why });
  }
});

test('never exercised: the change made no difference', () => {
  expect(
    judge(filterSwap, [...vfs, ...setFilter(1, 'vfs_open', 0), ...enters('schedule')]),
  ).toEqual({
    status: 'never exercised',
    why: 'No change of a filter made a difference to what it selects.',
  });
});

test('never exercised: only selected functions ran, or the others after a next change', () => {
  const why = 'No function outside of the filter was entered during or after its change.';
  const inside = [...vfs, toKmalloc, ...hit(1, 1, 'kmalloc'), done, ...hit(1, 1, 'kmalloc')];
  const late = [...vfs, toKmalloc, done, ...unregister(1, 1), ...enters('vfs_read')];
  for (const run of [inside, late]) {
    expect(judge(filterSwap, run)).toEqual({ status: 'never exercised', why });
  }
});

test('a stray hit, late on its way past the list function, is nobody’s (CC-N1)', () => {
  const answers: Told = ['sync_ack', {}];
  const ready = [PATCHED_CALLER, ...image(1), ...setFilter(1, 'kmalloc'), ...register(1, 1)];
  const hitOf = (...between: readonly Told[]): Told[] => {
    return [...ready, ...enters('vfs_open'), ...between, ...callsDirectly(1, 1, 'vfs_open')];
  };
  expect(judge(filterSwap, hitOf())).toMatchObject({ status: 'broken' });
  expect(judge(filterSwap, hitOf(answers))).toMatchObject({ status: 'never exercised' });
});

test('whose filter counts is told by the function that runs, not by the ops that it got', () => {
  const ready = [PATCHED_CALLER, ...image(1, 2), ...setFilter(1, 'kmalloc'), ...register(1, 1)];
  const wrong = [...ready, ...enters('vfs_open'), ...callsDirectly(2, 1, 'vfs_open')];
  expect(judge(filterSwap, wrong)).toMatchObject({ status: 'broken' });
  const right = [...ready, ...enters('vfs_open'), ...callsDirectly(1, 2, 'vfs_open')];
  expect(judge(filterSwap, right)).toMatchObject({ status: 'never exercised' });
});

test('a change that is under way when ftrace dies may come to nothing: nobody is blamed (FT-11)', () => {
  const kill: Told = ['kill', { ip: -1, ...other }];
  const late = hit(1, 1, 'vfs_open');
  expect(judge(filterSwap, [...vfs, toKmalloc, kill, done, ...late]).status).not.toBe('broken');
  expect(judge(filterSwap, [...vfs, toKmalloc, done, kill, ...late]).status).toBe('broken');
});
