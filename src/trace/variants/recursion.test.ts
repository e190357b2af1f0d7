// What M-22 to M-25 change of the recursion lock, and nothing else. That judges find it is for properties/.
import { expect, test } from 'vitest';
import { perform, REGISTER, smallKernel, UNREGISTER } from '../../../properties/small-kernel.ts';
import { known } from '../../assert.ts';
import { LEVEL, type Level } from '../../emu/context.ts';
import { guestHandler } from '../../emu/interrupt.ts';
import type { Event } from '../../replay/schema.ts';

/** A life of two ops on one function, which a task and an interrupt call. */
function events(variant?: string): readonly Event[] {
  const m = smallKernel({
    functions: { a1: [{ op: 'work', count: 2 }] },
    variants: variant === undefined ? [] : [variant],
  });
  const all = ['A', 'B'].map((name) => m.ops(name, 'cb'));
  const handler = m.fn('a1').address;
  const cpu = known(m.machine.cpus[0], 'there is a first CPU');
  m.control(function* (cx) {
    for (const ops of all) yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
    cpu.pending.push({ level: LEVEL.hardirq, handler, body: guestHandler(handler) });
    m.machine.touchCpu(cpu);
    yield* m.call(cx, 'a1');
    for (const ops of all) yield* perform(cx, m.k, ops, UNREGISTER);
  });
  expect(m.events('cb_begin')).toHaveLength(6);
  return [...m.log.events()];
}

/** Levels of the locks that opened a region themselves, of all locks, and the words at the end. */
function locks(variant?: string): Record<'opening' | 'all' | 'words', readonly number[]> {
  const told = events(variant);
  const all = told.filter((e) => e.event === 'recursion_lock');
  return {
    opening: all
      .filter(({ index }) => told[index - 1]?.event === 'region_open')
      .map((e) => e.level),
    all: all.map((e) => e.level).toSorted((a, b) => a - b),
    words: told.flatMap((e) => (e.event === 'trace_recursion' ? [e.word] : [])),
  };
}

test('a lock turns preemption off, where it is on, and gives its bit back', () => {
  expect(locks()).toEqual({ opening: [0, 0], all: [0, 0, 2], words: [0] });
});

test('M-24 does not turn preemption off', () => {
  expect(locks('M-24')).toEqual({ opening: [], all: [0, 0, 2], words: [0] });
});

test('M-25 keeps the bit of a hit in an interrupt', () => {
  const { words, ...rest } = locks('M-25');
  expect(rest).toEqual({ opening: [0, 0], all: [0, 0, 2] });
  expect(words).toEqual([1 << 6]);
});

/** Bits that are set by a hit on a1 that leads back to a1, in an interrupt or NMI; and how many are refused. */
function bitsOf(level: Level, variant?: string): readonly [bits: readonly number[], skips: number] {
  const m = smallKernel({
    functions: { a1: [{ op: 'work', count: 2 }] },
    callbacks: { cb: [{ op: 'trylock', body: [{ op: 'call', target: 'a1' }] }] },
    variants: variant === undefined ? [] : [variant],
  });
  const ops = m.ops('A', 'cb');
  const handler = m.fn('a1').address;
  const cpu = known(m.machine.cpus[0], 'there is a first CPU');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    cpu.pending.push({ level, handler, body: guestHandler(handler) });
    m.machine.touchCpu(cpu);
    yield* perform(cx, m.k, ops, UNREGISTER);
  });
  return [m.events('recursion_set').map((e) => e.bit), m.events('skip').length];
}

test('M-22 refuses what finds its bit set', () => {
  expect(bitsOf(LEVEL.hardirq)).toEqual([[1, 4], 1]);
  expect(bitsOf(LEVEL.hardirq, 'M-22')).toEqual([[1], 1]);
});

test('M-23 gives an NMI the bit of interrupts', () => {
  expect(bitsOf(LEVEL.nmi)).toEqual([[0, 4], 1]);
  expect(bitsOf(LEVEL.nmi, 'M-23')).toEqual([[1, 4], 1]);
  expect(bitsOf(LEVEL.hardirq, 'M-23')).toEqual([[1, 4], 1]);
});
