// `ftrace_set_filter_ips` (FT-49), the RV64 mapping of addresses, and names that several functions bear.
import { expect, test } from 'vitest';
import { call, pointer } from '../../properties/guest-call.ts';
import {
  perform,
  REGISTER,
  setFilter,
  setFilterIp,
  setFilterIps,
  smallKernel,
  type SmallKernel,
  type SmallKernelOptions,
} from '../../properties/small-kernel.ts';
import { addressHi, addressLo, hexAddress } from '../emu/address.ts';
import type { ScriptOp } from '../emu/script.ts';
import { EINVAL, ENOENT } from './errno.ts';
import type { OperationRequest } from './operation.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FIVE = { a1: WORK, a2: WORK, a3: WORK, b1: WORK, b2: WORK, '-quiet': WORK } as const;

/** Performs `steps` and says, after each one, what it returned and which functions are hooked. */
function sequence(
  steps: (m: SmallKernel) => readonly OperationRequest[],
  options: Partial<SmallKernelOptions> = {},
): string[] {
  const m = smallKernel({ functions: FIVE, ...options });
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

function starts(m: SmallKernel, ...names: readonly string[]): number[] {
  return names.map((name) => m.fn(name).address);
}

test('an array of addresses takes effect as a whole, or one bad entry changes nothing (FT-49)', () => {
  expect(
    sequence((m) => [
      setFilterIps(starts(m, 'a1', 'b2')),
      REGISTER,
      setFilterIps([...starts(m, 'a2'), m.fn('a3').site + 3]),
      setFilterIps(starts(m, 'b1', 'quiet', 'b1')),
      setFilterIps([...starts(m, 'b1'), 0x7777777], false, true),
      setFilterIps(starts(m, 'a1', 'b1'), true),
      setFilterIps(starts(m, 'a1', 'a1'), true),
      setFilterIps(starts(m, 'a1', 'a2'), true),
      setFilterIps(starts(m, 'b1', 'b1', 'a1'), false, true),
      setFilterIps([]),
      setFilterIps([], false, true),
    ]),
  ).toEqual([
    '0: ',
    '0: a1 b2',
    '0: a1 a2 a3 b2',
    `${-EINVAL}: a1 a2 a3 b2`,
    `${-EINVAL}: a1 a2 a3 b2`,
    `${-ENOENT}: a1 a2 a3 b2`,
    `${-ENOENT}: a1 a2 a3 b2`,
    '0: a3 b2',
    '0: a1 b1',
    '0: a1 b1',
    '0: a1 a2 a3 b1 b2',
  ]);
});

test('with a landing pad the start and the 4 bytes of the site name a function, without one those 4 bytes (FT-49, F12)', () => {
  const offsets = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12];
  const accepted = (landingPad: boolean): number[] => {
    const lines = sequence(
      (m) => offsets.map((at) => setFilterIps([m.fn('a1').address + at], false, true)),
      { landingPad },
    );
    return offsets.filter((_, i) => lines[i] === '0: ');
  };
  expect([accepted(true), accepted(false)]).toEqual([
    [0, 4, 5, 6, 7],
    [0, 1, 2, 3],
  ]);
});

test('a name that several functions bear selects them all, an address picks one (FT-49)', () => {
  const renamed = { a3: 'a1', b1: 'a1' };
  expect(
    sequence(
      (m) => [
        setFilter('a1'),
        REGISTER,
        setFilterIp(m.fn('a3').address, false, true),
        setFilter('a2'),
        setFilterIps(starts(m, 'b1')),
        setFilter('!a1'),
        setFilter('a3', true),
        setFilter('3', true),
      ],
      { renamed },
    ),
  ).toEqual([
    '0: ',
    '0: a1 a1 a1',
    '0: a1',
    '0: a2 a1',
    '0: a2 a1 a1',
    '0: a2',
    `${-EINVAL}: a2`,
    '0: a1',
  ]);
});

/** A guest's ops and its array of addresses. */
function guest(ips: (m: SmallKernel) => readonly number[]): SmallKernel {
  const m = smallKernel({ functions: FIVE, data: ['ops', 'ips'] });
  const { memory } = m.machine;
  const func = m.fn('cb').address;
  memory.store64(m.data('ops'), addressLo(func), addressHi(func));
  ips(m).forEach((ip, i) => {
    memory.store64(m.data('ips') + 8 * i, addressLo(ip), addressHi(ip));
  });
  return m;
}

test('guest code hands over an array; NULL and no entries change nothing but with reset (FT-49)', () => {
  const m = guest((one) => [one.fn('a1').address, one.fn('b1').site + 1]);
  const [ops, ips] = [pointer(m.data('ops')), pointer(m.data('ips'))];
  m.control(function* (cx) {
    expect(yield* call(m, cx, 'ftrace_set_filter_ips', [ops, ips, 2, 0, 0])).toBe(0);
    yield* call(m, cx, 'register_ftrace_function', [ops]);
    expect(m.hooked()).toEqual(['a1 -> ops', 'b1 -> ops']);
    expect(yield* call(m, cx, 'ftrace_set_filter_ips', [ops, ips, 1, 1, 0])).toBe(0);
    expect(m.hooked()).toEqual(['b1 -> ops']);
    // The third entry is 0.
    expect(yield* call(m, cx, 'ftrace_set_filter_ips', [ops, ips, 3, 0, 1])).toBe(-EINVAL);
    expect(yield* call(m, cx, 'ftrace_set_filter_ips', [ops, ips, 5000, 0, 1])).toBe(-EINVAL);
    expect(yield* call(m, cx, 'ftrace_set_filter_ips', [ops, 0, 7, 0, 0])).toBe(0);
    expect(m.hooked()).toEqual(['b1 -> ops']);
    expect(yield* call(m, cx, 'ftrace_set_filter_ips', [ops, ips, 0, 0, 1])).toBe(0);
  });
  expect(m.hooked()).toHaveLength(5);
  const [first] = m.events('ctl_begin');
  expect(first?.text).toBe(`${hexAddress(m.fn('a1').address)} ${hexAddress(m.fn('b1').site + 1)}`);
});

test('an array that is read where nothing lies is an oops, behind a bad entry nobody reads', () => {
  const m = guest((one) => [one.fn('a1').address, one.fn('quiet').address]);
  const ops = pointer(m.data('ops'));
  m.thread('guest', 0, function* (cx) {
    const many = yield* call(m, cx, 'ftrace_set_filter_ips', [ops, pointer(m.data('ips')), 4096]);
    expect(many).toBe(-EINVAL);
    yield* call(m, cx, 'ftrace_set_filter_ips', [ops, pointer(0x7000000), 1]);
  });
  expect(m.machine.run()).toBe('oops');
  expect(m.events('oops').map((e) => e.reason)).toEqual(['unmapped']);
});
