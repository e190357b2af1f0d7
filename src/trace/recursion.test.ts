import { expect, test } from 'vitest';
import { watchAccesses } from '../../properties/accesses.ts';
import { perform, REGISTER, setFilter, smallKernel } from '../../properties/small-kernel.ts';
import { CHOICE } from '../emu/choose.ts';
import type { ScriptOp } from '../emu/script.ts';
import { TRACE_FTRACE_START, TRACE_LIST_START, traceRecursionBit } from './recursion.ts';

const COUNT: ScriptOp = { op: 'add', symbol: 'count', offset: 0, value: 1 };
const AGAIN: ScriptOp = { op: 'call', target: 'a1' };
const FUNCTIONS = { a1: [{ op: 'work', count: 1 }] } as const;

function count(m: ReturnType<typeof smallKernel>, symbol: number): number {
  return m.machine.memory.loadLo(symbol);
}

test('a bit that is set gives way to TRANSITION, and both set to nothing (FT-51, CC-H5.2)', () => {
  expect(traceRecursionBit(0, TRACE_FTRACE_START, 3)).toBe(3);
  expect(traceRecursionBit(0b01000, TRACE_FTRACE_START, 3)).toBe(4);
  expect(traceRecursionBit(0b11000, TRACE_FTRACE_START, 3)).toBe(-1);
  expect(traceRecursionBit(0b10000, TRACE_FTRACE_START, 3)).toBe(3);
  expect(traceRecursionBit(0b11111, TRACE_LIST_START, 0)).toBe(5);
});

test('a trylock takes its bit, then disables preemption; an unlock goes the other way (FT-51)', () => {
  const m = smallKernel({
    functions: FUNCTIONS,
    callbacks: { cb: [{ op: 'trylock', body: [COUNT] }] },
    data: ['count'],
  });
  const ops = m.ops('A', 'cb');
  m.thread('control', 0, function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
  });
  const [cpu] = m.machine.cpus;
  const seen = watchAccesses(m.machine, () => {
    const word = m.k.tasks.reduce((all, task) => all | (task?.recursion.value ?? 0), 0);
    return word === 0 && cpu?.preemptCount.value === 0
      ? 'free'
      : `word ${word}, preempt_count ${cpu?.preemptCount.value}`;
  });
  expect(seen.slice(seen.indexOf('update trace_recursion/control'))).toEqual([
    'update trace_recursion/control',
    '-> word 8, preempt_count 0',
    'act preempt_count',
    '-> word 8, preempt_count 1',
    'act preempt_count',
    '-> word 8, preempt_count 0',
    'update trace_recursion/control',
    '-> free',
  ]);
});

test('at most five holders in a group, whatever the contexts (FT-52, CC-G11)', () => {
  let word = 0;
  let holders = 0;
  for (const contextBit of [3, 3, 3, 2, 2, 1, 1, 0, 0]) {
    const bit = traceRecursionBit(word, TRACE_FTRACE_START, contextBit);
    if (bit < 0) continue;
    word |= 1 << bit;
    holders++;
  }
  expect(holders).toBe(5);
});

test('a callback that hooks itself runs twice under the lock, the third is refused (FT-52, CC-G11)', () => {
  const m = smallKernel({
    functions: FUNCTIONS,
    callbacks: { cb: [{ op: 'trylock', body: [COUNT, AGAIN] }] },
    data: ['count'],
  });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
    yield* m.call(cx, 'a1');
  });
  expect(count(m, m.data('count'))).toBe(4);
  expect(m.events('cb_begin').map((e) => e.depth)).toEqual([0, 1, 2, 0, 1, 2]);
  expect(m.events('skip').map((e) => [e.object, e.generation, e.reason])).toEqual([
    [ops.object, 1, 'recursion'],
    [ops.object, 1, 'recursion'],
  ]);
  expect(m.k.tasks.flatMap((task) => task?.recursion.value ?? [])).toEqual([0]);
});

test('the list function lets a callback without a lock run twice as well (FT-22, FT-57)', () => {
  const m = smallKernel({
    functions: FUNCTIONS,
    callbacks: { cb: [COUNT, AGAIN], quiet: [] },
    data: ['count'],
  });
  const [a, b] = [m.ops('A', 'cb'), m.ops('B', 'quiet')];
  m.control(function* (cx) {
    yield* perform(cx, m.k, b, REGISTER);
    yield* perform(cx, m.k, a, setFilter('a1'));
    yield* perform(cx, m.k, a, REGISTER);
    yield* m.call(cx, 'a1');
  });
  expect(count(m, m.data('count'))).toBe(2);
  expect(m.events('skip').map((e) => [e.object, e.reason])).toEqual([[0, 'recursion']]);
});

test('without flag or lock nothing stops it but the end of the stack (FT-52)', () => {
  const m = smallKernel({ functions: FUNCTIONS, callbacks: { cb: [AGAIN] } });
  const ops = m.ops('A', 'cb');
  m.thread('control', 0, function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
  });
  expect(m.machine.run()).toBe('oops');
  expect(m.events('oops').map((e) => e.reason)).toEqual(['stack']);
});

test('an interrupt in a callback has a level of its own (FT-50)', () => {
  let struck = 0;
  const m = smallKernel({
    functions: { ...FUNCTIONS, tick: [AGAIN] },
    callbacks: { cb: [{ op: 'trylock', body: [COUNT, { op: 'work', count: 40 }] }] },
    data: ['count'],
    chooser: {
      // One injection each time that a callback has counted: within its lock.
      choose: ({ kind }) => {
        const strikes = kind === CHOICE.inject && count(m, m.data('count')) > struck;
        if (strikes) struck++;
        return strikes ? 1 : 0;
      },
    },
    machine: { grain: 'instruction' },
  });
  const handler = m.fn('tick').address;
  m.machine.injector.add({ name: 'tick', level: 2, handler, cpu: 0, left: 1 });
  m.machine.injector.add({ name: 'nmi', level: 3, handler, cpu: 0, left: 1 });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
  });
  expect(m.events('cb_begin').map((e) => [e.level, e.depth])).toEqual([
    [0, 0],
    [2, 1],
    [3, 2],
  ]);
  expect(count(m, m.data('count'))).toBe(3);
  expect(m.events('skip')).toEqual([]);
});

test('CC-H5, FT-51: before its level shows, and after, an interrupt takes TRANSITION beside what it interrupted', () => {
  let struck = false;
  const m = smallKernel({
    functions: { ...FUNCTIONS, tick: [AGAIN], entry: [AGAIN] },
    callbacks: { cb: [{ op: 'trylock', body: [COUNT, { op: 'work', count: 40 }] }] },
    data: ['count'],
    chooser: {
      choose: ({ kind }) => {
        const strikes = kind === CHOICE.inject && !struck && count(m, m.data('count')) === 1;
        if (strikes) struck = true;
        return strikes ? 1 : 0;
      },
    },
    machine: { grain: 'instruction' },
  });
  const [handler, entry] = [m.fn('tick').address, m.fn('entry').address];
  m.machine.injector.add({ name: 'tick', level: 2, handler, entry, cpu: 0, left: 1 });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
  });
  expect(m.events('level_shown').map((e) => e.shown)).toEqual([false, true, false]);
  expect(m.events('recursion_set').map((e) => [e.level, e.bit])).toEqual([
    [0, 3],
    [2, 4],
    [2, 1],
    [2, 4],
  ]);
  expect(m.events('recursion_clear')).toHaveLength(4);
  expect(m.events('skip')).toEqual([]);
});

/** Recursion at a1, a hundred times, and once at a2. */
function recorded(recordRecursion: boolean): ReturnType<typeof smallKernel> {
  const m = smallKernel({
    functions: { ...FUNCTIONS, a2: [{ op: 'work', count: 1 }] },
    callbacks: { cb: [{ op: 'trylock', body: [AGAIN] }], other: [{ op: 'call', target: 'a2' }] },
    recordRecursion,
  });
  const [locked, listed] = [m.ops('A', 'cb'), m.ops('B', 'other')];
  m.control(function* (cx) {
    yield* perform(cx, m.k, locked, setFilter('a1'));
    yield* perform(cx, m.k, locked, REGISTER);
    for (let i = 0; i < 5; i++) yield* m.call(cx, 'a1');
    yield* perform(cx, m.k, listed, setFilter('a2'));
    const second = m.ops('C', 'other');
    yield* perform(cx, m.k, second, setFilter('a2'));
    yield* perform(cx, m.k, listed, REGISTER);
    yield* perform(cx, m.k, second, REGISTER);
    for (let i = 0; i < 5; i++) yield* m.call(cx, 'a2');
  });
  return m;
}

test('where recursion was refused is recorded once a function, if it is asked for (FT-51, FT-57)', () => {
  const m = recorded(true);
  const sites = m.events('recursed_function').map(({ ip }) => ip);
  expect(sites).toEqual([m.fn('a1').site, m.fn('a2').site]);
  expect(m.k.recursed?.value.map(({ ip }) => ip)).toEqual(sites);
  expect(m.events('skip').length).toBeGreaterThan(5);
  expect(recorded(false).events('recursed_function')).toEqual([]);
});
