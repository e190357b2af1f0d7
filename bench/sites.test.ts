// The slope that the budget of the control calls is about.
import { expect, test } from 'vitest';
import { slopeOf } from './sites.ts';

function slope(seconds: (count: number) => number): number {
  return slopeOf([10, 100, 1000].map((count) => ({ count, timed: { seconds: seconds(count) } })));
}

test('a slope is 1 where each site costs the same, 2 where each looks at all, less with a fixed cost', () => {
  expect(slope((count) => 3e-6 * count)).toBeCloseTo(1);
  expect(slope((count) => 1e-9 * count * count)).toBeCloseTo(2);
  expect(slope((count) => 1e-3 + 1e-6 * count)).toBeLessThan(0.5);
});
