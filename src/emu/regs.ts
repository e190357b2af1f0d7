// Layer emu. One hart: the registers of a CPU and the outcome of its last `run`.
import { assert } from '../assert.ts';
import { type Address, NO_ADDRESS } from './address.ts';
import type { Segment } from './memory.ts';
import { HI } from './riscv/ops.ts';
import type { TextRegion } from './riscv/region.ts';

/** Register numbers by their ABI names. */
export const REG = {
  zero: 0,
  ra: 1,
  sp: 2,
  gp: 3,
  tp: 4,
  t0: 5,
  t1: 6,
  t2: 7,
  s0: 8,
  s1: 9,
  a0: 10,
  a1: 11,
  a2: 12,
  a3: 13,
  a4: 14,
  a5: 15,
  a6: 16,
  a7: 17,
  s2: 18,
  s3: 19,
  s4: 20,
  s5: 21,
  s6: 22,
  s7: 23,
  s8: 24,
  s9: 25,
  s10: 26,
  s11: 27,
  t3: 28,
  t4: 29,
  t5: 30,
  t6: 31,
} as const;

const REGS = 32;

/** Why an instruction could not execute. */
export type FaultReason =
  | 'fetch' // no text at pc
  | 'illegal' // no such instruction, or a CSR that is not there
  | 'unmapped' // data access where no segment is
  | 'stack' // data access in the guard page below the own stack
  | 'readonly' // store to text or read-only data
  | 'freed' // data access to a granule that is not live
  | 'misaligned'; // LR, SC or AMO across its alignment

export class Hart {
  readonly id: number;
  /** Low words of x0..x31 and of a sink at REG_SINK, then their high words from HI on. x0 stays 0. */
  readonly x: Int32Array = new Int32Array(2 * HI);
  /** The two halves of `x`. */
  readonly lo: Int32Array = this.x.subarray(0, HI);
  readonly hi: Int32Array = this.x.subarray(HI);
  pc: Address = NO_ADDRESS;
  /** Where `run` looks for text first. */
  text: TextRegion | undefined = undefined;
  /** Accesses in [stackBase, stackBase + STACK_BYTES) are private; a segment of its own begins here. */
  stackBase: Address = NO_ADDRESS;
  /** The segment at `stackBase`; `run` keeps it up to date. */
  stack: Segment | undefined = undefined;
  /** sstatus.SIE. */
  irqsOn = true;
  /** See `Memory.reserve`. */
  reservation: Address = NO_ADDRESS;
  /** sscratch, sepc, scause: low and high word each. */
  readonly csrs: Int32Array = new Int32Array(6);
  /** Within a run: its budget is not used up, but `run` calls itself anew. */
  midway = false;
  /** Steps that the last `run` completed; at least 1. */
  steps = 0;
  /** Instructions executed since boot; `ecall`, `ebreak` and faults do not count. */
  instret = 0;
  /** Of the last STOP_FAULT. */
  faultReason: FaultReason | undefined = undefined;
  /** The data address or pc at fault; NO_ADDRESS when the guest value lies outside every segment range. */
  faultAddress: Address = NO_ADDRESS;

  constructor(id: number) {
    this.id = id;
  }
}

/** A saved frame: low words of x0..x31, then their high words, then pc. */
export const FRAME_WORDS = 65;
export const FRAME_HI = 32;
export const FRAME_PC = 64;

/** Copies x0..x31 and pc out. */
export function saveFrame(hart: Hart, frame: Int32Array): void {
  assert(frame.length === FRAME_WORDS, 'a frame holds every register and pc');
  const { lo, hi } = hart;
  for (let i = 0; i < REGS; i++) {
    frame[i] = lo[i] as number;
    frame[FRAME_HI + i] = hi[i] as number;
  }
  frame[FRAME_PC] = hart.pc;
}

/** Copies x0..x31 and pc back. */
export function restoreFrame(hart: Hart, frame: Int32Array): void {
  assert(frame.length === FRAME_WORDS, 'a frame holds every register and pc');
  assert(frame[0] === 0 && frame[FRAME_HI] === 0, 'x0 is zero');
  const { lo, hi } = hart;
  for (let i = 0; i < REGS; i++) {
    lo[i] = frame[i] as number;
    hi[i] = frame[FRAME_HI + i] as number;
  }
  hart.pc = frame[FRAME_PC] as number;
}

/** Sets register `index` to the 64-bit value of two words. */
export function setReg(hart: Hart, index: number, lo: number, hi: number): void {
  assert(index > 0 && index < REGS, 'x0 is never written');
  hart.lo[index] = lo;
  hart.hi[index] = hi;
}
