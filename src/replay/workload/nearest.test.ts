import fc from 'fast-check';
import { expect, test } from 'vitest';
import { didYouMean, editDistance, nearest } from './nearest.ts';

test('a change, an insertion, a deletion and a swap of neighbours count one each', () => {
  expect(editDistance('filter', 'filter')).toBe(0);
  expect(editDistance('filter', 'filler')).toBe(1);
  expect(editDistance('filter', 'filters')).toBe(1);
  expect(editDistance('filter', 'flter')).toBe(1);
  expect(editDistance('filter', 'fitler')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
});

test('the distance is symmetric, 0 for equal words only, and at most the longer length', () => {
  const word = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      expect(editDistance(b, a)).toBe(distance);
      expect(distance === 0).toBe(a === b);
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});

test('a third of the letters may differ, and one of a short word', () => {
  expect(nearest('fitler', ['notrace', 'filter', 'kind'])).toBe('filter');
  expect(nearest('kin', ['kind'])).toBe('kind');
  expect(nearest('abc', ['xyz'])).toBeUndefined();
  expect(nearest('ab', ['ba'])).toBe('ba');
  expect(nearest('unregsiter', ['register', 'unregister'])).toBe('unregister');
});

test('case is the smallest difference and the first among equals wins', () => {
  expect(nearest('TIMELINE', ['timelines', 'timeline'])).toBe('timeline');
  expect(nearest('m13', ['M-12', 'M-13'])).toBe('M-13');
  expect(nearest('a', ['b', 'c'])).toBe('b');
});

test('the hint is empty when nothing is near', () => {
  expect(didYouMean('fitler', ['filter'])).toBe(", did you mean 'filter'?");
  expect(didYouMean('zebra', ['filter'])).toBe('');
});
