// Changes that break nothing are not held against the kernel: no judge calls them broken, and every run ends
// regularly, on the cases in which the nearest mutants die. `npm run nightly` does the same ten times as often.
import { expect, test } from 'vitest';
import { TEST_MS } from './check-guarantee.ts';
import { EQUIVALENTS, survival } from './mutants.ts';

/** Of the usual length, for each change alone. Short ones: equivalents-small.test.ts, equivalents-awake.test.ts. */
const RUNS = 200;

test.each(EQUIVALENTS)('$ids survives', { timeout: TEST_MS }, (equivalent) => {
  expect(survival(equivalent, { seed: 1, runs: RUNS }).fault).toBeUndefined();
});

test('E-6 does not survive where an idle task runs hooked code', { timeout: TEST_MS }, () => {
  const idle = { ids: ['E-6'], cases: ['idle'] } as const;
  expect(survival(idle, { seed: 3, runs: 3000 }).fault).toMatch(/^(?:unregister|memory)/u);
});
