// Layer replay. A recording for people and programs, line by line, so that a long one can be streamed. The
// text report is the text form itself (`text-form.ts`): names beside addresses do not make it less lossless.
// No colours here.
import type { EventLog } from './event-log.ts';
import type { Recording } from './recording.ts';
import { ftraceLines } from './report-ftrace.ts';
import { summarize, summaryLines } from './report-summary.ts';
import type { Event } from './schema.ts';

export interface ReportOptions {
  /** Only events of this CPU. */
  readonly cpu?: number | undefined;
}

/** The layout of the kernel's `trace` file. */
export function ftraceReport(
  recording: Pick<Recording, 'log'>,
  options: ReportOptions = {},
): Generator<string> {
  return ftraceLines(recording.log, options.cpu);
}

/** One event as JSON per line; 64-bit values are hex strings, strings are themselves. */
export function* jsonReport(
  recording: Pick<Recording, 'log'>,
  options: ReportOptions = {},
): Generator<string> {
  const { cpu } = options;
  for (const event of eventsOf(recording.log, cpu))
    yield JSON.stringify(event, (_, value: unknown) =>
      typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
    );
}

/** What the run came to, as a few tables. */
export function summaryReport(
  recording: Pick<Recording, 'log'>,
  options: ReportOptions = {},
): Generator<string> {
  return summaryLines(summarize(recording.log, options.cpu));
}

function* eventsOf(log: EventLog, cpu: number | undefined): Generator<Event> {
  for (const event of log.events()) if (cpu === undefined || event.cpu === cpu) yield event;
}
