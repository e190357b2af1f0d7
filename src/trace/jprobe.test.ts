// Jprobes: another function runs with the arguments, and leaves no trace.
import { expect, test } from 'vitest';
import { smallKernel, type SmallKernel } from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { ScriptOp } from '../emu/script.ts';
import { type KprobeFields, newKprobe } from './kprobe-object.ts';
import { type KprobeCall, kprobeOperation } from './kprobe-operation.ts';
import type { Kprobe } from './kprobe.ts';
import { PROFILES } from './profile.ts';

const RETURNS: ScriptOp = { op: 'call', target: 'jprobe_return' };

function machine(handler: readonly ScriptOp[]): SmallKernel {
  return smallKernel({
    functions: { a1: [{ op: 'call', target: 'b1' }], b1: [] },
    callbacks: { handler, pre: [], post: [] },
    profile: known(PROFILES.get('v2.6.31'), 'v2.6.31'),
  });
}

function probe(m: SmallKernel, fields: Partial<KprobeFields> = {}): Kprobe {
  const entry = m.fn('handler').address;
  return newKprobe(m.k, { name: 'j0', kind: 'jprobe', symbol: 'a1', entry, ...fields });
}

function* call(cx: Context, m: SmallKernel, op: KprobeCall, ...probes: Kprobe[]): Path<number> {
  return yield* kprobeOperation(cx, m.k, { op, probes });
}

function told(m: SmallKernel): string[] {
  return [...m.log.events()].flatMap((e) => {
    if (e.event === 'cb_begin') return [`begin ${e.kind} ${e.object}`];
    if (e.event === 'cb_end') return [`end ${e.kind} ${e.object}`];
    if (e.event === 'kprobe_step') return [`step ${e.how}`];
    if (e.event === 'func_return' && e.func === m.fn('a1').address) return ['return'];
    if (e.event === 'skip') return [`skip ${e.object} ${e.reason}`];
    if (e.event === 'oops') return [`oops ${e.reason}`];
    return [];
  });
}

test('JP-3, JP-5, JP-6: the handler runs in place of the function, which then runs as it was called', () => {
  const m = machine([{ op: 'call', target: 'b1' }, RETURNS]);
  const p = probe(m);
  const results: number[] = [];
  m.control(function* (cx) {
    results.push(yield* call(cx, m, 'register_jprobe', p));
    yield* m.call(cx, 'a1');
    yield* call(cx, m, 'unregister_jprobe', p);
    yield* m.call(cx, 'a1');
  });
  expect(results).toEqual([0]);
  expect(told(m)).toEqual(['begin jprobe 1', 'end jprobe 1', 'step simulate', 'return', 'return']);
});

test('JP-2, KP-31: one jprobe for an address, and it comes behind kprobes', () => {
  const m = machine([RETURNS]);
  const preHandler = m.fn('pre').address;
  const p = probe(m);
  const q = newKprobe(m.k, { name: 'p1', kind: 'kprobe', symbol: 'a1', preHandler });
  const r = probe(m, { name: 'j2' });
  const results: number[] = [];
  m.control(function* (cx) {
    results.push(yield* call(cx, m, 'register_jprobe', p));
    results.push(yield* call(cx, m, 'register_kprobe', q));
    results.push(yield* call(cx, m, 'register_jprobe', r));
    yield* m.call(cx, 'a1');
  });
  expect(results).toEqual([0, 0, -17]);
  expect(told(m)).toEqual([
    'begin kprobe_pre 2',
    'end kprobe_pre 2',
    'begin jprobe 1',
    'end jprobe 1',
    'step simulate',
    'return',
  ]);
});

test('JP-7: a handler that returns is told of', () => {
  const m = machine([]);
  const p = probe(m);
  m.thread('user', 0, function* (cx) {
    yield* call(cx, m, 'register_jprobe', p);
    yield* m.call(cx, 'a1');
  });
  expect(m.machine.run()).toBe('oops');
  expect(told(m).at(-1)).toBe('oops jprobe handler returned');
});
