// IPMODIFY: who may redirect a function, and who is refused (FT-45, FT-46, CC-G15, CC-G16).
import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  setFilter,
  setFilterIp,
  setNotrace,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import type { ScriptOp } from '../emu/script.ts';
import { EBUSY, EINVAL } from './errno.ts';
import { FTRACE_OPS_FL_IPMODIFY, FTRACE_OPS_FL_SAVE_REGS } from './ftrace-ops-flags.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { OperationRequest } from './operation.ts';

const REDIRECTS = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_SAVE_REGS;
const RETURNS_1: readonly ScriptOp[] = [{ op: 'return', value: 1 }];
const RETURNS_2: readonly ScriptOp[] = [{ op: 'return', value: 2 }];

function small(): SmallKernel {
  return smallKernel({
    functions: { a1: RETURNS_1, a2: RETURNS_1, a3: RETURNS_1, '-patched': RETURNS_2 },
    callbacks: { cb: [], patch: [{ op: 'redirect', target: 'patched' }] },
  });
}

/** `claims` of the records: `a1 A`. */
function claims({ k }: SmallKernel): readonly string[] {
  return k.records.flatMap(({ func, ipmodify: { value } }) =>
    value === undefined ? [] : [`${func.name} ${value.name}`],
  );
}

/** Performs one after the other; what each returned. */
function performed(
  m: SmallKernel,
  requests: readonly (readonly [FtraceOps, OperationRequest])[],
): readonly number[] {
  const results: number[] = [];
  m.control(function* (cx) {
    for (const [ops, request] of requests) results.push(yield* perform(cx, m.k, ops, request));
  });
  return results;
}

function redirecting(m: SmallKernel, ...names: readonly string[]): readonly FtraceOps[] {
  return names.map((name) => m.ops(name, 'patch', false, REDIRECTS));
}

function pick(all: readonly FtraceOps[], index: number): FtraceOps {
  return known(all[index], 'there are as many');
}

test.each([
  ['alone, by its own trampoline', 1, 2],
  ['beside another ops, by the list function', 2, 2],
])('FT-45: with IPMODIFY a write to regs->ip redirects the function: %s', (_how, count, result) => {
  const m = small();
  const all = [pick(redirecting(m, 'A'), 0), m.ops('B', 'cb')].slice(0, count);
  const results: number[] = [];
  m.control(function* (cx) {
    yield* perform(cx, m.k, pick(all, 0), setFilter('a1'));
    for (const ops of all) yield* perform(cx, m.k, ops, REGISTER);
    results.push(yield* m.call(cx, 'a1'));
  });
  expect(results).toEqual([result]);
});

test.each([
  ['alone, by its own trampoline', ['A']],
  ['behind an ops that may', ['A', 'B']],
])('FT-46: without IPMODIFY a write to regs->ip has no effect: %s', (_how, names) => {
  const m = small();
  const plain = m.ops('A', 'patch', false, FTRACE_OPS_FL_SAVE_REGS);
  const all = [plain, m.ops('B', 'cb', false, REDIRECTS)].slice(0, names.length);
  const results: number[] = [];
  m.control(function* (cx) {
    for (const ops of all) {
      yield* perform(cx, m.k, ops, setFilter('a1'));
      yield* perform(cx, m.k, ops, REGISTER);
    }
    results.push(yield* m.call(cx, 'a1'));
  });
  expect(results).toEqual([1]);
  expect(m.events('regs_write').map((e) => e.register)).toEqual(['ip']);
});

test('FT-45, FT-25.12, CC-S4.6, CC-G16: a second one on a function is refused at register, and leaves nothing', () => {
  const m = small();
  const all = redirecting(m, 'A', 'B');
  const [a, b] = [pick(all, 0), pick(all, 1)];
  expect(
    performed(m, [
      [a, setFilter('a2')],
      [b, setFilter('*')],
      [a, REGISTER],
      [b, REGISTER],
    ]),
  ).toEqual([0, 0, 0, -EBUSY]);
  expect(claims(m)).toEqual(['a2 A']);
  expect(m.hooked()).toEqual(['a2 -> A']);
  expect(m.k.ftrace.startUp.value).toBe(1);
  expect(m.k.ftrace.opsList.value).toBe(a);
  expect(b.trampoline.value).toBeUndefined();
});

test('FT-45, CC-G15: freed functions can be claimed at once, and one without IPMODIFY may share them', () => {
  const m = small();
  const all = redirecting(m, 'A', 'B');
  const [a, b] = [pick(all, 0), pick(all, 1)];
  const sharing = m.ops('C', 'cb', false, FTRACE_OPS_FL_SAVE_REGS);
  expect(
    performed(m, [
      [a, setFilter('a1')],
      [b, setFilter('a1')],
      [sharing, setFilter('a1')],
      [a, REGISTER],
      [sharing, REGISTER],
      [a, UNREGISTER],
      [b, REGISTER],
    ]),
  ).toEqual([0, 0, 0, 0, 0, 0, 0]);
  expect(claims(m)).toEqual(['a1 B']);
});

test('FT-45, CC-S6.2: a filter change that conflicts is refused with full roll-back, and the old filter stays', () => {
  const m = small();
  const all = redirecting(m, 'A', 'B');
  const [a, b] = [pick(all, 0), pick(all, 1)];
  expect(
    performed(m, [
      [a, setFilter('a3')],
      [b, setFilter('a2')],
      [a, REGISTER],
      [b, REGISTER],
      [b, setFilterIp(m.fn('a1').address, false, true)],
      [b, setFilter('a[13]', true)],
    ]),
  ).toEqual([0, 0, 0, 0, 0, -EBUSY]);
  expect(claims(m)).toEqual(['a1 B', 'a3 A']);
  expect(m.hooked()).toEqual(['a1 -> B', 'a3 -> A']);
});

test('FT-45: the filter must not be empty, at register and while registered', () => {
  const m = small();
  const all = redirecting(m, 'A', 'B');
  const [a, b] = [pick(all, 0), pick(all, 1)];
  expect(
    performed(m, [
      [a, setFilter(undefined, true)],
      [a, REGISTER],
      [b, setFilter('a1')],
      [b, REGISTER],
      [b, setFilter(undefined, true)],
    ]),
  ).toEqual([0, -EINVAL, 0, 0, -EINVAL]);
  expect(claims(m)).toEqual(['a1 B']);
});

test('FT-45: it takes no notrace set, registered or not, also to clear it', () => {
  const m = small();
  const a = pick(redirecting(m, 'A'), 0);
  expect(
    performed(m, [
      [a, setNotrace('a1')],
      [a, setNotrace(undefined, true)],
      [a, setFilter('a1')],
      [a, REGISTER],
      [a, setNotrace('a2')],
    ]),
  ).toEqual([-EINVAL, -EINVAL, 0, 0, -EINVAL]);
});

test('FT-25.1: an IPMODIFY ops that never had a filter call kills the kernel at register', () => {
  const m = small();
  const a = pick(redirecting(m, 'A'), 0);
  m.thread('control', 0, (cx) => perform(cx, m.k, a, REGISTER));
  expect(m.machine.run()).toBe('oops');
  expect(m.events('oops').map((e) => e.reason)).toEqual(['NULL filter hash']);
});
