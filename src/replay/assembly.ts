// Layer replay. The whole frames of a recording in the order of their events: one log up to the first event
// that is lost, islands behind it. In a file without damage that is the order in which they lie. Also says,
// frame by frame, what is damaged.
import { type DigestHex, RunDigest } from './digest.ts';
import { EventLog } from './event-log.ts';
import { choicesIn, isCount, readFrame, type RecordedFrame, sizeOf } from './frame-read.ts';
import type { FoundObject, Scan } from './frame-scan.ts';
import { endOfIsland, type Island, type IslandFrame, IslandTexts } from './island.ts';
import { unpack } from './packed.ts';

/** What the run came to; the last object of a complete file. */
export interface RecordingEnd {
  readonly events: number;
  readonly steps: number;
  readonly choices: number;
  readonly strings: number;
  /** `RunDigest` of all events. */
  readonly digest: DigestHex;
  /** Where each frame starts in the file, and its first event. */
  readonly frames: readonly (readonly [offset: number, firstEvent: number])[];
}

export interface Damage {
  readonly part: 'header' | 'frame';
  /** Number of the frame that cannot be read; undefined for the header, and where too much is lost to count. */
  readonly frame: number | undefined;
  readonly offset: number;
  readonly what: string;
}

/** Everything behind the header. */
export interface Assembled {
  readonly log: EventLog;
  readonly frames: readonly RecordedFrame[];
  readonly islands: readonly Island[];
  readonly end: RecordingEnd | undefined;
  /** In the order of the file. */
  readonly damages: readonly Damage[];
}

export interface Surroundings {
  /** Where the first frame should start; undefined where that is not known. */
  readonly from: number | undefined;
  /** Something before the frames is damaged: they may lie elsewhere than they were written. */
  readonly isMoved: boolean;
}

export function assemble(bytes: Uint8Array, scan: Scan, around: Surroundings): Assembled {
  return new Assembly(bytes, scan, around).read();
}

/** This frame and those behind it: asked for once, at the first gap. */
type Rest = () => readonly FoundObject[];

interface Fault {
  readonly offset: number;
  readonly what: string;
}

class Assembly {
  readonly #bytes: Uint8Array;
  readonly #scan: Scan;
  readonly #log = new EventLog();
  readonly #frames: RecordedFrame[] = [];
  readonly #digest = new RunDigest();
  readonly #islands: { firstEvent: number; frames: IslandFrame[]; texts: IslandTexts }[] = [];
  readonly #choicesBefore: Island['choicesBefore'][] = [];
  readonly #faults: Fault[] = [];
  /** Ends of broken objects, by where they start. */
  readonly #broken = new Map<number, number>();
  readonly #endObject: FoundObject | undefined;
  readonly #endValue: Partial<Record<keyof RecordingEnd, unknown>>;
  readonly #isMoved: boolean;
  #choices = 0;
  /** Number of the event that comes next. */
  #next = 0;
  /** Where the frame taken last ends. */
  #at: number | undefined;

  constructor(bytes: Uint8Array, scan: Scan, { from, isMoved }: Surroundings) {
    this.#isMoved = isMoved;
    this.#bytes = bytes;
    this.#scan = scan;
    this.#at = from;
    this.#endObject = scan.objects.find(({ kind }) => kind === 'end');
    this.#endValue = this.#endObject === undefined ? {} : endValueAt(bytes, this.#endObject);
  }

  read(): Assembled {
    const { ruins } = this.#scan;
    for (const { broken } of ruins)
      for (const { offset, end } of broken) this.#broken.set(offset, end);
    const frames = this.#scan.objects.filter(({ kind }) => kind === 'frame');
    const sorted = frames.toSorted((a, b) => a.firstEvent - b.firstEvent);
    for (const [index, found] of sorted.entries()) {
      if (found.firstEvent < this.#next) this.#fault(found.offset, 'its events were there before');
      else this.#take(found, () => sorted.slice(index));
    }
    const end = this.#readEnd();
    this.#faults.push(...this.#ruinFaults());
    return {
      log: this.#log,
      frames: this.#frames,
      islands: this.#islands.map((island, index) => ({
        ...island,
        choicesBefore: this.#choicesBefore[index],
      })),
      end,
      damages: this.#damages(frames),
    };
  }

  #fault(offset: number, what: string): void {
    this.#faults.push({ offset, what });
  }

  #take(found: FoundObject, rest: Rest): void {
    const isGap = found.firstEvent > this.#next;
    const fault =
      isGap || this.#islands.length > 0
        ? this.#takeIsland(found, isGap, rest)
        : this.#takeMain(found);
    if (fault === undefined) this.#at = found.end;
    else {
      this.#fault(found.offset, fault);
      this.#broken.set(found.offset, found.end);
    }
  }

  #takeMain(found: FoundObject): string | undefined {
    const { strings } = this.#log;
    const read = readFrame(this.#bytes, found, {
      strings: strings.count,
      hasText: (text) => strings.find(text) !== undefined,
    });
    if (read.fault !== undefined) return read.fault;
    const { frame, rows } = read;
    // So that where no event is lost nothing is lost.
    const before = this.#frames.at(-1);
    if (before !== undefined && (frame.eventCount === 0 || before.eventCount === 0))
      return 'a frame without events is not the only one';
    for (const text of frame.strings) {
      strings.id(text);
      this.#digest.text(text);
    }
    this.#log.append(rows);
    this.#digest.rows(rows);
    this.#choices += frame.choiceCount;
    this.#frames.push(frame);
    this.#next = this.#log.count;
    return undefined;
  }

  #takeIsland(found: FoundObject, isGap: boolean, rest: Rest): string | undefined {
    const texts = isGap ? this.#textsBehind(rest) : this.#islands.at(-1)?.texts;
    if (texts === undefined) return 'it follows nothing';
    const read = readFrame(this.#bytes, found, {
      strings: texts.bound(this.#bytes.length),
      hasText: (text) => texts.has(text),
    });
    if (read.fault !== undefined) return read.fault;
    const frame = { ...read.frame, rows: read.rows.slice() };
    texts.add(frame.strings);
    if (isGap) {
      // Where bytes lie in between, those are what is damaged.
      if (this.#at !== undefined && found.offset <= this.#at)
        this.#fault(found.offset, `it does not start with event ${this.#next}`);
      this.#choicesBefore.push(this.#choicesBetween(this.#at, found.offset));
      this.#islands.push({ firstEvent: frame.firstEvent, frames: [frame], texts });
    } else this.#islands.at(-1)?.frames.push(frame);
    this.#next = frame.firstEvent + frame.eventCount;
    return undefined;
  }

  /** Behind one gap, the totals of the end tell how many strings it swallowed. */
  #textsBehind(rest: Rest): IslandTexts {
    const { strings } = this.#log;
    const listed = this.#islands.length > 0 ? undefined : this.#stringsListed(rest());
    const total = this.#endValue.strings;
    if (listed === undefined || !isCount(total)) return new IslandTexts(strings, undefined);
    const lost = total - strings.count - listed;
    const isPossible = lost >= 0 && lost <= this.#bytes.length;
    return new IslandTexts(strings, isPossible ? lost : undefined);
  }

  /** How many strings `frames` list, if they are all that is left of the run. */
  #stringsListed(frames: readonly FoundObject[]): number | undefined {
    let next = frames[0]?.firstEvent;
    let listed = 0;
    for (const { offset, end, firstEvent } of frames) {
      const size = sizeOf(this.#bytes.subarray(offset, end));
      if (size === undefined || firstEvent !== next) return undefined;
      next = firstEvent + size.events;
      listed += size.strings;
    }
    return next === this.#endValue.events ? listed : undefined;
  }

  /** The choices of what lies in [from, to), if that is nothing but broken frames. */
  #choicesBetween(from: number | undefined, to: number): Island['choicesBefore'] {
    if (from === undefined) return undefined;
    const found: Uint8Array[] = [];
    let at = from;
    while (at < to) {
      const end = this.#broken.get(at);
      const choices = end === undefined ? undefined : choicesIn(this.#bytes.subarray(at, end));
      if (end === undefined || choices === undefined) return undefined;
      found.push(choices);
      at = end;
    }
    return at === to ? found : undefined;
  }

  #readEnd(): RecordingEnd | undefined {
    const object = this.#endObject;
    if (object === undefined) {
      const isCut = this.#scan.ruins.at(-1)?.end !== this.#bytes.length;
      const what = 'the file stops here: the run never came to its end';
      if (isCut) this.#fault(this.#bytes.length, what);
      return undefined;
    }
    if (object.end < this.#bytes.length)
      this.#fault(object.end, 'more bytes follow the end of the recording');
    // Where events are lost, the totals are of more than what is here.
    const isLossy = this.#scan.ruins.length > 0 || this.#broken.size > 0;
    if (this.#islands.length > 0 || (isLossy && this.#endValue.events !== this.#log.count))
      return undefined;
    const end = this.#checkEnd(isLossy || this.#isMoved || this.#faults.length > 0);
    if (typeof end !== 'string') return end;
    this.#fault(object.offset, end);
    return undefined;
  }

  /** With `isMoved`, frames are not where they were written. */
  #checkEnd(isMoved: boolean): RecordingEnd | string {
    const { events, steps, choices, strings, digest, frames } = this.#endValue;
    if (events !== this.#log.count) return 'its number of events is wrong';
    if (strings !== this.#log.strings.count) return 'its number of strings is wrong';
    if (choices !== this.#choices) return 'its number of choices is wrong';
    if (!isCount(steps)) return 'its number of steps is none';
    if (digest !== this.#digest.hex()) return 'the digest of all events is wrong';
    if (!Array.isArray(frames)) return 'its index is no list';
    const index = this.#frames.map(({ offset, firstEvent }): [number, number] => [
      offset,
      firstEvent,
    ]);
    if (!isMoved && JSON.stringify(frames) !== JSON.stringify(index)) return 'its index is wrong';
    return { events, steps, choices, strings, digest, frames: index };
  }

  /** What follows the end was named as a whole. */
  #ruinFaults(): readonly Fault[] {
    const end = this.#endObject?.end ?? this.#bytes.length;
    return this.#scan.ruins.filter(({ offset }) => offset < end);
  }

  /** Faults in the order of the file, with the numbers of their frames as far as these can be known. */
  #damages(frames: readonly FoundObject[]): readonly Damage[] {
    const numbers = this.#indexNumbers();
    const sorted = this.#faults.toSorted((a, b) => a.offset - b.offset);
    return sorted.map(({ offset, what }, index) => {
      const counted = index === 0 ? frames.filter((one) => one.end <= offset).length : undefined;
      return { part: 'frame', frame: counted ?? numbers.get(offset), offset, what };
    });
  }

  /** The numbers of frames by offset, if the end tells them. */
  #indexNumbers(): ReadonlyMap<unknown, number> {
    const { frames } = this.#endValue;
    const entries = Array.isArray(frames) ? (frames as readonly unknown[]) : [];
    return new Map(
      entries.map((entry, number) => [Array.isArray(entry) ? entry[0] : entry, number]),
    );
  }
}

/** The map in the end, whatever is in it. */
function endValueAt(
  bytes: Uint8Array,
  { offset, end }: FoundObject,
): Partial<Record<keyof RecordingEnd, unknown>> {
  const value = unpack(bytes.subarray(offset, end));
  const first: unknown = Array.isArray(value) ? value[0] : undefined;
  return typeof first === 'object' && first !== null ? first : {};
}

/** Events that are known to be lost: [from, to] for each gap between frames. */
export function lostEvents({
  log,
  islands,
}: Pick<Assembled, 'log' | 'islands'>): readonly (readonly [from: number, to: number])[] {
  let next = log.count;
  return islands.map((island) => {
    const lost = [next, island.firstEvent - 1] as const;
    next = endOfIsland(island);
    return lost;
  });
}
