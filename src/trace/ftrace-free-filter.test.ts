// `ftrace_free_filter` (FT-47): the ops goes on pointing at hashes that are freed.
import { expect, test } from 'vitest';
import { call, pointer } from '../../properties/guest-call.ts';
import {
  FREE_FILTER,
  perform,
  REGISTER,
  setFilter,
  setFilterIp,
  setNotrace,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { addressHi, addressLo } from '../emu/address.ts';
import type { ScriptOp } from '../emu/script.ts';
import { judgeEvents } from '../replay/guarantee/index.ts';
import type { OperationRequest } from './operation.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FUNCTIONS = { a1: WORK, a2: WORK, b1: WORK } as const;

/** Performs `steps`, on an ops whose callback does nothing. */
function run(steps: (m: SmallKernel) => readonly OperationRequest[]): SmallKernel {
  const m = smallKernel({ functions: FUNCTIONS });
  const ops = m.ops('A', 'cb');
  m.thread('control', 0, function* (cx) {
    for (const step of steps(m)) yield* perform(cx, m.k, ops, step);
  });
  m.machine.run();
  return m;
}

test('both hashes are freed at once, the shared empty one never (FT-47)', () => {
  const m = run(() => [setFilter('a*'), setNotrace('a2'), REGISTER, UNREGISTER, FREE_FILTER]);
  expect(m.machine.ending).toBe('run_end');
  const hashes = m.events('alloc').filter((e) => e.kind === 'ftrace_hash');
  expect(m.events('free').slice(-2)).toMatchObject(hashes.map(({ object }) => ({ object })));
  const untouched = run(() => [FREE_FILTER, FREE_FILTER, REGISTER]);
  expect(untouched.machine.ending).toBe('run_end');
  expect(untouched.hooked()).toHaveLength(3);
});

test.each<readonly [string, (m: SmallKernel) => OperationRequest]>([
  ['a filter call', () => setFilter('b1')],
  ['a filter call with reset', () => setFilter('b1', true)],
  ['a call by address', (m) => setFilterIp(m.fn('a1').address)],
  ['register', () => REGISTER],
  ['a second free', () => FREE_FILTER],
])('%s after it uses freed memory: an oops, as in X01 (FT-47)', (_, reuse) => {
  const m = run((one) => [setFilter('a*'), FREE_FILTER, reuse(one)]);
  expect(m.machine.ending).toBe('oops');
  expect(m.events('oops').map((e) => e.reason)).toEqual(['freed']);
  expect(m.events('touch').at(-1)?.object).toBe(m.events('free').at(-1)?.object);
  const memory = judgeEvents(m.log.events()).find(({ guarantee }) => guarantee.name === 'memory');
  expect(memory?.verdict.status).toBe('broken');
});

test('the other hash of the ops is freed, too: notrace (FT-47)', () => {
  const m = run(() => [setNotrace('a*'), FREE_FILTER, setNotrace('b1')]);
  expect(m.events('oops').map((e) => e.reason)).toEqual(['freed']);
});

test('two CPUs that free the same hash: the second is an oops, whoever it is (FT-47)', () => {
  const m = smallKernel({ functions: FUNCTIONS });
  const ops = m.ops('A', 'cb');
  m.thread('first', 0, function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a*'));
    m.thread('second', 1, (other) => perform(other, m.k, ops, FREE_FILTER));
    yield* perform(cx, m.k, ops, FREE_FILTER);
  });
  expect(m.machine.run()).toBe('oops');
});

test('guest code zeroes the struct and has a new ops (FT-47)', () => {
  const m = smallKernel({ functions: FUNCTIONS, data: ['ops', 'text'] });
  const { memory } = m.machine;
  const func = m.fn('cb').address;
  const fresh = (): void => {
    for (let at = 8; at < 64; at += 8) memory.store64(m.data('ops') + at, 0, 0);
    memory.store64(m.data('ops'), addressLo(func), addressHi(func));
  };
  memory.store16(m.data('text'), 0x3161); // "a1"
  const ops = pointer(m.data('ops'));
  m.control(function* (cx) {
    fresh();
    yield* call(m, cx, 'ftrace_set_filter', [ops, pointer(m.data('text')), 2, 0]);
    yield* call(m, cx, 'register_ftrace_function', [ops]);
    yield* call(m, cx, 'unregister_ftrace_function', [ops]);
    yield* call(m, cx, 'ftrace_free_filter', [ops]);
    fresh();
    expect(yield* call(m, cx, 'register_ftrace_function', [ops])).toBe(0);
  });
  expect(m.hooked()).toHaveLength(3);
});
