// Layer emu. The operations that text decodes to, and how one decoded instruction is packed.
//
// Order matters: `run` and `execute` tell classes of operations apart by comparing numbers. The numbers
// themselves appear in no file format.

export const OP = {
  // Private: never a boundary. The hot ones, which `run` executes inline.
  undecoded: 0, // fresh or rewritten text: what new arrays hold
  nop: 1,
  constant: 2, // rd = imm, high word 0 (lui, auipc, li)
  constantNegative: 3, // rd = imm, high word -1
  mv: 4,
  addi: 5,
  addiw: 6,
  andi: 7,
  ori: 8,
  xori: 9,
  slti: 10,
  sltiu: 11,
  slli: 12,
  srli: 13,
  srai: 14,
  slliw: 15,
  srliw: 16,
  sraiw: 17,
  add: 18,
  sub: 19,
  addw: 20,
  subw: 21,
  and: 22,
  or: 23,
  xor: 24,
  slt: 25,
  sltu: 26,
  beq: 27, // imm of branches and jumps: bytes from this instruction
  bne: 28,
  blt: 29,
  bge: 30,
  bltu: 31,
  bgeu: 32,
  j: 33,
  jal: 34,
  jr: 35,
  jalr: 36,
  // Private, seldom.
  sll: 37,
  srl: 38,
  sra: 39,
  sllw: 40,
  srlw: 41,
  sraw: 42,
  mul: 43,
  mulh: 44,
  mulhsu: 45,
  mulhu: 46,
  div: 47,
  divu: 48,
  rem: 49,
  remu: 50,
  mulw: 51,
  divw: 52,
  divuw: 53,
  remw: 54,
  remuw: 55,
  csr: 56, // imm: CSR number | funct3 << 12; rs1: register or immediate
  illegal: 57,
  missing: 58, // the second half of the instruction lies outside text
  // A boundary when outside the own stack. Loads and stores: 2 to the power of (op & 3) bytes.
  lb: 60,
  lh: 61,
  lw: 62,
  ld: 63,
  lbu: 64,
  lhu: 65,
  lwu: 66,
  sb: 68,
  sh: 69,
  sw: 70,
  sd: 71,
  lrw: 72,
  scw: 73,
  amoswapw: 74,
  amoaddw: 75,
  amoxorw: 76,
  amoorw: 77,
  amoandw: 78,
  amominw: 79,
  amomaxw: 80,
  amominuw: 81,
  amomaxuw: 82,
  lrd: 83,
  scd: 84,
  amoswapd: 85,
  amoaddd: 86,
  amoxord: 87,
  amoord: 88,
  amoandd: 89,
  amomind: 90,
  amomaxd: 91,
  amominud: 92,
  amomaxud: 93,
  // Always a boundary.
  ecall: 94,
  ebreak: 95,
  wfi: 96,
  csrStatus: 97, // a CSR instruction that names sstatus
} as const;

export type Op = (typeof OP)[keyof typeof OP];

export const FIRST_MEMORY_OP: number = OP.lb;
export const FIRST_ALWAYS_BOUNDARY: number = OP.ecall;

/** Register that instructions write when they name x0 but have to execute: nobody reads it. */
export const REG_SINK = 32;
/** In `Hart.x`, the high word of a register is this far behind its low word. */
export const HI: number = REG_SINK + 1;

// A packed instruction: op in bits 0-6, rd 7-12, rs1 13-17, rs2 18-22, length in bytes 23-25. Bit 31 is
// set where the text carries flags, so that one sign test finds them.
export const OP_MASK = 0x7f;
export const RD_SHIFT = 7;
export const RD_MASK = 0x3f;
export const RS1_SHIFT = 13;
export const RS2_SHIFT = 18;
export const RS_MASK = 0x1f;
export const LENGTH_SHIFT = 23;
export const LENGTH_MASK = 7;
export const FLAGGED = -0x80000000;
/** Beside FLAGGED: it is for ATTENTION. */
export const ATTENDED = 0x40000000;

/** What an instruction does; `length` is added by who knows it. */
export interface Decoded {
  readonly op: Op;
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly imm: number;
}

export function pack(decoded: Decoded, length: number): number {
  const { op, rd, rs1, rs2 } = decoded;
  return op | (rd << RD_SHIFT) | (rs1 << RS1_SHIFT) | (rs2 << RS2_SHIFT) | (length << LENGTH_SHIFT);
}
