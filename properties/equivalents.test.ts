// Changes that break nothing are not held against the kernel: no judge calls them broken, and every run ends
// regularly, on the cases in which the nearest mutants die. `npm run nightly` does the same 10,000 times.
import { expect, test } from 'vitest';
import { TEST_MS } from './check-guarantee.ts';
import { EQUIVALENTS, findFault } from './mutants.ts';

const RUNS = 250;

test.each(EQUIVALENTS)('$id survives', { timeout: TEST_MS }, ({ id, cases }) => {
  expect(findFault(id, cases, { seed: 1, runs: RUNS })).toBeUndefined();
});

test('where they survive, a mutant does not', () => {
  expect(findFault('M-13', 'filter-swap', { seed: 1, runs: RUNS })?.fault).toMatch(/^filter-swap/u);
});
