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
  reasonOf,
  register,
  returns,
  setFilter,
  setNotrace,
  shown,
  type Told,
  unregister,
  type Where,
} from './example-run.ts';
import { start } from './start.ts';

const REGISTER = 'register_ftrace_function';
const other = { pid: 2, cpu: 1 };
/** ops1 selects vfs_read and is registered. */
const read: Told[] = [...image(1, 2), ...setFilter(1, 'vfs_read'), ...register(1, 1)];

/** A call of a function that runs no callback. */
function silent(name: string, where: Where = {}): Told[] {
  return [...enters(name, where), leaves(name, where)];
}

/** The list function says why a hit on vfs_read runs nobody. */
function refused(name: string, where: Where = {}): Told[] {
  return [
    ...enters(name, where),
    ['skip', { object: 0, reason: 'recursion', ip: 4 + 0x40, ...where }],
    leaves(name, where),
  ];
}

function bit(number: number, where: Where = {}): Told {
  return ['recursion_set', { bit: number, ...where }];
}

test('held: each call of a selected function that ran the callback counts', () => {
  const run = [...read, ...hit(1, 1, 'vfs_read'), ...silent('vfs_open'), ...hit(1, 1, 'vfs_read')];
  expect(judge(start, run)).toEqual({
    status: 'held',
    exercised: 2,
    parts: { alone: 2, besides: 0 },
  });
});

test('broken: a selected function returns without the callback', () => {
  const run = [...read, ...silent('vfs_read', other)];
  const verdict = judge(start, run);
  expect(reasonOf(verdict)).toMatch(
    /^broken: vfs_read returned \(step \d+, CPU 1, task reader\) without the callback of ops1, which was registered and selects it$/u,
  );
  expect(shown(verdict, run)).toEqual(['func_enter', 'site_fetch', 'func_return']);
});

test('broken: of two probes one is left out, while the other one comes', () => {
  const run = [
    ...read,
    calls(REGISTER, 2),
    ...enters('vfs_read', other),
    begins(2, 1, 'vfs_read', other),
    ends(2, 1, 'vfs_read', other),
    leaves('vfs_read', other),
    returns(REGISTER, 2, { generation: 1 }),
  ];
  expect(reasonOf(judge(start, run))).toMatch(/without the callback of ops1/u);
});

/** A call of vfs_read that runs no callback, and in which `op` is called. */
function silentDuring(op: string): Told[] {
  return [...read, ...enters('vfs_read'), calls(op, 0), returns(op, 0), leaves('vfs_read')];
}

test('broken: a callback that is missing while a CPU goes; what is written to a file may be why', () => {
  expect(judge(start, silentDuring('cpu_down')).status).toBe('broken');
  expect(judge(start, silentDuring('ftrace_enabled')).status).toBe('never exercised');
});

test('held: a call while another probe comes', () => {
  const run = [...read, calls(REGISTER, 2), ...hit(1, 1, 'vfs_read', other)];
  expect(judge(start, run)).toMatchObject({ parts: { alone: 0, besides: 1 } });
});

test('broken: a function of the new filter, when its change has returned', () => {
  const run = [...read, ...setFilter(1, 'vfs_open'), ...silent('vfs_open')];
  expect(judge(start, run).status).toBe('broken');
  expect(judge(start, [...read, ...setFilter(1, 'vfs_open'), ...silent('vfs_read')]).status).toBe(
    'never exercised',
  );
});

test('a refusal for recursion is believed when both bits are set, and not before', () => {
  const list = [bit(8), bit(9)];
  expect(judge(start, [...read, ...list, ...refused('vfs_read')]).status).toBe('held');
  for (const bits of [[], [bit(8)], [bit(8, other), bit(9, other)]]) {
    expect(judge(start, [...read, ...bits, ...refused('vfs_read')]).status).toBe('broken');
  }
  const cleared: Told = ['recursion_clear', { bit: 9 }];
  expect(judge(start, [...read, ...list, cleared, ...refused('vfs_read')]).status).toBe('broken');
});

test('no other reason is believed', () => {
  const skip: Told = ['skip', { object: 1, reason: 'filter', ip: 4 + 0x40 }];
  const run = [...read, ...enters('vfs_read'), skip, leaves('vfs_read')];
  expect(shown(judge(start, run), run)).toEqual([
    'func_enter',
    'site_fetch',
    'skip',
    'func_return',
  ]);
});

test('not flagged: before register has returned, and from the beginning of unregister on', () => {
  const early = [...image(1), calls(REGISTER, 1), ...silent('vfs_read')];
  const late = [...early, returns(REGISTER, 1, { generation: 1 })];
  expect(judge(start, late).status).toBe('never exercised');
  const gone = [...read, ...enters('vfs_read'), ...unregister(1, 1), leaves('vfs_read')];
  expect(judge(start, gone).status).toBe('never exercised');
});

test('not flagged: a function that the notrace set excludes, or that was entered before', () => {
  const excluded = [...read, ...setNotrace(1, 'vfs_read'), ...silent('vfs_read')];
  const before = [...image(1), ...enters('vfs_read'), ...register(1, 1), leaves('vfs_read')];
  for (const run of [excluded, before]) expect(judge(start, run).status).toBe('never exercised');
});

test('not flagged: a function that was left without a return, and anything when ftrace is dead', () => {
  const left: Told = ['func_abandon', { func: 0x40 }];
  expect(judge(start, [...read, ...enters('vfs_read'), left]).status).toBe('never exercised');
  const dead: Told = ['kill', { ip: 4 }];
  expect(judge(start, [...read, dead, ...silent('vfs_read')]).status).toBe('never exercised');
});

test('never exercised: nobody was registered, or nothing selected ran', () => {
  expect(reasonOf(judge(start, [...image(1), ...silent('vfs_read')]))).toBe(
    'never exercised: No function was entered while a probe was registered.',
  );
  expect(reasonOf(judge(start, [...read, ...silent('vfs_open')]))).toBe(
    'never exercised: No selected function was entered and left while its probe stayed as it was.',
  );
});
