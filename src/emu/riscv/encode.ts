// Layer emu. Encodes the 32-bit instructions of RV64IMA + Zicsr + Zifencei, for our assembler and for text
// patching. The mirror of decode.ts; of the compressed forms only the two that patching needs.
import { assert, known } from '../../assert.ts';

/** funct7, funct3 and opcode, as they stand in the instruction. */
const REGISTER = {
  add: 0x33,
  sub: 0x40000033,
  sll: 0x1033,
  slt: 0x2033,
  sltu: 0x3033,
  xor: 0x4033,
  srl: 0x5033,
  sra: 0x40005033,
  or: 0x6033,
  and: 0x7033,
  mul: 0x2000033,
  mulh: 0x2001033,
  mulhsu: 0x2002033,
  mulhu: 0x2003033,
  div: 0x2004033,
  divu: 0x2005033,
  rem: 0x2006033,
  remu: 0x2007033,
  addw: 0x3b,
  subw: 0x4000003b,
  sllw: 0x103b,
  srlw: 0x503b,
  sraw: 0x4000503b,
  mulw: 0x200003b,
  divw: 0x200403b,
  divuw: 0x200503b,
  remw: 0x200603b,
  remuw: 0x200703b,
} as const;

const IMMEDIATE = {
  addi: 0x13,
  slti: 0x2013,
  sltiu: 0x3013,
  xori: 0x4013,
  ori: 0x6013,
  andi: 0x7013,
  addiw: 0x1b,
  jalr: 0x67,
  lb: 0x3,
  lh: 0x1003,
  lw: 0x2003,
  ld: 0x3003,
  lbu: 0x4003,
  lhu: 0x5003,
  lwu: 0x6003,
} as const;

const SHIFT = {
  slli: 0x1013,
  srli: 0x5013,
  srai: 0x40005013,
  slliw: 0x101b,
  srliw: 0x501b,
  sraiw: 0x4000501b,
} as const;

const STORE = { sb: 0x23, sh: 0x1023, sw: 0x2023, sd: 0x3023 } as const;

const BRANCH = {
  beq: 0x63,
  bne: 0x1063,
  blt: 0x4063,
  bge: 0x5063,
  bltu: 0x6063,
  bgeu: 0x7063,
} as const;

const UPPER = { lui: 0x37, auipc: 0x17 } as const;

const ATOMIC = {
  'lr.w': 0x1000202f,
  'sc.w': 0x1800202f,
  'amoswap.w': 0x0800202f,
  'amoadd.w': 0x0000202f,
  'amoxor.w': 0x2000202f,
  'amoor.w': 0x4000202f,
  'amoand.w': 0x6000202f,
  'amomin.w': 0x8000202f,
  'amomax.w': 0xa000202f,
  'amominu.w': 0xc000202f,
  'amomaxu.w': 0xe000202f,
  'lr.d': 0x1000302f,
  'sc.d': 0x1800302f,
  'amoswap.d': 0x0800302f,
  'amoadd.d': 0x0000302f,
  'amoxor.d': 0x2000302f,
  'amoor.d': 0x4000302f,
  'amoand.d': 0x6000302f,
  'amomin.d': 0x8000302f,
  'amomax.d': 0xa000302f,
  'amominu.d': 0xc000302f,
  'amomaxu.d': 0xe000302f,
} as const;

const CSR = { csrrw: 0x1073, csrrs: 0x2073, csrrc: 0x3073 } as const;
const CSR_IMMEDIATE = { csrrwi: 0x5073, csrrsi: 0x6073, csrrci: 0x7073 } as const;

/** Instructions without operands. `fence` is the full one. */
export const PLAIN = {
  nop: 0x13,
  ret: 0x8067,
  ecall: 0x73,
  ebreak: 0x100073,
  wfi: 0x10500073,
  fence: 0x0ff0000f,
  'fence.i': 0x100f,
  /** `lpad 0` of Zicfilp: `auipc x0, 0`. */
  lpad: 0x17,
} as const;

/** 16-bit instructions. */
export const C_NOP = 0x0001;
export const C_EBREAK = 0x9002;

/** CSR numbers by name. */
export const CSRS = {
  sstatus: 0x100,
  sscratch: 0x140,
  sepc: 0x141,
  scause: 0x142,
  cycle: 0xc00,
  time: 0xc01,
  instret: 0xc02,
} as const;

type Fields = Readonly<Record<'rd' | 'rs1' | 'rs2' | 'imm' | 'csr', number>>;

/**
 * What each mnemonic takes. `rs1` is the base of loads, stores, jalr and atomics, and of csrr*i the operand
 * itself; `rs2` is what is stored. `imm` is in bytes for branches and jal, in pages of 4 KiB for lui, auipc.
 */
export type Operands = Record<
  keyof typeof REGISTER | keyof typeof ATOMIC,
  Pick<Fields, 'rd' | 'rs1' | 'rs2'>
> &
  Record<keyof typeof IMMEDIATE | keyof typeof SHIFT, Pick<Fields, 'rd' | 'rs1' | 'imm'>> &
  Record<keyof typeof STORE | keyof typeof BRANCH, Pick<Fields, 'rs1' | 'rs2' | 'imm'>> &
  Record<keyof typeof UPPER | 'jal', Pick<Fields, 'rd' | 'imm'>> &
  Record<keyof typeof CSR | keyof typeof CSR_IMMEDIATE, Pick<Fields, 'rd' | 'rs1' | 'csr'>>;

export type Mnemonic = keyof Operands;
export type BranchMnemonic = keyof typeof BRANCH;

type Format = (word: number, fields: Fields) => number;

interface Row {
  readonly word: number;
  readonly format: Format;
}

/** The instruction as a 32-bit word. Asserts that every operand is in range. */
export function encode<M extends Mnemonic>(mnemonic: M, operands: Operands[M]): number {
  const row = known(ROWS.get(mnemonic), `${mnemonic} is an instruction`);
  return row.format(row.word, { rd: 0, rs1: 0, rs2: 0, imm: 0, csr: 0, ...operands }) | 0;
}

/** Every mnemonic that `encode` knows. */
export function mnemonics(): readonly string[] {
  return [...ROWS.keys()];
}

const ROWS: ReadonlyMap<string, Row> = new Map([
  ...rows(REGISTER, registerFormat),
  ...rows(ATOMIC, registerFormat),
  ...rows(IMMEDIATE, immediateFormat),
  ...rows(SHIFT, shiftFormat),
  ...rows(STORE, storeFormat),
  ...rows(BRANCH, branchFormat),
  ...rows(UPPER, upperFormat),
  ...rows({ jal: 0x6f }, jumpFormat),
  ...rows(CSR, csrFormat),
  ...rows(CSR_IMMEDIATE, csrFormat),
]);

function rows(words: Readonly<Record<string, number>>, format: Format): [string, Row][] {
  return Object.entries(words).map(([mnemonic, word]) => [mnemonic, { word, format }]);
}

/** A register number at bit `shift`. */
function at(shift: number, register: number): number {
  assert(Number.isInteger(register) && register >= 0 && register < 32, 'registers are x0..x31');
  return register << shift;
}

/** `value`, a multiple of `unit` that fits in `bits` signed bits. */
function signed(value: number, bits: number, unit: number): number {
  assert(Number.isInteger(value / unit), `an immediate is a multiple of ${unit}`);
  const bound = 2 ** (bits - 1);
  assert(value >= -bound && value < bound, `immediate ${value} fits in ${bits} bits`);
  return value;
}

function registerFormat(word: number, { rd, rs1, rs2 }: Fields): number {
  assert((word & 0xf800007f) !== 0x1000002f || rs2 === 0, 'lr has one operand');
  return word | at(7, rd) | at(15, rs1) | at(20, rs2);
}

function immediateFormat(word: number, { rd, rs1, imm }: Fields): number {
  return word | at(7, rd) | at(15, rs1) | (signed(imm, 12, 1) << 20);
}

function shiftFormat(word: number, { rd, rs1, imm }: Fields): number {
  const limit = (word & 0x7f) === 0x13 ? 64 : 32;
  assert(Number.isInteger(imm) && imm >= 0 && imm < limit, `a shift is below ${limit}`);
  return word | at(7, rd) | at(15, rs1) | (imm << 20);
}

function storeFormat(word: number, { rs1, rs2, imm }: Fields): number {
  signed(imm, 12, 1);
  return word | at(15, rs1) | at(20, rs2) | ((imm & 31) << 7) | ((imm >> 5) << 25);
}

function branchFormat(word: number, { rs1, rs2, imm }: Fields): number {
  signed(imm, 13, 2);
  const low = ((imm & 0x1e) << 7) | ((imm & 0x800) >> 4);
  const high = ((imm & 0x7e0) << 20) | ((imm >> 12) << 31);
  return word | at(15, rs1) | at(20, rs2) | low | high;
}

/** lui and auipc: 20 bits, written signed or unsigned. */
function upperFormat(word: number, { rd, imm }: Fields): number {
  assert(Number.isInteger(imm) && imm >= -0x80000 && imm < 0x100000, 'lui takes 20 bits');
  return word | at(7, rd) | (imm << 12);
}

function jumpFormat(word: number, { rd, imm }: Fields): number {
  signed(imm, 21, 2);
  const low = (imm & 0xff000) | ((imm & 0x800) << 9);
  return word | at(7, rd) | low | ((imm & 0x7fe) << 20) | ((imm >> 20) << 31);
}

function csrFormat(word: number, { rd, rs1, csr }: Fields): number {
  assert(Number.isInteger(csr) && csr >= 0 && csr < 0x1000, 'CSR numbers have 12 bits');
  return word | at(7, rd) | at(15, rs1) | (csr << 20);
}
