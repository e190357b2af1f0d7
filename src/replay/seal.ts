// Layer replay. What all objects of a recording have in common: an array whose last item, the seal, is the
// digest of the object's own bytes. So a frame is known to be whole by itself, wherever it lies. What follows the
// header has the header's seal before its own: so a frame is known to be one of this run, whatever lies beside it.
import { digestOfBytes } from './digest.ts';
import { pack } from './packed.ts';

export const FORMAT_MAGIC = 'reprobe';
/** Changing or removing anything is a new version (CONTRIBUTING.md). */
export const FORMAT_VERSION = 3;

/** The place of the seal while it is not known. */
export const SEAL_NONE = '0000000000000000';
/** Letters of a seal. */
const SEAL_BYTES: number = SEAL_NONE.length;
/** What msgpack puts before a text of that length. */
const SEAL_TYPE = 0xb0;

/** An object with its seal put over the last bytes. */
export function sealed(value: readonly unknown[]): Uint8Array {
  const bytes = pack(value);
  const digest = digestOfBytes(bytes, 0, bytes.length - SEAL_BYTES);
  for (let i = 0; i < SEAL_BYTES; i++) bytes[bytes.length - SEAL_BYTES + i] = digest.charCodeAt(i);
  return bytes;
}

/** What a frame holds, in the order in which it is packed. */
interface FrameParts {
  readonly first: number;
  readonly count: number;
  readonly columns: Uint8Array;
  readonly choices: Uint8Array;
  readonly strings: readonly string[];
  readonly state: string | null;
  /** Count and choices of the frame before. */
  readonly before: readonly [count: number, choices: Uint8Array] | null;
  /** The seal of the header. */
  readonly run: string;
}

/** Items of a frame. */
export const FRAME_ITEMS = 9;
/** How frames and the end begin: msgpack's arrays of so many items. */
export const FRAME_TYPE: number = 0x90 + FRAME_ITEMS;
export const END_TYPE = 0x93;

export function packFrame(parts: FrameParts): Uint8Array {
  const { first, count, columns, choices, strings, state, before, run } = parts;
  return sealed([first, count, columns, choices, strings, state, before, run, SEAL_NONE]);
}

/** Do the bytes [from, to) end with something that looks like a seal? */
export function hasSeal(bytes: Uint8Array, from: number, to: number): boolean {
  return to - from > SEAL_BYTES && bytes[to - SEAL_BYTES - 1] === SEAL_TYPE;
}

/** The seal of the object that ends at `to`, whether it is right or not. */
export function sealAt(bytes: Uint8Array, to: number): string {
  return textAt(bytes, to);
}

/** The run that the frame or end [from, to) says it is of: the item before its seal. */
export function runAt(bytes: Uint8Array, to: number): string {
  return textAt(bytes, to - 1 - SEAL_BYTES);
}

function textAt(bytes: Uint8Array, to: number): string {
  return String.fromCharCode(...bytes.subarray(Math.max(0, to - SEAL_BYTES), Math.max(0, to)));
}

/** Is the object [from, to) the one that was sealed? */
export function isSealed(bytes: Uint8Array, from: number, to: number): boolean {
  if (!hasSeal(bytes, from, to)) return false;
  const digest = digestOfBytes(bytes, from, to - SEAL_BYTES);
  for (let i = 0; i < SEAL_BYTES; i++)
    if (bytes[to - SEAL_BYTES + i] !== digest.charCodeAt(i)) return false;
  return true;
}
