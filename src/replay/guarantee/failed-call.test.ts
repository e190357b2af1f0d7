import { expect, test } from 'vitest';
import type { EventOf } from '../schema.ts';
import {
  calls,
  image,
  judge,
  reasonOf,
  register,
  REMOVE,
  RESET,
  returns,
  setFilter,
  shown,
  site,
  type Told,
  unregister,
} from './example-run.ts';
import { failedCall } from './failed-call.ts';

const [REGISTER, UNREGISTER] = ['register_ftrace_function', 'unregister_ftrace_function'];
const [FILTER, FILTER_IP] = ['ftrace_set_filter', 'ftrace_set_filter_ip'];
const [EBUSY, EINVAL, ENODEV, ENOENT, ENOMEM] = [-16, -22, -19, -2, -12];
/** ops1 selects vfs_read. */
const filtered: Told[] = [...image(1), ...setFilter(1, 'vfs_read')];
const READ = { filter: 1, filter_sum: site('vfs_read') };
const IN_FORCE = { enabled: true, listed: true, served: 1, ...READ };
const noMatch = { text: 'no_such', flags: RESET };

type Call = Partial<EventOf<'ctl_begin'>>;

/** A call that returns `result` and leaves `state`. */
function fails(
  op: string,
  result: number,
  state: Partial<EventOf<'ops_state'>> = {},
  call: Call = {},
): Told[] {
  const left: Told = ['ops_state', { pid: 3, object: 1, ...state }];
  return [calls(op, 1, call), left, returns(op, 1, { result })];
}

/** Removes a function by its address. */
function remove(name: string): Call {
  return { ip: site(name), flags: REMOVE };
}

function verdictOf(told: readonly Told[]): string {
  return reasonOf(judge(failedCall, told)).replace(/ \(step[^)]*\)/gu, '');
}

test('held: each call that failed and left all as it was counts', () => {
  const run = [
    ...filtered,
    ...fails(UNREGISTER, EBUSY, READ),
    ...register(1, 1),
    ...fails(REGISTER, EBUSY, IN_FORCE),
    ...fails(FILTER, EINVAL, IN_FORCE, noMatch),
  ];
  expect(judge(failedCall, run)).toEqual({
    status: 'held',
    exercised: 3,
    parts: { registration: 2, filters: 1 },
  });
});

test('broken: a call that matches nothing has cleared the filter (FT-43)', () => {
  const run = [...filtered, ...fails(FILTER, EINVAL, {}, noMatch)];
  expect(verdictOf(run)).toBe(
    'broken: ftrace_set_filter(ops1, "no_such", reset) returned -EINVAL, and left a filter of 0 functions instead of {vfs_read}',
  );
  expect(shown(judge(failedCall, run), run)).toEqual([
    `ctl_begin ${FILTER}`,
    'ops_state',
    `ctl_end ${FILTER}`,
  ]);
});

test('broken: another function in its place, and a notrace set that came from nowhere', () => {
  const moved = { filter: 1, filter_sum: site('vfs_open') };
  const set = { ...READ, notrace: 1, notrace_sum: 4 };
  expect(verdictOf([...filtered, ...fails(FILTER, EINVAL, moved, noMatch)])).toMatch(
    /a filter of/u,
  );
  expect(verdictOf([...filtered, ...fails(FILTER, EINVAL, set, noMatch)])).toMatch(
    /a notrace set of 1 functions instead of \{nothing\}$/u,
  );
});

test('broken: registration, list and records', () => {
  const states = [{ enabled: true }, { listed: true }, { served: 2 }];
  const left = states.map((state) =>
    verdictOf([...filtered, ...fails(UNREGISTER, EBUSY, { ...READ, ...state })]),
  );
  expect(left.map((why) => why.replace(/^.*left /u, ''))).toEqual([
    'it enabled',
    'it on the list',
    '2 sites that serve it instead of 0',
  ]);
  const off = { ...IN_FORCE, listed: false };
  expect(verdictOf([...filtered, ...register(1, 1), ...fails(REGISTER, EBUSY, off)])).toMatch(
    /left it off the list$/u,
  );
});

test('broken: 0 or another error where one is due', () => {
  const runs = [
    [...register(1, 1), ...register(1, 1)],
    [...register(1, 1), ...fails(REGISTER, EINVAL, IN_FORCE)],
    unregister(1, 1),
    fails(UNREGISTER, EINVAL, READ),
    [...register(1, 1), ...fails(UNREGISTER, EBUSY, IN_FORCE)],
    setFilter(1, 'no_such'),
    fails(FILTER, ENOENT, READ, { text: 'vfs_open' }),
    fails(FILTER, ENOMEM, READ, { text: 'vfs_open' }),
  ];
  expect(runs.map((run) => verdictOf([...filtered, ...run]).replace(/^.*returned /u, ''))).toEqual([
    '0, but -EBUSY is right',
    '-EINVAL, but -EBUSY is right',
    '0, but -EBUSY is right',
    '-EINVAL, but -EBUSY is right',
    '-EBUSY, but 0 is right',
    '0, but -EINVAL is right',
    '-ENOENT, but 0 or -EBUSY or -EINVAL is right',
    '-ENOMEM, but 0 or -EBUSY or -EINVAL is right',
  ]);
});

test('removing by address what is absent is -ENOENT, and nothing else (FT-49)', () => {
  expect(verdictOf([...filtered, ...fails(FILTER_IP, ENOENT, READ, remove('vfs_open'))])).toBe(
    'held',
  );
  const gone = [calls(FILTER_IP, 1, remove('vfs_open')), returns(FILTER_IP, 1)];
  expect(verdictOf([...filtered, ...gone])).toMatch(/but -EINVAL or -ENOENT is right$/u);
  expect(verdictOf([...filtered, ...fails(FILTER_IP, ENOENT, READ, remove('vfs_read'))])).toMatch(
    /^broken/u,
  );
});

test('an array that removes a function twice is refused: it is gone at the second time (FT-49)', () => {
  const SET_IPS = 'ftrace_set_filter_ips';
  const at = `0xffffffff8000${site('vfs_read').toString(16).padStart(4, '0')}`;
  const once = fails(SET_IPS, ENOENT, READ, { text: at, flags: REMOVE });
  const twice = fails(SET_IPS, ENOENT, READ, { text: `${at} ${at}`, flags: REMOVE });
  expect(verdictOf([...filtered, ...twice])).toBe('held');
  expect(verdictOf([...filtered, ...once])).toMatch(/but 0 or -EBUSY or -EINVAL is right$/u);
});

test('functions that came while the filter was changed leave open what is in it', () => {
  const [begin, end] = [setFilter(1, 'vfs_*').slice(0, 1), setFilter(1, 'vfs_*').slice(1)];
  const comes: Told = ['symbol', { name: 'vfs_late', address: 0x800, site: 0x804 }];
  const gone = [calls(FILTER_IP, 1, remove('vfs_read')), returns(FILTER_IP, 1)];
  expect(verdictOf([...filtered, ...begin, comes, ...end, ...gone])).toMatch(/^never exercised/u);
});

test('-ENOMEM is right when an allocation failed in the call, and only then', () => {
  const failed: Told = ['alloc_failed', { pid: 3, kind: 'ftrace_hash' }];
  const [begin, ...rest] = fails(FILTER, ENOMEM, READ, { text: 'vfs_open' });
  const within = [...filtered, ...(begin === undefined ? [] : [begin]), failed, ...rest];
  expect(verdictOf(within)).toBe('held');
  const before = [...filtered, failed, ...fails(FILTER, ENOMEM, READ, { text: 'vfs_open' })];
  expect(verdictOf(before)).toMatch(/^broken/u);
});

test('when ftrace is dead, -ENODEV is right and nothing else', () => {
  const dead: Told = ['kill', { ip: 4 }];
  expect(verdictOf([...filtered, dead, ...fails(REGISTER, ENODEV)])).toMatch(/^never exercised/u);
  expect(verdictOf([...filtered, dead, ...register(1, 1)])).toMatch(/but -ENODEV is right$/u);
  expect(verdictOf([...filtered, ...fails(REGISTER, ENODEV, READ)])).toMatch(/^broken/u);
});

test('not flagged: what another call on the same ops may have made of it', () => {
  const overlapping: Told[] = [
    ...filtered,
    ...register(1, 1),
    calls(UNREGISTER, 1, { pid: 2 }),
    calls(REGISTER, 1),
    returns(UNREGISTER, 1, { pid: 2, generation: 1 }),
    ['ops_state', { pid: 3, object: 1, enabled: true, listed: true, served: 7, ...READ }],
    returns(REGISTER, 1, { result: EBUSY }),
  ];
  expect(verdictOf(overlapping)).toBe('held');
});

const WRITE = 'ftrace_enabled';
const FLAG_IPMODIFY = 1 << 12;

function write(text: string, result = 0): Told[] {
  return [calls(WRITE, 0, { text }), returns(WRITE, 0, { result })];
}

/** `ops1` is PERMANENT; an error leaves nothing. */
function registerPermanent(result: number, state: Partial<EventOf<'ops_state'>> = {}): Told[] {
  if (result < 0) return fails(REGISTER, result, { ...READ, ...state }, { text: 'PERMANENT' });
  return [calls(REGISTER, 1, { text: 'PERMANENT' }), returns(REGISTER, 1, { generation: 1 })];
}

test.each([
  [
    '0 at 0',
    [...write('0'), ...registerPermanent(0)],
    /returned 0, but -EBUSY or -EINVAL is right: ftrace_enabled was 0$/u,
  ],
  ['-EBUSY at 1', registerPermanent(EBUSY), /returned -EBUSY, but 0 or -EINVAL is right$/u],
  [
    '0 with it',
    [...registerPermanent(0), ...write('0')],
    /^broken: ftrace_enabled = 0 returned 0, but -EBUSY is right: ops1 is PERMANENT$/u,
  ],
  ['0 refused without it', write('0', EBUSY), /= 0 returned -EBUSY, but 0 is right$/u],
  ['no number taken', write('off'), /= off returned 0, but -EINVAL is right$/u],
  [
    '1 refused',
    [...registerPermanent(0), ...write('1', EBUSY)],
    /= 1 returned -EBUSY, but 0 is right$/u,
  ],
] as const)('broken: PERMANENT and ftrace_enabled: %s (FT-48, CC-G17)', (_what, run, why) => {
  expect(verdictOf([...filtered, ...run])).toMatch(why);
});

test('PERMANENT and ftrace_enabled: what is refused as it has to be, and what may go either way', () => {
  expect(verdictOf([...filtered, ...write('0'), ...registerPermanent(EBUSY)])).toBe('held');
  const [begin, end] = [registerPermanent(0).slice(0, 1), registerPermanent(0).slice(1)];
  const runs: readonly Told[][] = [
    [...registerPermanent(0), ...write('0', EBUSY), ...unregister(1, 1), ...write('0')],
    [...begin, ...write('0'), ...end],
    [...begin, ...write('0', EBUSY), ...end],
    [
      calls(WRITE, 0, { text: '0', pid: 2 }),
      ...registerPermanent(0),
      returns(WRITE, 0, { pid: 2 }),
    ],
  ];
  for (const run of runs) expect(verdictOf([...filtered, ...run])).toMatch(/^never exercised/u);
});

function claims(object: number, name: string, claimed: boolean): Told {
  return ['ipmodify', { pid: 3, object, ip: site(name), claimed }];
}

/** A registration of ops1, which may redirect, that makes `moves` and returns `result`. */
function redirects(moves: readonly Told[], result: number): Told[] {
  const asks: Told = ['ops_flags', { pid: 3, object: 1, flags: FLAG_IPMODIFY }];
  const state: Told = ['ops_state', { pid: 3, object: 1, ...READ }];
  const left = result < 0 ? [state] : [];
  return [
    calls(REGISTER, 1),
    asks,
    ...moves,
    ...left,
    returns(REGISTER, 1, { result, generation: 1 }),
  ];
}

test('a registration that fails gives back what it has claimed, and nothing else (FT-45, CC-G15, CC-G16)', () => {
  const own = [claims(1, 'vfs_open', true), claims(1, 'vfs_open', false)];
  const others = [calls(REGISTER, 2), claims(2, 'vfs_read', true), returns(REGISTER, 2)];
  const base = [...image(2), ...filtered, ...others];
  expect(verdictOf([...base, ...redirects(own, EBUSY)])).toBe('held');
  expect(verdictOf([...base, ...redirects(own.slice(0, 1), EBUSY)])).toBe(
    'broken: register_ftrace_function(ops1) returned -EBUSY, and left vfs_open claimed by ops1 instead of nobody',
  );
  const taken = [...own, claims(2, 'vfs_read', false)];
  for (const result of [EBUSY, 0]) {
    expect(verdictOf([...base, ...redirects(taken, result)])).toMatch(
      /and left vfs_read claimed by nobody instead of ops2$/u,
    );
  }
});

test('a claim goes with the module of its function, and is held against nobody (CC-S20.4)', () => {
  const gone: Told = ['symbol_gone', { pid: 2, name: 'vfs_open', site: site('vfs_open') }];
  const run = redirects([claims(1, 'vfs_open', true), gone], EBUSY);
  expect(verdictOf([...filtered, ...run])).toBe('held');
});

test('never exercised: no call, or none that failed', () => {
  expect(verdictOf(image(1))).toBe('never exercised: No call was made on a probe.');
  expect(verdictOf(filtered)).toBe('never exercised: No call on a probe failed.');
});
