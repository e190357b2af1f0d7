// Layer replay. Where a recording is damaged, as it is told: the header, the end, or a frame by its number in the
// run. A number that cannot be known is not guessed.
import type { FoundObject } from './frame-scan.ts';

export interface Damage {
  readonly part: 'header' | 'frame' | 'end';
  /** Number of the frame; undefined for header and end, and where too much is lost to count. */
  readonly frame: number | undefined;
  readonly offset: number;
  readonly what: string;
}

/** Something wrong behind the header. */
export interface Fault {
  readonly offset: number;
  readonly what: string;
  /** The end, or the first event of the frame that it is; undefined for what lies where a frame should be. */
  readonly of?: 'end' | number | undefined;
}

/** What numbers are told by. */
export interface Numbering {
  /** Whole frames of the run, in the order of the file. */
  readonly inFile: readonly FoundObject[];
  /** First events of the frames up to the first that is lost. */
  readonly first: readonly number[];
  /** The index of a whole end, of whatever make: offsets and first events. */
  readonly index: readonly unknown[];
}

/** `faults` in the order of the file. */
export function placeFaults(faults: readonly Fault[], numbering: Numbering): readonly Damage[] {
  const numbers = new Numbers(numbering);
  const sorted = faults.toSorted((a, b) => a.offset - b.offset);
  return sorted.map(({ offset, what, of }) => {
    if (of === 'end') return { part: 'end', frame: undefined, offset, what };
    const frame = of === undefined ? numbers.at(offset) : numbers.of(of);
    return { part: 'frame', frame, offset, what };
  });
}

/** Numbers of frames by where they lie and by their first event. */
class Numbers {
  readonly #byEvent = new Map<number, number>();
  readonly #inFile: readonly FoundObject[];
  /** Of `#inFile`, those that were passed. */
  #passed = 0;

  constructor({ inFile, first, index }: Numbering) {
    this.#inFile = inFile;
    for (const [number, entry] of index.entries()) {
      const event: unknown = Array.isArray(entry) ? entry[1] : undefined;
      if (typeof event === 'number') this.#byEvent.set(event, number);
    }
    for (const [number, event] of first.entries()) this.#byEvent.set(event, number);
  }

  of(firstEvent: number): number | undefined {
    return this.#byEvent.get(firstEvent);
  }

  /** Of the frame that should start at `offset`: the one behind the frame before. Offsets ascend from call to call. */
  at(offset: number): number | undefined {
    while ((this.#inFile[this.#passed]?.end ?? Infinity) <= offset) this.#passed++;
    const before = this.#inFile[this.#passed - 1];
    if (before === undefined) return 0;
    const number = this.of(before.firstEvent);
    return number === undefined ? undefined : number + 1;
  }
}

/** `frame 3 (byte 1200): what is wrong there`. */
export function placeText({ part, frame, offset, what }: Damage): string {
  const where = part !== 'frame' ? part : frame === undefined ? 'a frame' : `frame ${frame}`;
  return `${where} (byte ${offset}): ${what}`;
}
