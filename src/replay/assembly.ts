// Layer replay. The whole frames of a recording in the order of their events: one log up to the first event
// that is lost, islands behind it. In a file without damage that is the order in which they lie. Also says,
// frame by frame, what is damaged.
import { type Damage, type Fault, placeFaults } from './damage-place.ts';
import { RunDigest } from './digest.ts';
import { type ReadEnd, readEnd, type RecordingEnd, type RunTotals } from './end-read.ts';
import { EventLog } from './event-log.ts';
import {
  choicesIn,
  type FrameBefore,
  readFrame,
  type RecordedFrame,
  repeatsFrame,
  sizeOf,
} from './frame-read.ts';
import type { FoundObject, Scan } from './frame-scan.ts';
import {
  endOfIsland,
  type Island,
  type IslandFrame,
  IslandTexts,
  type LostChoices,
} from './island.ts';
import { type RecordingHeader, sameHeader } from './recording-header.ts';

export type { RecordingEnd } from './end-read.ts';

/** Everything behind the header. */
export interface Assembled {
  readonly log: EventLog;
  readonly frames: readonly RecordedFrame[];
  readonly islands: readonly Island[];
  readonly end: RecordingEnd | undefined;
  /** What a whole end says of a run of which events are lost. */
  readonly claim: Claim | undefined;
  /** The header that the end repeats. */
  readonly headerCopy: RecordingHeader | undefined;
  /** In the order of the file. */
  readonly damages: readonly Damage[];
}

interface Claim {
  readonly totals: RunTotals;
  /** Of the frames between the last whole one and the end; undefined if they are lost. */
  readonly lost: LostChoices | undefined;
}

export interface Surroundings {
  /** Where the first frame should start; undefined where that is not known. */
  readonly from: number | undefined;
  /** Something before the frames is damaged: they may lie elsewhere than they were written. */
  readonly isMoved: boolean;
  /** The header before them, if it is whole. */
  readonly header: RecordingHeader | undefined;
  /** The run that the file is of; undefined where no object is left that tells. */
  readonly run: string | undefined;
}

export function assemble(bytes: Uint8Array, scan: Scan, around: Surroundings): Assembled {
  return new Assembly(bytes, scan, around).read();
}

/** This frame and those behind it: asked for once, at the first gap. */
type Rest = () => readonly FoundObject[];

/** What is told of the end of a file. */
type Ending = Pick<Assembled, 'end' | 'claim'>;
const ENDLESS: Ending = { end: undefined, claim: undefined };

const FOLLOWS_ANOTHER = 'it does not follow the frame before it';

class Assembly {
  readonly #bytes: Uint8Array;
  readonly #scan: Scan;
  /** Whole frames of this run, in the order of the file. */
  readonly #own: readonly FoundObject[];
  /** Whole objects of other runs that lie in the file. */
  readonly #foreign: readonly FoundObject[];
  readonly #log = new EventLog();
  readonly #frames: RecordedFrame[] = [];
  readonly #digest = new RunDigest();
  readonly #islands: (Island & { readonly frames: IslandFrame[] })[] = [];
  readonly #faults: Fault[] = [];
  /** Frames that were read, in the order of their events. */
  readonly #taken: FoundObject[] = [];
  /** Ends of broken objects, by where they start. */
  readonly #broken = new Map<number, number>();
  readonly #endObject: FoundObject | undefined;
  readonly #endRead: ReadEnd | string | undefined;
  readonly #isMoved: boolean;
  readonly #header: RecordingHeader | undefined;
  #choices = 0;
  /** Number of the event that comes next. */
  #next = 0;
  /** Where the frame taken last ends. */
  #at: number | undefined;

  constructor(bytes: Uint8Array, scan: Scan, { from, isMoved, header, run }: Surroundings) {
    this.#isMoved = isMoved;
    this.#header = header;
    this.#bytes = bytes;
    this.#scan = scan;
    this.#at = from;
    const own = scan.objects.filter((one) => one.run === run);
    this.#own = own.filter(({ kind }) => kind === 'frame');
    this.#foreign = scan.objects.filter((one) => one.run !== run);
    this.#endObject = own.find(({ kind }) => kind === 'end');
    this.#endRead = this.#endObject === undefined ? undefined : readEnd(bytes, this.#endObject);
  }

  get #said(): ReadEnd | undefined {
    return typeof this.#endRead === 'object' ? this.#endRead : undefined;
  }

  read(): Assembled {
    const { ruins } = this.#scan;
    for (const { broken } of ruins)
      for (const { offset, end } of broken) this.#broken.set(offset, end);
    const sorted = this.#own.toSorted((a, b) => a.firstEvent - b.firstEvent);
    for (const [index, found] of sorted.entries()) {
      const { firstEvent, offset } = found;
      if (firstEvent < this.#next) this.#fault(offset, 'its events were there before', firstEvent);
      else this.#take(found, () => sorted.slice(index));
    }
    this.#faultOrder();
    this.#faultForeign();
    const ending = this.#readEnding();
    this.#faults.push(...this.#ruinFaults());
    return {
      log: this.#log,
      frames: this.#frames,
      islands: this.#islands,
      ...ending,
      headerCopy: this.#said?.header,
      damages: placeFaults(this.#faults, {
        inFile: this.#own,
        first: this.#frames.map(({ firstEvent }) => firstEvent),
        index: this.#said?.frames ?? [],
      }),
    };
  }

  #fault(offset: number, what: string, of?: Fault['of']): void {
    this.#faults.push({ offset, what, of });
  }

  #take(found: FoundObject, rest: Rest): void {
    const isGap = found.firstEvent > this.#next;
    const fault =
      isGap || this.#islands.length > 0
        ? this.#takeIsland(found, isGap, rest)
        : this.#takeMain(found);
    if (fault === undefined) {
      this.#at = found.end;
      this.#taken.push(found);
    } else {
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
    if (!repeatsFrame(frame.before, before)) return FOLLOWS_ANOTHER;
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
    const { firstEvent, before } = frame;
    const island = this.#islands.at(-1);
    if (isGap) {
      if (before === null || before.eventCount > firstEvent - this.#next) return FOLLOWS_ANOTHER;
      // Where bytes lie in between, those are what is damaged.
      if (this.#at !== undefined && found.offset <= this.#at)
        this.#fault(found.offset, `it does not start with event ${this.#next}`);
      const lost = this.#lostChoices(before, { events: firstEvent - this.#next, to: found.offset });
      this.#islands.push({ firstEvent, frames: [frame], texts, lost });
    } else {
      if (!repeatsFrame(before, island?.frames.at(-1))) return FOLLOWS_ANOTHER;
      island?.frames.push(frame);
    }
    texts.add(frame.strings);
    this.#next = firstEvent + frame.eventCount;
    return undefined;
  }

  /** Behind one gap, the totals of the end tell how many strings it swallowed. */
  #textsBehind(rest: Rest): IslandTexts {
    const { strings } = this.#log;
    const listed = this.#islands.length > 0 ? undefined : this.#stringsListed(rest());
    const total = this.#said?.totals.strings;
    if (listed === undefined || total === undefined) return new IslandTexts(strings, undefined);
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
    return next === this.#said?.totals.events ? listed : undefined;
  }

  /** Choices of lost `events` before byte `to`, where an object starts that repeats the last lost frame. */
  #lostChoices(
    last: FrameBefore,
    { events, to }: { readonly events: number; readonly to: number },
  ): LostChoices | undefined {
    if (last.eventCount === events) return { choices: [last.choices], isSealed: true };
    const found = this.#choicesBetween(this.#at, to) ?? [];
    // More is lost than the last one, so what is left of the others has to lie there.
    if (found.length < 2) return undefined;
    return { choices: [...found.slice(0, -1), last.choices], isSealed: false };
  }

  /** The choices of what lies in [from, to), if that is nothing but broken frames. */
  #choicesBetween(from: number | undefined, to: number): readonly Uint8Array[] | undefined {
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

  #readEnding(): Ending {
    const object = this.#endObject;
    const read = this.#endRead;
    if (object === undefined || read === undefined) {
      const lasts = [this.#foreign.at(-1), this.#scan.ruins.at(-1)];
      const isCut = lasts.every((one) => one?.end !== this.#bytes.length);
      const what = 'the file stops here: the run never came to its end';
      if (isCut) this.#fault(this.#bytes.length, what);
      return ENDLESS;
    }
    if (object.end < this.#bytes.length) this.#fault(object.end, this.#whatFollows(object), 'end');
    if (typeof read === 'string') return this.#refuseEnd(object, read);
    if (this.#header !== undefined && !sameHeader(read.header, this.#header))
      return this.#refuseEnd(object, 'it repeats another header');
    // Where events are lost, the totals are of more than what is here.
    const isLossy =
      this.#scan.ruins.length > 0 || this.#broken.size > 0 || this.#foreign.length > 0;
    const isGone = this.#isFrameGone(read);
    if (isGone && this.#at === object.offset) this.#fault(object.offset, 'the end is in its place');
    if (this.#islands.length > 0 || isGone || (isLossy && read.totals.events !== this.#log.count))
      return { end: undefined, claim: this.#claimOf(read, object) };
    const end = this.#checkEnd(read, isLossy || this.#isMoved || this.#faults.length > 0);
    return typeof end === 'string' ? this.#refuseEnd(object, end) : { end, claim: undefined };
  }

  /** Does a frame before the end, of which the index tells, follow what was read last? */
  #isFrameGone({ totals, frames }: ReadEnd): boolean {
    if (totals.events <= this.#next) return false;
    return frames.some((entry: unknown) => {
      const first: unknown = Array.isArray(entry) ? entry[1] : undefined;
      return first === this.#next;
    });
  }

  #refuseEnd({ offset }: FoundObject, what: string): Ending {
    this.#fault(offset, what, 'end');
    return ENDLESS;
  }

  /** Undefined where frames say otherwise than the end. */
  #claimOf({ totals, last }: ReadEnd, { offset: to }: FoundObject): Claim | undefined {
    const events = totals.events - this.#next;
    if (events === 0) {
      const frame = this.#islands.at(-1)?.frames.at(-1);
      return repeatsFrame(last, frame)
        ? { totals, lost: { choices: [], isSealed: true } }
        : undefined;
    }
    if (last === null || last.eventCount > events) return undefined;
    return { totals, lost: this.#lostChoices(last, { events, to }) };
  }

  /** With `isMoved`, frames are not where they were written. */
  #checkEnd({ totals, last, frames }: ReadEnd, isMoved: boolean): RecordingEnd | string {
    if (totals.events !== this.#log.count) return 'its number of events is wrong';
    if (totals.strings !== this.#log.strings.count) return 'its number of strings is wrong';
    if (totals.choices !== this.#choices) return 'its number of choices is wrong';
    if (totals.digest !== this.#digest.hex()) return 'the digest of all events is wrong';
    if (!repeatsFrame(last, this.#frames.at(-1))) return FOLLOWS_ANOTHER;
    const index = this.#frames.map(({ offset, firstEvent }): [number, number] => [
      offset,
      firstEvent,
    ]);
    if (!isMoved && JSON.stringify(frames) !== JSON.stringify(index)) return 'its index is wrong';
    return { ...totals, frames: index };
  }

  /** What follows the end was named as a whole. */
  #ruinFaults(): readonly Fault[] {
    return this.#scan.ruins
      .filter(({ offset }) => offset < this.#endOffset())
      .map(({ offset, what, isEnd }) => ({ offset, what, of: isEnd ? 'end' : undefined }));
  }

  /** Frames that were read and lie in the place of others. */
  #faultOrder(): void {
    const inFile = this.#taken.toSorted((a, b) => a.offset - b.offset);
    for (const [place, found] of inFile.entries())
      if (found !== this.#taken[place])
        this.#fault(found.offset, 'it lies in the place of another one', found.firstEvent);
  }

  /** One fault for foreign objects that follow each other. */
  #faultForeign(): void {
    const shown = this.#foreign.filter(({ offset }) => offset < this.#endOffset());
    for (const [index, { offset }] of shown.entries()) {
      if (shown[index - 1]?.end === offset) continue;
      let last = index;
      while (shown[last]?.end === shown[last + 1]?.offset) last++;
      const more = last === index ? 'it belongs' : `it and ${last - index} more behind it belong`;
      this.#fault(offset, `${more} to another recording`);
    }
  }

  /** Where the end begins; without one, that of the file. */
  #endOffset(): number {
    return this.#endObject?.offset ?? this.#bytes.length;
  }

  /** What lies behind the end, where nothing should. */
  #whatFollows({ offset: end }: FoundObject): string {
    const isBehind = ({ offset }: FoundObject): boolean => offset > end;
    const kinds = [
      ...(this.#own.some(isBehind) ? ['frames'] : []),
      ...(this.#foreign.some(isBehind) ? ['objects of another recording'] : []),
    ];
    return `${kinds.length === 0 ? 'more bytes' : kinds.join(' and ')} follow it`;
  }
}

/** Events that are known to be lost: [from, to] for each gap before an island, and for one before the end. */
export function lostEvents({
  log,
  islands,
  claim,
}: Pick<Assembled, 'log' | 'islands' | 'claim'>): readonly (readonly [from: number, to: number])[] {
  let next = log.count;
  const lost: [from: number, to: number][] = [];
  for (const island of islands) {
    lost.push([next, island.firstEvent - 1]);
    next = endOfIsland(island);
  }
  const total = claim?.totals.events ?? next;
  return total > next ? [...lost, [next, total - 1]] : lost;
}
