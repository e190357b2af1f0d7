// Layer emu: imports nothing above it, no package and no node: module.
// Relocations of RISC-V object files, as `gcc -mcmodel=medany -mno-relax` leaves them: what each writes where.
// Left out: the absolute 32-bit model (medlow), thread-local data, GOT and PLT, and linker relaxation.
import { type Address, addressHi, addressLo } from './address.ts';

/** Names as the psABI has them; the file has the numbers. */
export const RELOCATION = {
  R_RISCV_NONE: 0,
  R_RISCV_32: 1,
  R_RISCV_64: 2,
  R_RISCV_BRANCH: 16,
  R_RISCV_JAL: 17,
  R_RISCV_CALL: 18,
  R_RISCV_CALL_PLT: 19,
  R_RISCV_PCREL_HI20: 23,
  R_RISCV_PCREL_LO12_I: 24,
  R_RISCV_PCREL_LO12_S: 25,
  R_RISCV_ADD32: 35,
  R_RISCV_ADD64: 36,
  R_RISCV_SUB32: 39,
  R_RISCV_SUB64: 40,
  R_RISCV_RVC_BRANCH: 44,
  R_RISCV_RVC_JUMP: 45,
} as const;

const HI_ROUND = 0x800;
const LOW_BITS = 12;

/** Where to write, and what: `value` is symbol + addend, `place` the address of the bytes. */
export interface Patch {
  readonly view: DataView;
  /** Offset of the bytes in `view`. */
  readonly at: number;
  readonly place: Address;
  readonly value: Address;
}

/** How many bytes a relocation of this type changes; undefined for one that is not known. */
export function relocatedBytes(type: number): number | undefined {
  switch (type) {
    case RELOCATION.R_RISCV_NONE:
      return 0;
    case RELOCATION.R_RISCV_RVC_BRANCH:
    case RELOCATION.R_RISCV_RVC_JUMP:
      return 2;
    case RELOCATION.R_RISCV_64:
    case RELOCATION.R_RISCV_ADD64:
    case RELOCATION.R_RISCV_SUB64:
    case RELOCATION.R_RISCV_CALL:
    case RELOCATION.R_RISCV_CALL_PLT:
      return 8;
    case RELOCATION.R_RISCV_32:
    case RELOCATION.R_RISCV_BRANCH:
    case RELOCATION.R_RISCV_JAL:
    case RELOCATION.R_RISCV_PCREL_HI20:
    case RELOCATION.R_RISCV_PCREL_LO12_I:
    case RELOCATION.R_RISCV_PCREL_LO12_S:
    case RELOCATION.R_RISCV_ADD32:
    case RELOCATION.R_RISCV_SUB32:
      return 4;
    default:
      return undefined;
  }
}

/** Applies one relocation; false when the value does not fit. For PCREL_LO12 `place` is that of the HI20. */
export function relocate(type: number, patch: Patch): boolean {
  const { view, at, place, value } = patch;
  const distance = value - place;
  switch (type) {
    case RELOCATION.R_RISCV_BRANCH:
      return setWord(patch, branchBits(distance), 13);
    case RELOCATION.R_RISCV_JAL:
      return setWord(patch, jalBits(distance), 21);
    case RELOCATION.R_RISCV_RVC_BRANCH:
      return setHalf(patch, compressedBranchBits(distance), 9);
    case RELOCATION.R_RISCV_RVC_JUMP:
      return setHalf(patch, compressedJumpBits(distance), 12);
    case RELOCATION.R_RISCV_PCREL_HI20:
      return or32(view, at, hi20(distance));
    case RELOCATION.R_RISCV_PCREL_LO12_I:
      return or32(view, at, distance << 20);
    case RELOCATION.R_RISCV_PCREL_LO12_S:
      return or32(view, at, storeBits(distance));
    case RELOCATION.R_RISCV_CALL:
    case RELOCATION.R_RISCV_CALL_PLT:
      return or32(view, at, hi20(distance)) && or32(view, at + 4, distance << 20);
    default:
      return writeData(type, patch);
  }
}

function writeData(type: number, { view, at, value }: Patch): boolean {
  switch (type) {
    case RELOCATION.R_RISCV_32:
      view.setInt32(at, addressLo(value), true);
      return addressHi(value) === addressLo(value) >> 31;
    case RELOCATION.R_RISCV_64:
      view.setInt32(at, addressLo(value), true);
      view.setInt32(at + 4, addressHi(value), true);
      return true;
    case RELOCATION.R_RISCV_ADD32:
    case RELOCATION.R_RISCV_SUB32: {
      const sign = type === RELOCATION.R_RISCV_ADD32 ? 1 : -1;
      view.setInt32(at, view.getInt32(at, true) + sign * addressLo(value), true);
      return true;
    }
    case RELOCATION.R_RISCV_ADD64:
    case RELOCATION.R_RISCV_SUB64: {
      const wide = (BigInt(addressHi(value)) << 32n) | BigInt(addressLo(value) >>> 0);
      const before = view.getBigInt64(at, true);
      const after = type === RELOCATION.R_RISCV_ADD64 ? before + wide : before - wide;
      view.setBigInt64(at, BigInt.asIntN(64, after), true);
      return true;
    }
    default:
      return true; // R_RISCV_NONE
  }
}

function or32(view: DataView, at: number, bits: number): boolean {
  view.setInt32(at, view.getInt32(at, true) | bits, true);
  return true;
}

/** Does the patch's distance fit into `count` signed bits, and is it even? */
function fits({ value, place }: Patch, count: number): boolean {
  const distance = value - place;
  const limit = 2 ** (count - 1);
  return distance % 2 === 0 && distance >= -limit && distance < limit;
}

function setWord(patch: Patch, bits: number, count: number): boolean {
  return fits(patch, count) && or32(patch.view, patch.at, bits);
}

function setHalf(patch: Patch, bits: number, count: number): boolean {
  if (!fits(patch, count)) return false;
  const { view, at } = patch;
  view.setUint16(at, view.getUint16(at, true) | bits, true);
  return true;
}

/** The upper part that leaves a signed lower part of 12 bits. */
function hi20(distance: number): number {
  return (distance + HI_ROUND) & -(1 << LOW_BITS);
}

/** Bits `from` down to `to` of `value`, put at bit `at`. */
function move(value: number, [from, to]: readonly [number, number], at: number): number {
  return ((value >> to) & ((1 << (from - to + 1)) - 1)) << at;
}

function branchBits(d: number): number {
  return move(d, [12, 12], 31) | move(d, [10, 5], 25) | move(d, [4, 1], 8) | move(d, [11, 11], 7);
}

function jalBits(d: number): number {
  return (
    move(d, [20, 20], 31) | move(d, [10, 1], 21) | move(d, [11, 11], 20) | move(d, [19, 12], 12)
  );
}

function storeBits(d: number): number {
  return move(d, [11, 5], 25) | move(d, [4, 0], 7);
}

function compressedBranchBits(d: number): number {
  return (
    move(d, [8, 8], 12) |
    move(d, [4, 3], 10) |
    move(d, [7, 6], 5) |
    move(d, [2, 1], 3) |
    move(d, [5, 5], 2)
  );
}

function compressedJumpBits(d: number): number {
  return (
    move(d, [11, 11], 12) |
    move(d, [4, 4], 11) |
    move(d, [9, 8], 9) |
    move(d, [10, 10], 8) |
    move(d, [6, 6], 7) |
    move(d, [7, 7], 6) |
    move(d, [3, 1], 3) |
    move(d, [5, 5], 2)
  );
}
