// What judges know of ftrace_enabled and of set_ftrace_pid: what they hold against a callback, and when they do not.
import { expect, test } from 'vitest';
import {
  calls,
  enters,
  hit,
  image,
  judge,
  leaves,
  reasonOf,
  register,
  RESET,
  returns,
  setFilter,
  setNotrace,
  shown,
  type Told,
  unregister,
} from './example-run.ts';
import { filterSwap } from './filter-swap.ts';
import { notrace } from './notrace.ts';
import { unregister as unregisterJudge } from './unregister.ts';

const ENABLED = 'ftrace_enabled';
const PIDS = 'set_ftrace_pid';
const EBUSY = 16;

function write(op: string, text: string, result = 0, flags = 0): Told[] {
  return [calls(op, 0, { text, flags }), returns(op, 0, { result })];
}

const ops: Told[] = [...image(1), ...setFilter(1, 'vfs_*'), ...register(1, 1)];
const pidOps: Told[] = [
  ...image(1),
  ...setFilter(1, 'vfs_*'),
  calls('register_ftrace_function', 1, { text: 'PID PERMANENT' }),
  returns('register_ftrace_function', 1, { generation: 1 }),
];
const listed = write(PIDS, '2', 0, RESET);

const HELD = 'never exercised: No filter of a registered ops was changed successfully.';

test('broken: a callback at 0', () => {
  const run = [...ops, ...write(ENABLED, '0'), ...hit(1, 1, 'vfs_read')];
  const verdict = judge(filterSwap, run);
  expect(reasonOf(verdict)).toMatch(
    /^broken: .* ran .*, but from its hit on ftrace_enabled was 0$/u,
  );
  expect(shown(verdict, run)).toContain('ctl_end ftrace_enabled');
});

test.each([
  ['its hit began before', [...write(ENABLED, '0')], true],
  ['the write failed', write(ENABLED, '0', -EBUSY), false],
  ['1 was written', [...write(ENABLED, '0'), ...write(ENABLED, '1')], false],
  ['1 is being written', [...write(ENABLED, '0'), calls(ENABLED, 0, { text: '1' })], false],
  ['the write is under way', [calls(ENABLED, 0, { text: '0' })], false],
] as const)('a callback is held against nobody when %s', (_when, writes, began) => {
  const whole = hit(1, 1, 'vfs_read');
  const [before, after] = [whole.slice(0, 2), whole.slice(2)];
  const run = began
    ? [...ops, ...before, ...writes, ...after]
    : [...ops, ...writes, ...before, ...after];
  expect(reasonOf(judge(filterSwap, run))).toBe(HELD);
});

test.each([
  ['0x0', 'broken'],
  [' -0 ', 'broken'],
  ['010', 'never exercised'],
  ['-1', 'never exercised'],
] as const)('%j is a number as C reads it: %s', (text, status) => {
  const run = [...ops, ...write(ENABLED, text), ...hit(1, 1, 'vfs_read')];
  expect(judge(filterSwap, run).status).toBe(status);
});

test('writes that overlap leave nothing known, until one that is alone', () => {
  const [one, two] = [{ pid: 3 }, { pid: 2 }];
  const overlap: Told[] = [
    ['ctl_begin', { ...one, op: ENABLED, text: '0' }],
    ['ctl_begin', { ...two, op: ENABLED, text: '1' }],
    ['ctl_end', { ...two, op: ENABLED }],
    ['ctl_end', { ...one, op: ENABLED }],
  ];
  expect(reasonOf(judge(filterSwap, [...ops, ...overlap, ...hit(1, 1, 'vfs_read')]))).toBe(HELD);
  const alone = [...ops, ...overlap, ...write(ENABLED, '0'), ...hit(1, 1, 'vfs_read')];
  expect(judge(filterSwap, alone).status).toBe('broken');
});

test('broken: a PID ops calls back in a task that is not listed', () => {
  const run = [
    ...pidOps,
    ...listed,
    ...hit(1, 1, 'vfs_read', { pid: 2 }),
    ...hit(1, 1, 'vfs_open'),
  ];
  const verdict = judge(filterSwap, run);
  expect(reasonOf(verdict)).toMatch(/^broken: .* set_ftrace_pid left task 1 out$/u);
  expect(shown(verdict, run)).toContain('ctl_end set_ftrace_pid');
});

test.each([
  ['the ops has not the flag', ops, listed],
  ['the list is gone', pidOps, [...listed, ...write(PIDS, '', 0, RESET)]],
  ['the task was added', pidOps, [...listed, ...write(PIDS, '1')]],
  ['the list may have been lost on the way', pidOps, [...listed, ...write(PIDS, '2', -12, RESET)]],
] as const)('a callback in task 1 is held against nobody when %s', (_when, ops1, writes) => {
  const run = [...ops1, ...writes, ...hit(1, 1, 'vfs_read')];
  expect(reasonOf(judge(filterSwap, run))).toBe(HELD);
});

test('the idle task of a CPU that came up is held against nobody before it changes tasks (CC-N4)', () => {
  const [idle, busy] = [{ pid: 0, cpu: 1 }, { cpu: 1 }];
  const up: Told = ['cpu_online', { which: 1, on: true }];
  const switches: Told = ['sched_switch', { ...busy, prev: 0, next: 1, state: 'idle' }];
  const first = [...pidOps, ...listed, up, ...hit(1, 1, 'vfs_read', idle)];
  expect(reasonOf(judge(filterSwap, first))).toBe(HELD);
  const later = [...pidOps, ...listed, up, switches, ...hit(1, 1, 'vfs_read', idle)];
  expect(judge(filterSwap, later).status).toBe('broken');
  const elsewhere = [...pidOps, ...listed, up, ...hit(1, 1, 'vfs_read')];
  expect(judge(filterSwap, elsewhere).status).toBe('broken');
});

test('a write is over where its task is by then', () => {
  const moved: Told[] = [
    ['ctl_begin', { pid: 3, cpu: 1, op: ENABLED, text: '0' }],
    ['task_migrate', { cpu: 1, moved: 3, to: 0 }],
    ['ctl_end', { pid: 3, cpu: 0, op: ENABLED }],
  ];
  const run = [...ops, ...moved, ...hit(1, 1, 'vfs_read')];
  expect(judge(filterSwap, run).status).toBe('broken');
});

test('a list that could not be replaced stays', () => {
  const run = [...pidOps, ...listed, ...write(PIDS, '1', -12), ...hit(1, 1, 'vfs_read')];
  expect(judge(filterSwap, run).status).toBe('broken');
});

test('before its registration is over a PID ops may call back without the check', () => {
  const [begin, end] = [pidOps.slice(-2, -1), pidOps.slice(-1)];
  const run = [...image(1), ...listed, ...begin, ...hit(1, 1, 'vfs_read'), ...end];
  expect(judge(filterSwap, run).status).toBe('never exercised');
});

test('once unregister has begun a hit that is late may call back without the check (CC-S5.3)', () => {
  const [goes, whole] = [unregister(1, 1), hit(1, 1, 'vfs_read')];
  const [begin, end] = [goes.slice(0, 1), goes.slice(1)];
  const [entry, rest] = [whole.slice(0, 2), whole.slice(2)];
  const late = [...pidOps, ...listed, ...entry, ...begin, ...rest, ...end];
  expect(judge(filterSwap, late).status).toBe('held');
  expect(judge(filterSwap, [...pidOps, ...listed, ...whole, ...goes]).status).toBe('broken');
});

const swap = setFilter(1, 'kmalloc');

test.each([
  ['filter-swap', filterSwap, swap, 'vfs_read'],
  ['notrace', notrace, setNotrace(1, 'vfs_read'), 'vfs_read'],
] as const)(
  '%s is not exercised at 0, nor by a task that is not traced',
  (_name, guarantee, change, func) => {
    const calls1 = [...enters(func), leaves(func)];
    expect(judge(guarantee, [...pidOps, ...change, ...calls1]).status).toBe('held');
    for (const writes of [write(ENABLED, '0'), listed]) {
      expect(judge(guarantee, [...pidOps, ...writes, ...change, ...calls1]).status).toBe(
        'never exercised',
      );
    }
  },
);

/** A run without swaps. */
const held = (disabled: number, pids: number): unknown => ({
  status: 'held',
  exercised: disabled + pids,
  parts: { swaps: 0, disabled, pids },
});

test('a selected function that is entered at 0, or by a task that is left out, is a part of filter-swap', () => {
  const calls1 = [...enters('vfs_read'), leaves('vfs_read'), ...enters('schedule')];
  const filtered = [...image(1), ...setFilter(1, 'vfs_*')];
  expect(judge(filterSwap, [...ops, ...write(ENABLED, '0'), ...calls1])).toEqual(held(1, 0));
  expect(judge(filterSwap, [...pidOps, ...listed, ...calls1])).toEqual(held(0, 1));
  expect(
    judge(filterSwap, [...pidOps, ...listed, ...enters('vfs_read', { pid: 2 })]),
  ).toMatchObject({
    status: 'never exercised',
  });
  for (const run of [
    [...ops, ...listed, ...calls1],
    [...filtered, ...write(ENABLED, '0'), ...calls1],
    [...ops, ...write(ENABLED, '0'), ...write(ENABLED, '1'), ...calls1],
    [...ops, ...setNotrace(1, 'vfs_read'), ...write(ENABLED, '0'), ...calls1],
  ]) {
    expect(judge(filterSwap, run)).toMatchObject({ status: 'never exercised' });
  }
});

test('unregister is not exercised by calls at 0, but by those at 1 again', () => {
  const life = [...ops, ...hit(1, 1, 'vfs_read'), ...write(ENABLED, '0'), ...unregister(1, 1)];
  const call = [...enters('vfs_read'), leaves('vfs_read')];
  expect(judge(unregisterJudge, [...life, ...call]).status).toBe('never exercised');
  expect(judge(unregisterJudge, [...life, ...write(ENABLED, '1'), ...call])).toEqual({
    status: 'held',
    exercised: 1,
  });
});
