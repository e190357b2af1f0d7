// Medians, margins, and what makes a benchmark worthless.
import { expect, test } from 'vitest';
import { InvariantError } from '../src/assert.ts';
import { type Clock, inTurn, median } from './clock.ts';
import { type Figure, marginOf, type Row, runSuites, type Suite } from './suite.ts';
import { formatTable } from './table.ts';
import { crc32 } from './yardstick.ts';

const clock: Clock = (work) => {
  work();
  return 1;
};

/** One figure with a budget; `rounds` are what it measures, one after the other. */
function suiteOf(rounds: readonly Figure[]): Suite {
  const left = [...rounds];
  return {
    budgets: { speed: { bound: 'least', limit: 2, unit: 'x' } },
    measure: () => left.splice(0, 1),
  };
}

function measured(rounds: readonly Figure[], warmups: number): readonly Row[] {
  const suites = [suiteOf(rounds)];
  const plan = { suites, warmups, rounds: rounds.length - warmups, clock, toy: true };
  return runSuites(plan, () => undefined).rows;
}

function figure(value: number, digest = 'd'): Figure {
  return { name: 'speed', value, unit: 'MIPS', compared: value / 10, digest };
}

test('the yardstick is the CRC-32 that everybody knows', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
});

test('a median is the middle, or between the two in the middle', () => {
  expect(median([5, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 100])).toBe(3);
});

test('things are measured in turn, and the least time of each counts', () => {
  const order: string[] = [];
  const timed = (digest: string, times: number[]) => () => {
    order.push(digest);
    return { seconds: times.shift() ?? 0, digest };
  };
  const [a, b] = inTurn(3, [timed('a', [3, 1, 2]), timed('b', [5, 9, 7])]);
  expect([a?.seconds, b?.seconds]).toEqual([1, 5]);
  expect(order.join('')).toBe('ababab');
});

test('a margin above 1 is within the budget, whichever way it bounds', () => {
  expect(marginOf({ bound: 'least', limit: 8, unit: 'x' }, 10)).toBe(1.25);
  expect(marginOf({ bound: 'most', limit: 1.25, unit: 'x' }, 2.5)).toBe(0.5);
});

test('the median of the rounds after the warm-up counts, for figures and for ratios', () => {
  const [row] = measured([figure(1000), figure(30), figure(10), figure(20)], 1);
  expect(row).toMatchObject({ value: 20, compared: 2, margin: 1 });
});

test('a figure that computes something else in another round is refused', () => {
  expect(() => measured([figure(1, 'a'), figure(1, 'b')], 0)).toThrow(InvariantError);
});

test('a budget for something that is not measured is refused', () => {
  expect(() => measured([{ ...figure(1), name: 'size' }], 0)).toThrow(InvariantError);
});

test('the table says what was measured, against what, and whether that is enough', () => {
  const rows = measured([figure(20), figure(18)], 0);
  const lines = formatTable({ y: 450, rows }, false).split('\n');
  expect(lines[0]).toContain('Y = 450 MB/s');
  expect(lines.at(-1)).toMatch(/^speed +19\.0 MIPS +1\.90 x +>= 2 +0\.95 +MISSED +d$/u);
});
