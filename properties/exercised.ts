// `npm run -s exercised`: what the runs of the properties and the goldens do, as a table, or as JSON with
// `-- --json`. SEED and RUNS as for the properties. It works in a marked program only (mark-programs.ts).
import { join } from 'node:path';
import { GUARANTEE_NAMES } from '../src/replay/workload/model.ts';
import { checkGuarantee } from './check-guarantee.ts';
import { exerciseGoldens } from './exercise-goldens.ts';
import { exerciseTable, notExercised, reportOf } from './exercise-table.ts';
import { newExercise } from './exercise.ts';
import { ownSteps } from './mark-programs.ts';
import { NOT_EXERCISED } from './not-exercised.ts';

/** Runs of each property: enough for all that is not rare. */
const RUNS_DEFAULT = 100;

const seed = Number(process.env['SEED'] ?? 1);
const runs = Number(process.env['RUNS'] ?? RUNS_DEFAULT);
const steps = ownSteps();
const properties = newExercise(steps);
for (const name of GUARANTEE_NAMES) checkGuarantee(name, { seed, runs, exercise: properties });
const report = reportOf(properties, exerciseGoldens(join(process.cwd(), 'golden'), steps));
if (process.argv.includes('--json')) console.log(JSON.stringify(report));
else console.log(exerciseTable(report, NOT_EXERCISED));
if (notExercised(report).some((key) => NOT_EXERCISED[key] === undefined)) process.exitCode = 1;
