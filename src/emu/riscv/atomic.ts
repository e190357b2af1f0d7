// Layer emu. The A extension. Every access is sequentially consistent (CC-M1), so aq and rl mean nothing.
import { assert } from '../../assert.ts';
import type { Address } from '../address.ts';
import type { Memory, Segment } from '../memory.ts';
import type { Hart } from '../regs.ts';
import { fault, reachable, storable } from './access.ts';
import { setWord } from './muldiv.ts';
import { OP, OP_MASK, RD_MASK, RD_SHIFT, RS1_SHIFT, RS2_SHIFT, RS_MASK } from './ops.ts';

/** Executes the LR, SC or AMO of packed instruction `word` at `address`; false after a fault. */
export function atomic(memory: Memory, hart: Hart, word: number, address: Address): boolean {
  const op = word & OP_MASK;
  const bytes = op >= OP.lrd ? 8 : 4;
  // Alignment is the guest address's own: `address` may be NO_ADDRESS.
  const low = hart.lo[(word >>> RS1_SHIFT) & RS_MASK] as number;
  if ((low & (bytes - 1)) !== 0) return fault(hart, 'misaligned', address);
  const reads = op === OP.lrw || op === OP.lrd;
  const reach = reads ? reachable : storable;
  const segment = reach(memory, hart, address, bytes);
  if (segment === undefined) return false;
  const offset = address - segment.base;
  if (reads) {
    memory.reserve(hart, address);
    fetch(hart, segment, offset, word);
  } else if (op === OP.scw || op === OP.scd) {
    const held = hart.reservation === (address & ~7);
    memory.unreserve(hart);
    if (held) memory.noteStore(segment, address, bytes);
    if (held) put(hart, segment, offset, word);
    setWord(hart, rdOf(word), held ? 0 : 1);
  } else {
    memory.noteStore(segment, address, bytes);
    if (bytes === 8) modifyDouble(hart, segment, offset, word);
    else modifyWord(hart, segment, offset, word);
  }
  return true;
}

function rdOf(word: number): number {
  return (word >>> RD_SHIFT) & RD_MASK;
}

function rs2Of(word: number): number {
  return (word >>> RS2_SHIFT) & RS_MASK;
}

/** rd = what memory holds. */
function fetch(hart: Hart, segment: Segment, offset: number, word: number): void {
  const rd = rdOf(word);
  const lo = segment.words[offset >> 2] as number;
  const wide = (word & OP_MASK) >= OP.lrd;
  hart.lo[rd] = lo;
  hart.hi[rd] = wide ? (segment.words[(offset >> 2) + 1] as number) : lo >> 31;
}

/** Memory = rs2. */
function put(hart: Hart, segment: Segment, offset: number, word: number): void {
  const source = rs2Of(word);
  segment.words[offset >> 2] = hart.lo[source] as number;
  if ((word & OP_MASK) < OP.lrd) return;
  segment.words[(offset >> 2) + 1] = hart.hi[source] as number;
}

function modifyWord(hart: Hart, segment: Segment, offset: number, word: number): void {
  const value = hart.lo[rs2Of(word)] as number; // Before rd, which may be the same, is written.
  const old = segment.words[offset >> 2] as number;
  fetch(hart, segment, offset, word);
  segment.words[offset >> 2] = combineWord(word & OP_MASK, old, value);
}

function combineWord(op: number, old: number, value: number): number {
  switch (op) {
    case OP.amoswapw:
      return value;
    case OP.amoaddw:
      return (old + value) | 0;
    case OP.amoxorw:
      return old ^ value;
    case OP.amoorw:
      return old | value;
    case OP.amoandw:
      return old & value;
    case OP.amominw:
      return Math.min(old, value);
    case OP.amomaxw:
      return Math.max(old, value);
    case OP.amominuw:
      return Math.min(old >>> 0, value >>> 0) | 0;
    default:
      assert(op === OP.amomaxuw, 'there is no other AMO');
      return Math.max(old >>> 0, value >>> 0) | 0;
  }
}

function modifyDouble(hart: Hart, segment: Segment, offset: number, word: number): void {
  const { words } = segment;
  const index = offset >> 2;
  const op = word & OP_MASK;
  const lo = hart.lo[rs2Of(word)] as number;
  const hi = hart.hi[rs2Of(word)] as number;
  const oldLo = words[index] as number;
  const oldHi = words[index + 1] as number;
  fetch(hart, segment, offset, word);
  if (op === OP.amoaddd) {
    const sum = (oldLo + lo) | 0;
    words[index] = sum;
    words[index + 1] = oldHi + hi + (sum >>> 0 < lo >>> 0 ? 1 : 0);
  } else if (op >= OP.amomind) {
    const less = isLess(oldLo, oldHi, lo, hi, op >= OP.amominud);
    const wantsLess = op === OP.amomind || op === OP.amominud;
    if (less === wantsLess) return;
    words[index] = lo;
    words[index + 1] = hi;
  } else {
    words[index] = combineBits(op, oldLo, lo);
    words[index + 1] = combineBits(op, oldHi, hi);
  }
}

// prettier-ignore
function isLess(aLo: number, aHi: number, bLo: number, bHi: number, unsigned: boolean): boolean {
  if (aHi === bHi) return aLo >>> 0 < bLo >>> 0;
  return unsigned ? aHi >>> 0 < bHi >>> 0 : aHi < bHi;
}

/** AMOs that treat each bit alone. */
function combineBits(op: number, old: number, value: number): number {
  switch (op) {
    case OP.amoxord:
      return old ^ value;
    case OP.amoord:
      return old | value;
    case OP.amoandd:
      return old & value;
    default:
      assert(op === OP.amoswapd, 'there is no other AMO');
      return value;
  }
}
