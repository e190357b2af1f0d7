// Layer replay. One workload in several eras (`profile`): runs it in each, with the same seed and chooser, and holds the
// facts of the runs against each other. Schedules differ where the eras take different steps, so a count may differ for
// no other reason; what calls return, and who is called in which order, seldom does.
import { InputError } from '../assert.ts';
import { PROFILES } from '../trace/profile.ts';
import { ERA_TOPICS, type EraFacts, type EraTopic, factsOf } from './era-facts.ts';
import { profileOf, type Prepared, type WorkloadSource } from './prepare.ts';
import { whatEraLacks } from './probes.ts';
import { errnoName, recordPrepared, type RunResult, type RunSettings } from './run.ts';

/**
 * One fact, and what it is in each era.
 *
 * @example
 * import { compareEras, type EraRow, workload } from 'reprobe';
 * const w = workload('empty', { cpus: 1 });
 * const [row]: readonly EraRow[] = compareEras(w, { profiles: ['today', 'v6.12'] }).rows;
 * console.log(row?.topic, row?.what, row?.values.join(' '), row?.differs); // → run ending run_end run_end false
 */
export interface EraRow {
  readonly topic: EraTopic;
  /** Within its topic, such as `unregister_fprobe(fp0)`. */
  readonly what: string;
  /** In the order of the profiles; null: there is nothing to tell in that era. */
  readonly values: readonly (string | number | null)[];
  readonly differs: boolean;
}

/**
 * One workload in several eras.
 *
 * @example
 * import { compareEras, type EraComparison, workload } from 'reprobe';
 * const eras: EraComparison = compareEras(workload('empty', { cpus: 1 }));
 * console.log(eras.profiles[0]); // → today
 */
export interface EraComparison {
  readonly profiles: readonly string[];
  readonly seed: number;
  readonly chooser: 'random' | 'calm';
  /** Also those that are the same everywhere. */
  readonly rows: readonly EraRow[];
}

export interface ErasRequest {
  readonly source: WorkloadSource;
  readonly settings: Omit<RunSettings, 'profile'>;
  /** Undefined: every era that has what the workload uses. */
  readonly profiles: readonly string[] | undefined;
}

/** InputError: a profile that does not exist, or has not what the workload uses. */
export function erasOf(
  prepared: Prepared,
  { profiles, settings, source }: ErasRequest,
): EraComparison {
  const chosen = profiles ?? erasWith(prepared);
  if (chosen.length === 0) throw new InputError('expected at least one profile, found none');
  for (const name of chosen) {
    const lack = whatEraLacks(prepared.plan, profileOf(name));
    if (lack !== undefined) throw new InputError(lack);
  }
  const all = chosen.map((profile) => factsOfRun(prepared, source, { ...settings, profile }));
  const { chooser, seed } = settings;
  return { profiles: chosen, seed, chooser, rows: ERA_TOPICS.flatMap((one) => rowsOf(one, all)) };
}

/** Those that have what the workload uses. */
function erasWith({ plan }: Prepared): readonly string[] {
  return [...PROFILES.values()]
    .filter((profile) => whatEraLacks(plan, profile) === undefined)
    .map(({ id }) => id);
}

/** The run itself is given up for its facts: many eras need no more memory than one. */
function factsOfRun(prepared: Prepared, source: WorkloadSource, settings: RunSettings): EraFacts {
  const run = recordPrepared(prepared, { source, settings, sink: () => undefined });
  const facts = factsOf(run.log, errnoName);
  addOutcome(facts, run);
  return facts;
}

function addOutcome(facts: EraFacts, run: RunResult): void {
  facts.set('run', 'ending', run.ending);
  for (const { guarantee, verdict } of run.verdicts) {
    if (verdict.status !== 'never exercised')
      facts.set('guarantees', guarantee.name, verdict.status);
  }
  for (const { met, text } of run.expectations) {
    facts.set('expectations', text, met ? 'met' : 'not met');
  }
  for (const where of run.unfired) {
    facts.set('triggers', where.replace(/: this trigger never fired.*$/u, ''), 'unfired');
  }
}

/** Counts of what did not happen are 0; other things there is nothing to tell of. */
const COUNTED: ReadonlySet<EraTopic> = new Set(['handlers', 'skips']);

function rowsOf(topic: EraTopic, all: readonly EraFacts[]): readonly EraRow[] {
  const names = new Set(all.flatMap((facts) => facts.names(topic)));
  const missing = COUNTED.has(topic) ? 0 : null;
  return [...names].map((what) => {
    const values = all.map((facts) => facts.get(topic, what) ?? missing);
    return { topic, what, values, differs: new Set(values).size > 1 };
  });
}
