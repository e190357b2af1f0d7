// Layer replay. The one door to msgpack. Writing: plain objects only, no extension types. Reading: bytes that
// nobody vouches for are walked by our own eyes first, so that msgpackr only ever sees one complete, bounded
// object of the plain kinds, and a hostile length costs nothing.
import { Packr, Unpackr } from 'msgpackr';

/** Bounds of one object in a file: what it may make is bounded by what these allow. */
export const PACKED_LIMITS = {
  bytesMax: 0x4000000,
  /** Values of any kind together, those inside others included. An index of 349,000 frames fits. */
  itemsMax: 0x100000,
  depthMax: 40,
} as const;

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

export function pack(value: unknown): Uint8Array {
  const { buffer, byteOffset, length } = packr.pack(value);
  return new Uint8Array(buffer, byteOffset, length);
}

/** `bytes` is one object that `measure` found sound. */
export function unpack(bytes: Uint8Array): unknown {
  const value: unknown = unpackr.unpack(bytes);
  return value;
}

export type Measured = (
  | { readonly end: number; readonly fault: undefined }
  /** `cut`: what is there is fine, but the bytes end inside the object. */
  | { readonly end: undefined; readonly fault: string; readonly cut: boolean }
) & {
  /** Values that were looked at. */
  readonly items: number;
};

/** Where the object that starts at `at` ends, or why it is none that we read. */
export function measure(
  bytes: Uint8Array,
  at: number,
  itemsMax: number = PACKED_LIMITS.itemsMax,
): Measured {
  const { bytesMax } = PACKED_LIMITS;
  const walk = new Walk(bytes, at);
  const refuse = (fault: string, cut: boolean): Measured => {
    return { end: undefined, fault, cut, items: walk.items };
  };
  while (!walk.isOver) {
    if (walk.items >= itemsMax) return refuse(`it has more than ${itemsMax} values`, false);
    const fault = walk.item();
    if (fault === 'cut') return refuse('the bytes end inside it', true);
    if (fault !== undefined) return refuse(fault, false);
    if (walk.at - at > bytesMax) return refuse(`it is longer than ${bytesMax} bytes`, false);
  }
  return { end: walk.at, fault: undefined, items: walk.items };
}

/** An array or a map that is being walked. */
interface Open {
  left: number;
  readonly isMap: boolean;
}

// By the first byte, from 0xc0: bytes that follow as a value; bytes of a length; what the length counts.
const VALUE_BYTES: ReadonlyMap<number, number> = new Map([
  ...([0xc0, 0xc2, 0xc3] as const).map((byte): [number, number] => [byte, 0]),
  [0xca, 4],
  [0xcb, 8],
  ...([0xcc, 0xcd, 0xce, 0xcf] as const).map((byte, i): [number, number] => [byte, 1 << i]),
  ...([0xd0, 0xd1, 0xd2, 0xd3] as const).map((byte, i): [number, number] => [byte, 1 << i]),
]);
const LENGTHS: ReadonlyMap<number, { readonly bytes: number; readonly of: LengthOf }> = new Map([
  [0xc4, { bytes: 1, of: 'bytes' }],
  [0xc5, { bytes: 2, of: 'bytes' }],
  [0xc6, { bytes: 4, of: 'bytes' }],
  [0xd9, { bytes: 1, of: 'text' }],
  [0xda, { bytes: 2, of: 'text' }],
  [0xdb, { bytes: 4, of: 'text' }],
  [0xdc, { bytes: 2, of: 'items' }],
  [0xdd, { bytes: 4, of: 'items' }],
  [0xde, { bytes: 2, of: 'pairs' }],
  [0xdf, { bytes: 4, of: 'pairs' }],
]);

type LengthOf = 'bytes' | 'text' | 'items' | 'pairs';

const PROTO = '__proto__';

class Walk {
  readonly #bytes: Uint8Array;
  readonly #open: Open[] = [{ left: 1, isMap: false }];
  at: number;
  /** Values looked at so far. */
  items = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  get isOver(): boolean {
    return this.#open.length === 0;
  }

  /** Goes over one item; `cut`, or what is wrong. */
  item(): string | undefined {
    const first = this.#bytes[this.at];
    if (first === undefined) return 'cut';
    this.items++;
    const isKey = this.#begin();
    this.at++;
    const fault = this.#value(first, isKey);
    while (this.#open.at(-1)?.left === 0) this.#open.pop();
    return fault;
  }

  /** Counts the item; is it a key of a map? */
  #begin(): boolean {
    const open = this.#open.at(-1);
    if (open === undefined) return false;
    open.left--;
    return open.isMap && open.left % 2 === 1;
  }

  #value(first: number, isKey: boolean): string | undefined {
    if (first >= 0xa0 && first < 0xc0) return this.#text(first & 0x1f, isKey);
    const length = LENGTHS.get(first);
    if (length?.of === 'text') return this.#text(this.#length(length.bytes), isKey);
    if (isKey) return 'it has a map whose key is no string';
    if (first < 0x80 || first >= 0xe0) return undefined;
    if (first < 0x90) return this.#enter((first & 0x0f) * 2, true);
    if (first < 0xa0) return this.#enter(first & 0x0f, false);
    const fixed = VALUE_BYTES.get(first);
    if (fixed !== undefined) return this.#skip(fixed);
    if (length === undefined) return `it has a value of type 0x${first.toString(16)}`;
    const count = this.#length(length.bytes);
    if (length.of === 'bytes') return this.#skip(count);
    return length.of === 'pairs' ? this.#enter(count * 2, true) : this.#enter(count, false);
  }

  /** The big-endian number here; past the end it is more than can follow. */
  #length(bytes: number): number {
    if (this.at + bytes > this.#bytes.length) return this.#bytes.length;
    let length = 0;
    for (let i = 0; i < bytes; i++) length = length * 256 + (this.#bytes[this.at++] as number);
    return length;
  }

  #text(length: number, isKey: boolean): string | undefined {
    const from = this.at;
    const fault = this.#skip(length);
    if (fault !== undefined || !isKey || length !== PROTO.length) return fault;
    const key = String.fromCharCode(...this.#bytes.subarray(from, this.at));
    return key === PROTO ? `it has a map with the key ${PROTO}` : undefined;
  }

  #skip(length: number): string | undefined {
    this.at += length;
    return this.at > this.#bytes.length ? 'cut' : undefined;
  }

  #enter(items: number, isMap: boolean): string | undefined {
    // Each item takes a byte: a count that the file cannot hold is cut short before anything is made.
    if (items > this.#bytes.length - this.at) return 'cut';
    if (this.#open.length > PACKED_LIMITS.depthMax) return 'it is nested too deeply';
    this.#open.push({ left: items, isMap });
    return undefined;
  }
}
