// Each planted fault is found by the property that must find it, from pinned seeds. `npm run nightly` does the
// same from fresh ones.
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import { TEST_MS } from './check-guarantee.ts';
import { findMutant, MUTANTS } from './mutants.ts';
import { PLANTED_FAULTS } from './planted-faults.ts';
import { faultsIn, runCase } from './run-case.ts';

const PINNED = [...MUTANTS, ...PLANTED_FAULTS].flatMap(({ pinned, ...mutant }) =>
  pinned.map((seed) => ({ ...mutant, seed })),
);

test.each(PINNED)('$id is found by $judge from seed $seed', { timeout: TEST_MS }, (mutant) => {
  const kill = known(findMutant(mutant, mutant.seed), 'it is found within its budget');
  const planted = runCase(kill.drawn, [mutant.variant ?? mutant.id]).verdicts.get(mutant.judge);
  expect(planted).toMatchObject({ status: 'broken', why: kill.why });
  const sound = runCase(kill.drawn);
  expect(faultsIn(sound)).toEqual([]);
  expect(sound.verdicts.get(mutant.judge)?.status).not.toBe('broken');
});

test('nothing is found where no fault is planted', () => {
  expect(findMutant({ id: 'E-1', judge: 'unregister', budget: 100 }, 1)).toBeUndefined();
});
