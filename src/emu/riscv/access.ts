// Layer emu. Guest loads and stores outside the fast path of `run`: shared memory, and what is misaligned.
// A guest access never throws: it faults. Which reason wins: unmapped (or stack), readonly, freed.
import { type Address, GUARD_BYTES, STACK_BYTES, toAddress } from '../address.ts';
import {
  firstDead,
  type Memory,
  type Segment,
  read16,
  read32,
  write16,
  write32,
} from '../memory.ts';
import type { FaultReason, Hart } from '../regs.ts';
import * as ops from './ops.ts';

// As in run.ts: imported constants are not folded.
const HI = ops.HI;
const OP_MASK = ops.OP_MASK;
const RD_SHIFT = ops.RD_SHIFT;
const RD_MASK = ops.RD_MASK;
const RS2_SHIFT = ops.RS2_SHIFT;
const RS_MASK = ops.RS_MASK;

/** Notes a fault; false, for `return fault(...)`. */
export function fault(hart: Hart, reason: FaultReason, address: Address): false {
  hart.faultReason = reason;
  hart.faultAddress = address;
  return false;
}

/** The address that register `rs1` plus `imm` names; NO_ADDRESS when nothing can lie there. */
export function effectiveAddress(hart: Hart, rs1: number, imm: number): Address {
  const base = hart.x[rs1] as number;
  const lo = (base + imm) | 0;
  const carry = lo >>> 0 < base >>> 0 ? 1 : 0;
  return toAddress(lo, ((hart.x[rs1 + HI] as number) + (imm >> 31) + carry) | 0);
}

export function inOwnStack(hart: Hart, address: Address): boolean {
  return (address - hart.stackBase) >>> 0 < STACK_BYTES;
}

/** The segment of a guest access, or undefined and a fault. */
export function reachable(
  memory: Memory,
  hart: Hart,
  address: Address,
  bytes: number,
): Segment | undefined {
  const segment = memory.segmentAt(address);
  if (segment === undefined || address - segment.base + bytes > segment.size) {
    const guard = (hart.stackBase - 1 - address) >>> 0 < GUARD_BYTES;
    fault(hart, guard ? 'stack' : 'unmapped', address);
    return undefined;
  }
  if (firstDead(segment, address, bytes) === undefined) return segment;
  fault(hart, 'freed', address);
  return undefined;
}

/** As `reachable`, for a store. */
export function storable(
  memory: Memory,
  hart: Hart,
  address: Address,
  bytes: number,
): Segment | undefined {
  const segment = reachable(memory, hart, address, bytes);
  if (segment === undefined || segment.writable) return segment;
  fault(hart, 'readonly', address);
  return undefined;
}

/** Executes the load of packed instruction `word` at `address`; false after a fault. */
export function load(memory: Memory, hart: Hart, word: number, address: Address): boolean {
  const op = word & OP_MASK;
  const segment = reachable(memory, hart, address, 1 << (op & 3));
  if (segment === undefined) return false;
  const offset = address - segment.base;
  const { x } = hart;
  const rd = (word >> RD_SHIFT) & RD_MASK;
  if (op === 63 /* ld */) {
    x[rd] = read32(segment, offset);
    x[rd + HI] = read32(segment, offset + 4);
    return true;
  }
  const value = loadWord(segment, op, offset);
  x[rd] = value;
  x[rd + HI] = op === 66 /* lwu */ ? 0 : value >> 31;
  return true;
}

/** The low word of a load. The labels are literals, as in run.ts. */
function loadWord(segment: Segment, op: number, offset: number): number {
  switch (op) {
    case 60: // lb
      return ((segment.bytes[offset] as number) << 24) >> 24;
    case 61: // lh
      return (read16(segment, offset) << 16) >> 16;
    case 64: // lbu
      return segment.bytes[offset] as number;
    case 65: // lhu
      return read16(segment, offset);
    default:
      return read32(segment, offset);
  }
}

/** Executes the store of packed instruction `word` at `address`; false after a fault. */
export function store(memory: Memory, hart: Hart, word: number, address: Address): boolean {
  const bytes = 1 << (word & 3);
  const segment = storable(memory, hart, address, bytes);
  if (segment === undefined) return false;
  memory.noteStore(segment, address, bytes);
  const offset = address - segment.base;
  const source = (word >> RS2_SHIFT) & RS_MASK;
  const lo = hart.x[source] as number;
  if (bytes === 1) segment.bytes[offset] = lo;
  else if (bytes === 2) write16(segment, offset, lo);
  else write32(segment, offset, lo);
  if (bytes === 8) write32(segment, offset + 4, hart.x[source + HI] as number);
  return true;
}
