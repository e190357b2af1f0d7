// Layer emu. Decodes the 16-bit instructions of RV64C (without floating point) to the operations of
// their 32-bit forms. Hints are nops, reserved encodings are illegal.
import {
  ILLEGAL,
  addImmediate,
  constant,
  jump,
  jumpRegister,
  memory,
  register,
  store,
  unary,
} from './decode.ts';
import { type Decoded, OP, type Op } from './ops.ts';

const SP = 2;
const RA = 1;

/** Decodes `half`, whose two low bits are not both set. */
export function decodeCompressed(half: number): Decoded {
  switch (((half & 3) << 3) | (half >>> 13)) {
    case 0x00:
      return stackAddress(half);
    case 0x02:
      return memory(OP.lw, low(half), high(half), offsetWord(half));
    case 0x03:
      return memory(OP.ld, low(half), high(half), offsetDouble(half));
    case 0x06:
      return store(OP.sw, high(half), low(half), offsetWord(half));
    case 0x07:
      return store(OP.sd, high(half), low(half), offsetDouble(half));
    case 0x08:
      return addImmediate(full(half), full(half), imm6(half));
    case 0x09:
      return full(half) === 0 ? ILLEGAL : unary(OP.addiw, full(half), full(half), imm6(half));
    case 0x0a:
      return constant(full(half), imm6(half), imm6(half) >> 31);
    case 0x0b:
      return loadUpper(half);
    case 0x0c:
      return arithmetic(half);
    case 0x0d:
      return jump(0, offsetJump(half));
    case 0x0e:
      return branch(OP.beq, half);
    case 0x0f:
      return branch(OP.bne, half);
    case 0x10:
      return unary(OP.slli, full(half), full(half), imm6(half) & 63);
    case 0x12:
      return stackLoad(OP.lw, half, offsetStackWord(half));
    case 0x13:
      return stackLoad(OP.ld, half, offsetStackDouble(half));
    case 0x14:
      return moveOrJump(half);
    case 0x16:
      return store(OP.sw, SP, second(half), ((half >>> 7) & 0x3c) | ((half >>> 1) & 0xc0));
    case 0x17:
      return store(OP.sd, SP, second(half), ((half >>> 7) & 0x38) | ((half >>> 1) & 0x1c0));
    default: // floating point, and reserved
      return ILLEGAL;
  }
}

/** Bits `from` and up of `half` moved to `to`: `count` bits of an immediate. */
function bits(half: number, from: number, to: number, count = 1): number {
  return ((half >>> from) & ((1 << count) - 1)) << to;
}

/** x8..x15 in bits 2-4. */
function low(half: number): number {
  return 8 + bits(half, 2, 0, 3);
}

/** x8..x15 in bits 7-9. */
function high(half: number): number {
  return 8 + bits(half, 7, 0, 3);
}

function full(half: number): number {
  return bits(half, 7, 0, 5);
}

function second(half: number): number {
  return bits(half, 2, 0, 5);
}

/** Signed. */
function imm6(half: number): number {
  return (bits(half, 12, 31) >> 26) | bits(half, 2, 0, 5);
}

function offsetWord(half: number): number {
  return bits(half, 10, 3, 3) | bits(half, 6, 2) | bits(half, 5, 6);
}

function offsetDouble(half: number): number {
  return bits(half, 10, 3, 3) | bits(half, 5, 6, 2);
}

function offsetStackWord(half: number): number {
  return bits(half, 12, 5) | bits(half, 4, 2, 3) | bits(half, 2, 6, 2);
}

function offsetStackDouble(half: number): number {
  return bits(half, 12, 5) | bits(half, 5, 3, 2) | bits(half, 2, 6, 3);
}

function offsetJump(half: number): number {
  const sign = bits(half, 12, 31) >> 20;
  const upper = bits(half, 8, 10) | bits(half, 9, 8, 2) | bits(half, 6, 7) | bits(half, 7, 6);
  return sign | upper | bits(half, 2, 5) | bits(half, 11, 4) | bits(half, 3, 1, 3);
}

function branch(op: Op, half: number): Decoded {
  const sign = bits(half, 12, 31) >> 23;
  const offset = sign | bits(half, 5, 6, 2) | bits(half, 2, 5) | bits(half, 10, 3, 2);
  return { op, rd: 0, rs1: high(half), rs2: 0, imm: offset | bits(half, 3, 1, 2) };
}

/** c.addi4spn; the all-zero halfword is illegal by design. */
function stackAddress(half: number): Decoded {
  const offset = bits(half, 11, 4, 2) | bits(half, 7, 6, 4) | bits(half, 6, 2) | bits(half, 5, 3);
  return offset === 0 ? ILLEGAL : addImmediate(low(half), SP, offset);
}

/** c.lui, and c.addi16sp in its place for sp. */
function loadUpper(half: number): Decoded {
  if (imm6(half) === 0) return ILLEGAL;
  if (full(half) !== SP) return constant(full(half), imm6(half) << 12, imm6(half) >> 31);
  const sign = bits(half, 12, 31) >> 22;
  const offset =
    sign | bits(half, 3, 7, 2) | bits(half, 5, 6) | bits(half, 2, 5) | bits(half, 6, 4);
  return addImmediate(SP, SP, offset);
}

const ARITHMETIC: readonly (Op | undefined)[] = [
  OP.sub,
  OP.xor,
  OP.or,
  OP.and,
  OP.subw,
  OP.addw,
  undefined,
  undefined,
];

function arithmetic(half: number): Decoded {
  const rd = high(half);
  switch (bits(half, 10, 0, 2)) {
    case 0:
      return unary(OP.srli, rd, rd, imm6(half) & 63);
    case 1:
      return unary(OP.srai, rd, rd, imm6(half) & 63);
    case 2:
      return unary(OP.andi, rd, rd, imm6(half));
    default:
      return register(ARITHMETIC[bits(half, 12, 2) | bits(half, 5, 0, 2)], rd, rd, low(half));
  }
}

function stackLoad(op: Op, half: number, offset: number): Decoded {
  return full(half) === 0 ? ILLEGAL : memory(op, full(half), SP, offset);
}

/** c.jr, c.mv, c.ebreak, c.jalr, c.add. */
function moveOrJump(half: number): Decoded {
  const rd = full(half);
  const source = second(half);
  const link = bits(half, 12, 0) === 1;
  if (source !== 0) {
    return link ? register(OP.add, rd, rd, source) : addImmediate(rd, source, 0);
  }
  if (rd !== 0) return jumpRegister(link ? RA : 0, rd, 0);
  return link ? { op: OP.ebreak, rd: 0, rs1: 0, rs2: 0, imm: 0 } : ILLEGAL;
}
