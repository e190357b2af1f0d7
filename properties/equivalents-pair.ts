// Changes that break nothing, two at a time, in 10,000 short runs: no judge calls one broken, every run ends regularly, and in
// enough of them the changes could have spoilt something. The nearest mutants die among the same cases.
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import { EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';
import { EQUIVALENT_PAIRS, findMutant, type Mutant, survival } from './mutants.ts';
import type { CasesName } from './run-case.ts';

const RUNS = 10_000;

/** The tests of the pair that runs `cases`: each pair is a file of its own, so that they run beside each other. */
export function testPair(cases: CasesName, nearest: readonly Omit<Mutant, 'pinned'>[]): void {
  const pair = known(
    EQUIVALENT_PAIRS.find((one) => one.cases.includes(cases)),
    'there is such a pair',
  );

  test(`${pair.ids.join(' and ')} survive ${RUNS} runs`, { timeout: TEST_MS * 2 }, () => {
    const { fault, runs, swaps, unregister } = survival(pair, { seed: 1, runs: RUNS });
    expect(fault).toBeUndefined();
    expect(runs).toBe(RUNS);
    expect(unregister / runs).toBeGreaterThanOrEqual(EXERCISED_MIN);
    expect(swaps / runs).toBeGreaterThanOrEqual(EXERCISED_MIN);
  });

  test.each(nearest)('among the same cases, $id does not', { timeout: TEST_MS }, (mutant) => {
    expect(findMutant(Object.assign({}, mutant, { cases }), 1)).toBeDefined();
  });
}
