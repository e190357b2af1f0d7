// Without trampolines an ops in core kernel data that is alone is called without the list function (FT-24, CC-S3),
// and unregistered without a wait (FT-31).
import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import { CHOICE, type Chooser } from '../emu/choose.ts';
import { type Context, LEVEL } from '../emu/context.ts';
import { guestHandler } from '../emu/interrupt.ts';
import type { Path } from '../emu/path.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { judgeEvents } from '../replay/guarantee/index.ts';
import type { FtraceOps } from './ftrace-ops.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const CALLBACKS = { cbA: [], cbB: [], cbC: [] } as const;

interface Small {
  readonly m: SmallKernel;
  readonly all: readonly FtraceOps[];
}

/** Three ops, of which the first two are static, and what a machine without trampolines needs. */
function small(options: { variants?: readonly string[]; chooser?: Chooser } = {}): Small {
  const m = smallKernel({
    functions: { a1: WORK, a2: WORK },
    callbacks: CALLBACKS,
    trampolines: false,
    ...options,
  });
  const all = ['A', 'B', 'C'].map((name, i) => m.ops(name, `cb${name}`, i < 2));
  return { m, all };
}

function ops({ all }: Small, index: number): FtraceOps {
  return known(all[index], 'there are three');
}

/** Whose callback functions ran, with the ops that they got. */
function ran({ m, all }: Small): string[] {
  const owner = new Map(['cbA', 'cbB', 'cbC'].map((name) => [m.fn(name).address, name.slice(2)]));
  const given = new Map(all.map(({ object, name }) => [object, name]));
  let entered = '';
  return [...m.log.events()].flatMap((e) => {
    if (e.event === 'func_enter') entered = owner.get(e.func) ?? entered;
    return e.event === 'cb_begin' ? [`${entered}(${given.get(e.object) ?? 'nobody'})`] : [];
  });
}

/** How often the list function ran. */
function walks({ m }: Small): number {
  return m.events('recursion_lock').length;
}

test('FT-24: a static ops that is alone is called by the caller itself, others by the list function', () => {
  const s = small();
  s.m.control(function* (cx) {
    yield* perform(cx, s.m.k, ops(s, 0), REGISTER);
    yield* s.m.call(cx, 'a1');
    expect(s.m.hooked()).toEqual(['a1 -> list', 'a2 -> list']);
    expect(walks(s)).toBe(0);
    yield* perform(cx, s.m.k, ops(s, 1), REGISTER);
    yield* s.m.call(cx, 'a1');
    expect(walks(s)).toBe(1);
    yield* perform(cx, s.m.k, ops(s, 0), UNREGISTER);
    yield* s.m.call(cx, 'a1');
    expect(walks(s)).toBe(1);
    yield* perform(cx, s.m.k, ops(s, 1), UNREGISTER);
    yield* s.m.call(cx, 'a1');
  });
  expect(ran(s)).toEqual(['A(A)', 'B(B)', 'A(A)', 'B(B)']);
  const [first, second] = [ops(s, 0).object, ops(s, 1).object];
  expect(s.m.events('function_trace_op').map((e) => e.object)).toEqual([first, second, 0]);
  expect(s.m.hooked()).toEqual([]);
});

test('a dynamic ops is called by the list function even when it is alone', () => {
  const s = small();
  s.m.control(function* (cx) {
    yield* perform(cx, s.m.k, ops(s, 2), REGISTER);
    yield* s.m.call(cx, 'a1');
    yield* perform(cx, s.m.k, ops(s, 2), UNREGISTER);
  });
  expect(ran(s)).toEqual(['C(C)']);
  expect(walks(s)).toBe(1);
  expect(s.m.events('alloc').filter(({ kind }) => kind === 'trampoline')).toEqual([]);
});

function waitsOf(index: number): number {
  const s = small();
  s.m.control(function* (cx) {
    yield* perform(cx, s.m.k, ops(s, index), REGISTER);
    yield* perform(cx, s.m.k, ops(s, index), UNREGISTER);
  });
  return s.m.events('wait_begin').length;
}

test('FT-31: unregister waits for dynamic ops only', () => {
  expect([waitsOf(0), waitsOf(2)]).toEqual([0, 2]);
});

type Phase = 'set up' | 'stop' | 'go on';

/**
 * CPU 1 calls a1, in an interrupt or in a task, and stops between the load of `function_trace_op` and the inner call, while
 * CPU 0 does `change`. A and, if `both`, B are registered before. What ran, and the verdict on `arguments`.
 */
function stopped(
  change: (cx: Context, s: Small) => Path<unknown>,
  { both, irq, variants }: { both: boolean; irq: boolean; variants?: readonly string[] },
): { readonly ran: readonly string[]; readonly verdict: string } {
  let phase: Phase = 'set up';
  const s = small({
    ...(variants === undefined ? {} : { variants }),
    chooser: {
      choose: ({ kind, options }, count) => {
        if (kind !== CHOICE.schedule) return 0;
        const isThere = s.m.machine.cpus[1]?.hart.pc === s.m.k.caller.innerCall;
        const cpu = phase === 'set up' || (phase === 'stop' && isThere) ? 0 : 1;
        return Math.max(0, options.subarray(0, count).indexOf(cpu));
      },
    },
  });
  const other = known(s.m.machine.cpus[1], 'there is a second CPU');
  const handler = s.m.fn('a1').address;
  s.m.control(function* (cx) {
    yield* perform(cx, s.m.k, ops(s, 0), REGISTER);
    if (both) yield* perform(cx, s.m.k, ops(s, 1), REGISTER);
    phase = 'stop';
    if (!irq) s.m.task('reader', 1, 'a1');
    else other.pending.push({ level: LEVEL.hardirq, handler, body: guestHandler(handler) });
    s.m.machine.touchCpu(other);
    yield* sleepFor(cx, 1);
    yield* change(cx, s);
    phase = 'go on';
  });
  const judged = judgeEvents(s.m.log.events());
  const broken = judged.filter(({ verdict }) => verdict.status === 'broken');
  return { ran: ran(s), verdict: broken.map(({ guarantee }) => guarantee.name).join() };
}

/** Only B is left, whoever was there. */
function* toB(cx: Context, s: Small): Path<void> {
  yield* perform(cx, s.m.k, ops(s, 0), UNREGISTER);
  yield* perform(cx, s.m.k, ops(s, 1), REGISTER);
}

test('CC-H4.1-2: the caller reads function_trace_op, then fetches the inner call: a task that stops between them calls the new function with the old ops (CC-N1)', () => {
  expect(stopped(toB, { both: false, irq: false })).toEqual({ ran: ['B(A)'], verdict: '' });
});

test('an interrupt does not: the change waits for it, but for M-21', () => {
  const sound = stopped(toB, { both: true, irq: true });
  expect(sound.ran[0]).not.toBe('B(A)');
  expect(sound.verdict).toBe('');
  const faulty = stopped(toB, { both: true, irq: true, variants: ['M-21'] });
  expect(faulty).toEqual({ ran: ['B(A)'], verdict: 'arguments' });
});

/** What a registration does, in order: inner call (i), sites (s), `function_trace_op` (o), a SYNC right behind it (y). */
function order(variant?: string): string {
  const s = small(variant === undefined ? {} : { variants: [variant] });
  s.m.control(function* (cx) {
    yield* perform(cx, s.m.k, ops(s, 0), REGISTER);
  });
  let letters = '';
  for (const e of s.m.log.events()) {
    let letter = '';
    if (e.event === 'text_write') letter = e.ip === s.m.k.caller.innerCall ? 'i' : 's';
    else if (e.event === 'function_trace_op') letter = 'o';
    else if (e.event === 'sync_send' && letters.endsWith('o')) letter = 'y';
    if (!letters.endsWith(letter)) letters += letter;
  }
  return letters;
}

test('CC-S3.1-5, FT-27: M-19, M-20 and M-21 change one step each', () => {
  expect(order()).toBe('isoyi');
  expect(order('M-19')).toBe('soyi');
  expect(order('M-20')).toBe('isio');
  expect(order('M-21')).toBe('isoi');
});
