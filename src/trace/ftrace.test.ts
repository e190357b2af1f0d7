import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  setFilter,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { TRAMPOLINE_BASE } from '../emu/address.ts';
import { CHOICE, type Chooser } from '../emu/choose.ts';
import type { ScriptOp } from '../emu/script.ts';
import { EBUSY, ENODEV } from './errno.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FIVE = { a1: WORK, a2: WORK, a3: WORK, b1: WORK, b2: WORK, '-quiet': WORK } as const;

/** Names of the ops whose callbacks began, with the function, in order. */
function ran(m: SmallKernel): string[] {
  const names = new Map(m.events('object').map((e) => [e.object, e.name]));
  const functions = new Map(m.k.records.map(({ ip, func }) => [ip, func.name]));
  return m.events('cb_begin').map((e) => `${names.get(e.object)} ${functions.get(e.ip)}`);
}

/** The index of each event of `names`, by `name:field`. */
function order(m: SmallKernel): string[] {
  const seen: string[] = [];
  for (const e of m.log.events()) {
    if (e.event === 'wait_begin') seen.push(e.kind);
    if (e.event === 'ctl_begin' || e.event === 'ctl_end') seen.push(`${e.event} ${e.op}`);
    if (e.event === 'text_write' && e.part === 1) seen.push('patch');
    if (e.event === 'free') seen.push('free');
  }
  return seen;
}

test('a registered ops without a filter runs at every function until it is unregistered (FT-4, FT-37)', () => {
  const m = smallKernel({ functions: FIVE });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    expect(yield* perform(cx, m.k, ops, REGISTER)).toBe(0);
    expect(m.hooked()).toEqual(['a1 -> A', 'a2 -> A', 'a3 -> A', 'b1 -> A', 'b2 -> A']);
    yield* m.call(cx, 'a1');
    yield* m.call(cx, 'quiet');
    yield* m.call(cx, 'b2');
    expect(yield* perform(cx, m.k, ops, UNREGISTER)).toBe(0);
    yield* m.call(cx, 'a1');
  });
  expect(m.hooked()).toEqual([]);
  expect(ran(m)).toEqual(['A a1', 'A b2']);
});

test('register twice and unregister twice are refused, and what works goes on working (FT-25.4, FT-29.1, F20)', () => {
  const m = smallKernel({ functions: FIVE });
  const ops = m.ops('A', 'cb');
  const results: number[] = [];
  m.control(function* (cx) {
    results.push(yield* perform(cx, m.k, ops, UNREGISTER));
    results.push(yield* perform(cx, m.k, ops, REGISTER));
    results.push(yield* perform(cx, m.k, ops, REGISTER));
    yield* m.call(cx, 'a1');
    results.push(yield* perform(cx, m.k, ops, UNREGISTER));
    results.push(yield* perform(cx, m.k, ops, UNREGISTER));
    results.push(yield* perform(cx, m.k, ops, REGISTER));
    yield* m.call(cx, 'a1');
  });
  expect(results).toEqual([-EBUSY, 0, -EBUSY, 0, -EBUSY, 0]);
  expect(m.events('printk').map((e) => e.text)).toEqual([
    'WARNING: __unregister_ftrace_function',
    'WARNING: __register_ftrace_function',
    'WARNING: __unregister_ftrace_function',
  ]);
  expect(m.events('ctl_end').map((e) => [e.result, e.generation])).toEqual([
    [-EBUSY, 0],
    [0, 1],
    [-EBUSY, 1],
    [0, 1],
    [-EBUSY, 1],
    [0, 2],
  ]);
  expect(m.events('cb_begin').map((e) => e.generation)).toEqual([1, 2]);
});

test('callbacks of one site run in the order of registration, the newest first (FT-21, F21)', () => {
  const m = smallKernel({ functions: FIVE });
  const [a, b, c] = [m.ops('A', 'cb'), m.ops('B', 'cb'), m.ops('C', 'cb')];
  m.control(function* (cx) {
    for (const ops of [a, b, c]) {
      yield* perform(cx, m.k, ops, setFilter('a1'));
      yield* perform(cx, m.k, ops, REGISTER);
    }
    yield* m.call(cx, 'a1');
    yield* perform(cx, m.k, b, UNREGISTER);
    yield* m.call(cx, 'a1');
    yield* perform(cx, m.k, b, REGISTER);
    yield* m.call(cx, 'a1');
    for (const ops of [a, b, c]) yield* perform(cx, m.k, ops, UNREGISTER);
  });
  expect(
    ran(m)
      .map((line) => line[0])
      .join(''),
  ).toBe('CBACABCA');
  expect(m.hooked()).toEqual([]);
});

test('a site of one ops calls its trampoline, a shared one the list (FT-19, FT-20)', () => {
  const m = smallKernel({ functions: FIVE });
  const [a, b] = [m.ops('A', 'cb'), m.ops('B', 'cb')];
  m.control(function* (cx) {
    yield* perform(cx, m.k, a, setFilter('a*'));
    yield* perform(cx, m.k, b, setFilter('?1'));
    yield* perform(cx, m.k, a, REGISTER);
    yield* perform(cx, m.k, b, REGISTER);
    expect(m.hooked()).toEqual(['a1 -> list', 'a2 -> A', 'a3 -> A', 'b1 -> B']);
    for (const name of ['a1', 'a2', 'b1', 'b2']) yield* m.call(cx, name);
    yield* perform(cx, m.k, a, UNREGISTER);
    expect(m.hooked()).toEqual(['a1 -> B', 'b1 -> B']);
    yield* m.call(cx, 'a1');
  });
  expect(ran(m)).toEqual(['B a1', 'A a1', 'A a2', 'B b1', 'B a1']);
});

test('without memory for a trampoline an ops uses the list (FT-19)', () => {
  const failing: Chooser = { choose: ({ kind }) => (kind === CHOICE.alloc ? 1 : 0) };
  const m = smallKernel({ functions: FIVE, chooser: failing });
  m.machine.slab.failing = new Set(['trampoline']);
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    expect(yield* perform(cx, m.k, ops, REGISTER)).toBe(0);
    expect(m.hooked()).toEqual(['a1 -> list']);
    yield* m.call(cx, 'a1');
    expect(yield* perform(cx, m.k, ops, UNREGISTER)).toBe(0);
  });
  expect(ran(m)).toEqual(['A a1']);
});

test('a callback gets ip, parent_ip, its ops and the registers, and disturbs nothing (FT-4)', () => {
  const body: readonly ScriptOp[] = [{ op: 'call', target: 'inner' }];
  const callbacks = { cb: [{ op: 'regs' }, { op: 'work', count: 5 }] as const, second: [] };
  for (const shared of [false, true]) {
    const m = smallKernel({
      functions: { outer: body, inner: [{ op: 'return', value: 7 }] },
      callbacks,
    });
    const [ops, other] = [m.ops('A', 'cb'), m.ops('B', 'second')];
    m.control(function* (cx) {
      yield* perform(cx, m.k, ops, setFilter('inner'));
      yield* perform(cx, m.k, ops, REGISTER);
      if (shared) yield* perform(cx, m.k, other, REGISTER);
      yield* m.call(cx, 'outer');
    });
    const begin = m.events('cb_begin').filter((e) => e.object === ops.object);
    expect(begin).toHaveLength(1);
    expect(begin[0]?.ip).toBe(m.fn('inner').site);
    expect(begin[0]?.ip).toBe(m.fn('inner').address + 4);
    const enter = m.events('func_enter').find((e) => e.func === m.fn('inner').address);
    expect(begin[0]?.parent_ip).toBe(enter?.ra);
    const returned = m.events('func_return').find((e) => e.func === m.fn('inner').address);
    expect(returned?.value).toBe(7n);
    expect(m.events('regs').map((e) => e.register)).toEqual(
      Array.from({ length: 8 }, (_, i) => `a${i}`),
    );
    expect(m.events('regs').every((e) => e.object === ops.object)).toBe(true);
  }
});

test('unregister unlinks, patches, waits twice, then frees the trampoline (FT-29.7, CC-S5.5-8)', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    yield* perform(cx, m.k, ops, UNREGISTER);
  });
  const calls = order(m);
  // Inner call first, then the site; at the end the site, then the inner call (FT-27).
  expect(calls).toEqual([
    'ctl_begin register_ftrace_function',
    'patch',
    'patch',
    'ctl_end register_ftrace_function',
    'ctl_begin unregister_ftrace_function',
    'patch',
    'patch',
    'synchronize_rcu_tasks_rude',
    'synchronize_rcu_tasks',
    'free',
    'ctl_end unregister_ftrace_function',
  ]);
  expect(m.machine.memory.load32(TRAMPOLINE_BASE + 128)).toBe(0);
  expect(m.k.ftrace.startUp.value).toBe(0);
});

test('nothing to patch still waits (FT-29.5, FT-32)', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const all = [m.ops('A', 'cb'), m.ops('B', 'cb'), m.ops('C', 'cb')];
  m.control(function* (cx) {
    for (const ops of all) yield* perform(cx, m.k, ops, REGISTER);
    const [first] = all;
    if (first !== undefined) yield* perform(cx, m.k, first, UNREGISTER);
  });
  const calls = order(m);
  expect(calls.slice(calls.indexOf('ctl_begin unregister_ftrace_function') + 1)).toEqual([
    'synchronize_rcu_tasks_rude',
    'synchronize_rcu_tasks',
    'free',
    'ctl_end unregister_ftrace_function',
  ]);
  expect(m.hooked()).toEqual(['a1 -> list']);
});

test('freed trampolines are reused as late as possible, with a new generation', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    for (let i = 0; i < 3; i++) {
      yield* perform(cx, m.k, ops, REGISTER);
      yield* perform(cx, m.k, ops, UNREGISTER);
    }
  });
  const places = m.events('alloc').filter((e) => e.kind === 'trampoline');
  expect(new Set(places.map((e) => e.address)).size).toBe(3);
  expect(m.events('free')).toHaveLength(3);
});

test('unexpected text kills ftrace: -ENODEV from then on (FT-11, FT-25.3, FT-29.1)', () => {
  const m = smallKernel({ functions: FIVE });
  const ops = m.ops('A', 'cb');
  const results: number[] = [];
  m.control(function* (cx) {
    m.machine.text.writeCode(m.fn('a2').site, [0x0001, 0x0001]);
    results.push(yield* perform(cx, m.k, ops, REGISTER));
    results.push(yield* perform(cx, m.k, ops, REGISTER));
    results.push(yield* perform(cx, m.k, ops, UNREGISTER));
    results.push(yield* perform(cx, m.k, ops, setFilter('a1')));
    yield* m.call(cx, 'a1');
  });
  expect(results).toEqual([-ENODEV, -ENODEV, -ENODEV, -ENODEV]);
  expect(m.events('kill').map((e) => e.ip)).toEqual([m.fn('a2').site]);
  expect(ran(m)).toEqual([]);
});

test('an unexpected inner call of the generic caller kills ftrace, too (FT-11, FT-13)', () => {
  const m = smallKernel({ functions: FIVE });
  const ops = m.ops('A', 'cb');
  const { innerCall } = m.k.caller;
  const results: number[] = [];
  m.control(function* (cx) {
    m.machine.text.writeCode(innerCall, [0x0001, 0x0001]);
    results.push(yield* perform(cx, m.k, ops, REGISTER));
    results.push(yield* perform(cx, m.k, ops, UNREGISTER));
  });
  expect(results).toEqual([-ENODEV, -ENODEV]);
  expect(m.events('kill').map((e) => e.ip)).toEqual([innerCall]);
  // Neither that call nor any site was touched.
  expect(m.events('text_write')).toEqual([]);
  expect(m.hooked()).toEqual([]);
});

test('a function that is called as any other is no callback', () => {
  const m = smallKernel({ functions: { a1: [{ op: 'call', target: 'cb' }] } });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'cb');
    yield* m.call(cx, 'a1');
  });
  expect(ran(m)).toEqual(['A a1']);
  expect(m.events('cb_end')).toHaveLength(1);
});

test('two CPUs that register at once serialise on ftrace_lock', () => {
  const m = smallKernel({ functions: FIVE });
  const [a, b] = [m.ops('A', 'cb'), m.ops('B', 'cb')];
  m.thread('other', 1, function* (cx) {
    yield* perform(cx, m.k, a, REGISTER);
    yield* perform(cx, m.k, a, UNREGISTER);
  });
  m.control(function* (cx) {
    yield* perform(cx, m.k, b, REGISTER);
    yield* perform(cx, m.k, b, UNREGISTER);
  });
  expect(m.events('ctl_end').map((e) => e.result)).toEqual([0, 0, 0, 0]);
  expect(m.hooked()).toEqual([]);
});
