// Layer replay. Replaying over a gap. What a lost frame did is not known, but the choices in it often survived:
// damage hits columns more often than choices. So the replay goes on with them, and where every event and state
// behind the gap is as recorded, they were right. Where not, nothing is known: that is no divergence.
import { ROW_HEAD } from './decode.ts';
import type { DigestHex } from './digest.ts';
import type { EventLog } from './event-log.ts';
import { endOfIsland, type Island, type IslandFrame } from './island.ts';
import type { Salvage } from './recording.ts';
import { WORDS_BY_ID } from './schema.ts';

export class Behind {
  readonly #islands: readonly Island[];
  readonly #frames: readonly IslandFrame[];
  #compared = 0;
  #events = 0;
  #differs = false;

  constructor({ islands }: Pick<Salvage, 'islands'>) {
    const unknown = islands.findIndex(({ choicesBefore }) => choicesBefore === undefined);
    this.#islands = unknown < 0 ? islands : islands.slice(0, unknown);
    this.#frames = this.#islands.flatMap(({ frames }) => frames);
  }

  /** Events behind the gaps that a replay was found to repeat. */
  get events(): number {
    return this.#events;
  }

  /** The choices behind those of the frames before the first gap. */
  choices(): readonly Uint8Array[] {
    return this.#islands.flatMap(({ choicesBefore = [], frames }) => [
      ...choicesBefore,
      ...frames.map(({ choices }) => choices),
    ]);
  }

  /** Is there nothing more to compare? */
  get isOver(): boolean {
    return this.#differs || this.#compared === this.#frames.length;
  }

  /** The step of the last event that is compared; 0 if there is none. */
  get lastStep(): number {
    const rows = this.#frames.at(-1)?.rows ?? new Int32Array();
    let at = 0;
    let step = 0;
    while (at < rows.length) {
      step = rows[at + 1] as number;
      at += ROW_HEAD + (WORDS_BY_ID[rows[at] as number] as number);
    }
    return step;
  }

  /** Events of the replay up to `end` are there; it has `state` now. */
  compare(replayed: EventLog, end: number, state: DigestHex): void {
    for (;;) {
      const frame = this.#frames[this.#compared];
      if (frame === undefined || this.#differs || frame.firstEvent + frame.eventCount > end) return;
      const isLast = frame.firstEvent + frame.eventCount === end;
      const sameState = !isLast || frame.stateDigest === null || frame.stateDigest === state;
      this.#differs = !sameState || !isRepeated(frame, replayed);
      if (this.#differs) return;
      this.#compared++;
      this.#events += frame.eventCount;
    }
  }

  /** What became of the frames behind the damage; undefined if there are none. */
  text(all: readonly Island[]): string | undefined {
    if (all.length === 0) return undefined;
    const last = this.#islands.at(-1);
    const isAll = !this.#differs && this.isOver && last !== undefined;
    if (isAll && last === all.at(-1))
      return `the ${this.#events} events behind the damage replay, too, with the choices found in it`;
    if (isAll)
      return `events up to ${endOfIsland(last) - 1} replay, those behind cannot be replayed`;
    return 'what is behind the damage cannot be replayed: the choices in it are lost';
  }
}

/** The same rows, and the same new texts. */
function isRepeated(frame: IslandFrame, replayed: EventLog): boolean {
  const rows = replayed.rows(frame.firstEvent, frame.firstEvent + frame.eventCount);
  if (rows.length !== frame.rows.length) return false;
  if (!frame.rows.every((word, i) => word === rows[i])) return false;
  return frame.strings.every((text) => replayed.strings.find(text) !== undefined);
}
