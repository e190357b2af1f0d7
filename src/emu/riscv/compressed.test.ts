import { expect, test } from 'vitest';
import { decodeCompressed } from './decode-compressed.ts';
import { decode } from './decode.ts';
import { PLAIN, encode } from './encode.ts';
import { OP } from './ops.ts';

// Halfwords as the GNU assembler emits them, each with the instruction that it stands for.
// prettier-ignore
const ROWS: readonly (readonly [text: string, half: number, word: number])[] = [
  ['c.addi4spn a0, sp, 4', 0x0048, encode('addi', { rd: 10, rs1: 2, imm: 4 })],
  ['c.addi4spn s0, sp, 1020', 0x1fe0, encode('addi', { rd: 8, rs1: 2, imm: 1020 })],
  ['c.lw a0, 4(a1)', 0x41c8, encode('lw', { rd: 10, rs1: 11, imm: 4 })],
  ['c.lw s0, 124(a5)', 0x5fe0, encode('lw', { rd: 8, rs1: 15, imm: 124 })],
  ['c.ld a5, 248(s1)', 0x7cfc, encode('ld', { rd: 15, rs1: 9, imm: 248 })],
  ['c.ld a0, 8(a0)', 0x6508, encode('ld', { rd: 10, rs1: 10, imm: 8 })],
  ['c.sw a2, 64(a3)', 0xc2b0, encode('sw', { rs1: 13, rs2: 12, imm: 64 })],
  ['c.sd s0, 56(s1)', 0xfc80, encode('sd', { rs1: 9, rs2: 8, imm: 56 })],
  ['c.sd a4, 192(a5)', 0xe3f8, encode('sd', { rs1: 15, rs2: 14, imm: 192 })],
  ['c.addi t6, -32', 0x1f81, encode('addi', { rd: 31, rs1: 31, imm: -32 })],
  ['c.addi a0, 31', 0x057d, encode('addi', { rd: 10, rs1: 10, imm: 31 })],
  ['c.addiw a0, -1', 0x357d, encode('addiw', { rd: 10, rs1: 10, imm: -1 })],
  ['c.addiw t0, 0', 0x2281, encode('addiw', { rd: 5, rs1: 5, imm: 0 })],
  ['c.li t1, -5', 0x536d, encode('addi', { rd: 6, rs1: 0, imm: -5 })],
  ['c.li a0, 17', 0x4545, encode('addi', { rd: 10, rs1: 0, imm: 17 })],
  ['c.addi16sp sp, -512', 0x7101, encode('addi', { rd: 2, rs1: 2, imm: -512 })],
  ['c.addi16sp sp, 496', 0x617d, encode('addi', { rd: 2, rs1: 2, imm: 496 })],
  ['c.addi16sp sp, 32', 0x6105, encode('addi', { rd: 2, rs1: 2, imm: 32 })],
  ['c.lui a0, 1', 0x6505, encode('lui', { rd: 10, imm: 1 })],
  ['c.lui t2, 0xfffe0', 0x7381, encode('lui', { rd: 7, imm: 0xfffe0 })],
  ['c.srli a0, 63', 0x917d, encode('srli', { rd: 10, rs1: 10, imm: 63 })],
  ['c.srai a5, 32', 0x9781, encode('srai', { rd: 15, rs1: 15, imm: 32 })],
  ['c.andi s1, -32', 0x9881, encode('andi', { rd: 9, rs1: 9, imm: -32 })],
  ['c.sub a0, a1', 0x8d0d, encode('sub', { rd: 10, rs1: 10, rs2: 11 })],
  ['c.xor a0, a5', 0x8d3d, encode('xor', { rd: 10, rs1: 10, rs2: 15 })],
  ['c.or s0, a0', 0x8c49, encode('or', { rd: 8, rs1: 8, rs2: 10 })],
  ['c.and a3, a4', 0x8ef9, encode('and', { rd: 13, rs1: 13, rs2: 14 })],
  ['c.subw a0, a1', 0x9d0d, encode('subw', { rd: 10, rs1: 10, rs2: 11 })],
  ['c.addw s1, s0', 0x9ca1, encode('addw', { rd: 9, rs1: 9, rs2: 8 })],
  ['c.j .-2048', 0xb001, encode('jal', { rd: 0, imm: -2048 })],
  ['c.j .+2046', 0xaffd, encode('jal', { rd: 0, imm: 2046 })],
  ['c.j .+682', 0xa46d, encode('jal', { rd: 0, imm: 682 })],
  ['c.beqz a0, .-256', 0xd101, encode('beq', { rs1: 10, rs2: 0, imm: -256 })],
  ['c.beqz s1, .+254', 0xccfd, encode('beq', { rs1: 9, rs2: 0, imm: 254 })],
  ['c.bnez a5, .+170', 0xe7cd, encode('bne', { rs1: 15, rs2: 0, imm: 170 })],
  ['c.slli t0, 63', 0x12fe, encode('slli', { rd: 5, rs1: 5, imm: 63 })],
  ['c.slli a0, 1', 0x0506, encode('slli', { rd: 10, rs1: 10, imm: 1 })],
  ['c.lwsp ra, 252(sp)', 0x50fe, encode('lw', { rd: 1, rs1: 2, imm: 252 })],
  ['c.lwsp t6, 4(sp)', 0x4f92, encode('lw', { rd: 31, rs1: 2, imm: 4 })],
  ['c.ldsp a0, 504(sp)', 0x757e, encode('ld', { rd: 10, rs1: 2, imm: 504 })],
  ['c.ldsp ra, 8(sp)', 0x60a2, encode('ld', { rd: 1, rs1: 2, imm: 8 })],
  ['c.swsp a0, 252(sp)', 0xdfaa, encode('sw', { rs1: 2, rs2: 10, imm: 252 })],
  ['c.swsp zero, 64(sp)', 0xc082, encode('sw', { rs1: 2, rs2: 0, imm: 64 })],
  ['c.sdsp ra, 504(sp)', 0xff86, encode('sd', { rs1: 2, rs2: 1, imm: 504 })],
  ['c.sdsp s0, 16(sp)', 0xe822, encode('sd', { rs1: 2, rs2: 8, imm: 16 })],
  ['c.jr ra', 0x8082, PLAIN.ret],
  ['c.jr t0', 0x8282, encode('jalr', { rd: 0, rs1: 5, imm: 0 })],
  ['c.jalr a5', 0x9782, encode('jalr', { rd: 1, rs1: 15, imm: 0 })],
  ['c.mv a0, s11', 0x856e, encode('addi', { rd: 10, rs1: 27, imm: 0 })],
  ['c.add t0, t1', 0x929a, encode('add', { rd: 5, rs1: 5, rs2: 6 })],
  ['c.ebreak', 0x9002, PLAIN.ebreak],
  ['c.nop', 0x0001, PLAIN.nop],
];

test.each(ROWS)('%s', (_, half, word) => {
  expect(decodeCompressed(half)).toEqual(decode(word, 0));
});

test.each([
  ['all zero', 0x0000],
  ['c.addi4spn of 0', 0x0004],
  ['c.fld', 0x2000],
  ['reserved, quadrant 0', 0x8000],
  ['c.addiw to x0', 0x2005],
  ['c.lui of 0', 0x6081],
  ['c.addi16sp of 0', 0x6101],
  ['reserved arithmetic', 0x9c41],
  ['c.lwsp to x0', 0x4002],
  ['c.ldsp to x0', 0x6002],
  ['c.jr x0', 0x8002],
  ['c.fsdsp', 0xa002],
])('%s is illegal', (_, half) => {
  expect(decodeCompressed(half).op).toBe(OP.illegal);
});

test.each([
  ['c.nop', 0x0001],
  ['c.nop 1', 0x0005],
  ['c.li x0', 0x4005],
  ['c.lui x0', 0x6005],
  ['c.slli x0', 0x0006],
  ['c.mv x0', 0x802a],
  ['c.add x0', 0x902a],
])('%s is a nop', (_, half) => {
  expect(decodeCompressed(half).op).toBe(OP.nop);
});
