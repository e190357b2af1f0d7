// Changes that break nothing are not held against the kernel: no judge calls them broken, and every run ends
// regularly, on the cases in which the nearest mutants die. `npm run nightly` does the same 10,000 times.
import { expect, test } from 'vitest';
import { TEST_MS } from './check-guarantee.ts';
import { EQUIVALENTS, findFault } from './mutants.ts';

const RUNS = 200;

test.each(EQUIVALENTS)('$id survives', { timeout: TEST_MS }, (equivalent) => {
  expect(findFault(equivalent, { seed: 1, runs: RUNS })).toBeUndefined();
});

test('E-6 does not survive where an idle task runs hooked code', { timeout: TEST_MS }, () => {
  const idle = { id: 'E-6', cases: ['idle'] } as const;
  expect(findFault(idle, { seed: 3, runs: 3000 })?.fault).toMatch(/^(?:unregister|memory)/u);
});

test('where they survive, a mutant does not', () => {
  const mutant = { id: 'M-13', cases: ['filter-swap'] } as const;
  expect(findFault(mutant, { seed: 1, runs: RUNS })?.fault).toMatch(/^filter-swap/u);
});
