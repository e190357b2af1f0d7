import { expect, test } from 'vitest';
import {
  begins,
  calls,
  ends,
  enters,
  hit,
  image,
  judge,
  leaves,
  register,
  returns,
  shown,
  type Told,
  unregister as unregisters,
} from './example-run.ts';
import { unregister } from './unregister.ts';

const REGISTER = 'register_ftrace_function';
const UNREGISTER = 'unregister_ftrace_function';
const registered: Told[] = [...image(1), ...register(1, 1)];

test('held: the function runs again after unregister and nothing is called', () => {
  const run = [
    ...registered,
    ...hit(1, 1, 'vfs_read'),
    ...unregisters(1, 1),
    ...enters('vfs_read'),
  ];
  expect(judge(unregister, run)).toEqual({ status: 'held', exercised: 1 });
});

test('held: a callback that was open when unregister began is over when it returns', () => {
  const reader = { pid: 2, cpu: 1 };
  const run = [
    ...registered,
    ...enters('vfs_read', reader),
    begins(1, 1, 'vfs_read', reader),
    calls(UNREGISTER, 1),
    ends(1, 1, 'vfs_read', reader),
    returns(UNREGISTER, 1, { generation: 1 }),
  ];
  expect(judge(unregister, run)).toEqual({ status: 'held', exercised: 1 });
});

test('held: each registration counts', () => {
  const run = [
    ...registered,
    ...hit(1, 1, 'vfs_read'),
    ...unregisters(1, 1),
    ...register(1, 2),
    ...hit(1, 2, 'vfs_read'),
    ...unregisters(1, 2),
    ...enters('vfs_read'),
  ];
  expect(judge(unregister, run)).toEqual({ status: 'held', exercised: 2 });
});

test('broken: a callback begins after unregister returned 0', () => {
  const run = [
    ...registered,
    ...enters('vfs_read', { pid: 2, cpu: 1 }),
    ...unregisters(1, 1),
    begins(1, 1, 'vfs_read', { pid: 2, cpu: 1 }),
  ];
  const verdict = judge(unregister, run);
  expect(verdict).toMatchObject({
    status: 'broken',
    at: run.length - 1,
    why:
      'the callback of ops1 for vfs_read began (step 150, CPU 1, task reader) after ' +
      'unregister_ftrace_function(ops1) had returned 0 (step 140, CPU 0, task control)',
  });
  expect(shown(verdict, run)).toEqual([
    'site_fetch',
    `ctl_begin ${UNREGISTER}`,
    `ctl_end ${UNREGISTER}`,
    'cb_begin',
  ]);
});

test('broken: a callback is still open when unregister returns 0', () => {
  const idle = { pid: 0, cpu: 1 };
  const run = [
    ...registered,
    ...enters('vfs_read', idle),
    begins(1, 1, 'vfs_read', idle),
    ...unregisters(1, 1),
    ends(1, 1, 'vfs_read', idle),
  ];
  const verdict = judge(unregister, run);
  expect(verdict).toMatchObject({
    status: 'broken',
    at: run.length - 2,
    why:
      'the callback of ops1 for vfs_read (begun at step 130, CPU 1, task idle) ' +
      'was still running when unregister_ftrace_function(ops1) returned 0 ' +
      '(step 150, CPU 0, task control)',
  });
  expect(shown(verdict, run)).toEqual([
    'cb_begin',
    `ctl_begin ${UNREGISTER}`,
    `ctl_end ${UNREGISTER}`,
  ]);
});

test('broken: a late callback that hides behind another number', () => {
  const run = [
    ...registered,
    ...unregisters(1, 1),
    ...enters('vfs_read'),
    begins(1, 0, 'vfs_read'),
  ];
  expect(judge(unregister, run)).toMatchObject({ status: 'broken', at: run.length - 1 });
});

test('broken: an old callback runs although the ops is registered again', () => {
  const run = [...registered, ...unregisters(1, 1), ...register(1, 2), ...hit(1, 1, 'vfs_read')];
  expect(judge(unregister, run)).toMatchObject({ status: 'broken' });
});

test('broken: the idle tasks of two CPUs are two', () => {
  const run = [
    ...registered,
    begins(1, 1, 'vfs_read', { pid: 0, cpu: 1 }),
    begins(1, 1, 'vfs_open', { pid: 0, cpu: 0 }),
    ends(1, 1, 'vfs_read', { pid: 0, cpu: 1 }),
    ...unregisters(1, 1),
  ];
  const verdict = judge(unregister, run);
  expect(verdict).toMatchObject({ status: 'broken' });
  expect('why' in verdict && verdict.why).toContain('for vfs_open (begun at step 120, CPU 0');
});

test('not flagged: callbacks of the next registration, begun before the old is over', () => {
  const run = [
    ...registered,
    ...hit(1, 1, 'vfs_read'),
    calls(UNREGISTER, 1),
    calls(REGISTER, 1, { pid: 1 }),
    ...enters('vfs_read', { pid: 2 }),
    begins(1, 2, 'vfs_read', { pid: 2 }),
    returns(UNREGISTER, 1, { generation: 1 }),
    ...hit(1, 2, 'vfs_open', { pid: 2, level: 2 }),
    returns(REGISTER, 1, { pid: 1, generation: 2 }),
    ...hit(1, 2, 'vfs_open', { pid: 2, level: 2 }),
  ];
  expect(judge(unregister, run)).toEqual({ status: 'held', exercised: 1 });
});

test('not flagged: a register that returns after the unregister of the same registration', () => {
  const run = [
    ...image(1),
    calls(REGISTER, 1, { pid: 1 }),
    ...hit(1, 1, 'vfs_read', { pid: 2 }),
    ...unregisters(1, 1),
    returns(REGISTER, 1, { pid: 1, generation: 1 }),
    calls(UNREGISTER, 1),
    returns(UNREGISTER, 1, { generation: 0, result: -16 }),
    ...enters('vfs_read', { pid: 2 }),
  ];
  expect(judge(unregister, run)).toEqual({ status: 'held', exercised: 1 });
});

test('not flagged: callbacks after an unregister that failed, and of other ops', () => {
  const run = [
    ...image(1, 2),
    ...register(1, 1),
    ...register(2, 2),
    calls(UNREGISTER, 1),
    returns(UNREGISTER, 1, { generation: 1, result: -19 }),
    ...hit(1, 1, 'vfs_read'),
    ...unregisters(2, 2),
    ...hit(1, 1, 'vfs_read'),
  ];
  expect(judge(unregister, run).status).toBe('never exercised');
});

test('not flagged: a callback that was preempted and came back in time', () => {
  const run: Told[] = [
    ...registered,
    ...enters('vfs_read'),
    begins(1, 1, 'vfs_read'),
    ['sched_switch', { prev: 1, next: 2, state: 'ready' }],
    ...hit(1, 1, 'vfs_read', { pid: 2 }),
    calls(UNREGISTER, 1, { cpu: 1 }),
    ['sched_switch', { pid: 2, prev: 2, next: 1, state: 'sleeping' }],
    ends(1, 1, 'vfs_read'),
    leaves('vfs_read'),
    returns(UNREGISTER, 1, { cpu: 1, generation: 1 }),
  ];
  expect(judge(unregister, run)).toEqual({ status: 'held', exercised: 1 });
});

test('not flagged: a callback that slept, by its own fault (FT-34)', () => {
  const sleeps: Told = ['sched_switch', { prev: 1, next: 2, state: 'sleeping' }];
  const wakes: Told = ['task_wake', { pid: 2, woken: 1 }];
  for (const slept of [sleeps, wakes]) {
    const run = [...registered, ...enters('vfs_read'), begins(1, 1, 'vfs_read'), slept];
    expect(judge(unregister, [...run, ...unregisters(1, 1)]).status).toBe('held');
  }
});

test('never exercised: no unregister that returned 0', () => {
  expect(
    judge(unregister, [...registered, ...hit(1, 1, 'vfs_read'), calls(UNREGISTER, 1)]),
  ).toEqual({
    status: 'never exercised',
    why: 'No unregister_ftrace_function or unregister_fprobe returned 0.',
  });
});

test('never exercised: no callback ran', () => {
  const run = [...registered, ...enters('vfs_read'), ...unregisters(1, 1), ...enters('vfs_read')];
  expect(judge(unregister, run)).toEqual({
    status: 'never exercised',
    why: 'No callback or handler ran before its probe was unregistered.',
  });
});

test('never exercised: only functions that it had not hooked ran afterwards', () => {
  const filter: Told[] = [
    calls('ftrace_set_filter', 1, { text: 'vfs_read' }),
    returns('ftrace_set_filter', 1),
  ];
  const run = [
    ...image(1),
    ...filter,
    ...register(1, 1),
    ...hit(1, 1, 'vfs_read'),
    ...unregisters(1, 1),
    ...hit(2, 9, 'vfs_open'),
  ];
  expect(judge(unregister, run)).toEqual({
    status: 'never exercised',
    why: 'No hooked function was entered during or after the unregister; nothing was running.',
  });
});

test('for an ops in core kernel data nobody waits, and nothing is promised (FT-31)', () => {
  const object: Told = ['object', { kind: 'static_ftrace_ops', object: 1, name: 'ops1' }];
  const told = [
    ...image(1),
    object,
    ...register(1, 1),
    ...enters('vfs_open'),
    begins(1, 1, 'vfs_open'),
    ...unregisters(1, 1),
    ends(1, 1, 'vfs_open'),
    ...hit(1, 1, 'vfs_open'),
  ];
  expect(judge(unregister, told)).toMatchObject({ status: 'never exercised' });
  const dynamic = told.filter((one) => one !== object);
  expect(judge(unregister, dynamic)).toMatchObject({ status: 'broken' });
});
