// Damage to bytes of any kind: what disks, cables, editors and malice do. Every mutation is a function of a
// seeded source of numbers, so that a failing mutant comes again.
import { Random } from '../src/replay/explore/random.ts';

/** Draws for one mutant. */
export class Draws {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** Uniform in [0, bound); 0 for an empty range. */
  below(bound: number): number {
    return bound < 1 ? 0 : this.#random.below(bound);
  }

  of<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0];
  }

  /** Small numbers often, up to `max`. */
  size(max: number): number {
    return this.below(1 + this.below(1 + this.below(max)));
  }
}

export type ByteMutator = (bytes: Uint8Array, draws: Draws, other: Uint8Array) => Uint8Array;

/** Heads of msgpack values that claim more than there is, types nobody uses, deep nesting, odd numbers. */
const HOSTILE_HEADS: readonly [readonly number[], ...(readonly number[])[]] = [
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xdf, 0x7f, 0xff, 0xff, 0xff],
  [0xc6, 0xff, 0xff, 0xff, 0xff],
  [0xc6, 0x00, 0x10, 0x00, 0x00],
  [0xdb, 0xff, 0xff, 0xff, 0xf0],
  [0xdc, 0xff, 0xff],
  [0xde, 0xff, 0xff],
  [0xd9, 0xff],
  [0xc1],
  [0xc7, 0x08, 0xff, 0, 0, 0, 0, 0, 0, 0, 0],
  [0xc9, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xd4, 0x72, 0x40],
  [0xd6, 0xff, 0, 0, 0, 0],
  [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0],
  [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
  [0xcb, 0xff, 0xf0, 0, 0, 0, 0, 0, 0],
  [0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0],
  [0xca, 0x7f, 0x80, 0, 0],
  Array.from({ length: 200 }, () => 0x91),
  Array.from({ length: 200 }, () => 0x98),
  Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 0x81 : 0xa0)),
  [0x81, 0xa9, 0x5f, 0x5f, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x5f, 0x5f, 0x80],
  [0xff, 0xff, 0xff, 0xff, 0xff],
  [0x80, 0x80, 0x80, 0x80, 0x00],
];

export const flipBit: ByteMutator = (bytes, draws) => {
  const copy = bytes.slice();
  const at = draws.below(copy.length);
  if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << draws.below(8));
  return copy;
};

export const truncate: ByteMutator = (bytes, draws) => bytes.slice(0, draws.below(bytes.length));

const setByte: ByteMutator = (bytes, draws) =>
  replaced(bytes, draws.below(bytes.length), 1, Uint8Array.of(draws.below(256)));

const insertBytes: ByteMutator = (bytes, draws) => {
  const more = Uint8Array.from({ length: 1 + draws.size(40) }, () => draws.below(256));
  return replaced(bytes, draws.below(bytes.length), 0, more);
};

const deleteBytes: ByteMutator = (bytes, draws) =>
  replaced(bytes, draws.below(bytes.length), 1 + draws.size(300), new Uint8Array());

const zeroBytes: ByteMutator = (bytes, draws) => {
  const length = 1 + draws.size(600);
  return replaced(bytes, draws.below(bytes.length), length, new Uint8Array(length));
};

const repeatBytes: ByteMutator = (bytes, draws) => {
  const at = draws.below(bytes.length);
  return replaced(bytes, at, 0, bytes.subarray(at, at + 1 + draws.size(300)));
};

/** The beginning of one file and the end of another. */
const splice: ByteMutator = (bytes, draws, other) =>
  replaced(
    bytes,
    draws.below(bytes.length),
    bytes.length,
    other.subarray(draws.below(other.length)),
  );

const hostileHead: ByteMutator = (bytes, draws) => {
  const head = Uint8Array.from(draws.of(HOSTILE_HEADS));
  return replaced(bytes, draws.below(bytes.length), draws.below(2) * head.length, head);
};

const BYTE_MUTATORS: readonly [ByteMutator, ...ByteMutator[]] = [
  flipBit,
  flipBit,
  truncate,
  setByte,
  insertBytes,
  deleteBytes,
  zeroBytes,
  repeatBytes,
  splice,
  hostileHead,
];

/** One to four damages, mostly one. */
export const mutateBytes: ByteMutator = (bytes, draws, other) => {
  let mutant = bytes;
  for (let left = 1 + draws.size(4); left > 0; left--)
    mutant = draws.of(BYTE_MUTATORS)(mutant, draws, other);
  return mutant;
};

/** `bytes` with `length` of them at `at` replaced by `more`. */
function replaced(bytes: Uint8Array, at: number, length: number, more: Uint8Array): Uint8Array {
  const tail = bytes.subarray(Math.min(bytes.length, at + length));
  const made = new Uint8Array(at + more.length + tail.length);
  made.set(bytes.subarray(0, at));
  made.set(more, at);
  made.set(tail, at + more.length);
  return made;
}
