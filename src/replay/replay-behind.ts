// Layer replay. Replaying over a gap. Events of a lost frame are not known, but the choices made in it are: the
// frame behind it, or the end, repeats them. So the run goes on, and every event and state behind the gap is
// compared as those before it: the lost events have been made again. Where more than one frame is lost, the choices
// of all but the last are those that damaged frames still seem to hold. Then what is as recorded proves that they
// were right; where it is not, nothing is known, and that is no divergence.
import { known } from '../assert.ts';
import { ROW_HEAD } from './decode.ts';
import type { RunTotals } from './end-read.ts';
import type { EventLog } from './event-log.ts';
import { endOfIsland, type Island, islandEvents, type IslandFrame } from './island.ts';
import type { Salvage } from './recording.ts';
import { type Event, WORDS_BY_ID } from './schema.ts';
import type { StateDigest } from './state-digest.ts';

/** Where a replay is not as recorded behind a gap over which the choices are known. */
export interface BehindDifference {
  readonly at: number;
  readonly note: string | undefined;
  /** It is the state that differs, behind this frame. */
  readonly frame?: IslandFrame;
}

export class Behind {
  readonly #all: readonly Island[];
  /** Those before which the choices are known, or may be. */
  readonly #islands: readonly Island[];
  readonly #frames: readonly { readonly frame: IslandFrame; readonly island: Island }[];
  /** Islands of which nothing can be doubtful. */
  readonly #sealed: readonly Island[];
  readonly #claim: Salvage['claim'];
  readonly #logEnd: number;
  #compared = 0;
  #events = 0;
  #made = 0;
  #differs = false;
  #difference: BehindDifference | undefined;

  constructor({ islands, claim, log }: Pick<Salvage, 'islands' | 'claim' | 'log'>) {
    this.#all = islands;
    this.#islands = until(islands, ({ lost }) => lost === undefined);
    this.#sealed = until(islands, ({ lost }) => lost?.isSealed !== true);
    this.#frames = this.#islands.flatMap((island) =>
      island.frames.map((frame) => ({ frame, island })),
    );
    this.#claim = claim;
    this.#logEnd = log.count;
  }

  /** Events behind the gaps that a replay was found to repeat. */
  get events(): number {
    return this.#events;
  }

  /** Lost events that were made again: all behind them that is compared is as recorded. */
  get made(): number {
    return this.#made;
  }

  /** The first event or state that is not as recorded although the choices are. */
  get difference(): BehindDifference | undefined {
    return this.#difference;
  }

  /** What the run comes to, if the choices up to its end are known. */
  get totals(): RunTotals | undefined {
    if (this.#sealed.length < this.#all.length) return undefined;
    return this.#claim?.lost?.isSealed === true ? this.#claim.totals : undefined;
  }

  /** Up to this event a run that is not as recorded is another one. */
  get sealedEnd(): number {
    const last = this.#sealed.at(-1);
    return last === undefined ? this.#logEnd : endOfIsland(last);
  }

  /** The choices behind those of the frames before the first gap. */
  choices(): readonly Uint8Array[] {
    const behind = this.#islands.flatMap(({ lost, frames }) => [
      ...(lost?.choices ?? []),
      ...frames.map(({ choices }) => choices),
    ]);
    return this.totals === undefined ? behind : [...behind, ...(this.#claim?.lost?.choices ?? [])];
  }

  /** Is there nothing more to compare? */
  get isOver(): boolean {
    return this.#differs || this.#compared === this.#frames.length;
  }

  /** The step of the last event that is compared; 0 if there is none. */
  get lastStep(): number {
    const rows = this.#frames.at(-1)?.frame.rows ?? new Int32Array();
    let at = 0;
    let step = 0;
    while (at < rows.length) {
      step = rows[at + 1] as number;
      at += lengthAt(rows, at);
    }
    return step;
  }

  /** Event `index` as it was recorded, if it is one behind a gap. */
  recorded(index: number): Event | undefined {
    for (const { frame, island } of this.#frames) {
      if (index < frame.firstEvent || index >= frame.firstEvent + frame.eventCount) continue;
      return [...islandEvents(island, frame)][index - frame.firstEvent];
    }
    return undefined;
  }

  /** Events of the replay up to `end` are there; it has `state` now, if that was to be compared. */
  compare(replayed: EventLog, end: number, state?: StateDigest): void {
    while (!this.isOver) {
      const next = known(this.#frames[this.#compared], 'there is more to compare');
      const { frame, island } = next;
      const frameEnd = frame.firstEvent + frame.eventCount;
      if (frame.firstEvent >= end) return;
      const difference =
        frameDifference(frame, replayed, Math.min(end, frameEnd)) ??
        (frameEnd === end ? stateDifference(frame, state) : undefined);
      if (difference !== undefined) this.#differ(island, difference);
      else if (frameEnd <= end) this.#repeats(next);
      else return;
    }
  }

  /** The replay came to the end of the run, which is as recorded. */
  ended(): void {
    const { totals } = this;
    if (totals !== undefined) this.#made = totals.events - this.#logEnd - this.#events;
  }

  /** What became of what is behind the damage; undefined if that is nothing. */
  text(): string | undefined {
    if (this.#all.length === 0 && this.#claim === undefined) return undefined;
    if (this.#made === 0 && this.#events === 0)
      return 'what is behind the damage cannot be replayed: the choices in it are lost';
    const made = `the ${this.#made} lost events were made again by the same choices`;
    const proof =
      this.totals === undefined
        ? `the ${this.#events} events behind them are as recorded`
        : 'and the digest of the whole run is as recorded';
    const isAll = this.#all.length === this.#islands.length && !this.#differs;
    if (isAll && this.#compared === this.#frames.length) return `${made}, ${proof}`;
    return `${made}, ${proof}; what is behind event ${this.#lastEvent()} cannot be replayed`;
  }

  #lastEvent(): number {
    const last = this.#frames[this.#compared - 1]?.frame;
    return last === undefined ? this.#logEnd - 1 : last.firstEvent + last.eventCount - 1;
  }

  #lostBefore(island: Island): number {
    const before = this.#islands[this.#islands.indexOf(island) - 1];
    return island.firstEvent - (before === undefined ? this.#logEnd : endOfIsland(before));
  }

  #repeats({ frame, island }: { readonly frame: IslandFrame; readonly island: Island }): void {
    this.#compared++;
    this.#events += frame.eventCount;
    if (frame === island.frames[0]) this.#made += this.#lostBefore(island);
  }

  #differ(island: Island, difference: BehindDifference): void {
    this.#differs = true;
    if (this.#sealed.includes(island)) this.#difference = difference;
  }
}

/** Where events of `frame` before `to` are not those replayed. */
function frameDifference(
  frame: IslandFrame,
  replayed: EventLog,
  to: number,
): BehindDifference | undefined {
  const at = firstDifference(frame, replayed.rows(frame.firstEvent, to));
  if (at !== undefined && at < to) return { at, note: undefined };
  if (to < frame.firstEvent + frame.eventCount) return undefined;
  const missing = frame.strings.find((text) => replayed.strings.find(text) === undefined);
  if (missing === undefined) return undefined;
  return { at: to - 1, note: `the text '${missing}' is not replayed` };
}

function stateDifference(
  frame: IslandFrame,
  state: StateDigest | undefined,
): BehindDifference | undefined {
  const { firstEvent, eventCount, stateDigest } = frame;
  if (stateDigest === null || state === undefined || stateDigest === state) return undefined;
  return { at: firstEvent + eventCount, note: undefined, frame };
}

function until(islands: readonly Island[], isOver: (island: Island) => boolean): readonly Island[] {
  const first = islands.findIndex(isOver);
  return first < 0 ? islands : islands.slice(0, first);
}

function lengthAt(rows: Int32Array, at: number): number {
  return ROW_HEAD + (WORDS_BY_ID[rows[at] as number] as number);
}

/** The first event of `frame` that is not as in `rows`, which begin with the same event. */
function firstDifference(frame: IslandFrame, rows: Int32Array): number | undefined {
  const word = frame.rows.findIndex((one, i) => one !== rows[i]);
  if (word < 0) return undefined;
  let index = frame.firstEvent;
  for (let at = lengthAt(frame.rows, 0); at <= word; at += lengthAt(frame.rows, at)) index++;
  return index;
}
