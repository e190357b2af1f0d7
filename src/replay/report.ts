// Layer replay. A recording for people and programs, line by line, so that a long one can be streamed. The
// text report is the text form itself (`text-form.ts`): names beside addresses do not make it less lossless.
// No colours here.
import { lostEvents } from './assembly.ts';
import { islandEvents } from './island.ts';
import type { Salvage } from './recording.ts';
import { ftraceLines } from './report-ftrace.ts';
import { summarizeRecording, summaryLines } from './report-summary.ts';
import type { Event } from './schema.ts';

export interface ReportOptions {
  /** Only events of this CPU. */
  readonly cpu?: number | undefined;
}

/** The layout of the kernel's `trace` file. */
export function ftraceReport(
  recording: Pick<Salvage, 'log'>,
  options: ReportOptions = {},
): Generator<string> {
  return ftraceLines(recording.log, options.cpu);
}

/**
 * One event as JSON per line; 64-bit values are hex strings, strings are themselves. A line `{"lost":[4,9]}`
 * stands for events that a damaged file has no more.
 */
export function* jsonReport(
  recording: Pick<Salvage, 'log'> & Partial<Pick<Salvage, 'islands' | 'claim'>>,
  options: ReportOptions = {},
): Generator<string> {
  const { cpu } = options;
  const { log, islands = [], claim } = recording;
  yield* jsonLines(log.events(), cpu);
  for (const [index, lost] of lostEvents({ log, islands, claim }).entries()) {
    yield JSON.stringify({ lost });
    const island = islands[index];
    if (island === undefined) continue;
    for (const frame of island.frames) yield* jsonLines(islandEvents(island, frame), cpu);
  }
}

/** What the run came to, as a few tables. */
export function summaryReport(
  recording: Pick<Salvage, 'log'> & Partial<Pick<Salvage, 'islands' | 'claim'>>,
  options: ReportOptions = {},
): Generator<string> {
  return summaryLines(summarizeRecording(recording, options.cpu));
}

function* jsonLines(events: Iterable<Event>, cpu: number | undefined): Generator<string> {
  for (const event of events)
    if (cpu === undefined || event.cpu === cpu)
      yield JSON.stringify(event, (_, value: unknown) =>
        typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
      );
}
