import { expect, test } from 'vitest';
import {
  begins,
  callbackAt,
  calls,
  image,
  judge,
  reasonOf,
  register,
  returns,
  setFilter,
  setNotrace,
  shown,
  site,
  type Told,
  unregister,
} from './example-run.ts';
import { quiescence } from './quiescence.ts';

const STATE: Told = ['ftrace_state', {}];
const CPU: Told = ['cpu_state', { irqs: true, contexts: 1 }];
const END: readonly Told[] = [CPU, STATE, ['trace_recursion', { child: 1 }], ['run_end', {}]];
const LIFE: readonly Told[] = [...image(1), ...register(1, 1), ...unregister(1, 1)];

/** The verdict when `more` happens before the end. */
function after(more: readonly Told[], end: readonly Told[] = END): ReturnType<typeof judge> {
  return judge(quiescence, [...LIFE, ...more, ...end]);
}

function expectLeft(verdict: ReturnType<typeof judge>, what: RegExp): void {
  expect(verdict.status).toBe('broken');
  expect(reasonOf(verdict)).toMatch(what);
}

test('nothing is left: it holds, once for each registration that ended', () => {
  expect(after([])).toEqual({ status: 'held', exercised: 1 });
  expect(after([...register(1, 2), ...unregister(1, 2)])).toEqual({ status: 'held', exercised: 2 });
});

function why(told: readonly Told[]): string {
  const verdict = judge(quiescence, told);
  return verdict.status === 'never exercised' ? verdict.why : verdict.status;
}

test('it is asked only at a regular end, when everything is unregistered', () => {
  expect(why(LIFE)).toBe('The run did not end regularly.');
  expect(why([...LIFE, ['oops', { reason: 'fetch' }]])).toBe('The run did not end regularly.');
  expect(why([...LIFE, ...register(1, 2), ...END])).toBe('ops1 was not unregistered.');
  const pending = calls('register_ftrace_function', 1);
  expect(why([...LIFE, pending, ...END])).toBe('ops1 was not unregistered.');
  expect(why([...image(1), ...END])).toBe('No probe was registered and unregistered again.');
  expect(why([...LIFE, ['ftrace_state', { dead: true }], ['run_end', {}]])).toMatch(/dead/u);
});

const write = (part: number, value: number): Told => [
  'text_write',
  { ip: site('vfs_open'), part, value },
];
const NOP: readonly Told[] = [write(0, 0x13), write(1, 0)];

test('a call site that is no nop is left, in either half', () => {
  expect(after([write(0, 0x9002), write(1, 0x1234), ...NOP])).toMatchObject({ status: 'held' });
  expectLeft(after([...NOP, write(0, 0x9002)]), /the call site of vfs_open was no nop/u);
  expectLeft(after([write(1, 0x1234), write(0, 0x13)]), /the call site of vfs_open was no nop/u);
  const inner: Told = ['text_write', { ip: 0x9000, part: 0, value: 1 }];
  expect(after([inner])).toMatchObject({ status: 'held' });
});

const alloc = (kind: string, object: number): Told => ['alloc', { kind, object, generation: 1 }];
const free = (object: number): Told => ['free', { object, generation: 1 }];

test('a trampoline that lives is left; what guests allocate is theirs', () => {
  expect(after([alloc('trampoline', 4), free(4)])).toMatchObject({ status: 'held' });
  expect(after([alloc('heap', 4)])).toMatchObject({ status: 'held' });
  const told = [...LIFE, alloc('trampoline', 4), ...END];
  const verdict = judge(quiescence, told);
  expectLeft(verdict, /trampoline 4\.1 was not freed/u);
  expect(shown(verdict, told)).toEqual(['alloc', 'ftrace_state', 'run_end']);
});

test('an ops keeps one hash for each set that is not empty, and no more', () => {
  const both = [...setFilter(1, 'vfs_*'), ...setNotrace(1, 'vfs_read')];
  const hashes = [alloc('ftrace_hash', 5), alloc('ftrace_hash', 6)];
  expect(after([...both, ...hashes])).toMatchObject({ status: 'held' });
  expectLeft(after(hashes), /2 hashes lived, but the filters of all ops are 0/u);
  expectLeft(after(both), /0 hashes lived, but the filters of all ops are 2/u);
  const emptied = [...both, ...setFilter(1, '', 3), ...hashes];
  expectLeft(after(emptied), /2 hashes lived, but the filters of all ops are 1/u);
  expect(after([...emptied, free(5)])).toMatchObject({ status: 'held' });
});

test('an ops whose filters were freed keeps none (FT-47)', () => {
  const op = 'ftrace_free_filter';
  const filtered = [...setFilter(1, 'vfs_*'), alloc('ftrace_hash', 5)];
  const frees: readonly Told[] = [calls(op, 1), free(5), returns(op, 1)];
  expect(after([...filtered, ...frees])).toMatchObject({ status: 'held' });
  expectLeft(
    after([...filtered, calls(op, 1), returns(op, 1)]),
    /1 hashes lived, but the filters of all ops are 0/u,
  );
});

test('a deferred free that has not run is left', () => {
  const queued: Told = ['call_rcu', { callback: 3 }];
  expectLeft(after([queued]), /a deferred free had not run/u);
  expect(after([queued, ['rcu_callback', { callback: 3 }]])).toMatchObject({ status: 'held' });
});

test.each([
  [{ listed: 1 }, /1 ops were on the list/u],
  [{ started: 2 }, /2 ops counted as started/u],
  [{ served: 3 }, /3 sites still served an ops/u],
  [{ poke_refs: 1 }, /the patch descriptor had 1 references/u],
] as const)('what ftrace still counts is left: %o', (state, what) => {
  expectLeft(after([], [CPU, ['ftrace_state', state], ['run_end', {}]]), what);
});

const word = (child: number): Told => ['trace_recursion', { child, on_cpu: 1, word: 0x48 }];

test('a recursion bit that is set is left', () => {
  expectLeft(after([word(2)]), /recursion bits of reader were set: 0x48/u);
  expectLeft(after([word(0)]), /recursion bits of the idle task of CPU 1 were set/u);
});

test.each([
  [{ preempt_count: 1, irqs: true, contexts: 1 }],
  [{ bh_count: 1, irqs: true, contexts: 1 }],
  [{ irqs: false, contexts: 1 }],
  [{ irqs: true, contexts: 2 }],
] as const)('a CPU that cannot be preempted is left: %o', (state) => {
  expectLeft(after([['cpu_state', { cpu: 1, ...state }]]), /CPU 1 was not preemptible/u);
});

test('what has begun and not ended is left', () => {
  expectLeft(after([['region_open', { region: 1 }]]), /a region was open/u);
  expectLeft(after([['sync_send', { sync: 1 }]]), /a text sync was not over/u);
  const wait: Told = ['wait_begin', { kind: 'synchronize_rcu', wait: 1 }];
  expectLeft(after([wait]), /synchronize_rcu was not over/u);
  const over: Told[] = [
    ['region_open', { region: 1 }],
    ['region_close', { region: 1 }],
    ['sync_send', { sync: 1 }],
    ['sync_done', { sync: 1 }],
    wait,
    ['wait_end', { kind: 'synchronize_rcu', wait: 1 }],
  ];
  expect(after(over)).toMatchObject({ status: 'held' });
});

test.each(['ftrace_lock', 'direct_mutex', 'text_mutex', 'regex_lock/ops1'])(
  '%s is left',
  (name) => {
    const lock: Told = ['lock', { name }];
    expectLeft(after([lock]), /was held/u);
    expect(after([lock, ['unlock', { name }]])).toMatchObject({ status: 'held' });
  },
);

test('a lock of guest code is its own affair', () => {
  expect(after([['lock', { name: 'store_lock' }]])).toMatchObject({ status: 'held' });
});

test('a callback that has not ended is left, unless it was left without a return', () => {
  const open = [...image(1), ...register(1, 1), begins(1, 1, 'vfs_open'), ...unregister(1, 1)];
  expectLeft(judge(quiescence, [...open, ...END]), /for vfs_open had not ended/u);
  const abandon: Told = ['func_abandon', { func: callbackAt(1) }];
  expect(why([...open, abandon, ...END])).toMatch(/^A callback never returned/u);
});

const claim = (claimed: boolean, object = 1): Told => [
  'ipmodify',
  { pid: 3, object, ip: site('vfs_open'), claimed },
];

test('no IPMODIFY claim is left, and none was taken from another ops', () => {
  const op = 'register_ftrace_function';
  const within = (object: number, ...told: readonly Told[]): Told[] => [
    calls(op, object),
    ...told,
    ['ctl_end', { pid: 3, op, object, result: -16 }],
  ];
  const sound = within(1, claim(true), claim(false));
  expect(after(sound)).toMatchObject({ status: 'held' });
  expectLeft(after(within(1, claim(true))), /the claim of ops 1 on vfs_open was not released/u);
  const stolen = [...within(1, claim(true)), ...within(2, claim(false))];
  expectLeft(
    after(stolen),
    /the claim of ops 1 on vfs_open had been released by a call on another/u,
  );
});
