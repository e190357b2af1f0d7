import { expect, test } from 'vitest';
import {
  begins,
  calls,
  ends,
  enters,
  hit,
  image,
  judge,
  NULL_PATTERN,
  register,
  RESET,
  returns,
  setFilter,
  setNotrace,
  shown,
  type Told,
  unregister,
} from './example-run.ts';
import { notrace } from './notrace.ts';

const SET_NOTRACE = 'ftrace_set_notrace';
/** ops1 selects all but vfs_read, and is registered. */
const notRead: Told[] = [...image(1), ...setNotrace(1, 'vfs_read'), ...register(1, 1)];
const other = { pid: 2, cpu: 1 };

test('held: each entry of an excluded function that the filter selects counts', () => {
  const run = [...notRead, ...hit(1, 1, 'vfs_open'), ...enters('vfs_read'), ...enters('vfs_read')];
  expect(judge(notrace, run)).toEqual({ status: 'held', exercised: 2 });
});

test('broken: the callback of an excluded function', () => {
  const run = [...notRead, ...hit(1, 1, 'vfs_read', other)];
  const verdict = judge(notrace, run);
  expect(verdict).toMatchObject({
    status: 'broken',
    at: run.length - 3,
    why:
      'the callback of ops1 for vfs_read ran (step 150, CPU 1, task reader), but from its hit on ' +
      'the notrace set was {vfs_read}, by ftrace_set_notrace(ops1, "vfs_read", reset)',
  });
  expect(shown(verdict, run)).toEqual([
    `ctl_begin ${SET_NOTRACE}`,
    `ctl_end ${SET_NOTRACE}`,
    'site_fetch',
    'cb_begin',
  ]);
});

test('broken: both lists hold the function', () => {
  const run = [...notRead, ...setFilter(1, 'vfs_read'), ...hit(1, 1, 'vfs_read')];
  expect(judge(notrace, run)).toMatchObject({ status: 'broken' });
});

test('broken: a function of both the old and the new set, during the change', () => {
  const run = [
    ...notRead,
    calls(SET_NOTRACE, 1, { text: 'vfs_*', flags: RESET }),
    ...hit(1, 1, 'vfs_read', other),
    returns(SET_NOTRACE, 1),
  ];
  expect(judge(notrace, run)).toMatchObject({ status: 'broken' });
});

test('not flagged: a function of only the old or only the new set, during the change', () => {
  const run = [
    ...notRead,
    calls(SET_NOTRACE, 1, { text: 'vfs_open', flags: RESET }),
    ...hit(1, 1, 'vfs_read', other),
    ...hit(1, 1, 'vfs_open', other),
    returns(SET_NOTRACE, 1),
    ...hit(1, 1, 'vfs_read', other),
    ...enters('vfs_open', other),
  ];
  expect(judge(notrace, run)).toEqual({ status: 'held', exercised: 1 });
});

test('not flagged: a hit that began before the function was excluded', () => {
  const run = [
    ...image(1),
    ...register(1, 1),
    ...enters('vfs_read', other),
    ...setNotrace(1, 'vfs_read'),
    begins(1, 1, 'vfs_read', other),
    ends(1, 1, 'vfs_read', other),
  ];
  expect(judge(notrace, run).status).toBe('never exercised');
});

test('not flagged: after the set was cleared, or cut by !pattern, or never set', () => {
  const cleared = setNotrace(1, '', RESET | NULL_PATTERN);
  const cut = setNotrace(1, '!vfs_read', 0);
  for (const change of [cleared, cut]) {
    const run = [...notRead, ...enters('vfs_read'), ...change, ...hit(1, 1, 'vfs_read')];
    expect(judge(notrace, run)).toEqual({ status: 'held', exercised: 1 });
  }
  const failed = [
    ...notRead,
    calls(SET_NOTRACE, 1, { text: 'vfs_open' }),
    returns(SET_NOTRACE, 1, { result: -12 }),
  ];
  expect(judge(notrace, [...failed, ...hit(1, 1, 'vfs_open')]).status).not.toBe('broken');
});

test('not flagged: another ops without a notrace set', () => {
  const run = [...image(2), ...notRead, ...register(2, 2), ...hit(2, 2, 'vfs_read')];
  expect(judge(notrace, run)).toEqual({ status: 'held', exercised: 1 });
});

test('never exercised: no registered ops had a notrace set', () => {
  const before = [...image(1), ...setNotrace(1, 'vfs_read'), ...enters('vfs_read')];
  const after = [...notRead, ...unregister(1, 1), ...enters('vfs_read')];
  for (const run of [before, after, [...image(1), ...register(1, 1), ...enters('vfs_read')]]) {
    expect(judge(notrace, run)).toEqual({
      status: 'never exercised',
      why: 'No function ran while an ops with a notrace set was registered.',
    });
  }
});

test('never exercised: no function of the set ran', () => {
  expect(judge(notrace, [...notRead, ...hit(1, 1, 'vfs_open')])).toEqual({
    status: 'never exercised',
    why: 'No function of a notrace set was entered while its ops was registered.',
  });
});

test('never exercised: the filter would not have selected it anyway', () => {
  const run = [...notRead, ...setFilter(1, 'vfs_open'), ...enters('vfs_read')];
  expect(judge(notrace, run)).toEqual({
    status: 'never exercised',
    why: 'The functions of the notrace set that were entered are not in the filter set.',
  });
});
