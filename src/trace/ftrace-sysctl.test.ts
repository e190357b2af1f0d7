// The sysctl `ftrace_enabled`: what it does to text and to callbacks, and who may forbid it.
import { expect, test } from 'vitest';
import { folded, watchAccesses } from '../../properties/accesses.ts';
import {
  perform,
  REGISTER,
  setFilter,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
  writeEnabled,
} from '../../properties/small-kernel.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { ScriptOp } from '../emu/script.ts';
import { EBUSY, EINVAL, ENODEV } from './errno.ts';
import { FTRACE_OPS_FL_PERMANENT } from './ftrace-ops-flags.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FUNCTIONS = { a1: WORK, a2: WORK, b1: WORK } as const;

function kernel(variants: readonly string[] = []): SmallKernel {
  return smallKernel({ functions: FUNCTIONS, variants });
}

/** What ran since event `from`. */
function hits(m: SmallKernel, from = 0): number {
  return m.events('cb_begin').filter(({ index }) => index >= from).length;
}

test('1 to 0 turns every site to a nop, 0 to 1 hooks all again; every ops stays registered (FT-48, CC-S7.0, CC-S7.1)', () => {
  const m = kernel();
  const [one, two] = [m.ops('A', 'cb'), m.ops('B', 'cb')];
  const seen: unknown[] = [];
  m.control(function* (cx) {
    yield* perform(cx, m.k, one, setFilter('a1'));
    yield* perform(cx, m.k, one, REGISTER);
    yield* perform(cx, m.k, two, REGISTER);
    const before = m.hooked();
    seen.push(yield* writeEnabled(cx, m.k, false), m.hooked(), m.k.ftrace.startUp.value);
    seen.push(yield* writeEnabled(cx, m.k, false));
    yield* m.call(cx, 'a1');
    seen.push(hits(m));
    seen.push(yield* writeEnabled(cx, m.k, true), m.hooked());
    yield* m.call(cx, 'a1');
    seen.push(hits(m), before);
  });
  const all = ['a1 -> list', 'a2 -> B', 'b1 -> B'];
  expect(seen).toEqual([0, [], 2, 0, 0, 0, all, 2, all]);
});

test('register, filter and unregister at 0 change no text, and count when it is 1 again (FT-26, FT-29.5, CC-S7)', () => {
  const m = kernel();
  const [one, two] = [m.ops('A', 'cb'), m.ops('B', 'cb')];
  const seen: unknown[] = [];
  m.control(function* (cx) {
    yield* perform(cx, m.k, one, REGISTER);
    yield* writeEnabled(cx, m.k, false);
    const from = m.log.count;
    seen.push(yield* perform(cx, m.k, two, REGISTER));
    seen.push(yield* perform(cx, m.k, two, setFilter('b1')));
    seen.push(yield* perform(cx, m.k, one, UNREGISTER));
    for (const name of ['a1', 'b1']) yield* m.call(cx, name);
    seen.push(hits(m), m.events('text_write').filter(({ index }) => index >= from).length);
    yield* writeEnabled(cx, m.k, true);
    seen.push(m.hooked());
    for (const name of ['a1', 'b1']) yield* m.call(cx, name);
    seen.push(m.events('cb_begin').map(({ object }) => object));
  });
  expect(seen).toEqual([0, 0, 0, 0, 0, ['b1 -> B'], [two.object]]);
});

test('unregister at 0 waits and frees as always (FT-30, FT-32)', () => {
  const m = kernel();
  const ops = m.ops('A', 'cb');
  let from = 0;
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    yield* writeEnabled(cx, m.k, false);
    from = m.log.count;
    yield* perform(cx, m.k, ops, UNREGISTER);
  });
  const waits = m.events('wait_begin').filter(({ index }) => index >= from);
  expect(waits.map(({ kind }) => kind)).toEqual([
    'synchronize_rcu_tasks_rude',
    'synchronize_rcu_tasks',
  ]);
  expect(ops.trampoline.value).toBeUndefined();
});

/** F41 of golden/truth/api.json: what each call returned, and who was called. */
function* permanentStory(cx: Context, m: SmallKernel, said: unknown[]): Path<void> {
  const [a, b] = [m.ops('A', 'cb', false, FTRACE_OPS_FL_PERMANENT), m.ops('B', 'cb')];
  function* reached(): Path<string> {
    const from = m.log.count;
    for (const name of ['a1', 'a2', 'b1']) yield* m.call(cx, name);
    const found = m.events('cb_begin').filter(({ index }) => index >= from);
    return found
      .map(({ object, ip }) => `${object === a.object ? 'A' : 'B'} ${siteOf(m, ip)}`)
      .join();
  }
  yield* perform(cx, m.k, a, setFilter('a1'));
  yield* perform(cx, m.k, b, setFilter('a2'));
  said.push(yield* perform(cx, m.k, a, REGISTER), yield* perform(cx, m.k, b, REGISTER));
  said.push(yield* writeEnabled(cx, m.k, false), m.k.ftrace.enabled.value, yield* reached());
  said.push(yield* perform(cx, m.k, a, UNREGISTER), yield* writeEnabled(cx, m.k, false));
  said.push(yield* perform(cx, m.k, a, REGISTER), yield* reached());
  said.push(yield* writeEnabled(cx, m.k, true), yield* reached());
  said.push(yield* perform(cx, m.k, a, REGISTER), yield* reached());
  said.push(yield* perform(cx, m.k, a, UNREGISTER), yield* perform(cx, m.k, b, UNREGISTER));
}

function siteOf(m: SmallKernel, ip: number): string {
  return Object.keys(FUNCTIONS).find((name) => m.fn(name).site === ip) ?? '?';
}

function playPermanent(variants: readonly string[]): unknown[] {
  const m = kernel(variants);
  const said: unknown[] = [];
  m.control((cx) => permanentStory(cx, m, said));
  return said;
}

const F41 = [0, 0, -EBUSY, true, 'A a1,B a2', 0, 0, -EBUSY, '', 0, 'B a2', 0, 'A a1,B a2', 0, 0];

test('PERMANENT forbids 0, and 0 forbids PERMANENT, as F41 saw it (FT-25.6, FT-48, CC-G17)', () => {
  expect(playPermanent([])).toEqual(F41);
});

test('M-29 lets a PERMANENT ops in at 0 (CC-G17)', () => {
  const said = playPermanent(['M-29']);
  expect(said.slice(0, 7)).toEqual(F41.slice(0, 7));
  expect(said[7]).toBe(0);
});

/** Hits after an ops was unregistered at 0, and 1 was written. */
function firedLater(variants: readonly string[]): number {
  const m = kernel(variants);
  const ops = m.ops('A', 'cb');
  const results: number[] = [];
  m.control(function* (cx) {
    results.push(yield* perform(cx, m.k, ops, REGISTER));
    results.push(yield* writeEnabled(cx, m.k, false));
    results.push(yield* perform(cx, m.k, ops, UNREGISTER));
    results.push(yield* writeEnabled(cx, m.k, true));
    yield* m.call(cx, 'a1');
  });
  expect(results).toEqual([0, 0, 0, 0]);
  return hits(m);
}

test('M-30 leaves the ops on the list, and it fires at 1 again (CC-G1)', () => {
  expect(firedLater([])).toBe(0);
  expect(firedLater(['M-30'])).toBe(1);
});

test('a dead ftrace refuses both values (FT-48)', () => {
  const m = kernel();
  const results: number[] = [];
  m.control(function* (cx) {
    m.k.ftrace.disabled.set(true);
    for (const value of [false, true, 'off']) results.push(yield* writeEnabled(cx, m.k, value));
  });
  expect(results).toEqual([-ENODEV, -ENODEV, -ENODEV]);
});

test('ftrace_enabled: -EINVAL for what is no number, and nothing changes; any number but 0 is 1 (FT-48)', () => {
  const m = kernel();
  const ops = m.ops('A', 'cb');
  const seen: (readonly [string, number, boolean])[] = [];
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    for (const text of ['', ' ', 'off', '08', '1x', '- 1', '0x', '2147483648'])
      seen.push([text, yield* writeEnabled(cx, m.k, text), m.k.ftrace.enabled.value]);
    expect(m.hooked()).toHaveLength(3);
    for (const text of ['0x0', '-1', ' 00 ', '0x7fffffff', '-0', '017'])
      seen.push([text, yield* writeEnabled(cx, m.k, text), m.k.ftrace.enabled.value]);
  });
  const refused = ['', ' ', 'off', '08', '1x', '- 1', '0x', '2147483648'];
  expect(seen).toEqual([
    ...refused.map((text) => [text, -EINVAL, true]),
    ['0x0', 0, false],
    ['-1', 0, true],
    [' 00 ', 0, false],
    ['0x7fffffff', 0, true],
    ['-0', 0, false],
    ['017', 0, true],
  ]);
});

test('the steps of both writes (CC-S7.0, CC-S7.1)', () => {
  const m = smallKernel({ functions: FUNCTIONS, machine: { cpus: 1 } });
  const ops = m.ops('A', 'cb');
  const facts = (): string => `enabled ${m.k.ftrace.enabled.value}`;
  m.thread('control', 0, function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    yield* writeEnabled(cx, m.k, false);
    yield* writeEnabled(cx, m.k, true);
  });
  const seen = folded(watchAccesses(m.machine, facts));
  const [off, on] = ['-> enabled false', '-> enabled true'];
  const patch = ['act text_mutex', 'PATCH', 'act text_mutex', 'act ftrace_lock'];
  const from = seen.indexOf(off) - 1;
  expect(seen.slice(from)).toEqual([
    'act ftrace_lock',
    off,
    ...patch,
    'act ftrace_lock',
    on,
    ...patch,
  ]);
});

test('at 1 the caller serves who is there now, not who was (FT-24, FT-27)', () => {
  const m = smallKernel({ functions: FUNCTIONS, trampolines: false });
  const [one, two] = [m.ops('A', 'cb', true), m.ops('B', 'cb', true)];
  m.control(function* (cx) {
    yield* perform(cx, m.k, one, REGISTER);
    yield* writeEnabled(cx, m.k, false);
    yield* perform(cx, m.k, one, UNREGISTER);
    yield* perform(cx, m.k, two, REGISTER);
    yield* writeEnabled(cx, m.k, true);
    yield* m.call(cx, 'a1');
  });
  expect(m.events('cb_begin').map(({ object }) => object)).toEqual([two.object]);
});
