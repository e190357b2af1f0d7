// `npm run nightly`: the properties of the guarantees, their mutants and the harmless changes, and damaged files,
// with fresh seeds and many more runs than the test run has time for. SEED repeats a night, RUNS and MUTANTS
// change its length.
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tuneHeap } from '../src/cli/heap.ts';
import { GUARANTEE_NAMES, type GuaranteeName } from '../src/replay/workload/model.ts';
import { checkGuarantee, EXERCISED_MIN } from './check-guarantee.ts';
import { damageInProcess, repeatDamage } from './damage-process.ts';
import { DAMAGE_KINDS, type DamageKind, HOSTILE_COUNT } from './damage.ts';
import { checkDeterminism } from './determinism-many.ts';
import { exerciseGoldens } from './exercise-goldens.ts';
import { exerciseTable, notExercised, reportOf } from './exercise-table.ts';
import { newExercise } from './exercise.ts';
import { ownSteps } from './mark-programs.ts';
import {
  EQUIVALENT_PAIRS,
  EQUIVALENTS,
  findMutant,
  type Mutant,
  MUTANTS,
  survival,
} from './mutants.ts';
import { NOT_EXERCISED } from './not-exercised.ts';
import { PLANTED_FAULTS } from './planted-faults.ts';
import { type CasesName, describeCase } from './run-case.ts';

/** Fresh processes and threads that record the same workload. */
const DETERMINISM_RUNS = 200;
/** Seeds from each of which every mutant must be found (ARCHITECTURE.md, "Decisions"). */
const MUTANT_SEEDS = 20;

/** A harmless change is held to more runs than a property: nobody but it shows that a judge is not too strict. */
const EQUIVALENT_FACTOR = 10;
/** Cases that no property draws most of: the machine as it is has to stand them, too. */
const OTHER_CASES: readonly (readonly [GuaranteeName, CasesName])[] = [
  ['memory', 'modules'],
  ['quiescence', 'module-claims'],
  ['unregister', 'idle'],
  ['start', 'joins'],
  ['arguments', 'direct'],
  ['text', 'stopped'],
  ['context', 'hotplug'],
  ['context', 'programs'],
  ['filter-swap', 'pids'],
  ['arguments', 'flags'],
  ['unregister', 'fprobes'],
];

/** Mutants that one process reads: its memory is measured at its end. */
const DAMAGE_BATCH = 50_000;
const MEGABYTES_MAX = 256;

const seed = Number(process.env['SEED'] ?? randomInt(1_000_000_000));
const runs = Number(process.env['RUNS'] ?? 10_000);
const steps = ownSteps();
const exercise = newExercise(steps);
/** Mutants of recordings and of workloads each; of the other kinds a tenth. */
const mutants = Number(process.env['MUTANTS'] ?? 1_000_000);

function fail(what: string): void {
  console.error(
    `FAILED ${what}\nrepeat with: SEED=${seed} RUNS=${runs} MUTANTS=${mutants} npm run nightly`,
  );
  process.exitCode = 1;
}

function checkProperties(): void {
  for (const name of GUARANTEE_NAMES) {
    try {
      const share = checkGuarantee(name, { seed, runs, exercise });
      console.log(`property ${name}: holds in ${runs} runs, exercised in ${percent(share)}`);
      if (share < EXERCISED_MIN) fail(`${name} is exercised in too few runs`);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      fail(`property ${name}: ${error.message}\n${String(error.cause)}`);
    }
  }
}

function checkOtherCases(): void {
  for (const [name, cases] of OTHER_CASES) {
    try {
      checkGuarantee(name, { seed, runs, cases, exercise });
      console.log(`cases ${cases}: every guarantee holds in ${runs} runs`);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      fail(`cases ${cases}: ${error.message}\n${String(error.cause)}`);
    }
  }
}

/** What all these runs did, and that they did everything. */
function checkExercise(): void {
  const report = reportOf(exercise, exerciseGoldens(join(process.cwd(), 'golden'), steps));
  console.log(exerciseTable(report, NOT_EXERCISED));
  const missing = notExercised(report).filter((key) => NOT_EXERCISED[key] === undefined);
  if (missing.length > 0) fail(`never exercised: ${missing.join('; ')}`);
}

function checkMutant(mutant: Mutant): void {
  const needed: number[] = [];
  for (let turn = 0; turn < MUTANT_SEEDS; turn++) {
    const kill = findMutant(mutant, seed + turn);
    if (kill === undefined) fail(`${mutant.id} lives from seed ${seed + turn}`);
    else needed.push(kill.runs);
  }
  needed.sort((a, b) => a - b);
  const [median, most] = [needed[needed.length >> 1] ?? 0, needed.at(-1) ?? 0];
  console.log(
    `mutant ${mutant.id}: found by ${mutant.judge} from ${needed.length} of ${MUTANT_SEEDS} seeds; ` +
      `runs needed: median ${median}, most ${most}, budget ${mutant.budget}`,
  );
}

function checkEquivalents(): void {
  for (const equivalent of [...EQUIVALENTS, ...EQUIVALENT_PAIRS]) {
    const [names, cases] = [equivalent.ids.join(' with '), equivalent.cases.join(' and ')];
    const wanted = runs * EQUIVALENT_FACTOR;
    const { drawn, fault, runs: made } = survival(equivalent, { seed, runs: wanted });
    if (drawn !== undefined) fail(`${names}: ${fault}\n${describeCase(drawn)}`);
    else console.log(`equivalent ${names}: survives ${made} runs of ${cases}`);
  }
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** One workload in fresh processes and threads: the same bytes every time. */
async function checkBytes(): Promise<void> {
  const { runs: made, differences } = await checkDeterminism({ count: DETERMINISM_RUNS });
  if (differences.length > 0) fail(`determinism: ${differences.join('\n')}`);
  else console.log(`determinism: ${made} processes and threads wrote the same bytes`);
}

function wantedOf(kind: DamageKind): number {
  if (kind === 'hostile') return HOSTILE_COUNT;
  return kind === 'recordings' || kind === 'workloads' ? mutants : mutants / 10;
}

/** Damaged and hostile files of every kind, each batch in a process of its own. */
async function checkMutants(kind: DamageKind): Promise<void> {
  const child = fileURLToPath(new URL('damage-child.js', import.meta.url));
  const wanted = wantedOf(kind);
  let [done, refused, slowest, most] = [0, 0, 0, 0];
  for (let batch = 0; done < wanted; batch++) {
    const count = Math.min(DAMAGE_BATCH, Math.ceil(wanted - done));
    const options = { kind, seed: seed + batch, count, folder: join(process.cwd(), 'golden') };
    // oxlint-disable-next-line no-await-in-loop -- memory is measured one process at a time
    const answer = await damageInProcess(child, options);
    for (const one of answer.failures) fail(`damage to ${kind}: ${one}\n${repeatDamage(options)}`);
    done += count;
    refused += answer.refused;
    slowest = Math.max(slowest, answer.slowest[0]);
    most = Math.max(most, answer.megabytes);
  }
  if (most >= MEGABYTES_MAX) fail(`damage to ${kind}: a process held ${most} MiB`);
  console.log(
    `damage to ${kind}: ${done} mutants, ${refused} refused, slowest ${slowest} ms, at most ${most} MiB`,
  );
}

console.log(`SEED=${seed} RUNS=${runs} MUTANTS=${mutants}`);
tuneHeap();
checkProperties();
checkOtherCases();
checkExercise();
for (const mutant of [...MUTANTS, ...PLANTED_FAULTS]) checkMutant(mutant);
checkEquivalents();
await checkBytes();
for (const kind of DAMAGE_KINDS) {
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  await checkMutants(kind);
}
