// Layer replay. Re-executes a recording from its workload and choices and compares every event, every text and
// every state digest. The first difference is the result.
import { assert, InputError } from '../assert.ts';
import type { Ending } from '../emu/machine.ts';
import { Divergence, RecordedChooser } from './choices.ts';
import type { DigestHex } from './digest.ts';
import type { RunTotals } from './end-read.ts';
import type { EventLog } from './event-log.ts';
import { driveFrames } from './frames.ts';
import type { DefinedPath } from './handler.ts';
import { openSession, prepareModel, type WorkloadFiles } from './prepare.ts';
import type { RecordingHeader } from './recording-header.ts';
import {
  damageText,
  digestOfLog,
  readRecording,
  type RecordedFrame,
  type Recording,
} from './recording.ts';
import { Behind } from './replay-behind.ts';
import type { Session } from './session.ts';
import { stateDifference, stateNote } from './state-difference.ts';
import type { StateDigest } from './state-digest.ts';
import { formatEvent } from './text-form.ts';

/** Events shown before the first difference. */
const EVENTS_BEFORE = 8;

/**
 * What a replay found: the same run, or where it first differs.
 *
 * @example
 * import type { ReplayOutcome } from 'reprobe';
 * function say(outcome: ReplayOutcome): string {
 *   if (outcome.status === 'identical') return `${outcome.events} events`;
 *   return `event ${outcome.at}: ${outcome.recorded} became ${outcome.replayed}`;
 * }
 * console.log(say({ status: 'identical', events: 9, steps: 5, digest: '0' })); // → 9 events
 */
export type ReplayOutcome =
  | {
      readonly status: 'identical';
      readonly events: number;
      readonly steps: number;
      readonly digest: DigestHex;
      /** What the file lacks, when it is damaged or was cut short; `events` before that replayed. */
      readonly damage?: string | undefined;
      /** Events behind the damage that replayed as well. */
      readonly behind?: number | undefined;
      /** Events lost to the damage that the replay made again: what is behind them proves it. */
      readonly made?: number | undefined;
    }
  | {
      readonly status: 'diverged';
      /** Index of the first event that differs. */
      readonly at: number;
      /** The event on each side, if it has one there. */
      readonly recorded: string | undefined;
      readonly replayed: string | undefined;
      readonly before: readonly string[];
      /** Both sides' state, and what else differs. */
      readonly state: readonly string[];
      readonly damage?: string | undefined;
    };

/**
 * What a replay is given besides the recording.
 *
 * @example
 * import { record, replay, type ReplayOptions, workload } from 'reprobe';
 * let told = 0;
 * const options: ReplayOptions = { handlers: [], progress: (steps) => (told = steps) };
 * const w = workload('small', { cpus: 1 });
 * w.task('t', { cpu: 0, run: w.function('f', (f) => [f.work(3)]) });
 * console.log(replay(record(w).bytes, options).status, told); // → identical 0
 */
export interface ReplayOptions {
  /** Paths in TypeScript that are at hand; those that the recording names have to be among them. */
  readonly handlers?: readonly DefinedPath[] | undefined;
  readonly progress?: ((steps: number) => void) | undefined;
}

/**
 * Replays the bytes of a `.trace`: runs its workload again with its choices and compares every event and state.
 * InputError when it is no recording, or cannot be run here: a handler in TypeScript that it names is missing.
 *
 * @example
 * import { defineHandler, record, replay, workload } from 'reprobe';
 * const tick = (text: string) => defineHandler('tick', 1, function* (cx) {
 *   yield* cx.printk(text);
 * });
 * const w = workload('ticking', { cpus: 1 });
 * w.task('t', { cpu: 0, run: w.function('f', (f) => [f.sleep(50)]) });
 * w.timer('clock', { run: tick('tick'), cpu: 0, first: 10 });
 * const { bytes } = record(w);
 * console.log(replay(bytes, { handlers: [tick('tick')] }).status); // → identical
 * console.log(replay(bytes, { handlers: [tick('tock')] }).status); // → diverged
 */
export function replayRecording(bytes: Uint8Array, settings: ReplayOptions = {}): ReplayOutcome {
  const recording = readRecording(bytes);
  return recording.isHeaderDoubtful
    ? replayDoubtful(recording, settings)
    : replay(recording, settings);
}

/** With a header that is not what was written: only that the run is the same proves anything. */
function replayDoubtful(recording: Recording, settings: ReplayOptions): ReplayOutcome {
  const refuse = (why: string): InputError => new InputError(`${damageText(recording)}; ${why}`);
  try {
    const outcome = replay(recording, settings);
    if (outcome.status === 'identical') return outcome;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw refuse(`what the header says now cannot be run: ${error.message}`);
  }
  throw refuse('what the header says now is another run');
}

function replay(recording: Recording, settings: ReplayOptions): ReplayOutcome {
  const { header, frames } = recording;
  const { model, file } = header.workload;
  const { plan, handlers } = prepareModel(model, filesOf(header), file, settings.handlers);
  const behind = new Behind(recording);
  const chooser = new RecordedChooser([
    ...frames.map((frame) => frame.choices),
    ...behind.choices(),
  ]);
  const session = openSession(plan, header, chooser, handlers);
  const comparison = new Comparison(recording, session, behind);
  const stopped = comparison.run(settings.progress);
  return comparison.outcome(stopped, chooser.left);
}

/** The files whose bytes a recording holds. */
export function filesOf({ image, modules }: RecordingHeader): WorkloadFiles {
  return {
    image: image?.bytes ?? undefined,
    modules: (modules ?? []).flatMap(({ name, bytes }) =>
      bytes === null ? [] : [{ name, bytes }],
    ),
  };
}

/** Why a replay stopped before its run's end. */
type Stopped = Divergence | undefined;

class Comparison {
  readonly #recording: Recording;
  readonly #session: Session;
  /** First event that differs, if one does. */
  #at: number | undefined;
  readonly #notes: string[] = [];
  readonly #behind: Behind;
  /** What the run has to come to, if the file says so and knows all choices up to there. */
  readonly #totals: RunTotals | undefined;
  /** A replay that went on after this step repeats nothing. */
  readonly #stepLast: number;
  #compared = 0;

  constructor(recording: Recording, session: Session, behind: Behind) {
    this.#recording = recording;
    this.#session = session;
    this.#behind = behind;
    const { log, end } = recording;
    this.#totals = end ?? behind.totals;
    const stepLast = log.count === 0 ? 0 : log.at(log.count - 1).step;
    this.#stepLast = this.#totals?.steps ?? Math.max(stepLast, behind.lastStep);
  }

  run(progress: ((steps: number) => void) | undefined): Stopped {
    try {
      driveFrames(this.#session, {
        frame: (end, state) => {
          this.#compare(end);
          this.#compareState(end, state);
          this.#compareBehind(end, state);
        },
        enough: () => this.#isEnough(),
        ...(progress === undefined ? {} : { progress }),
      });
      this.#compare(this.#session.log.count);
      return undefined;
    } catch (error) {
      if (!(error instanceof Divergence)) throw error;
      this.#compare(this.#session.log.count);
      this.#compareBehind(this.#session.log.count, undefined);
      return error;
    }
  }

  outcome(stopped: Stopped, choicesLeft: number): ReplayOutcome {
    const { log, damage } = this.#recording;
    const totals = this.#totals;
    const replayed = this.#session.log;
    const sealedEnd = this.#behind.sealedEnd;
    if (stopped !== undefined && !(totals === undefined && replayed.count >= sealedEnd)) {
      this.#differ(replayed.count, stopped.message);
    }
    if (this.#at === undefined && replayed.count < sealedEnd) {
      this.#differ(replayed.count, 'it ends here');
    }
    if (totals !== undefined) this.#compareEnd(totals, choicesLeft);
    if (this.#at === undefined) this.#behind.ended();
    const told = damage === undefined ? this.#cutText() : this.#damageText();
    if (this.#at !== undefined) return this.#diverged(this.#at, told);
    const { events: behind, made } = this.#behind;
    return {
      status: 'identical',
      events: log.count,
      steps: totals?.steps ?? this.#session.machine.step,
      digest: digestOfLog(totals === undefined ? log : replayed),
      damage: told,
      ...(behind === 0 ? {} : { behind }),
      ...(made === 0 ? {} : { made }),
    };
  }

  #cutText(): string | undefined {
    return this.#totals === undefined ? 'the run was cut short' : undefined;
  }

  #damageText(): string {
    if (this.#at !== undefined) return damageText(this.#recording);
    const behind = this.#behind.text();
    const told = damageText(this.#recording);
    return behind === undefined ? told : `${told}; ${behind}`;
  }

  #isEnough(): boolean {
    if (this.#at !== undefined || this.#session.machine.step > this.#stepLast) return true;
    if (this.#totals !== undefined) return false;
    return this.#compared >= this.#recording.log.count && this.#behind.isOver;
  }

  /** Compares events up to `end`, and the texts that they use. */
  #compare(end: number): void {
    const { log } = this.#recording;
    const from = this.#compared;
    const to = Math.min(end, log.count);
    const found = firstDifference(log, this.#session.log, from, to);
    if (found !== undefined) this.#differ(found, undefined);
    else if (end > log.count && this.#recording.end !== undefined) {
      this.#differ(log.count, 'the recording ends here');
    }
    this.#compared = Math.max(from, to);
  }

  #compareState(end: number, state: StateDigest): void {
    const frame = this.#recording.frames.find((one) => one.firstEvent + one.eventCount === end);
    if (frame === undefined || frame.stateDigest === null || frame.stateDigest === state) return;
    this.#differInState(frame, state);
  }

  #compareBehind(end: number, state: StateDigest | undefined): void {
    this.#behind.compare(this.#session.log, end, state);
    const { difference } = this.#behind;
    if (difference === undefined) return;
    const { at, note, frame } = difference;
    if (frame !== undefined && state !== undefined) this.#differInState(frame, state);
    else this.#differ(at, note);
  }

  /** Every event of `frame` is as recorded, and the machine, which stands at its end, is not. */
  #differInState(
    { firstEvent, eventCount, offset, stateDigest }: RecordedFrame,
    state: StateDigest,
  ): void {
    const end = firstEvent + eventCount;
    assert(stateDigest !== null, 'states that differ are there');
    const where = `all events of the frame at byte ${offset}, ${firstEvent} to ${end - 1}, are the same`;
    this.#differ(end, `${stateNote(stateDigest, state)}; ${where}`);
    for (const line of stateDifference(this.#session.machine, stateDigest, state))
      this.#differ(end, line);
  }

  #compareEnd(end: RunTotals, choicesLeft: number): void {
    const { machine } = this.#session;
    if (this.#at !== undefined) return;
    if (choicesLeft > 0) this.#differ(end.events, `${choicesLeft} choices are left over`);
    if (machine.step !== end.steps) {
      this.#differ(end.events, `${end.steps} steps were recorded, ${machine.step} are replayed`);
    }
    const digest = digestOfLog(this.#session.log);
    if (digest !== end.digest) {
      this.#differ(end.events, `digest ${end.digest} was recorded, ${digest} is replayed`);
    }
  }

  #differ(at: number, note: string | undefined): void {
    if (this.#at === undefined) this.#at = at;
    if (note !== undefined && at <= this.#at) this.#notes.push(note);
  }

  #diverged(at: number, damage: string | undefined): ReplayOutcome {
    const { log } = this.#recording;
    const replayed = this.#session.log;
    const recorded = at < log.count ? log.at(at) : this.#behind.recorded(at);
    const common = Math.min(at, replayed.count);
    const from = Math.max(0, common - EVENTS_BEFORE);
    return {
      status: 'diverged',
      at,
      recorded: recorded && formatEvent(recorded),
      replayed: at < replayed.count ? formatEvent(replayed.at(at)) : undefined,
      // Up to there, these are what was recorded.
      before: Array.from({ length: common - from }, (_, i) => formatEvent(replayed.at(from + i))),
      state: [...this.#notes, ...stateLines(this.#session)],
      damage,
    };
  }
}

/** The first event in [from, to) that is not the same on both sides. */
function firstDifference(a: EventLog, b: EventLog, from: number, to: number): number | undefined {
  const end = Math.min(to, b.count);
  const [left, right] = [a.rows(from, Math.min(end, to)), b.rows(from, end)];
  const same = left.length === right.length && left.every((word, i) => word === right[i]);
  if (same && sameTexts(a, b)) return end < to ? end : undefined;
  for (let index = from; index < end; index++) {
    if (formatEvent(a.at(index)) !== formatEvent(b.at(index))) return index;
  }
  return end < to ? end : undefined;
}

function sameTexts(a: EventLog, b: EventLog): boolean {
  const count = Math.min(a.strings.count, b.strings.count);
  const [left, right] = [a.strings.range(0, count), b.strings.range(0, count)];
  return left.every((text, i) => text === right[i]);
}

/** Where every CPU stands when the replay stops. */
function stateLines(session: Session): string[] {
  const { machine } = session;
  const ending: Ending | 'running' = machine.ending ?? 'running';
  const lines = [`replayed up to step ${machine.step}: ${ending}`];
  for (const cpu of machine.cpus) {
    const where = machine.nameOf(cpu.hart.pc);
    const { name } = cpu.current;
    lines.push(`CPU ${cpu.id}: ${name}, level ${cpu.level()}, pc ${where}`);
  }
  return lines;
}
