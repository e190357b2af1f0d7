// Property runs and goldens do everything that exists, or somebody says why not (properties/not-exercised.ts).
// The runs are those of a marked program: built, with a counter at each step of the kernel's paths.
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import { digestOfLog } from '../src/replay/recording.ts';
import { TEST_MS } from './check-guarantee.ts';
import { buildPrograms, type Programs } from './determinism-programs.ts';
import {
  type ExerciseReport,
  type ExerciseRow,
  exerciseTable,
  notExercised,
  reportOf,
} from './exercise-table.ts';
import { newExercise } from './exercise.ts';
import { NOT_EXERCISED } from './not-exercised.ts';
import { casesOf, runCase } from './run-case.ts';

let programs: Programs;
let report: ExerciseReport;

function node(words: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  if (status === null || stderr !== '') throw new Error(`${words.join(' ')}: ${stderr}`);
  return stdout;
}

beforeAll(() => {
  programs = buildPrograms(process.cwd());
  node([programs.path('properties/mark')]);
  report = JSON.parse(node([programs.path('properties/exercised'), '--json'])) as ExerciseReport;
}, TEST_MS);

afterAll(() => {
  programs.remove();
});

function row(start: string): ExerciseRow {
  const found = report.rows.find(({ name }) => name.startsWith(start));
  return known(found, `${start} is a row`);
}

test('what exists is exercised, or has a reason not to be', () => {
  const advice =
    'a run has to do it (properties/workload-build.ts, golden/), or properties/not-exercised.ts has to say why not; ' +
    'a line there whose thing is done by now has to go';
  expect(notExercised(report).toSorted(), advice).toEqual(Object.keys(NOT_EXERCISED).toSorted());
  console.log(
    Object.entries(NOT_EXERCISED)
      .map(([what, why]) => `never exercised: ${what} (${why})`)
      .join('\n'),
  );
});

test('steps are shown by their numbers: the waits of unregister, a store, a trap, a list walk', () => {
  expect(row('CC-S5.6 ftrace: synchronizeRcuTasksRude').runs).toBeGreaterThan(report.runs / 2);
  // Not those whose ops are part of the kernel: nobody waits for them (FT-31).
  expect(row('CC-S5.7 ftrace: synchronizeRcuTasks').goldens).toBeGreaterThan(report.goldens / 2);
  const cited = report.rows.filter(({ section }) => section === 'step').map(({ name }) => name);
  expect(cited.length).toBeGreaterThan(50);
  for (const step of ['S1.9', 'S3.4', 'S4.3', 'S6.4', 'H2.1', 'H4.5', 'H5.2']) {
    expect(cited.filter((name) => name.startsWith(`CC-${step} `)).length).toBeGreaterThan(0);
  }
});

test('a rule is counted by its own situation, not by all that its judge saw', () => {
  const [rethook, whole] = [row('CC-G7 (unregister)'), row('CC-O1 (unregister)')];
  expect(rethook.times).toBeGreaterThan(0);
  expect(rethook.times).toBeLessThan(whole.times / 2);
  expect(row('FP-9 (nmissed)').times).toBeLessThan(row('CC-O6 (nmissed)').times / 2);
});

test('a run that is watched is the run that it would be anyway', { timeout: TEST_MS }, () => {
  const property = fc.property(casesOf('filter-swap'), (drawn) => {
    const exercise = newExercise([]);
    const [alone, watched] = [runCase(drawn), runCase(drawn, [], true, exercise)];
    expect(digestOfLog(watched.log)).toBe(digestOfLog(alone.log));
    expect(exercise.runs).toBe(1);
    const asked = newExercise([]);
    runCase(drawn, [], false, asked);
    expect(asked.counts).toEqual(exercise.counts);
  });
  fc.assert(property, { numRuns: 20 });
});

test('where nothing ran, all is missing, and the table says so', () => {
  const nothing = reportOf(newExercise([]), newExercise([]));
  expect(notExercised(nothing)).toHaveLength(nothing.rows.length);
  const table = exerciseTable(nothing, { 'event count': 'later' });
  expect(table).toContain('        0        -        0  count  (later)\n');
  expect(table).toContain('symbol  (NOT EXERCISED)\n');
});
