// Which property must find which fault of docs/spec/mutants.md, and how long it may look for it. "Found" means
// that the judge of that property calls its guarantee broken in a run that is sound without the fault: an oops
// alone, another judge, or a run that is broken anyway do not count (ARCHITECTURE.md, "Decisions").
import fc from 'fast-check';
import type { GuaranteeName } from '../src/replay/workload/model.ts';
import type { Variant } from '../src/trace/variants/variant.ts';
import { FPROBE_MUTANTS } from './mutants-fprobe.ts';
import { KPROBE_MUTANTS } from './mutants-kprobe.ts';
import { RETHOOK_MUTANTS } from './mutants-rethook.ts';
import {
  type Case,
  type CaseResult,
  type CasesName,
  casesOf,
  faultsIn,
  runCase,
} from './run-case.ts';

export interface Mutant {
  readonly id: string;
  /** The fault itself, where it is not one of src/trace/variants/ by that id. */
  readonly variant?: Variant;
  /** The oracle that docs/spec/mutants.md names for it. */
  readonly judge: GuaranteeName;
  /** The property among whose cases it is looked for; that of the judge by default. */
  readonly cases?: CasesName;
  /** Runs in which it is found from every seed. About 15 times the mean: chance plays no part. */
  readonly budget: number;
  /** Seeds from which the tests look for it: of some that were tried, those that take the fewest runs. */
  readonly pinned: readonly number[];
  /** What the verdict speaks of, where a judge can find more than one thing wrong. */
  readonly says?: RegExp;
}

export const MUTANTS: readonly Mutant[] = [
  { id: 'M-01', judge: 'unregister', cases: 'idle', budget: 3000, pinned: [1, 14] },
  { id: 'M-02', judge: 'memory', budget: 500, pinned: [3, 2] },
  { id: 'M-03', judge: 'unregister', budget: 500, pinned: [4, 1] },
  { id: 'M-04', judge: 'memory', budget: 500, pinned: [2, 4] },
  { id: 'M-05', judge: 'unregister', budget: 3000, pinned: [9, 1] },
  { id: 'M-12', judge: 'start', cases: 'joins', budget: 1200, pinned: [8, 23] },
  { id: 'M-13', judge: 'filter-swap', budget: 200, pinned: [4, 9] },
  { id: 'M-14', judge: 'filter-swap', budget: 2000, pinned: [3, 2] },
  { id: 'M-15', judge: 'memory', budget: 4500, pinned: [6, 11] },
  { id: 'M-16', judge: 'notrace', budget: 200, pinned: [1, 5] },
  { id: 'M-17', judge: 'notrace', budget: 200, pinned: [1, 2] },
  {
    id: 'M-08',
    judge: 'text',
    budget: 1500,
    pinned: [3, 1],
    says: /^halves of two instructions/u,
  },
  {
    id: 'M-09',
    judge: 'text',
    budget: 1500,
    pinned: [5, 1],
    says: /^halves of two instructions/u,
  },
  { id: 'M-10', judge: 'text', budget: 200, pinned: [1, 2], says: /^nobody claimed/u },
  {
    id: 'H-37',
    judge: 'text',
    cases: 'stopped',
    budget: 60,
    pinned: [1, 2],
    says: /^halves of two instructions/u,
  },
  { id: 'M-110', judge: 'text', cases: 'stopped', budget: 80, pinned: [1, 2] },
  { id: 'M-97', judge: 'return', budget: 200, pinned: [1, 2], says: /did not return/u },
  { id: 'M-98', judge: 'progress', budget: 50, pinned: [1, 2], says: /inside text_mutex/u },
  { id: 'M-19', judge: 'filter-swap', cases: 'direct', budget: 200, pinned: [1, 2] },
  { id: 'M-20', judge: 'arguments', cases: 'direct', budget: 200, pinned: [1, 2] },
  { id: 'M-21', judge: 'arguments', cases: 'direct', budget: 10_000, pinned: [113, 17] },
  { id: 'M-18', judge: 'failed-call', budget: 200, pinned: [1, 2], says: /left a filter/u },
  { id: 'M-22', judge: 'recursion', budget: 200, pinned: [1, 2], says: /^a hit was refused/u },
  { id: 'M-23', judge: 'recursion', budget: 300, pinned: [1, 5], says: /own level is NMI/u },
  { id: 'M-30', judge: 'unregister', budget: 1000, pinned: [1, 2], says: /began .* after/u },
  {
    id: 'M-34',
    judge: 'arguments',
    cases: 'pids',
    budget: 1000,
    pinned: [1, 2],
    says: /a part of the kernel was called/u,
  },
  { id: 'M-24', judge: 'context', budget: 200, pinned: [1, 2] },
  { id: 'M-25', judge: 'quiescence', budget: 500, pinned: [1, 2] },
  {
    id: 'M-26',
    judge: 'quiescence',
    cases: 'redirects',
    budget: 300,
    pinned: [1, 2],
    says: /was not released/u,
  },
  {
    id: 'M-27',
    judge: 'quiescence',
    cases: 'redirects',
    budget: 100,
    pinned: [1, 2],
    says: /was not released/u,
  },
  {
    id: 'M-28',
    judge: 'quiescence',
    cases: 'redirects',
    budget: 300,
    pinned: [1, 2],
    says: /by a call on another ops/u,
  },
  {
    id: 'M-26',
    judge: 'failed-call',
    cases: 'redirects',
    budget: 200,
    pinned: [4, 8],
    says: /claimed by ops\d instead of nobody$/u,
  },
  {
    id: 'M-28',
    judge: 'failed-call',
    cases: 'redirects',
    budget: 200,
    pinned: [1, 2],
    says: /claimed by nobody instead of ops\d$/u,
  },
  {
    id: 'M-29',
    judge: 'failed-call',
    cases: 'flags',
    budget: 500,
    pinned: [3, 20],
    says: /but -EBUSY(?: or -EINVAL)? is right: ftrace_enabled was 0$/u,
  },
  {
    id: 'M-31',
    judge: 'arguments',
    cases: 'flags',
    budget: 500,
    pinned: [2, 12],
    says: /for want of registers/u,
  },
  {
    id: 'M-32',
    judge: 'context',
    cases: 'flags',
    budget: 500,
    pinned: [3, 7],
    says: /RCU was not watching/u,
  },
  { id: 'M-33', judge: 'memory', budget: 500, pinned: [1, 4] },
  {
    id: 'M-25',
    judge: 'recursion',
    budget: 500,
    pinned: [1, 2],
    says: /(?:ended|returned) \(.*\) and left .* set$/u,
  },
  {
    id: 'H-12',
    judge: 'recursion',
    budget: 50,
    pinned: [1, 2],
    says: /^a trylock .* set no bit/u,
  },
  {
    id: 'H-35',
    judge: 'memory',
    cases: 'kills',
    budget: 50,
    pinned: [1, 2],
    says: /^module \d+ .* was used/u,
  },
  {
    id: 'H-34',
    judge: 'memory',
    cases: 'modules',
    budget: 800,
    pinned: [5, 16],
    says: /^module \d+ .* was used/u,
  },
  ...RETHOOK_MUTANTS,
  ...FPROBE_MUTANTS,
  ...KPROBE_MUTANTS,
];

/** Changes that no judge may hold against the kernel, and the cases in which the nearest mutants die. */
interface Equivalent {
  readonly ids: readonly string[];
  readonly cases: readonly CasesName[];
}

export const EQUIVALENTS: readonly Equivalent[] = [
  { ids: ['E-1'], cases: ['unregister', 'memory', 'quiescence'] },
  { ids: ['E-2'], cases: ['filter-swap', 'memory', 'quiescence'] },
  { ids: ['E-3'], cases: ['filter-swap', 'memory', 'quiescence'] },
  { ids: ['E-6'], cases: ['awake'] },
  { ids: ['E-5'], cases: ['kprobe-breakpoints'] },
  { ids: ['E-8'], cases: ['kprobe-breakpoints'] },
  { ids: ['E-7'], cases: ['rethook', 'rethook-lingers'] },
];

/**
 * The same in short runs, of which there can be very many: a change of unregister and one of filter swaps at a time, which
 * have no step in common, so each of the two survives each run.
 */
export const EQUIVALENT_PAIRS: readonly Equivalent[] = [
  { ids: ['E-1', 'E-2'], cases: ['small'] },
  { ids: ['E-6', 'E-3'], cases: ['small-awake'] },
];

/** A case that kills a mutant, and how many runs it took. */
export interface Kill {
  readonly runs: number;
  readonly drawn: Case;
  readonly why: string;
}

/** Looks for `mutant` from `seed` within its budget. */
export function findMutant(
  { id, variant, judge, cases = judge, budget, says }: Omit<Mutant, 'pinned'>,
  seed: number,
): Kill | undefined {
  const fault = variant ?? id;
  let runs = 0;
  for (const drawn of casesFrom(cases, seed)) {
    if (++runs > budget) break;
    const verdict = runCase(drawn, [fault]).verdicts.get(judge);
    if (verdict?.status !== 'broken' || says?.test(verdict.why) === false) continue;
    if (faultsIn(runCase(drawn)).length === 0) return { runs, drawn, why: verdict.why };
  }
  return undefined;
}

/** How runs of the kernel with harmless changes ended. */
interface Survival {
  /** The first fault, if there is one. */
  readonly fault: string | undefined;
  readonly drawn: Case | undefined;
  readonly runs: number;
  /** Runs in which something that the changes could have spoilt was put to the test: an unregister, a filter swap. */
  readonly unregister: number;
  readonly swaps: number;
}

/** Runs the kernel with these changes `runs` times, shared out among `cases`, until there is a fault. */
export function survival(
  { ids, cases }: Equivalent,
  { seed, runs }: { readonly seed: number; readonly runs: number },
): Survival {
  const made = { runs: 0, unregister: 0, swaps: 0 };
  for (const guarantee of cases) {
    let left = Math.ceil(runs / cases.length);
    for (const drawn of casesFrom(guarantee, seed)) {
      if (left-- === 0) break;
      const result = runCase(drawn, ids);
      made.runs++;
      if (timesOf(result, 'unregister') > 0) made.unregister++;
      if (timesOf(result, 'filter-swap', 'swaps') > 0) made.swaps++;
      const [fault] = faultsIn(result);
      if (fault !== undefined) return { ...made, fault, drawn };
    }
  }
  return { ...made, fault: undefined, drawn: undefined };
}

/** How often the run put the sentence, or this part of it, to the test. */
function timesOf({ verdicts }: CaseResult, guarantee: GuaranteeName, part?: string): number {
  const verdict = verdicts.get(guarantee);
  if (verdict?.status !== 'held') return 0;
  return part === undefined ? verdict.exercised : (verdict.parts?.[part] ?? 0);
}

/** Case after case, of those that the property of `judge` draws most of. */
function* casesFrom(judge: CasesName, seed: number): Generator<Case> {
  const BATCH = 50;
  for (let batch = 0; ; batch++) {
    yield* fc.sample(casesOf(judge), { numRuns: BATCH, seed: seed + batch * 1_000_003 });
  }
}
