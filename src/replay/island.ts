// Layer replay. Whole frames behind lost ones. Their events have their place in the run, their numbers and
// most of their texts; only texts that a lost frame listed are gone, and numbers that are told to nobody.
import { RowDecoder } from './decode.ts';
import type { RecordedFrame } from './frame-read.ts';
import type { Event } from './schema.ts';
import type { Strings } from './strings.ts';

/** A frame with its events as rows (`EventLog`). */
export interface IslandFrame extends RecordedFrame {
  readonly rows: Int32Array;
}

/** Frames that follow each other; events before and behind them are lost. */
export interface Island {
  readonly firstEvent: number;
  readonly frames: readonly IslandFrame[];
  readonly texts: IslandTexts;
  /** Of the frames between these and the whole ones before; undefined if they are gone. */
  readonly lost: LostChoices | undefined;
}

/** Choices that were made in lost frames. */
export interface LostChoices {
  readonly choices: readonly Uint8Array[];
  /** Repeated by a whole object. Otherwise found in the damaged frames: probably those that were made. */
  readonly isSealed: boolean;
}

/** The strings of an island. Those of lost frames, and of which it is not known which they are, read `?7`. */
export class IslandTexts {
  readonly #known: Strings;
  readonly #lost: number | undefined;
  readonly #fresh: string[] = [];

  /** `known`: those of the frames before the damage. `lost`: how many are lost since, if that is known. */
  constructor(known: Strings, lost: number | undefined) {
    this.#known = known;
    this.#lost = lost;
  }

  /** Takes the new strings of the next frame. */
  add(strings: readonly string[]): void {
    for (const text of strings) this.#fresh.push(text);
  }

  /** Numbers below this may occur; at most `lostMax` are lost where it is not known how many. */
  bound(lostMax: number): number {
    return this.#known.count + (this.#lost ?? lostMax) + this.#fresh.length;
  }

  /** Is it known to be one of those before the damage? */
  has(text: string): boolean {
    return this.#known.find(text) !== undefined;
  }

  text(id: number): string {
    if (id < this.#known.count) return this.#known.text(id);
    const fresh = this.#lost === undefined ? undefined : id - this.#known.count - this.#lost;
    return (fresh === undefined ? undefined : this.#fresh[fresh]) ?? `?${id}`;
  }
}

/** Number of the event behind its last one. */
export function endOfIsland({ firstEvent, frames }: Island): number {
  return frames.reduce((sum, { eventCount }) => sum + eventCount, firstEvent);
}

/** The events of one frame of `island`, numbered as in the run. */
export function* islandEvents(
  island: Pick<Island, 'texts'>,
  frame: IslandFrame,
): IterableIterator<Event> {
  const decoder = new RowDecoder(island.texts);
  let at = 0;
  for (let i = 0; i < frame.eventCount; i++) {
    yield decoder.decode(frame.rows, at, frame.firstEvent + i);
    at += decoder.length(frame.rows, at);
  }
}
