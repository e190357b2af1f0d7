// What runs did, as a table for people and as JSON for programs.
import { allDeeds, countOf, type Deed, type Exercise, keyOf, SECTIONS } from './exercise.ts';

export interface ExerciseRow extends Deed {
  /** In runs of the properties: how often, and in how many. */
  readonly times: number;
  readonly runs: number;
  /** In how many goldens. */
  readonly goldens: number;
}

export interface ExerciseReport {
  readonly runs: number;
  readonly goldens: number;
  readonly rows: readonly ExerciseRow[];
}

export function reportOf(properties: Exercise, goldens: Exercise): ExerciseReport {
  const rows = allDeeds(properties.steps).map((deed): ExerciseRow => {
    const { section, name } = deed;
    const { times, runs } = countOf(properties, deed);
    return { section, name, times, runs, goldens: countOf(goldens, deed).runs };
  });
  return { runs: properties.runs, goldens: goldens.runs, rows };
}

/** What no run of any kind did; a step also if no golden reaches it. */
export function notExercised({ rows }: ExerciseReport): readonly string[] {
  return rows
    .filter(({ section, runs, goldens }) => goldens === 0 && (section === 'step' || runs === 0))
    .map(keyOf);
}

/** The report as text; `reasons` says why something is not exercised. */
export function exerciseTable(
  report: ExerciseReport,
  reasons: Readonly<Record<string, string>>,
): string {
  const missing = new Set(notExercised(report));
  const parts = SECTIONS.map((section) => {
    const own = report.rows.filter((row) => row.section === section);
    const lines = own.map((row) => {
      const why = missing.has(keyOf(row)) ? (reasons[keyOf(row)] ?? 'NOT EXERCISED') : '';
      return line([`${row.times}`, share(row.runs, report.runs), `${row.goldens}`], row.name, why);
    });
    return [line(['times', 'in runs', 'goldens'], section, ''), ...lines].join('\n');
  });
  const head = `${report.runs} runs of the properties, ${report.goldens} goldens`;
  return `${[head, ...parts].join('\n\n')}\n`;
}

function line(numbers: readonly string[], name: string, why: string): string {
  const cells = numbers.map((number) => number.padStart(9)).join('');
  return `${cells}  ${name}${why === '' ? '' : `  (${why})`}`;
}

/** In percent, rounded up: 0 % is none. */
function share(runs: number, all: number): string {
  return all === 0 ? '-' : `${Math.ceil((100 * runs) / all)} %`;
}
