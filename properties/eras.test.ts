// The eras of fprobe: those that keep the documented sentences keep them in every random run, those that were shipped
// without a wait, or freed their pools too early, are caught by the judge of the sentence that they break (FP-56, H-01,
// H-04).
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GUARANTEE_NAMES, type GuaranteeName } from '../src/replay/workload/model.ts';
import { TEST_MS } from './check-guarantee.ts';
import { type CasesName, casesOf, faultsIn, runCase } from './run-case.ts';

const RUNS = 40;
const SEED = 5;

/** What the judge of `guarantee` says about the first of so many runs that it finds broken. */
function firstBroken(cases: CasesName, guarantee: GuaranteeName, runs: number): string | undefined {
  for (const drawn of fc.sample(casesOf(cases), { numRuns: runs, seed: SEED })) {
    const verdict = runCase(drawn).verdicts.get(guarantee);
    if (verdict?.status === 'broken') return verdict.why;
  }
  return undefined;
}

test.each<[CasesName, GuaranteeName, number, RegExp]>([
  ['fprobes-v6.14', 'unregister', 50, /handler of fp\d for vfs_a .* unregister_fprobe\(fp\d\)/u],
  ['fprobes-v6.18', 'unregister', 50, /handler of fp\d for vfs_a .* unregister_fprobe\(fp\d\)/u],
  ['fprobes-v5.18', 'memory', 50, /^rethook \d+ .* was used .* after its free/u],
])('%s: %s is broken within %d runs', { timeout: TEST_MS }, (cases, guarantee, runs, why) => {
  expect(firstBroken(cases, guarantee, runs)).toMatch(why);
});

test.each<[CasesName]>([['fprobes-v6.14'], ['fprobes-v6.18']])(
  '%s: what is broken there is not broken today (FP-56)',
  { timeout: TEST_MS },
  (cases) => {
    let calls = 0;
    for (const drawn of fc.sample(casesOf(cases), { numRuns: RUNS, seed: SEED })) {
      const result = runCase({ ...drawn, profile: 'today' });
      expect(faultsIn(result)).toEqual([]);
      if (result.verdicts.get('unregister')?.status === 'held') calls++;
    }
    expect(calls).toBeGreaterThan(RUNS / 2);
  },
);

test('today, v6.12 and v6.1 keep every sentence', { timeout: TEST_MS }, () => {
  const eras = new Set<string | undefined>();
  for (const drawn of fc.sample(casesOf('fprobes'), { numRuns: RUNS, seed: SEED })) {
    const result = runCase(drawn);
    expect(faultsIn(result)).toEqual([]);
    expect(result.verdicts.size).toBe(GUARANTEE_NAMES.length);
    eras.add(drawn.profile);
  }
  expect(eras).toEqual(new Set(['today', 'v6.12', 'v6.1']));
});
