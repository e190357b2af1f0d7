// Hits of breakpoint probes: handlers, the step, nesting.
import { expect, test } from 'vitest';
import { smallKernel, type SmallKernel } from '../../properties/small-kernel.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { type KprobeFields, newKprobe } from './kprobe-object.ts';
import { type KprobeCall, kprobeOperation } from './kprobe-operation.ts';
import { KPROBE_FLAG_DISABLED } from './kprobe-struct.ts';
import type { Kprobe } from './kprobe.ts';

function machine(options: Partial<Parameters<typeof smallKernel>[0]> = {}): SmallKernel {
  return smallKernel({
    functions: { a1: [{ op: 'call', target: 'b1' }], b1: [] },
    callbacks: { pre: [], post: [], pre2: [], calls: [{ op: 'call', target: 'b1' }] },
    ...options,
  });
}

function probe(m: SmallKernel, fields: Partial<KprobeFields> = {}): Kprobe {
  const preHandler = m.fn('pre').address;
  return newKprobe(m.k, {
    name: 'p0',
    kind: 'kprobe',
    symbol: 'a1',
    offset: 8,
    preHandler,
    ...fields,
  });
}

function* call(cx: Context, m: SmallKernel, op: KprobeCall, ...probes: Kprobe[]): Path<number> {
  return yield* kprobeOperation(cx, m.k, { op, probes });
}

function told(m: SmallKernel): string[] {
  return [...m.log.events()].flatMap((e) => {
    if (e.event === 'cb_begin') return [`begin ${e.kind} ${e.object}`];
    if (e.event === 'cb_end') return [`end ${e.kind} ${e.object}`];
    if (e.event === 'kprobe_step') return [`step ${e.how}`];
    if (e.event === 'skip') return [`skip ${e.object} ${e.reason}`];
    if (e.event === 'count') return [`count ${e.object} ${e.old} ${e.new}`];
    if (e.event === 'oops') return [`oops ${e.reason}`];
    return [];
  });
}

test('KP-40.3, KP-41.5: pre_handler, a step out of line, post_handler', () => {
  const m = machine();
  const p = probe(m, { postHandler: m.fn('post').address });
  const results: number[] = [];
  m.control(function* (cx) {
    results.push(yield* call(cx, m, 'register_kprobe', p));
    yield* m.call(cx, 'a1');
    results.push(yield* call(cx, m, 'unregister_kprobe', p));
    yield* m.call(cx, 'a1');
  });
  expect(results).toEqual([0, 0]);
  expect(told(m)).toEqual([
    'begin kprobe_pre 1',
    'end kprobe_pre 1',
    'step slot',
    'begin kprobe_post 1',
    'end kprobe_post 1',
  ]);
});

test('KP-43: a hit inside a handler runs no handler, and counts', () => {
  const m = machine();
  const outer = probe(m, { preHandler: m.fn('calls').address });
  const inner = probe(m, { name: 'p1', symbol: 'b1' });
  m.control(function* (cx) {
    yield* call(cx, m, 'register_kprobes', outer, inner);
    yield* m.call(cx, 'a1');
    yield* call(cx, m, 'unregister_kprobes', outer, inner);
  });
  expect(told(m)).toEqual([
    'begin kprobe_pre 1',
    'skip 2 kprobe_running',
    'count 2 0 1',
    'step slot',
    'end kprobe_pre 1',
    'step slot',
    'begin kprobe_pre 2',
    'end kprobe_pre 2',
    'step slot',
  ]);
});

test('KP-31: the newest of several probes runs first; KP-33: a disabled one not at all', () => {
  const m = machine();
  const [p, q, r] = [0, 1, 2].map((i) => probe(m, { name: `p${i}` }));
  if (p === undefined || q === undefined || r === undefined) throw new Error('three');
  m.control(function* (cx) {
    yield* call(cx, m, 'register_kprobe', p);
    yield* call(cx, m, 'register_kprobe', q);
    yield* call(cx, m, 'register_kprobe', r);
    yield* call(cx, m, 'disable_kprobe', q);
    yield* m.call(cx, 'a1');
    yield* call(cx, m, 'unregister_kprobe', r);
    yield* call(cx, m, 'unregister_kprobe', p);
    yield* m.call(cx, 'a1');
    yield* call(cx, m, 'enable_kprobe', q);
    yield* m.call(cx, 'a1');
    yield* call(cx, m, 'unregister_kprobe', q);
    yield* m.call(cx, 'a1');
  });
  expect(q.flags.value & KPROBE_FLAG_DISABLED).not.toBe(0);
  expect(told(m)).toEqual([
    'begin kprobe_pre 3',
    'end kprobe_pre 3',
    'skip 2 disabled',
    'begin kprobe_pre 1',
    'end kprobe_pre 1',
    'step slot',
    'begin kprobe_pre 2',
    'end kprobe_pre 2',
    'step slot',
  ]);
});

test('KP-51, KP-52: on an ftrace site pre and post run without a breakpoint; KP-34: in the ops for post_handlers', () => {
  const m = machine();
  const p = probe(m, { offset: 0 });
  const q = probe(m, { name: 'p1', offset: 4, postHandler: m.fn('post').address });
  m.control(function* (cx) {
    yield* call(cx, m, 'register_kprobe', p);
    yield* m.call(cx, 'a1');
    yield* call(cx, m, 'register_kprobe', q);
    yield* m.call(cx, 'a1');
    yield* call(cx, m, 'unregister_kprobe', q);
    yield* m.call(cx, 'a1');
    yield* call(cx, m, 'unregister_kprobe', p);
    yield* m.call(cx, 'a1');
  });
  expect(told(m)).toEqual([
    'begin kprobe_pre 1',
    'end kprobe_pre 1',
    'begin kprobe_pre 2',
    'end kprobe_pre 2',
    'begin kprobe_pre 1',
    'end kprobe_pre 1',
    'begin kprobe_post 2',
    'end kprobe_post 2',
    'begin kprobe_pre 1',
    'end kprobe_pre 1',
  ]);
  expect(m.hooked()).toEqual([]);
});
