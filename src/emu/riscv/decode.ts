// Layer emu. Decodes the 32-bit instructions of RV64IMA + Zicsr + Zifencei. `decode-compressed.ts` has
// the 16-bit ones. Results are canonical: an instruction that changes nothing is `nop`, one whose result
// is known is a constant, so that execution meets few cases and never asks whether rd is x0.
import { type Address, addressHi, addressLo } from '../address.ts';
import { type Decoded, OP, type Op, REG_SINK } from './ops.ts';

export const ILLEGAL: Decoded = { op: OP.illegal, rd: 0, rs1: 0, rs2: 0, imm: 0 };
const NOP: Decoded = { op: OP.nop, rd: 0, rs1: 0, rs2: 0, imm: 0 };

const CSR_SSTATUS = 0x100;

/** Decodes the 32-bit instruction `word` that stands at `pc`. */
export function decode(word: number, pc: Address): Decoded {
  const rd = (word >>> 7) & 31;
  switch (word & 0x7f) {
    case 0x37:
      return constant(rd, word & -0x1000, word >> 31);
    case 0x17:
      return auipc(rd, word & -0x1000, pc);
    case 0x6f:
      return jump(rd, immJ(word));
    case 0x67:
      return funct3(word) === 0 ? jumpRegister(rd, rs1(word), word >> 20) : ILLEGAL;
    case 0x63:
      return branch(word);
    case 0x03:
      return memory(LOADS[funct3(word)], rd, rs1(word), word >> 20);
    case 0x23:
      return store(STORES[funct3(word)], rs1(word), rs2(word), immS(word));
    case 0x13:
      return immediate(word, rd);
    case 0x1b:
      return immediateWord(word, rd);
    case 0x33:
      return register(REGISTER_OPS[(word >>> 25) * 8 + funct3(word)], rd, rs1(word), rs2(word));
    case 0x3b:
      return register(WORD_OPS[(word >>> 25) * 8 + funct3(word)], rd, rs1(word), rs2(word));
    case 0x2f:
      return atomic(word, rd);
    case 0x0f: // fence, fence.i: memory is sequentially consistent and text has its own rules (CC-M5)
      return funct3(word) <= 1 ? NOP : ILLEGAL;
    case 0x73:
      return system(word, rd);
    default:
      return ILLEGAL;
  }
}

const LOADS: readonly (Op | undefined)[] = [
  OP.lb,
  OP.lh,
  OP.lw,
  OP.ld,
  OP.lbu,
  OP.lhu,
  OP.lwu,
  undefined,
];
const STORES: readonly (Op | undefined)[] = [OP.sb, OP.sh, OP.sw, OP.sd];
const BRANCHES: readonly (Op | undefined)[] = [
  OP.beq,
  OP.bne,
  undefined,
  undefined,
  OP.blt,
  OP.bge,
  OP.bltu,
  OP.bgeu,
];

/** By funct7 * 8 + funct3. */
const REGISTER_OPS: Readonly<Record<number, Op>> = {
  0: OP.add,
  1: OP.sll,
  2: OP.slt,
  3: OP.sltu,
  4: OP.xor,
  5: OP.srl,
  6: OP.or,
  7: OP.and,
  8: OP.mul,
  9: OP.mulh,
  10: OP.mulhsu,
  11: OP.mulhu,
  12: OP.div,
  13: OP.divu,
  14: OP.rem,
  15: OP.remu,
  256: OP.sub,
  261: OP.sra,
};
const WORD_OPS: Readonly<Record<number, Op>> = {
  0: OP.addw,
  1: OP.sllw,
  5: OP.srlw,
  8: OP.mulw,
  12: OP.divw,
  13: OP.divuw,
  14: OP.remw,
  15: OP.remuw,
  256: OP.subw,
  261: OP.sraw,
};

/** By funct5. The doubleword forms follow at AMO_DOUBLE. */
const ATOMICS: Readonly<Record<number, Op>> = {
  0x00: OP.amoaddw,
  0x01: OP.amoswapw,
  0x02: OP.lrw,
  0x03: OP.scw,
  0x04: OP.amoxorw,
  0x08: OP.amoorw,
  0x0c: OP.amoandw,
  0x10: OP.amominw,
  0x14: OP.amomaxw,
  0x18: OP.amominuw,
  0x1c: OP.amomaxuw,
};
const AMO_DOUBLE = OP.lrd - OP.lrw;

function funct3(word: number): number {
  return (word >>> 12) & 7;
}

function rs1(word: number): number {
  return (word >>> 15) & 31;
}

function rs2(word: number): number {
  return (word >>> 20) & 31;
}

function immS(word: number): number {
  return ((word >> 25) << 5) | ((word >>> 7) & 31);
}

function immB(word: number): number {
  const low = ((word >>> 7) & 0x1e) | ((word >>> 20) & 0x7e0) | ((word << 4) & 0x800);
  return ((word >> 31) << 12) | low;
}

/** Distance that a `jal` jumps. */
export function immJ(word: number): number {
  const low = ((word >>> 20) & 0x7fe) | ((word >>> 9) & 0x800) | (word & 0xff000);
  return ((word >> 31) << 20) | low;
}

/** rd = the 64-bit value of two words, `hi` 0 or -1. */
export function constant(rd: number, lo: number, hi: number): Decoded {
  if (rd === 0) return NOP;
  return { op: hi === 0 ? OP.constant : OP.constantNegative, rd, rs1: 0, rs2: 0, imm: lo };
}

/** `lpad` is `auipc x0`, hence a nop. */
function auipc(rd: number, offset: number, pc: Address): Decoded {
  const low = addressLo(pc);
  const lo = (low + offset) | 0;
  const carry = lo >>> 0 < low >>> 0 ? 1 : 0;
  return constant(rd, lo, (addressHi(pc) + (offset >> 31) + carry) | 0);
}

/** `distance` in bytes. */
export function jump(rd: number, distance: number): Decoded {
  return { op: rd === 0 ? OP.j : OP.jal, rd, rs1: 0, rs2: 0, imm: distance };
}

export function jumpRegister(rd: number, base: number, imm: number): Decoded {
  return { op: rd === 0 ? OP.jr : OP.jalr, rd, rs1: base, rs2: 0, imm };
}

function branch(word: number): Decoded {
  const op = BRANCHES[funct3(word)];
  if (op === undefined) return ILLEGAL;
  return { op, rd: 0, rs1: rs1(word), rs2: rs2(word), imm: immB(word) };
}

/** A load. Into x0 it still has to happen: it may fault. */
export function memory(op: Op | undefined, rd: number, base: number, imm: number): Decoded {
  if (op === undefined) return ILLEGAL;
  return { op, rd: sink(rd), rs1: base, rs2: 0, imm };
}

export function store(op: Op | undefined, base: number, source: number, imm: number): Decoded {
  if (op === undefined) return ILLEGAL;
  return { op, rd: 0, rs1: base, rs2: source, imm };
}

function immediate(word: number, rd: number): Decoded {
  const imm = word >> 20;
  switch (funct3(word)) {
    case 0:
      return addImmediate(rd, rs1(word), imm);
    case 1:
      return imm >>> 6 === 0 ? unary(OP.slli, rd, rs1(word), imm) : ILLEGAL;
    case 2:
      return unary(OP.slti, rd, rs1(word), imm);
    case 3:
      return unary(OP.sltiu, rd, rs1(word), imm);
    case 4:
      return unary(OP.xori, rd, rs1(word), imm);
    case 5:
      if (imm >>> 6 === 0) return unary(OP.srli, rd, rs1(word), imm);
      return imm >>> 6 === 0x10 ? unary(OP.srai, rd, rs1(word), imm & 63) : ILLEGAL;
    case 6:
      return unary(OP.ori, rd, rs1(word), imm);
    default:
      return unary(OP.andi, rd, rs1(word), imm);
  }
}

function immediateWord(word: number, rd: number): Decoded {
  const shift = rs2(word);
  switch (((word >>> 25) << 3) | funct3(word)) {
    case 1:
      return unary(OP.slliw, rd, rs1(word), shift);
    case 5:
      return unary(OP.srliw, rd, rs1(word), shift);
    case 0x105:
      return unary(OP.sraiw, rd, rs1(word), shift);
    default:
      return funct3(word) === 0 ? unary(OP.addiw, rd, rs1(word), word >> 20) : ILLEGAL;
  }
}

export function addImmediate(rd: number, source: number, imm: number): Decoded {
  if (source === 0) return constant(rd, imm, imm >> 31);
  return unary(imm === 0 ? OP.mv : OP.addi, rd, source, imm);
}

/** A private operation of one register and an immediate. */
export function unary(op: Op, rd: number, source: number, imm: number): Decoded {
  return rd === 0 ? NOP : { op, rd, rs1: source, rs2: 0, imm };
}

/** A private operation of two registers. */
export function register(op: Op | undefined, rd: number, a: number, b: number): Decoded {
  if (op === undefined) return ILLEGAL;
  return rd === 0 ? NOP : { op, rd, rs1: a, rs2: b, imm: 0 };
}

function atomic(word: number, rd: number): Decoded {
  const op = ATOMICS[word >>> 27];
  const width = funct3(word);
  if (op === undefined || (width !== 2 && width !== 3)) return ILLEGAL;
  if (op === OP.lrw && rs2(word) !== 0) return ILLEGAL;
  const wide = (width === 3 ? op + AMO_DOUBLE : op) as Op;
  return { op: wide, rd: sink(rd), rs1: rs1(word), rs2: rs2(word), imm: 0 };
}

function system(word: number, rd: number): Decoded {
  const kind = funct3(word);
  if (kind === 0) return SYSTEM[word >>> 7] ?? ILLEGAL;
  if (kind === 4) return ILLEGAL;
  const number = word >>> 20;
  const op = number === CSR_SSTATUS ? OP.csrStatus : OP.csr;
  return { op, rd: sink(rd), rs1: rs1(word), rs2: 0, imm: number | (kind << 12) };
}

/** By the bits above the opcode. */
const SYSTEM: Readonly<Record<number, Decoded>> = {
  0: { ...NOP, op: OP.ecall },
  0x2000: { ...NOP, op: OP.ebreak },
  0x20a000: { ...NOP, op: OP.wfi },
};

function sink(rd: number): number {
  return rd === 0 ? REG_SINK : rd;
}
