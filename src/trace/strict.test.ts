// Machine option `strict`: each misuse ends the run and says what it was; without the option the run goes on as a real
// kernel would.
import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  setFilter,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { addressLo } from '../emu/address.ts';
import { calmChooser } from '../emu/choose.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { ScriptOp } from '../emu/script.ts';
import {
  FTRACE_OPS_FL_IPMODIFY,
  FTRACE_OPS_FL_RECURSION,
  FTRACE_OPS_FL_SAVE_REGS,
} from './ftrace-ops-flags.ts';
import type { FtraceOps } from './ftrace-ops.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FUNC = 0;
const FLAGS = 8;

/** How a run of `path` ends: the reason of the oops, or what else. */
function ending(
  strict: boolean,
  path: (cx: Context, m: SmallKernel, ops: FtraceOps) => Path<void>,
  cb: readonly ScriptOp[] = [],
): { readonly m: SmallKernel; readonly how: string } {
  const m = smallKernel({
    functions: { a1: WORK },
    callbacks: { cb, other: [] },
    machine: { stepsMax: 20_000 },
    strict,
  });
  const ops = m.ops('A', 'cb');
  m.thread('control', 0, (cx) => path(cx, m, ops));
  const how = m.machine.run();
  return { m, how: m.events('oops')[0]?.reason ?? how };
}

/** Registers A, writes `value` into its struct at `offset`, and goes on with `rest`. */
function changing(
  offset: number,
  valueOf: (m: SmallKernel, ops: FtraceOps) => number,
  rest: (cx: Context, m: SmallKernel, ops: FtraceOps) => Path<unknown>,
) {
  return function* (cx: Context, m: SmallKernel, ops: FtraceOps): Path<void> {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    const value = valueOf(m, ops);
    m.machine.memory.store64(ops.address + offset, value, offset === FUNC ? -1 : 0);
    yield* rest(cx, m, ops);
  };
}

const CHANGED = 'strict: A changed while registered';
const otherFunc = (m: SmallKernel): number => addressLo(m.fn('other').address);
const moreFlags = (_m: SmallKernel, ops: FtraceOps): number => ops.flags.value | (1 << 16);

test.each([
  ['func', FUNC, otherFunc],
  ['flags', FLAGS, moreFlags],
] as const)(
  'FT-17: %s that changes while it is registered is seen at a hit and at a call',
  (_what, offset, valueOf) => {
    const hit = changing(offset, valueOf, (cx, m) => m.call(cx, 'a1'));
    const call = changing(offset, valueOf, (cx, m, ops) => perform(cx, m.k, ops, UNREGISTER));
    expect(ending(true, hit).how).toBe(CHANGED);
    expect(ending(true, call).how).toBe(CHANGED);
    const silent = ending(false, hit);
    expect(silent.how).toBe('run_end');
    const called = silent.m.events('func_enter').map(({ func }) => func);
    expect(called).toContain(silent.m.fn('cb').address);
    expect(called).not.toContain(silent.m.fn('other').address);
  },
);

function* life(cx: Context, m: SmallKernel, ops: FtraceOps): Path<void> {
  for (let i = 0; i < 2; i++) {
    m.machine.memory.store64(ops.address + FUNC, otherFunc(m), -1);
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
    yield* perform(cx, m.k, ops, UNREGISTER);
  }
}

test("FT-17: what is set before register, or between two registrations, is nobody's fault", () => {
  expect(ending(true, life).how).toBe('run_end');
});

const SAVES = FTRACE_OPS_FL_SAVE_REGS;
const REDIRECTED = 'strict: regs->ip written by A without IPMODIFY';

/** How a hit of A, whose callback redirects to a function that returns 2, ends, and what its function returned. */
function redirecting(
  strict: boolean,
  flags: number,
  others: readonly number[] = [],
): readonly [string, number | undefined] {
  const m = smallKernel({
    functions: { a1: [{ op: 'return', value: 1 }], '-two': [{ op: 'return', value: 2 }] },
    callbacks: { cb: [{ op: 'redirect', target: 'two' }], other: [] },
    machine: { stepsMax: 20_000 },
    strict,
  });
  const all = [
    m.ops('A', 'cb', false, flags),
    ...others.map((own, index) => m.ops(`B${index}`, 'other', false, own)),
  ];
  let result: number | undefined;
  m.thread('control', 0, function* (cx) {
    for (const ops of all) {
      yield* perform(cx, m.k, ops, setFilter('a1'));
      yield* perform(cx, m.k, ops, REGISTER);
    }
    result = yield* m.call(cx, 'a1');
  });
  const how = m.machine.run();
  return [m.events('oops')[0]?.reason ?? how, result];
}

test.each([
  ['alone, by its own trampoline', SAVES, []],
  ['by the assist function', SAVES | FTRACE_OPS_FL_RECURSION, []],
  ['by the list function', SAVES, [0]],
  ['beside an ops that may redirect', SAVES, [SAVES | FTRACE_OPS_FL_IPMODIFY]],
  ['without SAVE_REGS, where another ops has registers saved', 0, [SAVES]],
] as const)('FT-46: regs->ip written without IPMODIFY is told: %s', (_how, flags, others) => {
  expect(redirecting(true, flags, others)).toEqual([REDIRECTED, undefined]);
  expect(redirecting(false, flags, others)).toEqual(['run_end', 1]);
});

test('what strict tells ends the run in that step, however far the machine looks ahead', () => {
  const endedAt = [calmChooser, { choose: () => 0 }].map((chooser) => {
    const m = smallKernel({
      functions: { a1: WORK, '-two': WORK },
      callbacks: { cb: [{ op: 'redirect', target: 'two' }] },
      chooser,
      strict: true,
    });
    const ops = m.ops('A', 'cb', false, SAVES);
    m.thread('control', 0, (cx) => hitLife(cx, m, ops));
    expect(m.machine.run()).toBe('oops');
    return m.machine.step;
  });
  expect(endedAt[0]).toBe(endedAt[1]);
});

test('FT-46: one with IPMODIFY may, and whoever writes nothing beside it is told nothing', () => {
  const may = SAVES | FTRACE_OPS_FL_IPMODIFY;
  expect(redirecting(true, may, [SAVES, 0])).toEqual(['run_end', 2]);
});

test('FT-46, FT-15: where no registers were saved a write of one is an oops in any mode', () => {
  for (const strict of [true, false]) expect(redirecting(strict, 0)[0]).toBe('no pt_regs');
});

function* hitLife(cx: Context, m: SmallKernel, ops: FtraceOps): Path<void> {
  yield* perform(cx, m.k, ops, setFilter('a1'));
  yield* perform(cx, m.k, ops, REGISTER);
  yield* m.call(cx, 'a1');
}

test('FT-34: a callback that sleeps is told, and sleeps without the option', () => {
  const sleeps: readonly ScriptOp[] = [{ op: 'sleep', us: 20 }];
  expect(ending(true, hitLife, sleeps).how).toBe('strict: callback of A sleeps');
  const silent = ending(false, hitLife, sleeps);
  expect(silent.how).toBe('run_end');
  expect(silent.m.events('cb_end')).toHaveLength(1);
});
