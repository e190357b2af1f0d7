// Layer trace. Instructions that a kprobe cannot step out of line, for what they do depends on where they stand: the
// trap does it for them, to the registers that it saved (KP-41.4). Mirrors
// arch/riscv/kernel/probes/simulate-insn.c.
import { assert } from '../assert.ts';
import { type Address, addressFrom, addressHi, addressLo, toAddress } from '../emu/address.ts';
import type { Frame } from '../emu/context.ts';
import { FRAME_HI, FRAME_PC } from '../emu/regs.ts';
import { decodeCompressed } from '../emu/riscv/decode-compressed.ts';
import { decode } from '../emu/riscv/decode.ts';
import { type Decoded, OP, type Op } from '../emu/riscv/ops.ts';
import { insnBytes } from './kprobe-insn.ts';

const LINKS: ReadonlySet<Op> = new Set<Op>([OP.jal, OP.jalr]);
/** What becomes of `auipc`, for rd = 0 too. */
const AUIPC: ReadonlySet<Op> = new Set<Op>([OP.nop, OP.constant, OP.constantNegative]);

/**
 * `arch_simulate_insn`: does to `frame` what the instruction at `address` would have done, and leaves in its pc where
 * the program goes on. That may be nowhere: going on there faults as it would have without a probe. `high` is unused
 * after a 16-bit `low`.
 */
export function simulateInsn(frame: Frame, address: Address, low: number, high: number): void {
  const bytes = insnBytes(low);
  const insn = bytes === 2 ? decodeCompressed(low) : decode(low | (high << 16), address);
  const next = address + bytes;
  // The target is known before the link is written: both may be in one register.
  frame[FRAME_PC] = targetOf(frame, address, insn) ?? next;
  const { rd, imm } = insn;
  if (rd === 0) return;
  if (LINKS.has(insn.op)) setPair(frame, rd, addressLo(next), addressHi(next));
  else setPair(frame, rd, imm, insn.op === OP.constant ? 0 : -1); // auipc: the core decodes it to its result.
}

/** Where the instruction goes; undefined when it goes on behind itself. */
function targetOf(frame: Frame, address: Address, insn: Decoded): Address | undefined {
  const { op, imm } = insn;
  if (AUIPC.has(op)) return undefined;
  if (op === OP.jr || op === OP.jalr) return registerTarget(frame, insn);
  if (op === OP.j || op === OP.jal || branches(frame, insn)) return addressFrom(address, imm);
  return undefined;
}

function setPair(frame: Frame, register: number, lo: number, hi: number): void {
  assert(register > 0 && register < FRAME_HI, 'x0 is never written');
  frame[register] = lo;
  frame[FRAME_HI + register] = hi;
}

function loOf(frame: Frame, register: number): number {
  return frame[register] as number;
}

function hiOf(frame: Frame, register: number): number {
  return frame[FRAME_HI + register] as number;
}

/** Where `jalr` goes: bit 0 of the sum does not count. */
function registerTarget(frame: Frame, { rs1, imm }: Decoded): Address {
  const base = loOf(frame, rs1);
  const sum = (base + imm) | 0;
  const carry = sum >>> 0 < base >>> 0 ? 1 : 0;
  return toAddress(sum & ~1, (hiOf(frame, rs1) + (imm >> 31) + carry) | 0);
}

function branches(frame: Frame, { op, rs1, rs2 }: Decoded): boolean {
  if (op === OP.beq) return isEqual(frame, rs1, rs2);
  if (op === OP.bne) return !isEqual(frame, rs1, rs2);
  if (op === OP.blt) return isLess(frame, rs1, rs2);
  if (op === OP.bge) return !isLess(frame, rs1, rs2);
  if (op === OP.bltu) return isBelow(frame, rs1, rs2);
  assert(op === OP.bgeu, 'nothing else is simulated');
  return !isBelow(frame, rs1, rs2);
}

function isEqual(frame: Frame, a: number, b: number): boolean {
  return loOf(frame, a) === loOf(frame, b) && hiOf(frame, a) === hiOf(frame, b);
}

/** Signed. */
function isLess(frame: Frame, a: number, b: number): boolean {
  const [p, q] = [hiOf(frame, a), hiOf(frame, b)];
  return p === q ? loOf(frame, a) >>> 0 < loOf(frame, b) >>> 0 : p < q;
}

/** Unsigned. */
function isBelow(frame: Frame, a: number, b: number): boolean {
  const [p, q] = [hiOf(frame, a) >>> 0, hiOf(frame, b) >>> 0];
  return p === q ? loOf(frame, a) >>> 0 < loOf(frame, b) >>> 0 : p < q;
}
