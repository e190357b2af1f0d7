// Layer replay. A 64-bit digest that is the same on every host: two 32-bit lanes, each a bijection of its
// state for a given word and of the word for a given state, so that one changed word always shows. It finds
// accidents and differences between runs; it is no defence against somebody who wants a collision.
// docs/format.md states it exactly: files carry it.

const LANE_A = 0x243f6a88;
const LANE_B = 0x13198a2e;
const FACTOR_A = 0x9e3779b1;
const FACTOR_B = 0x85ebca77;

/** Sixteen lower-case hex digits. */
export type DigestHex = string;

export const DIGEST_HEX = /^[0-9a-f]{16}$/;

export class Digest {
  #a = LANE_A;
  #b = LANE_B;

  /** Takes one int32. */
  word(value: number): void {
    const a = Math.imul(this.#a ^ value, FACTOR_A);
    const b = Math.imul(this.#b + value, FACTOR_B);
    this.#a = a ^ (a >>> 15);
    this.#b = b ^ (b >>> 13);
  }

  /** Takes `values[from..to)`: the same as `word` for each. */
  words(values: Int32Array, from = 0, to: number = values.length): void {
    let a = this.#a;
    let b = this.#b;
    for (let i = from; i < to; i++) {
      const value = values[i] as number;
      a = Math.imul(a ^ value, FACTOR_A);
      b = Math.imul(b + value, FACTOR_B);
      a ^= a >>> 15;
      b ^= b >>> 13;
    }
    this.#a = a;
    this.#b = b;
  }

  /** Takes `values[from..to)` as little-endian words, a last one filled up with zeros, then its length. */
  bytes(values: Uint8Array, from = 0, to: number = values.length): void {
    let a = this.#a;
    let b = this.#b;
    for (let i = from; i < to; i += 4) {
      const value = i + 4 <= to ? wordAt(values, i) : lastWord(values, i, to);
      a = Math.imul(a ^ value, FACTOR_A);
      b = Math.imul(b + value, FACTOR_B);
      a ^= a >>> 15;
      b ^= b >>> 13;
    }
    this.#a = a;
    this.#b = b;
    this.word(to - from);
  }

  /** Takes the UTF-16 code units of `text`, then their number. */
  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.word(text.charCodeAt(i));
    this.word(text.length);
  }

  /** The digest of everything taken so far; more may follow. */
  hex(): DigestHex {
    return hexOf(finish(this.#a ^ this.#b)) + hexOf(finish(Math.imul(this.#b, FACTOR_A) + this.#a));
  }
}

/**
 * The digest of a run's events: rows and interned texts, wherever the frames were cut and whoever chose.
 * Equal digests mean equal events.
 */
export class RunDigest {
  readonly #rows = new Digest();
  readonly #texts = new Digest();

  rows(rows: Int32Array): void {
    this.#rows.words(rows);
  }

  text(text: string): void {
    this.#texts.text(text);
  }

  hex(): DigestHex {
    const both = new Digest();
    both.text(this.#rows.hex());
    both.text(this.#texts.hex());
    return both.hex();
  }
}

/** The digest of one range of bytes. */
export function digestOfBytes(values: Uint8Array, from: number, to: number): DigestHex {
  const digest = new Digest();
  digest.bytes(values, from, to);
  return digest.hex();
}

function wordAt(values: Uint8Array, i: number): number {
  return (
    (values[i] as number) |
    ((values[i + 1] as number) << 8) |
    ((values[i + 2] as number) << 16) |
    ((values[i + 3] as number) << 24)
  );
}

function lastWord(values: Uint8Array, from: number, to: number): number {
  let word = 0;
  for (let i = from; i < to; i++) word |= (values[i] as number) << ((i - from) * 8);
  return word;
}

/** Spreads each bit over the lane. */
function finish(lane: number): number {
  let mixed = Math.imul(lane ^ (lane >>> 16), FACTOR_B);
  mixed = Math.imul(mixed ^ (mixed >>> 13), FACTOR_A);
  return mixed ^ (mixed >>> 16);
}

function hexOf(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
