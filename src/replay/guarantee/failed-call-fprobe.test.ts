import { expect, test } from 'vitest';
import { call, enters, entry, FP, registered, world } from './example-fprobe.ts';
import { image, judge, reasonOf, site, type Told } from './example-run.ts';
import { failedCall } from './failed-call.ts';

type Era = 'today' | 'v6.12' | 'v6.14';

function rules(era: Era): Told {
  return ['fprobe_rules', { era, miss_policy: 'both' }];
}

function finding(era: Era, ...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(failedCall, [...image(), rules(era), ...told.flat()]);
  return verdict.status === 'held'
    ? verdict.parts
    : reasonOf(verdict).replaceAll(/ \(step[^)]*\)/gu, '');
}

interface Request {
  readonly text?: string;
  readonly flags?: number;
  readonly object?: number;
}

/** A call that nobody tells anything of but its arguments and its result. */
function asks(op: string, request: Request, result: number): Told[] {
  const { flags = 0, object = FP, text = 'vfs_*' } = request;
  return [
    ['ctl_begin', { op, object, text, flags, pid: 3 }],
    ['ctl_end', { op, object, result, pid: 3 }],
  ];
}

const [REGISTER, IPS, SYMS] = ['register_fprobe', 'register_fprobe_ips', 'register_fprobe_syms'];
const [UNREGISTER, NULL] = ['unregister_fprobe', 2];
const [ENOENT, E2BIG, ENOMEM, EBUSY, EEXIST, EINVAL] = [-2, -7, -12, -16, -17, -22];
const graph = registered({ hook: 'fgraph' });
const rethook = registered();
const hex = (address: number): string =>
  `0x${(0x80000000 + address).toString(16).padStart(16, 'f')}`;

test.each<[string, Era, readonly Told[], number]>([
  ['NULL', 'today', asks(REGISTER, { object: 0 }, EINVAL), 1],
  ['no filter', 'today', asks(REGISTER, { text: '', flags: NULL }, EINVAL), 1],
  ['nothing matches', 'today', asks(REGISTER, { text: 'no_*' }, ENOENT), 1],
  ['nothing matches', 'v6.12', asks(REGISTER, { text: 'no_*' }, EINVAL), 1],
  ['notfilter matches nothing', 'v6.12', asks(REGISTER, { text: 'vfs_*\nno_*' }, EINVAL), 1],
  ['no such symbol', 'today', asks(SYMS, { text: 'vfs_open no_such' }, ENOENT), 1],
  ['a symbol twice', 'v6.12', asks(SYMS, { text: 'vfs_open vfs_open' }, ENOENT), 1],
  ['no such address', 'today', asks(IPS, { text: hex(0x5000) }, EINVAL), 1],
  ['an empty array', 'today', asks(IPS, { text: '' }, EINVAL), 1],
  ['too much data', 'today', asks(REGISTER, {}, E2BIG), 1],
  ['again', 'today', [...graph, ...asks(REGISTER, {}, EEXIST)], 1],
  ['again', 'v6.12', [...rethook, ...asks(REGISTER, {}, EBUSY)], 1],
  ['never registered', 'today', asks(UNREGISTER, {}, EINVAL), 1],
  ['never registered', 'v6.12', asks(UNREGISTER, {}, EINVAL), 1],
  ['gone', 'today', [...graph, ...call(UNREGISTER, 0), ...asks(UNREGISTER, {}, EINVAL)], 1],
  ['gone', 'v6.12', [...rethook, ...call(UNREGISTER, 0), ...asks(UNREGISTER, {}, EBUSY)], 1],
])('held: %s, in %s', (_what, era, told, fprobes) => {
  expect(finding(era, told)).toEqual({ registration: 0, filters: 0, fprobes });
});

test.each<[string, Era, readonly Told[], RegExp]>([
  [
    'NULL',
    'today',
    asks(REGISTER, { object: 0 }, 0),
    /register_fprobe\(NULL\) returned 0, but -EINVAL/u,
  ],
  ['nothing matches', 'today', asks(REGISTER, { text: 'no_*' }, EINVAL), /but -ENOENT is right/u],
  ['nothing matches', 'v6.12', asks(REGISTER, { text: 'no_*' }, ENOENT), /but -EINVAL is right/u],
  ['a symbol twice', 'today', asks(SYMS, { text: 'vfs_open vfs_open' }, 0), /but -ENOENT/u],
  [
    'an address',
    'today',
    asks(IPS, { text: hex(site('vfs_open')) }, EINVAL),
    /but -E2BIG is right/u,
  ],
  ['again', 'today', [...graph, ...graph], /returned 0, but -EEXIST or -E2BIG is right/u],
  ['again', 'v6.12', [...rethook, ...asks(REGISTER, {}, EEXIST)], /but -EBUSY or/u],
  ['registered', 'today', [...graph, ...asks(UNREGISTER, {}, EINVAL)], /but 0 is right/u],
  [
    'gone',
    'today',
    [...graph, ...call(UNREGISTER, 0), ...call(UNREGISTER, 0)],
    /but -EINVAL is right/u,
  ],
  [
    'gone',
    'v6.12',
    [...rethook, ...call(UNREGISTER, 0), ...call(UNREGISTER, 0)],
    /but -EBUSY or -EINVAL/u,
  ],
  ['memory was there', 'today', asks(REGISTER, {}, ENOMEM), /but -E2BIG is right/u],
  ['too much data', 'today', registered({ hook: 'fgraph', data: 128 }), /returned 0, but -E2BIG/u],
  ['disabled', 'today', [...graph, ...asks('disable_fprobe', {}, EINVAL)], /but 0 is right/u],
])('broken: %s, in %s', (_what, era, told, why) => {
  expect(finding(era, told)).toMatch(why);
});

test('FP-53: the first versions register a struct twice', () => {
  expect(finding('v6.14', graph, graph)).toBe('never exercised: No call on a probe failed.');
});

test('CC-G16: a call that failed leaves no handler', () => {
  const [object, begin, struct] = registered({ hook: 'fgraph' });
  const end: Told = [
    'ctl_end',
    { op: REGISTER, object: FP, generation: 1, result: ENOMEM, pid: 3 },
  ];
  const short: Told = ['alloc_failed', { kind: 'fprobe_ip_table', pid: 3 }];
  const fails = [object, begin, struct, short, end].filter((one) => one !== undefined);
  expect(finding('today', fails)).toMatchObject({ fprobes: 1 });
  // It was there before the error (FP-5).
  const early = [...fails.slice(0, -1), ...enters('vfs_open'), end, ...entry('vfs_open')];
  expect(finding('today', early)).toMatchObject({ fprobes: 1 });
  expect(finding('today', fails, enters('vfs_open'), entry('vfs_open'))).toMatch(
    /the entry handler of fp0 for vfs_open began, although register_fprobe had returned -ENOMEM/u,
  );
});

test('never exercised: calls were made, and none failed', () => {
  expect(reasonOf(judge(failedCall, [rules('today'), ...world({ hook: 'fgraph' })]))).toBe(
    'never exercised: No call on a probe failed.',
  );
});
