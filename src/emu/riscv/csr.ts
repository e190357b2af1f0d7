// Layer emu. The CSRs that there are: sstatus (SIE only, the other bits read as zero), sscratch, sepc and
// scause as plain storage, and the counters.
import type { Hart } from '../regs.ts';
import { RD_MASK, RD_SHIFT, RS1_SHIFT, RS_MASK } from './ops.ts';

const SSTATUS = 0x100;
const SSTATUS_SIE = 2;
const SSCRATCH = 0x140;
const SCAUSE = 0x142;
const CYCLE = 0xc00;
const TIME = 0xc01;
const INSTRET = 0xc02;

/** Low two bits of funct3. */
const KIND_WRITE = 1;
const KIND_SET = 2;
/** Bit of funct3: rs1 is the operand itself. */
const KIND_IMMEDIATE = 4;

/** What a CSR instruction came to. */
export type CsrOutcome = 'read' | 'written' | 'illegal';

/** Executes packed CSR instruction `word`; `imm` as OP.csr says, `time` is the global step. */
export function accessCsr(hart: Hart, word: number, imm: number, time: number): CsrOutcome {
  const kind = imm >> 12;
  const number = imm & 0xfff;
  const source = (word >>> RS1_SHIFT) & RS_MASK;
  const writes = (kind & 3) === KIND_WRITE || source !== 0;
  if (!exists(number) || (writes && number >= CYCLE)) return 'illegal';
  const operandLo = kind >= KIND_IMMEDIATE ? source : (hart.lo[source] as number);
  const operandHi = kind >= KIND_IMMEDIATE ? 0 : (hart.hi[source] as number);
  const oldLo = readLo(hart, number, time);
  const oldHi = readHi(hart, number, time);
  const rd = (word >>> RD_SHIFT) & RD_MASK;
  hart.lo[rd] = oldLo;
  hart.hi[rd] = oldHi;
  if (!writes) return 'read';
  const lo = combine(kind, oldLo, operandLo);
  if (number === SSTATUS) {
    hart.irqsOn = (lo & SSTATUS_SIE) !== 0;
  } else {
    const slot = (number - SSCRATCH) * 2;
    hart.csrs[slot] = lo;
    hart.csrs[slot + 1] = combine(kind, oldHi, operandHi);
  }
  return 'written';
}

function exists(number: number): boolean {
  if (number === SSTATUS) return true;
  return (number >= SSCRATCH && number <= SCAUSE) || (number >= CYCLE && number <= INSTRET);
}

function combine(kind: number, old: number, operand: number): number {
  if ((kind & 3) === KIND_WRITE) return operand;
  return (kind & 3) === KIND_SET ? old | operand : old & ~operand;
}

function counter(hart: Hart, number: number, time: number): number {
  return number === TIME || number === CYCLE ? time : hart.instret;
}

function readLo(hart: Hart, number: number, time: number): number {
  if (number === SSTATUS) return hart.irqsOn ? SSTATUS_SIE : 0;
  if (number >= CYCLE) return counter(hart, number, time) | 0;
  return hart.csrs[(number - SSCRATCH) * 2] as number;
}

function readHi(hart: Hart, number: number, time: number): number {
  if (number === SSTATUS) return 0;
  if (number >= CYCLE) return Math.floor(counter(hart, number, time) / 0x100000000);
  return hart.csrs[(number - SSCRATCH) * 2 + 1] as number;
}
