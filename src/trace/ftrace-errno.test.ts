// Section 9 of docs/spec/ftrace.md: a test for each row of the errno table, by the name of the call. The rows of IPMODIFY,
// PERMANENT, regs and the sysctl are with those.
import { expect, test } from 'vitest';
import { call, pointer } from '../../properties/guest-call.ts';
import {
  FREE_FILTER,
  perform,
  REGISTER,
  setFilter,
  setFilterIp,
  setFilterIps,
  setNotrace,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { addressHi, addressLo } from '../emu/address.ts';
import { CHOICE, type Chooser } from '../emu/choose.ts';
import type { ScriptOp } from '../emu/script.ts';
import { EBUSY, EINVAL, ENODEV, ENOENT, ENOMEM } from './errno.ts';
import type { FtraceHash } from './ftrace-hash.ts';
import {
  FTRACE_OPS_FL_DELETED,
  FTRACE_OPS_FL_ENABLED,
  FTRACE_OPS_FL_IPMODIFY,
} from './ftrace-ops-flags.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { OperationRequest } from './operation.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FUNCTIONS = { a1: WORK, a2: WORK, b1: WORK, '-quiet': WORK } as const;

/** What `asked` returns after `before`, and what is hooked then. */
function outcome(
  before: readonly OperationRequest[],
  asked: (m: SmallKernel) => OperationRequest,
  setUp: (m: SmallKernel) => void = () => undefined,
  chooser?: Chooser,
): readonly [number, readonly string[]] {
  const m = smallKernel({ functions: FUNCTIONS, ...(chooser === undefined ? {} : { chooser }) });
  const ops = m.ops('A', 'cb');
  let result = 1;
  m.control(function* (cx) {
    for (const step of before) yield* perform(cx, m.k, ops, step);
    setUp(m);
    const old = hashes(ops);
    result = yield* perform(cx, m.k, ops, asked(m));
    if (result < 0) expectHashes(ops, old);
  });
  return [result, m.hooked()];
}

interface Hashes {
  readonly filter: FtraceHash;
  readonly notrace: FtraceHash;
  readonly ips: readonly (readonly number[])[];
}

function hashes(ops: FtraceOps): Hashes {
  const [filter, notrace] = [ops.filterHash.value, ops.notraceHash.value];
  return { filter, notrace, ips: [filter, notrace].map(({ ips }) => Array.from(ips.value)) };
}

/** A call that fails leaves both sets in force as they were: the same ones, with the same in them (FT-43). */
function expectHashes(ops: FtraceOps, old: Hashes): void {
  const now = hashes(ops);
  expect(now.filter).toBe(old.filter);
  expect(now.notrace).toBe(old.notrace);
  expect(now.ips).toEqual(old.ips);
}

const HOOKED = [setFilter('a1'), REGISTER] as const;
const A1 = ['a1 -> A'] as const;

function dies(m: SmallKernel): void {
  m.k.ftrace.disabled.set(true);
}

/** Every call that changes one of the two sets. */
const CHANGES: readonly (readonly [string, (m: SmallKernel) => OperationRequest])[] = [
  ['ftrace_set_filter', () => setFilter('b1', true)],
  ['ftrace_set_notrace', () => setNotrace('b1', true)],
  ['ftrace_set_filter_ip', (m) => setFilterIp(m.fn('b1').address, false, true)],
  ['ftrace_set_filter_ips', (m) => setFilterIps([m.fn('b1').address], false, true)],
];

test.each([
  ...CHANGES,
  ['register_ftrace_function', () => REGISTER] as const,
  ['unregister_ftrace_function', () => UNREGISTER] as const,
])(
  '%s: -ENODEV once ftrace is dead, and no text and no set changes any more (FT-11, FT-43)',
  (_, asked) => {
    expect(outcome(HOOKED, asked, dies)).toEqual([-ENODEV, A1]);
  },
);

test('ftrace_free_filter returns nothing: dead or alive, it frees (FT-11, FT-47)', () => {
  expect(outcome([], () => FREE_FILTER, dies)).toEqual([0, []]);
});

test.each(CHANGES)(
  '%s: -ENOMEM without memory for its set, which stays as it was (FT-43)',
  (_, asked) => {
    let fails = 0;
    const chooser: Chooser = { choose: ({ kind }) => (kind === CHOICE.alloc ? fails : 0) };
    const runsOut = (m: SmallKernel): void => {
      m.machine.slab.failing = new Set(['ftrace_hash']);
      fails = 1;
    };
    expect(outcome(HOOKED, asked, runsOut, chooser)).toEqual([-ENOMEM, A1]);
  },
);

test.each(CHANGES.filter(([name]) => name !== 'ftrace_set_notrace'))(
  '%s: -EBUSY for a function that another IPMODIFY ops has, and the set stays (FT-43, FT-45)',
  (_, asked) => {
    const m = smallKernel({ functions: FUNCTIONS });
    const both = ['A', 'B'].map((name) => m.ops(name, 'cb', false, FTRACE_OPS_FL_IPMODIFY));
    const [mine, other] = both as [FtraceOps, FtraceOps];
    m.control(function* (cx) {
      for (const [ops, text] of [
        [mine, 'a1'],
        [other, 'b1'],
      ] as const)
        for (const step of [setFilter(text), REGISTER])
          expect(yield* perform(cx, m.k, ops, step)).toBe(0);
      const old = hashes(mine);
      expect(yield* perform(cx, m.k, mine, asked(m))).toBe(-EBUSY);
      expectHashes(mine, old);
    });
    expect(m.hooked()).toEqual(['a1 -> A', 'b1 -> B']);
  },
);

test.each(['ftrace_set_filter', 'ftrace_set_notrace'] as const)(
  '%s: -EINVAL for a pattern without a match, with and without reset (FT-43)',
  (op) => {
    for (const text of [
      'nobody',
      'no*',
      'quiet',
      '',
      ' a1',
      'a1 ',
      'a1 a2',
      'a1:mod:x',
      '0',
      '4',
      '!nobody',
    ])
      for (const reset of [false, true])
        expect(outcome(HOOKED, () => ({ op, text, reset }))).toEqual([-EINVAL, A1]);
  },
);

test.each(['ftrace_set_filter', 'ftrace_set_notrace'] as const)(
  '%s: -EINVAL unless the buffer holds a string of exactly len bytes (FT-38)',
  (op) => {
    for (const length of [0, 1, 3])
      expect(outcome(HOOKED, () => ({ op, text: 'b1', length, reset: true }))).toEqual([
        -EINVAL,
        A1,
      ]);
    expect(outcome(HOOKED, () => ({ op, text: 'b1', length: 2, reset: true }))[0]).toBe(0);
  },
);

test.each(['ftrace_set_filter_ip', 'ftrace_set_filter_ips'] as const)(
  '%s: -EINVAL for an address that is none of a traceable function, even with reset (FT-49)',
  (op) => {
    const places: readonly ((m: SmallKernel) => number)[] = [
      (m) => m.fn('quiet').address,
      (m) => m.fn('b1').address + 1,
      (m) => m.fn('b1').site + 4,
      () => -0x80000000,
      () => -1,
      () => 0x20000000,
    ];
    for (const place of places)
      for (const remove of [false, true]) {
        const how = { remove, reset: true };
        const asked = (m: SmallKernel): OperationRequest =>
          op === 'ftrace_set_filter_ip'
            ? { op, ip: place(m), ...how }
            : { op, ips: [place(m)], ...how };
        expect(outcome(HOOKED, asked)).toEqual([-EINVAL, A1]);
      }
  },
);

test.each(['ftrace_set_filter_ip', 'ftrace_set_filter_ips'] as const)(
  '%s: -ENOENT for taking out what is not in (FT-49)',
  (op) => {
    const asked = (m: SmallKernel): OperationRequest =>
      op === 'ftrace_set_filter_ip'
        ? setFilterIp(m.fn('b1').address, true)
        : setFilterIps([m.fn('a1').address, m.fn('b1').address], true);
    expect(outcome(HOOKED, asked)).toEqual([-ENOENT, A1]);
  },
);

/** Core code is about to delete the ops, and says so in its struct. */
function deleting({ k, machine }: SmallKernel): void {
  const [address = 0] = k.ops.byAddress.keys();
  machine.memory.store64(
    address + 8,
    machine.memory.loadLo(address + 8) | FTRACE_OPS_FL_DELETED,
    0,
  );
}

test('register_ftrace_function: -EBUSY when it is registered, -EINVAL when it is about to be deleted as well (FT-25.4)', () => {
  expect(outcome(HOOKED, () => REGISTER)).toEqual([-EBUSY, A1]);
  expect(outcome(HOOKED, () => REGISTER, deleting)).toEqual([-EINVAL, A1]);
});

test('unregister_ftrace_function: -EBUSY when it is not registered (FT-29.1)', () => {
  expect(outcome([setFilter('a1')], () => UNREGISTER)).toEqual([-EBUSY, []]);
});

/** What a guest is told whose struct says `flags`. */
function withFlags(
  flags: number,
  name: 'register_ftrace_function' | 'unregister_ftrace_function',
): number {
  const m = smallKernel({ functions: FUNCTIONS, data: ['ops'] });
  const { memory } = m.machine;
  const func = m.fn('cb').address;
  memory.store64(m.data('ops'), addressLo(func), addressHi(func));
  memory.store64(m.data('ops') + 8, flags, 0);
  let result = 1;
  m.control(function* (cx) {
    result = yield* call(m, cx, name, [pointer(m.data('ops'))]);
  });
  expect(m.hooked()).toEqual([]);
  return result;
}

test('register_ftrace_function: -EINVAL for an ops that core code is about to delete (FT-25.4)', () => {
  expect(withFlags(FTRACE_OPS_FL_DELETED, 'register_ftrace_function')).toBe(-EINVAL);
});

test('unregister_ftrace_function: -1 for an ops that claims to be registered and is on no list (FT-29.2)', () => {
  expect(withFlags(FTRACE_OPS_FL_ENABLED, 'unregister_ftrace_function')).toBe(-1);
});

/** What is hooked when a filter without a match has failed. */
function hookedAfterFailure(variants: readonly string[]): readonly string[] {
  const m = smallKernel({ functions: FUNCTIONS, variants });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    for (const step of HOOKED) yield* perform(cx, m.k, ops, step);
    expect(yield* perform(cx, m.k, ops, setFilter('nobody', true))).toBe(-EINVAL);
  });
  return m.hooked();
}

test('a filter that fails with reset keeps the set, and M-18 is the kernel that loses it (FT-43)', () => {
  expect(hookedAfterFailure([])).toEqual(A1);
  expect(hookedAfterFailure(['M-18'])).toHaveLength(3);
});
