// Callbacks that never return: their task ends in them, or they jump out of their frame. Events tell it, so
// that judges do not take them for running, and what called them is not called back.
import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  setFilter,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import type { Address } from '../emu/address.ts';
import { REG } from '../emu/regs.ts';
import { encode, PLAIN } from '../emu/riscv/encode.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { judgeEvents } from '../replay/guarantee/index.ts';
import { newFtraceOps } from './ftrace-ops.ts';
import { FTRACE_REGS } from './ftrace-regs.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FUNCTIONS = {
  a1: WORK,
  b1: WORK,
  outer: [
    { op: 'call', target: 'a1' },
    { op: 'call', target: 'b1' },
    { op: 'sleep', us: 20 },
  ] as const,
};
const CODE: Address = 0x10000;
/** Bytes of a trampoline's frame, which lies below that of the traced function. */
const FRAME_BYTES = 80;

/** `sp` and `ra` as the traced function had them. */
const UNWIND = [
  encode('ld', { rd: REG.ra, rs1: REG.a3, imm: FTRACE_REGS.ra }),
  encode('addi', { rd: REG.sp, rs1: REG.a3, imm: FRAME_BYTES }),
];

/** A kernel with a function of raw code at CODE. */
function withCode(words: readonly number[]): SmallKernel {
  const m = smallKernel({
    functions: FUNCTIONS,
    callbacks: { cb: [], exits: [{ op: 'call', target: 'do_exit' }] },
  });
  m.machine.core.addText(CODE, 0x1000);
  m.machine.core.writeText(
    CODE,
    Uint16Array.from(words.flatMap((word) => [word & 0xffff, word >>> 16])),
  );
  m.machine.markEntry(CODE);
  return m;
}

/** What happens to functions and callbacks, in one word and a name each. */
function story(m: SmallKernel, pid: number): string[] {
  const name = (address: number): string =>
    m.k.records.find(({ func, ip }) => func.address === address || ip === address)?.func.name ??
    (address === CODE ? 'code' : 'cb');
  return [...m.log.events()].flatMap((e) => {
    if (e.pid !== pid) return [];
    if (e.event === 'func_enter') return [`> ${name(e.func)}`];
    if (e.event === 'func_return') return [`< ${name(e.func)}`];
    if (e.event === 'func_abandon') return [`x ${name(e.func)}`];
    if (e.event === 'cb_begin' || e.event === 'cb_end') return [`${e.event} ${name(e.ip)}`];
    return e.event === 'oops' ? [e.reason] : [];
  });
}

function brokenIn(m: SmallKernel): string[] {
  return judgeEvents(m.log.events()).flatMap(({ guarantee, verdict }) =>
    verdict.status === 'broken' ? [`${guarantee.name}: ${verdict.why}`] : [],
  );
}

test('a task that ends in a callback: the callback is over, and unregister does not wait for it', () => {
  const m = withCode([]);
  const ops = m.ops('ops0', 'exits');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    m.task('victim', 1, 'outer');
    yield* sleepFor(cx, 200);
    expect(yield* perform(cx, m.k, ops, UNREGISTER)).toBe(0);
  });
  const end = ['x cb', 'cb_end a1', 'x a1', 'x outer'];
  expect(story(m, 2)).toEqual(['> outer', '> a1', '> cb', 'cb_begin a1', ...end]);
  expect(brokenIn(m)).toEqual([]);
});

test('a callback that returns from the traced function instead of from itself', () => {
  const m = withCode([...UNWIND, PLAIN.ret]);
  const ops = newFtraceOps(m.k, { name: 'ops0', func: CODE });
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'outer');
    expect(yield* perform(cx, m.k, ops, UNREGISTER)).toBe(0);
  });
  const hit = ['> a1', '> code', 'cb_begin a1', 'x code', 'cb_end a1', '< a1'];
  expect(story(m, 1)).toEqual(['> outer', ...hit, '> b1', '< b1', '< outer']);
  expect(brokenIn(m)).toEqual([]);
});

test('a callback that goes on in the frame of the traced function', () => {
  const m = withCode([...UNWIND, PLAIN.nop]);
  const { machine } = m;
  const at = CODE + 8;
  const jump = encode('jal', { rd: REG.zero, imm: m.fn('b1').address - at });
  machine.core.writeText(at, Uint16Array.of(jump & 0xffff, jump >>> 16));
  const ops = newFtraceOps(m.k, { name: 'ops0', func: CODE });
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'outer');
  });
  const hit = ['> a1', '> code', 'cb_begin a1', 'x code', 'cb_end a1', '> b1', '< b1', '< a1'];
  expect(story(m, 1)).toEqual(['> outer', ...hit, '> b1', '< b1', '< outer']);
});

test('a list walk that a callback jumped out of does not go on', () => {
  const m = withCode([...UNWIND, PLAIN.ret]);
  const other = m.ops('ops1', 'cb');
  const ops = newFtraceOps(m.k, { name: 'ops0', func: CODE });
  m.thread('control', 0, function* (cx) {
    for (const one of [other, ops]) {
      yield* perform(cx, m.k, one, setFilter('a1'));
      yield* perform(cx, m.k, one, REGISTER);
    }
    yield* m.call(cx, 'outer');
  });
  m.machine.run();
  const hit = ['> a1', '> code', 'cb_begin a1', 'x code', 'cb_end a1', '< a1'];
  // Preemption stays off: nobody was there to give it back.
  const end = 'scheduling while atomic';
  expect(story(m, 1)).toEqual(['> outer', ...hit, '> b1', '< b1', end]);
  expect(m.events('cb_begin').map((e) => e.object)).toEqual([ops.object]);
});
