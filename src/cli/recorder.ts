// Layer cli. One recording as a job and a summary of plain data, so that it can run in another thread while
// this one listens for Ctrl-C (`record-thread.ts`, `record-worker.ts`).
import type { EventLog } from '../replay/event-log.ts';
import { OopsPlaces } from '../replay/oops-place.ts';
import { type RunSettings, type WorkloadSource, recordRun } from '../replay/run.ts';
import { Symbols } from '../replay/symbols.ts';
import { formatEvent } from '../replay/text-form.ts';
import { type HandlerModule, loadHandlers } from './handlers.ts';
import { type VerdictSummary, summarizeVerdicts } from './verdict.ts';

export interface RecordJob {
  readonly source: WorkloadSource;
  readonly settings: RunSettings;
  readonly modules: readonly HandlerModule[];
}

export interface RecordListener {
  /** The next bytes of the file, from the first one on. */
  bytes(chunk: Uint8Array): void;
  progress(steps: number): void;
}

export interface RecordSummary {
  readonly events: number;
  readonly steps: number;
  readonly digest: string;
  readonly ending: string;
  /** What ended a run before its time: the last event. */
  readonly lastEvent: string | undefined;
  /** Where a path in TypeScript threw, if that ended it. */
  readonly thrown?: string | undefined;
  /** Triggers that never fired. */
  readonly unfired: readonly string[];
  /** Operations that failed without an `expect:`. */
  readonly failed: readonly string[];
  readonly verdicts: readonly VerdictSummary[];
  readonly expectations: readonly ExpectationSummary[];
}

interface ExpectationSummary {
  readonly text: string;
  readonly met: boolean;
  readonly found: string;
}

/** Records in this thread. */
export async function recordHere(job: RecordJob, listener: RecordListener): Promise<RecordSummary> {
  const handlers = await loadHandlers(job.modules);
  const result = recordRun(
    { ...job.source, handlers },
    job.settings,
    (chunk) => listener.bytes(chunk),
    (steps) => listener.progress(steps),
  );
  const { events, steps, digest, ending, expectations, unfired, failed, log } = result;
  const lastEvent = ending === 'run_end' ? undefined : lastEventOf(log);
  const verdicts = summarizeVerdicts(result.verdicts, result.log);
  const thrown = placeOf(result.thrown?.error);
  return {
    events,
    steps,
    digest,
    ending,
    lastEvent,
    thrown,
    verdicts,
    expectations,
    unfired,
    failed,
  };
}

/** The innermost place of an exception's stack, which is the user's. */
function placeOf(error: unknown): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return /^\s+(at .*)$/mu.exec(stack)?.[1];
}

/** The last event as text; of an oops also the call that died, and who called it. */
function lastEventOf(log: EventLog): string {
  const symbols = new Symbols();
  const places = new OopsPlaces();
  for (const event of log.events()) {
    if (event.event === 'symbol') symbols.see(event);
    places.see(event);
  }
  const last = log.at(log.count - 1);
  const line = formatEvent(last, symbols);
  return last.event === 'oops' ? `${line} (${places.of(last)})` : line;
}
