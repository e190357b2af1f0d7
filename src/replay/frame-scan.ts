// Layer replay. Where the whole objects of a damaged recording lie. Frames follow each other; where something
// else lies, the next object that carries its own seal is looked for, byte by byte: 64 bits of digest do not
// agree by chance. What this costs is bounded by the size of the file, whoever made the file.
import { measure, PACKED_LIMITS } from './packed.ts';
import { END_TYPE, FRAME_TYPE, hasSeal, isSealed, runAt } from './seal.ts';

/** A frame or an end whose seal is right. */
export interface FoundObject {
  readonly kind: 'frame' | 'end';
  readonly offset: number;
  readonly end: number;
  /** What a frame says; 0 for the end. */
  readonly firstEvent: number;
  /** The run that it says it is of: the seal of that run's header. */
  readonly run: string;
}

/** Bytes that are no whole object. */
interface Ruin {
  readonly offset: number;
  readonly end: number;
  readonly what: string;
  /** Does it still look like the end? */
  readonly isEnd: boolean;
  /** If it falls into objects whose seals are wrong: where each begins and ends. Else empty. */
  readonly broken: readonly { readonly offset: number; readonly end: number }[];
}

export interface Scan {
  /** In the order of the file. */
  readonly objects: readonly FoundObject[];
  readonly ruins: readonly Ruin[];
}

/** Everything from `from` on, which is where an object should start. */
export function scanFrames(bytes: Uint8Array, from: number): Scan {
  return new Scanner(bytes).scan(from);
}

/** The end: an array of three, of which the first is a map of eight that begins with the key `events`. */
const END_START = [END_TYPE, 0x88, 0xa6, ...Array.from('events', (letter) => letter.charCodeAt(0))];
/** Per byte of the file, and for any file: what may be looked at in vain. */
const VAIN_PER_BYTE = 8;
const VAIN_FIRST = 0x4000;

class Scanner {
  readonly #bytes: Uint8Array;
  readonly #objects: FoundObject[] = [];
  readonly #ruins: Ruin[] = [];
  /** Values and digested bytes that did not become an object: honest damage uses little of it. */
  #vain: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#vain = bytes.length * VAIN_PER_BYTE + VAIN_FIRST;
  }

  scan(from: number): Scan {
    let at = from;
    while (at < this.#bytes.length) {
      const found = this.#objectAt(at);
      if (typeof found === 'string') at = this.#passRuin(at, found);
      else {
        this.#objects.push(found);
        at = found.end;
      }
    }
    return { objects: this.#objects, ruins: this.#ruins };
  }

  /** The object at `at`, or why it is none. */
  #objectAt(at: number): FoundObject | string {
    const measured = measure(this.#bytes, at, this.#itemsMax());
    if (measured.end === undefined) {
      this.#vain -= measured.items;
      return measured.cut ? CUT : measured.fault;
    }
    const kind = this.#kindAt(at);
    if (kind === undefined) {
      this.#vain -= measured.items;
      return 'this is neither a frame nor the end';
    }
    const { end } = measured;
    if (!this.#isSealed(at, end)) return 'its digest does not match';
    const firstEvent = kind === 'end' ? 0 : uintAt(this.#bytes, at + 1);
    return { kind, offset: at, end, firstEvent, run: runAt(this.#bytes, end) };
  }

  #kindAt(at: number): FoundObject['kind'] | undefined {
    const first = this.#bytes[at];
    if (first === FRAME_TYPE && uintAt(this.#bytes, at + 1) >= 0) return 'frame';
    return first === END_TYPE && this.#looksLikeObject(at) ? 'end' : undefined;
  }

  #isSealed(from: number, to: number): boolean {
    if (!hasSeal(this.#bytes, from, to) || to - from > this.#vain) return false;
    if (isSealed(this.#bytes, from, to)) return true;
    this.#vain -= to - from;
    return false;
  }

  #itemsMax(): number {
    return Math.max(0, Math.min(PACKED_LIMITS.itemsMax, this.#vain));
  }

  /** Notes what is wrong at `at`; returns where to go on. */
  #passRuin(at: number, fault: string): number {
    const next = this.#search(at + 1);
    const end = next ?? this.#bytes.length;
    const isCut = fault === CUT && next !== undefined;
    const what = isCut ? 'it does not end where it says' : fault;
    const more = this.#vain > 0 ? '' : '; too much here looks like a frame to look any further';
    const isEnd = this.#resemblesEnd(at);
    const broken = this.#brokenIn(at, end);
    this.#ruins.push({ offset: at, end, what: what + more, isEnd, broken });
    return end;
  }

  /** Most of the first bytes that are there are those of an end. */
  #resemblesEnd(at: number): boolean {
    const start = this.#bytes.subarray(at, at + END_START.length);
    return start.filter((byte, i) => byte === END_START[i]).length > start.length / 2;
  }

  /** Where the next object with a right seal starts. */
  #search(from: number): number | undefined {
    for (let at = from; at < this.#bytes.length && this.#vain > 0; at++) {
      if (this.#looksLikeObject(at) && typeof this.#objectAt(at) !== 'string') return at;
    }
    return undefined;
  }

  /** A cheap look that nearly everything fails. */
  #looksLikeObject(at: number): boolean {
    const bytes = this.#bytes;
    if (bytes[at] === END_TYPE) return END_START.every((byte, i) => bytes[at + i] === byte);
    if (bytes[at] !== FRAME_TYPE) return false;
    const count = at + 1 + uintBytes(bytes, at + 1);
    const columns = bytes[count + uintBytes(bytes, count)] ?? 0;
    return columns >= 0xc4 && columns <= 0xc6 && uintAt(bytes, at + 1) >= 0;
  }

  /** The objects that [from, to) falls into exactly, if it does. */
  #brokenIn(from: number, to: number): Ruin['broken'] {
    const broken: { offset: number; end: number }[] = [];
    let at = from;
    while (at < to) {
      const { end, items } = measure(this.#bytes, at, this.#itemsMax());
      this.#vain -= items;
      if (end === undefined || end > to) return [];
      broken.push({ offset: at, end });
      at = end;
    }
    return broken;
  }
}

const CUT = 'the bytes end inside it';

/** Bytes of the msgpack integer at `at`; 1 for anything else. */
function uintBytes(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  return first >= 0xcc && first <= 0xcf ? 1 + (1 << (first - 0xcc)) : 1;
}

/** The unsigned msgpack integer at `at`; -1 if there is none. */
function uintAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0xc0;
  if (first < 0x80) return first;
  if (first < 0xcc || first > 0xcf) return -1;
  let value = 0;
  for (let i = 1; i < uintBytes(bytes, at); i++) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
