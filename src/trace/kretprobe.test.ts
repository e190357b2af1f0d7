// Kretprobes: instances, entry handlers, returns.
import { expect, test } from 'vitest';
import { fprobeKernel } from '../../properties/fgraph-kernel.ts';
import { smallKernel, type SmallKernel } from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { type KprobeFields, newKprobe } from './kprobe-object.ts';
import { type KprobeCall, kprobeOperation } from './kprobe-operation.ts';
import type { Kprobe } from './kprobe.ts';
import { PROFILES } from './profile.ts';

function machine(options: Partial<Parameters<typeof smallKernel>[0]> = {}): SmallKernel {
  return smallKernel({
    functions: { a1: [{ op: 'call', target: 'b1' }], b1: [], '-c1': [] },
    callbacks: { entry: [], ret: [] },
    ...options,
  });
}

function probe(m: SmallKernel, fields: Partial<KprobeFields> = {}): Kprobe {
  return newKprobe(m.k, {
    name: 'r0',
    kind: 'kretprobe',
    symbol: 'a1',
    handler: m.fn('ret').address,
    entryHandler: m.fn('entry').address,
    ...fields,
  });
}

function* call(cx: Context, m: SmallKernel, op: KprobeCall, ...probes: Kprobe[]): Path<number> {
  return yield* kprobeOperation(cx, m.k, { op, probes });
}

function told(m: SmallKernel): string[] {
  return [...m.log.events()].flatMap((e) => {
    if (e.event === 'cb_begin') return [`begin ${e.kind} ${e.object}`];
    if (e.event === 'hook' || e.event === 'unhook') return [`${e.event} ${e.object}`];
    if (e.event === 'skip') return [`skip ${e.object} ${e.reason}`];
    if (e.event === 'count') return [`count ${e.object} ${e.counter} ${e.new}`];
    if (e.event === 'func_return' && e.func === m.fn('a1').address) return ['return'];
    if (e.event === 'oops') return [`oops ${e.reason}`];
    return [];
  });
}

test.each(['today', 'v6.12', 'v2.6.31'])(
  'KR-4, KR-5: the entry handler, and the handler where the call returns (%s)',
  (era) => {
    const m = machine({ profile: known(PROFILES.get(era), era) });
    const p = probe(m);
    const results: number[] = [];
    m.control(function* (cx) {
      results.push(yield* call(cx, m, 'register_kretprobe', p));
      yield* m.call(cx, 'a1');
      yield* call(cx, m, 'unregister_kretprobe', p);
      yield* m.call(cx, 'a1');
    });
    expect(results).toEqual([0]);
    expect(told(m)).toEqual([
      'begin kretprobe_entry 1',
      'hook 1',
      'begin kretprobe 1',
      'unhook 1',
      'return',
      'return',
    ]);
  },
);

test('KR-2: at a function entry only, also of one without a site', () => {
  const m = machine();
  const results: number[] = [];
  m.control(function* (cx) {
    for (const fields of [
      { offset: 8 },
      { symbol: 'c1' },
      { symbol: 'nobody' },
      { dataSize: 4097 },
    ]) {
      const p = probe(m, fields);
      results.push(yield* call(cx, m, 'register_kretprobe', p));
    }
    yield* m.call(cx, 'c1');
  });
  expect(results).toEqual([-22, 0, -2, -7]);
  expect(told(m)).toEqual(['begin kretprobe_entry 2', 'hook 2', 'begin kretprobe 2', 'unhook 2']);
});

test.each([
  ['before', ['begin fprobe_exit 1', 'unhook 1', 'begin kretprobe 2', 'unhook 2']],
  ['behind', ['begin kretprobe 2', 'unhook 2', 'begin fprobe_exit 1', 'unhook 1']],
])('CC-H14, FP-1: a return that an fprobe takes, too, whose hook comes %s', (place, exits) => {
  const m = fprobeKernel({
    functions: { a1: [{ op: 'call', target: 'reprobe_unwind' }] },
    callbacks: { entry: [], ret: [], fpIn: [], fpOut: [] },
  });
  const fp = m.fprobe('fp');
  const p = probe(m);
  m.control(function* (cx) {
    // The hook that is registered last is called first.
    if (place === 'behind') yield* call(cx, m, 'register_kretprobe', p);
    expect(yield* m.register(cx, fp, ['a1'])).toBe(0);
    if (place === 'before') yield* call(cx, m, 'register_kretprobe', p);
    yield* m.call(cx, 'a1');
    yield* call(cx, m, 'unregister_kretprobe', p);
    yield* m.unregister(cx, fp);
  });
  expect(told(m).slice(-5)).toEqual([...exits, 'return']);
  const entered = m.events('func_enter').find(({ func }) => func === m.fn('a1').address);
  const handlers = m.events('cb_begin').filter(({ kind }) => kind.startsWith('fprobe'));
  expect(handlers.map((e) => e.parent_ip)).toEqual([entered?.ra, entered?.ra]);
  expect(m.events('unwind')).toMatchObject([{ ret: entered?.ra }]);
});
