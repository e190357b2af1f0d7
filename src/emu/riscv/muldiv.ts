// Layer emu. The M extension on pairs of 32-bit words. Multiplication is by 16-bit pieces; division of
// what does not fit in 32 bits goes through BigInt, being rare.
import type { Hart } from '../regs.ts';
import { OP } from './ops.ts';

/** High word of the unsigned product of two words. */
function highWord(a: number, b: number): number {
  const aLo = a & 0xffff;
  const aHi = a >>> 16;
  const bLo = b & 0xffff;
  const bHi = b >>> 16;
  const middle = aHi * bLo + ((aLo * bLo) >>> 16);
  const carry = (middle & 0xffff) + aLo * bHi;
  return (aHi * bHi + (middle >>> 16) + (carry >>> 16)) | 0;
}

/** rd = low 64 bits of a * b. */
export function multiply(hart: Hart, rd: number, a: number, b: number): void {
  const { lo, hi } = hart;
  const aLo = lo[a] as number;
  const bLo = lo[b] as number;
  const cross = Math.imul(aLo, hi[b] as number) + Math.imul(hi[a] as number, bLo);
  hi[rd] = highWord(aLo, bLo) + cross;
  lo[rd] = Math.imul(aLo, bLo);
}

/** rd = high 64 bits of a * b, each taken as signed or not. */
export function multiplyHigh(hart: Hart, op: number, rd: number, a: number, b: number): void {
  const { lo, hi } = hart;
  const aLo = lo[a] as number;
  const aHi = hi[a] as number;
  const bLo = lo[b] as number;
  const bHi = hi[b] as number;
  // Words of weight 2^32, 2^64 and 2^96 as doubles: sums stay far below 2^53.
  const one =
    (highWord(aLo, bLo) >>> 0) + (Math.imul(aLo, bHi) >>> 0) + (Math.imul(aHi, bLo) >>> 0);
  let two =
    Math.floor(one / 0x100000000) +
    (highWord(aLo, bHi) >>> 0) +
    (highWord(aHi, bLo) >>> 0) +
    (Math.imul(aHi, bHi) >>> 0);
  let three = highWord(aHi, bHi) >>> 0;
  // A negative factor counts 2^64 too much: take the other one away from the high half.
  if (op !== OP.mulhu && aHi < 0) {
    two -= bLo >>> 0;
    three -= bHi >>> 0;
  }
  if (op === OP.mulh && bHi < 0) {
    two -= aLo >>> 0;
    three -= aHi >>> 0;
  }
  three += Math.floor(two / 0x100000000);
  lo[rd] = two % 0x100000000;
  hi[rd] = three % 0x100000000;
}

/** rd = a / b or a % b of 64 bits. Dividing by zero and overflow have results, not traps. */
export function divide(hart: Hart, op: number, rd: number, a: number, b: number): void {
  const { lo, hi } = hart;
  const aHi = hi[a] as number;
  const bHi = hi[b] as number;
  const bLo = lo[b] as number;
  const wantsQuotient = op === OP.div || op === OP.divu;
  if (aHi === 0 && bHi === 0 && bLo !== 0) {
    const dividend = (lo[a] as number) >>> 0;
    const divisor = bLo >>> 0;
    const result = wantsQuotient ? Math.floor(dividend / divisor) : dividend % divisor;
    lo[rd] = result | 0;
    hi[rd] = 0;
    return;
  }
  const signed = op === OP.div || op === OP.rem;
  const dividend = wide(lo[a] as number, aHi, signed);
  const divisor = wide(bLo, bHi, signed);
  let result = wantsQuotient ? -1n : dividend;
  if (divisor !== 0n) result = wantsQuotient ? dividend / divisor : dividend % divisor;
  lo[rd] = Number(BigInt.asIntN(32, result));
  hi[rd] = Number(BigInt.asIntN(32, result >> 32n));
}

function wide(lo: number, hi: number, signed: boolean): bigint {
  return (BigInt(signed ? hi : hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** The W forms: 32-bit operands, the result extended by its sign. */
export function divideWord(hart: Hart, op: number, rd: number, a: number, b: number): void {
  const signed = op === OP.divw || op === OP.remw;
  const dividend = signed ? (hart.lo[a] as number) : (hart.lo[a] as number) >>> 0;
  const divisor = signed ? (hart.lo[b] as number) : (hart.lo[b] as number) >>> 0;
  const wantsQuotient = op === OP.divw || op === OP.divuw;
  let result = wantsQuotient ? -1 : dividend;
  if (divisor !== 0) result = wantsQuotient ? Math.trunc(dividend / divisor) : dividend % divisor;
  setWord(hart, rd, result | 0);
}

/** rd = `value` extended by its sign. */
export function setWord(hart: Hart, rd: number, value: number): void {
  hart.lo[rd] = value;
  hart.hi[rd] = value >> 31;
}
