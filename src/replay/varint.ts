// Layer replay. Integers of one to five bytes: seven bits a byte, lowest first, the high bit says that more
// follow. Always the shortest form, so that equal values are equal bytes.

/** Bytes of the longest one. */
export const VARINT_BYTES_MAX = 5;

/** Writes the unsigned 32-bit `value` at `out[at]`; returns where the next byte goes. */
export function putVarint(out: Uint8Array, at: number, value: number): number {
  if ((value & ~0x7f) === 0) {
    out[at] = value;
    return at + 1;
  }
  return putLong(out, at, value);
}

function putLong(out: Uint8Array, at: number, value: number): number {
  let left = value >>> 0;
  let next = at;
  while (left > 0x7f) {
    out[next++] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  out[next++] = left;
  return next;
}

/** Small numbers of either sign become small unsigned ones: 0, -1, 1, -2, ... */
export function zigzag(value: number): number {
  return (value << 1) ^ (value >> 31);
}

export function unzigzag(value: number): number {
  return (value >>> 1) ^ -(value & 1);
}

/**
 * Reads bytes that nobody vouches for. A read past the end or of an ill-formed number gives 0 and sets
 * `fault`, which stays set: ask once, after a bounded number of reads.
 */
export class VarintReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #fault: string | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** What was wrong first. */
  fault(): string | undefined {
    return this.#fault;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next unsigned number. */
  next(): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80) {
      this.#at++;
      return first;
    }
    return this.#long();
  }

  fail(what: string): void {
    this.#fault ??= what;
  }

  #long(): number {
    let value = 0;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) return this.#refuse('its bytes end inside a number');
      value |= (byte & 0x7f) << (7 * i);
      if (byte >= 0x80) continue;
      if (byte === 0) return this.#refuse('a number is longer than it needs to be');
      if (i === VARINT_BYTES_MAX - 1 && byte > 0x0f) break;
      return value >>> 0;
    }
    return this.#refuse('a number has more than 32 bits');
  }

  #refuse(what: string): number {
    this.fail(what);
    return 0;
  }
}
