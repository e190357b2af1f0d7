// Layer cli. What `reprobe record` prints: one summary for people, one for programs.
import type { RecordJob, RecordSummary } from './recorder.ts';
import type { Paint } from './shell.ts';
import { verdictLines } from './verdict.ts';

export interface Recorded {
  readonly file: string;
  readonly job: RecordJob;
  /** Records the same run again. */
  readonly command: string;
  readonly summary: RecordSummary;
}

export function recordJson({ file, job, command, summary }: Recorded): string {
  return JSON.stringify({ file, ...job.settings, command, ...summary }, undefined, 2);
}

export function recordText({ file, job, command, summary }: Recorded, paint: Paint): string {
  const { seed, chooser, profile, variants } = job.settings;
  const { events, steps, digest, ending, lastEvent, thrown, verdicts, expectations, failed } =
    summary;
  const setting = [`${chooser} chooser`, `profile ${profile}`, ...variants].join(', ');
  return [
    `recorded ${paint('bold', file)} from ${job.source.file} (${setting})`,
    `  events   ${events}`,
    `  steps    ${steps}, ended with ${ending}`,
    ...(lastEvent === undefined ? [] : [`  by       ${lastEvent}`]),
    ...(thrown === undefined ? [] : [`           ${thrown}`]),
    `  digest   ${digest}`,
    'guarantees',
    ...verdictLines(verdicts, paint),
    ...expectationLines(expectations, paint),
    ...failureLines(failed, paint),
    `seed ${seed}; the same run again:`,
    `  ${command}`,
  ].join('\n');
}

/** Failures that the workload does not speak of; one that is meant can be said with `expect:`. */
function failureLines(failed: RecordSummary['failed'], paint: Paint): readonly string[] {
  if (failed.length === 0) return [];
  return ['failed without an expect', ...failed.map((line) => `  ${paint('yellow', line)}`)];
}

function expectationLines(
  expectations: RecordSummary['expectations'],
  paint: Paint,
): readonly string[] {
  if (expectations.length === 0) return [];
  return [
    'expectations',
    ...expectations.map(({ text, met, found }) =>
      met
        ? `  ${text}: ${paint('green', 'met')}`
        : `  ${text}: ${paint('red', 'not met')}, found ${found}`,
    ),
  ];
}
