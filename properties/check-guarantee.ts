// The property of a guarantee: in no run is it broken, and in enough runs it could have been.
import fc from 'fast-check';
import { known } from '../src/assert.ts';
import { GUARANTEE_NAMES, type GuaranteeName } from '../src/replay/workload/model.ts';
import type { Exercise } from './exercise.ts';
import { type CasesName, casesOf, faultsIn, propertyCases, runCase } from './run-case.ts';

/** A failing property takes its time to find the shortest case. */
export const TEST_MS = 400_000;

/** More than this for a run, on average, is a fault of its own. */
const RUN_MS_MAX = 100;

const SEED_STRIDE = 1_000_033;

/** "Exercised" means: in at least this share of the runs (ARCHITECTURE.md, "Decisions"). */
export const EXERCISED_MIN = 0.2;

export interface CheckOptions {
  /** Default: those of properties/setup.ts. */
  readonly seed?: number;
  readonly runs?: number;
  /** Plants faults. */
  readonly variants?: readonly string[];
  /** Stop at the first failing case, do not look for a smaller one. */
  readonly endOnFailure?: boolean;
  /** Default: those of the guarantee. */
  readonly cases?: CasesName;
  /** Gets what the runs do. */
  readonly exercise?: Exercise;
}

/**
 * Runs the property of `guarantee` and says in which share of the runs its situation arose: of a sentence with
 * several parts, that of the part which arose least. Throws what
 * fast-check makes of a run that ends otherwise than regularly, or in which any judge finds its guarantee
 * broken: with the seed and the smallest such case found.
 */
export function checkGuarantee(guarantee: GuaranteeName, options: CheckOptions = {}): number {
  const { runs, variants, exercise, endOnFailure = false } = options;
  let count = 0;
  /** Runs in which the sentence was put to the test: all of it, and each part. */
  const exercised = new Map<string, number>();
  const drawing = options.cases === undefined ? propertyCases(guarantee) : casesOf(options.cases);
  const property = fc.property(drawing, (drawn) => {
    const result = runCase(drawn, variants, true, exercise);
    const faults = faultsIn(result);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    count++;
    const verdict = known(result.verdicts.get(guarantee), 'every guarantee has a verdict');
    if (verdict.status !== 'held') return;
    for (const [part, times] of Object.entries({ all: verdict.exercised, ...verdict.parts }))
      exercised.set(part, (exercised.get(part) ?? 0) + (times > 0 ? 1 : 0));
  });
  // A run of a machine is dear: 200 in the test run, where other properties have 500.
  const { numRuns = 500, seed: seedOfAll = 1 } = fc.readConfigureGlobal();
  const wanted = runs ?? Math.ceil(numRuns * 0.4);
  fc.assert(property, {
    endOnFailure,
    // Properties that draw from the same workloads would draw the same cases from one seed.
    seed: (options.seed ?? seedOfAll) + GUARANTEE_NAMES.indexOf(guarantee) * SEED_STRIDE,
    numRuns: wanted,
    // A failing case is made smaller for as long as somebody would wait for it.
    interruptAfterTimeLimit: Math.max(TEST_MS / 2, wanted * RUN_MS_MAX),
    markInterruptAsFailure: true,
  });
  return Math.min(...(exercised.size === 0 ? [0] : exercised.values())) / count;
}
