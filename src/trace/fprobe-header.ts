// Layer trace. The word before the data of an fprobe on the shadow stack (FP-70): a pointer, and in its topmost four bits,
// which are the same in all kernel addresses, how many words of data follow.
import { type Address, addressHi, addressLo, toAddress } from '../emu/address.ts';

const SIZE_SHIFT = 28;
const POINTER_MASK = (1 << SIZE_SHIFT) - 1;
const KERNEL_BITS = 0xf << SIZE_SHIFT;

export interface FprobeHeader {
  readonly address: Address;
  /** Data words, 0 to 15; what is more wraps. */
  readonly words: number;
}

/** Low and high word. */
export function encodeHeader({ address, words }: FprobeHeader): readonly [number, number] {
  return [addressLo(address), (addressHi(address) & POINTER_MASK) | (words << SIZE_SHIFT)];
}

/** Undefined: zero, where no header is any more. */
export function decodeHeader(lo: number, hi: number): FprobeHeader | undefined {
  if (lo === 0 && hi === 0) return undefined;
  return { address: toAddress(lo, hi | KERNEL_BITS), words: hi >>> SIZE_SHIFT };
}
