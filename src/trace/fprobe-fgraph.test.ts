// fprobes on the function-graph machine: what they hook, and when their handlers run.
import { expect, test } from 'vitest';
import {
  call,
  DISABLE,
  ENABLE,
  fprobeKernel,
  type FprobeKernel,
  WORK,
} from '../../properties/fgraph-kernel.ts';
import { known } from '../assert.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { E2BIG, EEXIST, EINVAL, ENOENT } from './errno.ts';
import { fgraphOf } from './fgraph-state.ts';
import type { FprobeRequest } from './fprobe-operation.ts';
import { loadStruct } from './fprobe-struct.ts';

const FUNCTIONS = {
  a1: WORK,
  a2: [call('a1')],
  outer: [call('a1'), call('a2')],
  ret7: [{ op: 'return', value: 7 }],
} as const;

const REJECTS: readonly ScriptOp[] = [{ op: 'return', value: 1 }];

/** fp0 and fp1 with both handlers, in0 with an entry handler only. */
function small(options: Partial<Parameters<typeof fprobeKernel>[0]> = {}): FprobeKernel {
  return fprobeKernel({
    functions: FUNCTIONS,
    callbacks: {
      fp0In: WORK,
      fp0Out: WORK,
      fp1In: WORK,
      fp1Out: WORK,
      in0In: WORK,
      rejIn: REJECTS,
      rejOut: WORK,
    },
    ...options,
  });
}

test('FP-1, FP-8: entry and exit of nested calls, with the site and the true return address', () => {
  const m = small();
  const fp = m.fprobe('fp0');
  m.control(function* (cx) {
    expect(yield* m.register(cx, fp, ['a1', 'a2'])).toBe(0);
    yield* m.call(cx, 'outer');
    expect(yield* m.unregister(cx, fp)).toBe(0);
    yield* m.call(cx, 'outer');
  });
  expect(m.story()).toEqual([
    'fp0 > a1',
    'fp0 < a1',
    'fp0 > a2',
    'fp0 > a1',
    'fp0 < a1',
    'fp0 < a2',
  ]);
  const truth = m.events('func_enter').filter(({ func }) => func === m.fn('a1').address);
  const parents = m.events('cb_begin').filter(({ ip }) => ip === m.fn('a1').site);
  expect(parents.map((e) => e.parent_ip)).toEqual(truth.slice(0, 2).flatMap(({ ra }) => [ra, ra]));
  // At the entry the function goes on behind its site, at the exit in its caller.
  const [first, second] = m.events('fprobe_data');
  expect(first?.regs_ip).toBe(m.fn('a1').site + 4);
  expect(second?.regs_ip).toBe(truth[0]?.ra);
  expect(m.hooked()).toEqual([]);
  expect(m.events('fprobe_state')).toMatchObject([{ registered: false, entries: 0, nmissed: 0 }]);
});

test('FP-1: the exit handler may change the return value', () => {
  const m = small({ callbacks: { fp0Out: [{ op: 'work', count: 1 }] } });
  const fp = m.fprobe('fp0');
  let before = 0;
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['ret7']);
    before = yield* m.call(cx, 'ret7');
  });
  expect(before).toBe(7);
  expect(m.events('func_return').filter(({ func }) => func === m.fn('ret7').address)).toMatchObject(
    [{ value: 7n }],
  );
});

test('FP-2, FP-50: entry data are rounded up to words, at most 15; NULL without exit handler or size', () => {
  const m = small();
  const sizes = [0, 1, 8, 120, 121];
  const results: number[] = [];
  m.control(function* (cx) {
    for (const entryDataSize of sizes) {
      const fp = m.fprobe('fp0', { entryDataSize });
      results.push(yield* m.register(cx, fp, ['a1']));
      results.push(loadStruct(m.k, fp).entryDataSize);
      yield* m.call(cx, 'a1');
      yield* m.unregister(cx, fp);
    }
    const fp = m.fprobe('in0', { entryDataSize: 16 });
    yield* m.register(cx, fp, ['a1']);
    yield* m.call(cx, 'a1');
  });
  expect(results).toEqual([0, 0, 0, 8, 0, 8, 0, 120, -E2BIG, 121]);
  const data = m.events('fprobe_data').map((e) => e.entry_data);
  expect(data.map((at) => at !== -1)).toEqual([
    false,
    false,
    true,
    true,
    true,
    true,
    true,
    true,
    false,
  ]);
  for (const i of [2, 4, 6]) expect(data[i]).toBe(data[i + 1]);
});

function by(filter: string, notfilter?: string): FprobeRequest {
  return { op: 'register_fprobe', filter, notfilter };
}

test('FP-51, FP-53: what registering answers', () => {
  const m = small();
  const fp = m.fprobe('fp0');
  const other = m.fprobe('fp1');
  const results: number[] = [];
  m.control(function* (cx) {
    for (const request of [
      by('none*'),
      by('!a1'),
      by('a*', 'a*'),
      by('1'),
      { op: 'register_fprobe_syms', syms: ['a1', 'nowhere'] },
      { op: 'register_fprobe_syms', syms: ['a1', 'a1'] },
      { op: 'register_fprobe_ips', ips: [m.fn('a1').address, 3] },
      by('a[12]', 'a2'),
      by('a*'),
    ] as const) {
      results.push(yield* m.perform(cx, fp, request));
    }
    // One that matches nothing excludes nothing.
    expect(yield* m.perform(cx, m.fprobe('in0'), by('ret7', 'none*'))).toBe(0);
    results.push(yield* m.unregister(cx, other));
    const ips = [m.fn('a1').address, m.fn('a1').site];
    yield* m.perform(cx, other, { op: 'register_fprobe_ips', ips });
    yield* m.call(cx, 'a1');
    yield* m.unregister(cx, fp);
    results.push(yield* m.unregister(cx, fp));
  });
  const none = -ENOENT;
  expect(results).toEqual([
    none,
    none,
    none,
    none,
    none,
    none,
    -EINVAL,
    0,
    -EEXIST,
    -EINVAL,
    -EINVAL,
  ]);
  // Newest first, at the exit too (FP-75); the same address twice is one.
  expect(m.story()).toEqual(['fp1 > a1', 'fp0 > a1', 'fp1 < a1', 'fp0 < a1']);
});

test('FP-7, FP-9: a rejected call has no exit; a disabled probe has neither', () => {
  const m = small();
  const [fp, rejects] = [m.fprobe('fp0'), m.fprobe('rej')];
  m.control(function* (cx) {
    for (const one of [fp, rejects]) yield* m.register(cx, one, ['a1']);
    yield* m.call(cx, 'a1');
    yield* m.perform(cx, fp, DISABLE);
    yield* m.call(cx, 'a1');
    yield* m.perform(cx, fp, ENABLE);
    yield* m.unregister(cx, rejects);
    yield* m.call(cx, 'a1');
  });
  expect(m.story()).toEqual([
    'rej > a1',
    'rej rejected a1',
    'fp0 > a1',
    'fp0 < a1',
    'rej > a1',
    'rej rejected a1',
    'fp0 disabled a1',
    'fp0 > a1',
    'fp0 < a1',
  ]);
  expect([m.nmissed(fp), m.nmissed(rejects)]).toEqual([0, 0]);
});

/** What is hooked for an fprobe without exit handler, and how many shadow stacks there are. */
function hooksOf(era: string): readonly unknown[] {
  const m = small({ era });
  const fp = m.fprobe('in0');
  let sites: readonly string[] = [];
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    sites = m.hooked();
    yield* m.call(cx, 'a1');
    yield* m.unregister(cx, fp);
  });
  expect(m.story()).toEqual(['in0 > a1']);
  expect(m.hooked()).toEqual([]);
  const stacks = m.events('alloc').filter(({ kind }) => kind === 'ret_stack').length;
  return [sites, m.events('fprobe')[0]?.hook, stacks];
}

test('FP-54: an fprobe without exit handler is on a plain ftrace_ops, and leaves shadow stacks alone', () => {
  expect(hooksOf('today')).toEqual([['a1 -> fprobe_ftrace_ops'], 'ftrace', 0]);
  expect(hooksOf('v6.18')).toEqual([['a1 -> fprobe_ftrace_ops'], 'ftrace', 0]);
  expect(hooksOf('v6.14')).toEqual([['a1 -> graph_ops'], 'fgraph', 3]);
});

test('FP-55, FP-58: the last fprobe takes the hook along, others only their own sites', () => {
  const m = small();
  const [fp, other, plain] = [m.fprobe('fp0'), m.fprobe('fp1'), m.fprobe('in0')];
  const found: string[] = [];
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1', 'a2']);
    yield* m.register(cx, other, ['a1']);
    yield* m.register(cx, plain, ['a2']);
    for (const one of [fp, other, plain]) {
      yield* m.unregister(cx, one);
      found.push(m.hooked().join(', '));
    }
  });
  expect(found).toEqual([
    'a1 -> graph_ops, a2 -> fprobe_ftrace_ops',
    'a2 -> fprobe_ftrace_ops',
    '',
  ]);
  expect(fgraphOf(m.k).manager.filterHash.value.ips.value.size).toBe(0);
});

/** How often the call waits. */
function waitsOf(era: string, op: 'unregister_fprobe' | 'unregister_fprobe_async'): number {
  const m = small({ era });
  const fp = m.fprobe('fp0');
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    expect(yield* m.perform(cx, fp, { op })).toBe(0);
  });
  return m.events('wait_begin').length;
}

test('FP-55.6, FP-56, FP-57: only the present kernel waits, and not in unregister_fprobe_async', () => {
  expect(waitsOf('today', 'unregister_fprobe')).toBe(1);
  expect(waitsOf('today', 'unregister_fprobe_async')).toBe(0);
  expect(waitsOf('v6.18', 'unregister_fprobe')).toBe(0);
  expect(waitsOf('v6.14', 'unregister_fprobe')).toBe(0);
});

/** What runs for a call that is in flight while fp0 goes, and comes again if `again`, and fp1 comes. */
function inFlight(again: boolean): readonly string[] {
  const m = small({ functions: { a1: [{ op: 'sleep', us: 3000 }] } });
  const [fp, late] = [m.fprobe('fp0'), m.fprobe('fp1')];
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    m.task('runner', 1, 'a1');
    yield* sleepFor(cx, 1000);
    yield* m.register(cx, late, ['a1']);
    yield* m.unregister(cx, fp);
    if (again) yield* m.register(cx, fp, ['a1']);
    yield* sleepFor(cx, 6000);
  });
  return m.story();
}

test('FP-78, FP-77, FP-71.4: who comes or goes while a call runs has no exit for it; the same struct again has one', () => {
  expect(inFlight(false)).toEqual(['fp0 > a1', 'fp0 removed a1']);
  expect(inFlight(true)).toEqual(['fp0 > a1', 'fp0 < a1']);
});

test('FP-9, FP-71.4: disabled while a call runs, its exit is skipped', () => {
  const m = small({ functions: { a1: [{ op: 'sleep', us: 3000 }] } });
  const fp = m.fprobe('fp0');
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    m.task('runner', 1, 'a1');
    yield* sleepFor(cx, 1000);
    yield* m.perform(cx, fp, DISABLE);
    yield* sleepFor(cx, 5000);
  });
  expect(m.story()).toEqual(['fp0 > a1', 'fp0 exit_disabled a1']);
});

test('CC-G9: hook and unhook of every call, in the task that made it', () => {
  const m = small();
  const fp = m.fprobe('fp0');
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1', 'a2']);
    yield* m.call(cx, 'outer');
  });
  const events = [...m.log.events()].flatMap((e) =>
    e.event === 'hook' || e.event === 'unhook' ? [`${e.event} ${e.frame}`] : [],
  );
  const [a, b, c] = m.events('hook').map(({ frame }) => frame);
  expect(events).toEqual([
    `hook ${a}`,
    `unhook ${a}`,
    `hook ${b}`,
    `hook ${c}`,
    `unhook ${c}`,
    `unhook ${b}`,
  ]);
  const entered = m.events('func_enter').find(({ func }) => func === m.fn('a1').address);
  expect(a).toBe(known(entered, 'a1 ran').sp);
});

test('FP-75: the newest comes first, at the entry and at the exit', () => {
  const m = small();
  const [fp, other] = [m.fprobe('fp0'), m.fprobe('fp1')];
  m.control(function* (cx) {
    for (const one of [fp, other]) yield* m.register(cx, one, ['a1']);
    yield* m.call(cx, 'a1');
    yield* m.unregister(cx, fp);
    yield* m.register(cx, fp, ['a1']);
    yield* m.call(cx, 'a1');
  });
  const [first, second] = [m.story().slice(0, 4), m.story().slice(4)];
  expect(first).toEqual(['fp1 > a1', 'fp0 > a1', 'fp1 < a1', 'fp0 < a1']);
  expect(second).toEqual(['fp0 > a1', 'fp1 > a1', 'fp0 < a1', 'fp1 < a1']);
});

test('FP-71.3: when the last fprobe has taken the hook along, calls in flight return past a stub', () => {
  const m = small({ functions: { a1: [{ op: 'sleep', us: 3000 }] } });
  const fp = m.fprobe('fp0');
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    m.task('runner', 1, 'a1');
    yield* sleepFor(cx, 1000);
    expect(yield* m.unregister(cx, fp)).toBe(0);
    expect(m.hooked()).toEqual([]);
    yield* sleepFor(cx, 6000);
  });
  expect(m.story().filter((line) => line.includes('<'))).toEqual([]);
  const { address } = m.fn('a1');
  expect(m.events('func_return').filter(({ func }) => func === address)).toHaveLength(1);
  expect(m.events('oops')).toEqual([]);
});
