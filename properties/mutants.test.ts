// Each planted fault is found by the property that must find it, from pinned seeds. `npm run nightly` does the
// same from fresh ones.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkGuarantee, TEST_MS } from './check-guarantee.ts';
import { findMutant, MUTANTS } from './mutants.ts';
import { faultsIn, runCase } from './run-case.ts';

const KILLS = MUTANTS.flatMap(({ pinned, ...mutant }) =>
  pinned.map((seed) => ({ ...mutant, seed })),
);

test.each(KILLS)('$id is found by $judge from seed $seed', { timeout: TEST_MS }, (kill) => {
  const found = findMutant(kill, kill.seed);
  expect(found?.runs).toBeLessThanOrEqual(kill.budget);
});

test('a kill is one for its own reason: the same run without the fault is sound', () => {
  const [mutant] = MUTANTS;
  const [seed] = mutant?.pinned ?? [];
  if (mutant === undefined || seed === undefined) throw new Error('there is a mutant');
  const drawn = findMutant(mutant, seed)?.drawn;
  if (drawn === undefined) throw new Error('it is found');
  expect(runCase(drawn, [mutant.id]).verdicts.get(mutant.judge)?.status).toBe('broken');
  expect(faultsIn(runCase(drawn))).toEqual([]);
});

test('nothing is found where no fault is planted', () => {
  const sound = { id: 'E-1', judge: 'unregister', budget: 100 } as const;
  expect(findMutant(sound, 1)).toBeUndefined();
});
