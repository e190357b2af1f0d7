// Layer emu. What each instruction does, in one line of BigInt: the specification that the fast core is held
// against. Registers are unsigned 64-bit values and what is written to one is taken modulo 2^64; `s64`, `s32`
// and `u32` say how an operand is read, or how a result is extended. Left out on purpose: speed.
import type { BaseMnemonic } from './encodings.ts';
import { type Bytes, load, reach, refuse, store, writable } from './reference-memory.ts';
import type { ReferenceCore, ReferenceHart } from './reference.ts';
import { type Outcome, RUNS_ON, STOP_BREAK, STOP_ECALL } from './stop.ts';
import { STOP_FAULT, STOP_IRQ, STOP_WFI } from './stop.ts';

/** What an instruction names. */
export interface Operands {
  readonly mnemonic: BaseMnemonic;
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly csr: number;
  /** Extended by its sign, then taken modulo 2^64. */
  readonly imm: bigint;
  readonly bytes: bigint;
}

export type Semantics = (core: ReferenceCore, hart: ReferenceHart, i: Operands) => Outcome;

type Unary = (a: bigint) => bigint;
type Binary = (a: bigint, b: bigint) => bigint;

const u8: Unary = (a) => BigInt.asUintN(8, a);
const u16: Unary = (a) => BigInt.asUintN(16, a);
const u32: Unary = (a) => BigInt.asUintN(32, a);
const u64: Unary = (a) => BigInt.asUintN(64, a);
const s8: Unary = (a) => BigInt.asIntN(8, a);
const s16: Unary = (a) => BigInt.asIntN(16, a);
const s32: Unary = (a) => BigInt.asIntN(32, a);
const s64: Unary = (a) => BigInt.asIntN(64, a);
const flag = (is: boolean): bigint => (is ? 1n : 0n);
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** One row for each instruction; compressed forms are these, too. */
// prettier-ignore
export const SEMANTICS: Readonly<Record<BaseMnemonic, Semantics>> = {
  lui: constant((imm) => imm),
  auipc: constant((imm, pc) => pc + imm),
  jal: jump((_, imm, pc) => pc + imm),
  jalr: jump((a, imm) => (a + imm) & ~1n),

  beq: branch((a, b) => a === b),
  bne: branch((a, b) => a !== b),
  blt: branch((a, b) => s64(a) < s64(b)),
  bge: branch((a, b) => s64(a) >= s64(b)),
  bltu: branch((a, b) => a < b),
  bgeu: branch((a, b) => a >= b),

  lb: loads(1, s8),
  lh: loads(2, s16),
  lw: loads(4, s32),
  ld: loads(8, u64),
  lbu: loads(1, u8),
  lhu: loads(2, u16),
  lwu: loads(4, u32),
  sb: stores(1),
  sh: stores(2),
  sw: stores(4),
  sd: stores(8),

  addi: immediate((a, b) => a + b),
  slti: immediate((a, b) => flag(s64(a) < s64(b))),
  sltiu: immediate((a, b) => flag(a < b)),
  xori: immediate((a, b) => a ^ b),
  ori: immediate((a, b) => a | b),
  andi: immediate((a, b) => a & b),
  slli: immediate((a, b) => a << b),
  srli: immediate((a, b) => a >> b),
  srai: immediate((a, b) => s64(a) >> b),

  add: register((a, b) => a + b),
  sub: register((a, b) => a - b),
  sll: register((a, b) => a << (b & 63n)),
  slt: register((a, b) => flag(s64(a) < s64(b))),
  sltu: register((a, b) => flag(a < b)),
  xor: register((a, b) => a ^ b),
  srl: register((a, b) => a >> (b & 63n)),
  sra: register((a, b) => s64(a) >> (b & 63n)),
  or: register((a, b) => a | b),
  and: register((a, b) => a & b),

  addiw: immediate((a, b) => s32(a + b)),
  slliw: immediate((a, b) => s32(a << b)),
  srliw: immediate((a, b) => s32(u32(a) >> b)),
  sraiw: immediate((a, b) => s32(a) >> b),
  addw: register((a, b) => s32(a + b)),
  subw: register((a, b) => s32(a - b)),
  sllw: register((a, b) => s32(a << (b & 31n))),
  srlw: register((a, b) => s32(u32(a) >> (b & 31n))),
  sraw: register((a, b) => s32(a) >> (b & 31n)),

  // Memory is sequentially consistent, and text has rules of its own (CC-M1, CC-M5).
  fence: () => RUNS_ON,
  'fence.i': () => RUNS_ON,
  ecall: () => STOP_ECALL,
  ebreak: () => STOP_BREAK,
  wfi: () => STOP_WFI,
  csrrw: csr((_, b) => b),
  csrrs: csr((old, b) => old | b),
  csrrc: csr((old, b) => old & ~b),
  csrrwi: csr((_, b) => b),
  csrrsi: csr((old, b) => old | b),
  csrrci: csr((old, b) => old & ~b),

  mul: register((a, b) => a * b),
  mulh: register((a, b) => (s64(a) * s64(b)) >> 64n),
  mulhsu: register((a, b) => (s64(a) * b) >> 64n),
  mulhu: register((a, b) => (a * b) >> 64n),
  div: register((a, b) => (b === 0n ? -1n : s64(a) / s64(b))),
  divu: register((a, b) => (b === 0n ? -1n : a / b)),
  rem: register((a, b) => (b === 0n ? a : s64(a) % s64(b))),
  remu: register((a, b) => (b === 0n ? a : a % b)),
  mulw: register((a, b) => s32(a * b)),
  divw: register((a, b) => (s32(b) === 0n ? -1n : s32(s32(a) / s32(b)))),
  divuw: register((a, b) => (u32(b) === 0n ? -1n : s32(u32(a) / u32(b)))),
  remw: register((a, b) => (s32(b) === 0n ? s32(a) : s32(a) % s32(b))),
  remuw: register((a, b) => (u32(b) === 0n ? s32(a) : s32(u32(a) % u32(b)))),

  'lr.w': loadReserved(4, s32),
  'sc.w': storeConditional(4),
  'amoswap.w': modify(4, (_, b) => b),
  'amoadd.w': modify(4, (old, b) => old + b),
  'amoxor.w': modify(4, (old, b) => old ^ b),
  'amoand.w': modify(4, (old, b) => old & b),
  'amoor.w': modify(4, (old, b) => old | b),
  'amomin.w': modify(4, (old, b) => min(s32(old), s32(b))),
  'amomax.w': modify(4, (old, b) => max(s32(old), s32(b))),
  'amominu.w': modify(4, (old, b) => min(u32(old), u32(b))),
  'amomaxu.w': modify(4, (old, b) => max(u32(old), u32(b))),
  'lr.d': loadReserved(8, u64),
  'sc.d': storeConditional(8),
  'amoswap.d': modify(8, (_, b) => b),
  'amoadd.d': modify(8, (old, b) => old + b),
  'amoxor.d': modify(8, (old, b) => old ^ b),
  'amoand.d': modify(8, (old, b) => old & b),
  'amoor.d': modify(8, (old, b) => old | b),
  'amomin.d': modify(8, (old, b) => min(s64(old), s64(b))),
  'amomax.d': modify(8, (old, b) => max(s64(old), s64(b))),
  'amominu.d': modify(8, min),
  'amomaxu.d': modify(8, max),
};

/** rd = f(rs1, rs2). */
function register(f: Binary): Semantics {
  return (_, { x }, i) => {
    x[i.rd] = f(x[i.rs1] as bigint, x[i.rs2] as bigint);
    return RUNS_ON;
  };
}

/** rd = f(rs1, imm). */
function immediate(f: Binary): Semantics {
  return (_, { x }, i) => {
    x[i.rd] = f(x[i.rs1] as bigint, i.imm);
    return RUNS_ON;
  };
}

/** rd = f(imm, pc). */
function constant(f: Binary): Semantics {
  return (_, hart, i) => {
    hart.x[i.rd] = f(i.imm, hart.pc);
    return RUNS_ON;
  };
}

/** Goes to f(rs1, imm, pc); rd = the address behind this instruction. */
function jump(f: (a: bigint, imm: bigint, pc: bigint) => bigint): Semantics {
  return (_, hart, i) => {
    const target = f(hart.x[i.rs1] as bigint, i.imm, hart.pc);
    hart.x[i.rd] = hart.next;
    hart.next = u64(target);
    return RUNS_ON;
  };
}

/** Goes to pc + imm if f(rs1, rs2). */
function branch(f: (a: bigint, b: bigint) => boolean): Semantics {
  return (_, hart, i) => {
    const taken = f(hart.x[i.rs1] as bigint, hart.x[i.rs2] as bigint);
    if (taken) hart.next = u64(hart.pc + i.imm);
    return RUNS_ON;
  };
}

/** The data address of a load, store or atomic. */
export function dataAddress({ x }: ReferenceHart, i: Operands): bigint {
  return u64((x[i.rs1] as bigint) + i.imm);
}

/** rd = what memory holds, extended. */
function loads(bytes: Bytes, extend: Unary): Semantics {
  return (core, hart, i) => {
    const value = load(core, hart, dataAddress(hart, i), bytes);
    if (value === undefined) return STOP_FAULT;
    hart.x[i.rd] = extend(value);
    return RUNS_ON;
  };
}

/** Memory = rs2. */
function stores(bytes: Bytes): Semantics {
  return (core, hart, i) => {
    const value = hart.x[i.rs2] as bigint;
    const done = store(core, hart, { address: dataAddress(hart, i), bytes, value });
    return done ? RUNS_ON : STOP_FAULT;
  };
}

/** Whether an atomic access may be here; if not, a fault, before any other. */
function isAligned(hart: ReferenceHart, address: bigint, bytes: Bytes): boolean {
  if (address % BigInt(bytes) === 0n) return true;
  refuse(hart, 'misaligned', address);
  return false;
}

/** As a load, and reserves the 8 bytes around. */
function loadReserved(bytes: Bytes, extend: Unary): Semantics {
  const plain = loads(bytes, extend);
  return (core, hart, i) => {
    const address = dataAddress(hart, i);
    if (!isAligned(hart, address, bytes)) return STOP_FAULT;
    if (reach(core, hart, address, bytes) === undefined) return STOP_FAULT;
    hart.reservation = address & ~7n;
    return plain(core, hart, i);
  };
}

/** Stores if the reservation holds; rd = whether it does not. */
function storeConditional(bytes: Bytes): Semantics {
  return (core, hart, i) => {
    const address = dataAddress(hart, i);
    if (!isAligned(hart, address, bytes)) return STOP_FAULT;
    if (writable(core, hart, address, bytes) === undefined) return STOP_FAULT;
    const held = hart.reservation === (address & ~7n);
    hart.reservation = undefined;
    if (held) store(core, hart, { address, bytes, value: hart.x[i.rs2] as bigint });
    hart.x[i.rd] = flag(!held);
    return RUNS_ON;
  };
}

/** rd = what memory held; memory = f(that, rs2). */
function modify(bytes: Bytes, f: Binary): Semantics {
  const extend = bytes === 4 ? s32 : u64;
  return (core, hart, i) => {
    const address = dataAddress(hart, i);
    if (!isAligned(hart, address, bytes)) return STOP_FAULT;
    const old = load(core, hart, address, bytes);
    if (old === undefined) return STOP_FAULT;
    const value = f(old, hart.x[i.rs2] as bigint);
    if (!store(core, hart, { address, bytes, value })) return STOP_FAULT;
    hart.x[i.rd] = extend(old);
    return RUNS_ON;
  };
}

interface Csr {
  readonly read: (core: ReferenceCore, hart: ReferenceHart) => bigint;
  /** Undefined: writing is illegal. */
  readonly write?: (hart: ReferenceHart, value: bigint) => Outcome;
}

const SSTATUS = 0x100;
const SSTATUS_SIE = 2n;

const timeCsr: Csr = { read: (core, hart) => core.time + BigInt(hart.steps) };

const CSRS: ReadonlyMap<number, Csr> = new Map([
  [SSTATUS, { read: (_, hart) => (hart.irqsOn ? SSTATUS_SIE : 0n), write: writeStatus }],
  [0x140, storage(0)],
  [0x141, storage(1)],
  [0x142, storage(2)],
  [0xc00, timeCsr],
  [0xc01, timeCsr],
  [0xc02, { read: (_, hart) => BigInt(hart.instret) }],
]);

function writeStatus(hart: ReferenceHart, value: bigint): Outcome {
  hart.irqsOn = (value & SSTATUS_SIE) !== 0n;
  return STOP_IRQ;
}

function storage(index: number): Csr {
  return {
    read: (_, { csrs }) => csrs[index] as bigint,
    write: ({ csrs }, value) => {
      csrs[index] = value;
      return RUNS_ON;
    },
  };
}

/** rd = the CSR; the CSR = f(that, operand). Setting or clearing by x0 or 0 does not write at all. */
function csr(f: Binary): Semantics {
  return (core, hart, i) => {
    const found = CSRS.get(i.csr);
    const isWrite = i.mnemonic.startsWith('csrrw') || i.rs1 !== 0 || i.imm !== 0n;
    const write = isWrite ? found?.write : writeNothing;
    if (found === undefined || write === undefined) {
      refuse(hart, 'illegal', hart.pc);
      return STOP_FAULT;
    }
    const old = found.read(core, hart);
    const operand = i.mnemonic.endsWith('i') ? i.imm : (hart.x[i.rs1] as bigint);
    hart.x[i.rd] = old;
    return write(hart, f(old, operand));
  };
}

function writeNothing(): Outcome {
  return RUNS_ON;
}
