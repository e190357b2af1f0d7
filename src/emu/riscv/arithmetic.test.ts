import { expect, test } from 'vitest';
import { REG } from '../regs.ts';
import type { Mnemonic, Operands } from './encode.ts';
import { encode } from './encode.ts';
import { execute, makeRig, putWords, setAddress, setValue, valueOf } from './rig.ts';
import { TEXT } from './rig.ts';
import { run } from './run.ts';
import { STOP_STEPS } from './stop.ts';

const MAX = 0x7fff_ffff_ffff_ffffn;
const MIN = 0x8000_0000_0000_0000n;
const ONES = 0xffff_ffff_ffff_ffffn;

type OfFormat<Keys extends string> = {
  [M in Mnemonic]: Operands[M] extends Record<Keys, number> ? M : never;
}[Mnemonic];
type Row<M> = readonly [mnemonic: M, a: bigint, b: bigint, expected: bigint];

// prettier-ignore
const REGISTER_ROWS: readonly Row<OfFormat<'rd' | 'rs1' | 'rs2'>>[] = [
  ['add', 0xffffffffn, 1n, 0x100000000n], ['add', ONES, 1n, 0n], ['add', MAX, 1n, MIN],
  ['sub', 0n, 1n, ONES], ['sub', 0x100000000n, 1n, 0xffffffffn], ['sub', MIN, 1n, MAX],
  ['sll', 1n, 63n, MIN], ['sll', 0x1234n, 0n, 0x1234n], ['sll', 3n, 31n, 0x180000000n],
  ['sll', 3n, 32n, 0x300000000n], ['sll', 1n, 64n, 1n], ['sll', 1n, 0xffffff01n, 2n],
  ['srl', MIN, 63n, 1n], ['srl', ONES, 0n, ONES], ['srl', 0x300000000n, 31n, 6n],
  ['srl', ONES, 32n, 0xffffffffn], ['srl', 8n, 66n, 2n],
  ['sra', MIN, 63n, ONES], ['sra', MIN, 32n, 0xffffffff80000000n], ['sra', MAX, 62n, 1n],
  ['sra', 0x8000000100000000n, 31n, 0xffffffff00000002n], ['sra', MIN, 0n, MIN],
  ['slt', ONES, 0n, 1n], ['slt', 0n, ONES, 0n], ['slt', MIN, MAX, 1n], ['slt', 5n, 5n, 0n],
  ['slt', 0x7fffffffn, 0x80000000n, 1n], ['slt', 0x80000000n, 0x7fffffffn, 0n],
  ['sltu', ONES, 0n, 0n], ['sltu', 0n, ONES, 1n], ['sltu', MAX, MIN, 1n], ['sltu', 5n, 5n, 0n],
  ['sltu', 0x7fffffffn, 0x80000000n, 1n],
  ['xor', 0xff00ff00ff00ff00n, ONES, 0x00ff00ff00ff00ffn],
  ['or', 0xf000000000000000n, 0xfn, 0xf00000000000000fn],
  ['and', 0xf0f0f0f0f0f0f0f0n, 0xff00000000000000n, 0xf000000000000000n],
  ['addw', 0x7fffffffn, 1n, 0xffffffff80000000n], ['addw', 0xffffffffn, 1n, 0n],
  ['addw', 0xdead00000001n, 2n, 3n],
  ['subw', 0n, 1n, ONES], ['subw', 0xffffffff80000000n, 1n, 0x7fffffffn],
  ['sllw', 1n, 31n, 0xffffffff80000000n], ['sllw', 1n, 32n, 1n], ['sllw', 0x1ffffffffn, 4n, 0xfffffffffffffff0n],
  ['srlw', 0xffffffff80000000n, 31n, 1n], ['srlw', 0x80000000n, 0n, 0xffffffff80000000n], ['srlw', 8n, 35n, 1n],
  ['sraw', 0x80000000n, 31n, ONES], ['sraw', 0xffffffff7fffffffn, 30n, 1n],
  ['mul', 0xffffffffn, 0xffffffffn, 0xfffffffe00000001n], ['mul', ONES, ONES, 1n], ['mul', MIN, 2n, 0n],
  ['mul', 0x123456789abcdefn, 0xfedcba987654321n, 0x22236d88fe5618cfn],
  ['mulh', ONES, ONES, 0n], ['mulh', MIN, MIN, 0x4000000000000000n], ['mulh', MIN, 1n, ONES], ['mulh', MAX, MAX, 0x3fffffffffffffffn],
  ['mulhu', ONES, ONES, 0xfffffffffffffffen], ['mulhu', MIN, MIN, 0x4000000000000000n], ['mulhu', 0xffffffffn, 0xffffffffn, 0n],
  ['mulhsu', ONES, ONES, ONES], ['mulhsu', MIN, ONES, 0x8000000000000000n], ['mulhsu', 1n, ONES, 0n], ['mulhsu', ONES, 1n, ONES],
  ['div', 7n, ONES - 1n, 0xfffffffffffffffdn], ['div', 5n, 0n, ONES], ['div', MIN, ONES, MIN], ['div', ONES - 6n, 2n, 0xfffffffffffffffdn],
  ['divu', ONES, 0n, ONES], ['divu', ONES, 0x10n, 0x0fffffffffffffffn], ['divu', 0xffffffffn, 3n, 0x55555555n],
  ['rem', ONES - 6n, 2n, ONES], ['rem', 7n, ONES - 1n, 1n], ['rem', MIN, ONES, 0n], ['rem', ONES - 6n, 0n, ONES - 6n],
  ['remu', ONES, 0x10n, 15n], ['remu', ONES, 0n, ONES], ['remu', 0xffffffffn, 10n, 5n],
  ['mulw', 0x10000n, 0x8000n, 0xffffffff80000000n], ['mulw', 0xffffffffn, 0x1ffffffffn, 1n],
  ['divw', 0x80000000n, 0xffffffffn, 0xffffffff80000000n], ['divw', 1n, 0n, ONES], ['divw', 0xfffffff9n, 2n, 0xfffffffffffffffdn],
  ['divuw', 0x80000000n, 1n, 0xffffffff80000000n], ['divuw', 1n, 0x100000000n, ONES], ['divuw', 0xfffffff9n, 2n, 0x7ffffffcn],
  ['remw', 0x80000000n, 0xffffffffn, 0n], ['remw', 0x80000000n, 0n, 0xffffffff80000000n], ['remw', 0xfffffff9n, 2n, ONES],
  ['remuw', 0xfffffff9n, 0x10n, 9n], ['remuw', 0xffffffffn, 0n, ONES],
];

// prettier-ignore
const IMMEDIATE_ROWS: readonly Row<OfFormat<'rd' | 'rs1' | 'imm'>>[] = [
  ['addi', 0xffffffffn, 1n, 0x100000000n], ['addi', 0n, -1n, ONES], ['addi', 0x100000000n, -2048n, 0xfffff800n], ['addi', 9n, 0n, 9n],
  ['slti', ONES, 0n, 1n], ['slti', MIN, -2048n, 1n], ['slti', 0n, -1n, 0n], ['slti', 0xffffffffn, 2047n, 0n], ['slti', 2046n, 2047n, 1n],
  ['sltiu', 0n, 1n, 1n], ['sltiu', 5n, -1n, 1n], ['sltiu', ONES, -1n, 0n], ['sltiu', ONES - 1n, -1n, 1n], ['sltiu', 0x100000000n, 7n, 0n],
  ['xori', 0xfn, -1n, 0xfffffffffffffff0n], ['xori', 0xfn, 5n, 10n],
  ['ori', 0n, -2048n, 0xfffffffffffff800n], ['ori', 0x100000000n, 1n, 0x100000001n],
  ['andi', ONES, -2n, ONES - 1n], ['andi', ONES, 2047n, 2047n],
  ['addiw', 0x7fffffffn, 1n, 0xffffffff80000000n], ['addiw', 0x1ffffffffn, 0n, ONES],
  ['slli', 1n, 63n, MIN], ['slli', 3n, 31n, 0x180000000n], ['slli', 3n, 32n, 0x300000000n], ['slli', 7n, 0n, 7n],
  ['srli', MIN, 63n, 1n], ['srli', ONES, 32n, 0xffffffffn], ['srli', 0x300000000n, 31n, 6n], ['srli', ONES, 0n, ONES],
  ['srai', MIN, 63n, ONES], ['srai', MIN, 32n, 0xffffffff80000000n], ['srai', MIN, 31n, 0xffffffff00000000n], ['srai', MAX, 62n, 1n],
  ['slliw', 1n, 31n, 0xffffffff80000000n], ['slliw', 0x1ffffffffn, 1n, ONES - 1n],
  ['srliw', 0xffffffff80000000n, 31n, 1n], ['srliw', 0x180000000n, 0n, 0xffffffff80000000n],
  ['sraiw', 0x80000000n, 31n, ONES], ['sraiw', 0xf40000000n, 30n, 1n],
];

test.each(REGISTER_ROWS)('%s %s, %s', (mnemonic, a, b, expected) => {
  const rig = makeRig();
  // Distinct registers, then rd the same as each source.
  for (const rd of [REG.a0, REG.a1, REG.a2]) {
    setValue(rig.hart, REG.a1, a);
    setValue(rig.hart, REG.a2, b);
    expect(execute(rig, mnemonic, { rd, rs1: REG.a1, rs2: REG.a2 })).toBe(STOP_STEPS);
    expect(valueOf(rig.hart, rd)).toBe(expected);
    expect(rig.hart.pc).toBe(TEXT + 4);
  }
  execute(rig, mnemonic, { rd: 0, rs1: REG.a1, rs2: REG.a2 });
  expect(valueOf(rig.hart, REG.zero)).toBe(0n);
});

test.each(IMMEDIATE_ROWS)('%s %s, %s', (mnemonic, a, imm, expected) => {
  const rig = makeRig();
  for (const rd of [REG.a0, REG.a1]) {
    setValue(rig.hart, REG.a1, a);
    execute(rig, mnemonic, { rd, rs1: REG.a1, imm: Number(imm) });
    expect(valueOf(rig.hart, rd)).toBe(expected);
  }
  execute(rig, mnemonic, { rd: 0, rs1: REG.a1, imm: Number(imm) });
  expect(valueOf(rig.hart, REG.zero)).toBe(0n);
});

test('lui and auipc extend by sign', () => {
  const rig = makeRig();
  execute(rig, 'lui', { rd: REG.a0, imm: 0x80000 });
  expect(valueOf(rig.hart, REG.a0)).toBe(0xffffffff80000000n);
  execute(rig, 'lui', { rd: REG.a0, imm: 0x7ffff });
  expect(valueOf(rig.hart, REG.a0)).toBe(0x7ffff000n);
  execute(rig, 'auipc', { rd: REG.a0, imm: 1 });
  expect(valueOf(rig.hart, REG.a0)).toBe(0xffffffff80001000n);
  execute(rig, 'auipc', { rd: REG.a0, imm: -1 });
  expect(valueOf(rig.hart, REG.a0)).toBe(0xffffffff7ffff000n);
});

test('addresses of user text have no high word, in auipc and in links', () => {
  const rig = makeRig();
  const { core, hart } = rig;
  const user = -0x7fc00000; // 0x400000
  core.addText(user, 64);
  putWords(core, user, [
    encode('auipc', { rd: REG.a0, imm: 0 }),
    encode('jal', { rd: REG.ra, imm: 8 }),
  ]);
  hart.pc = user;
  run(core, hart, 2, true);
  expect([valueOf(hart, REG.a0), valueOf(hart, REG.ra)]).toEqual([0x400000n, 0x400008n]);
  execute(rig, 'auipc', { rd: REG.a1, imm: -0x80000 });
  expect(valueOf(hart, REG.a1)).toBe(0xffffffff00000000n);
});

type Branch = 'beq' | 'bne' | 'blt' | 'bge' | 'bltu' | 'bgeu';
const PAIRS: readonly (readonly [a: bigint, b: bigint, taken: readonly Branch[]])[] = [
  [5n, 5n, ['beq', 'bge', 'bgeu']],
  [0n, ONES, ['bne', 'bge', 'bltu']],
  [ONES, 0n, ['bne', 'blt', 'bgeu']],
  [MIN, MAX, ['bne', 'blt', 'bgeu']],
  [0x7fffffffn, 0x80000000n, ['bne', 'blt', 'bltu']],
  [0x80000000n, 0x7fffffffn, ['bne', 'bge', 'bgeu']],
  [0x100000000n, 0n, ['bne', 'bge', 'bgeu']],
];

test.each(PAIRS)('branches on %s and %s', (a, b, taken) => {
  const rig = makeRig();
  setValue(rig.hart, REG.a1, a);
  setValue(rig.hart, REG.a2, b);
  for (const mnemonic of ['beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu'] as const) {
    execute(rig, mnemonic, { rs1: REG.a1, rs2: REG.a2, imm: 0x40 });
    expect([mnemonic, rig.hart.pc]).toEqual([mnemonic, taken.includes(mnemonic) ? 0x40 : 4]);
  }
});

test('jumps link and land, within a region and out of it', () => {
  const rig = makeRig();
  const { core, hart } = rig;
  core.addText(0x80000, 64);
  putWords(core, 0x80000, [0x13, 0x13]);
  execute(rig, 'jal', { rd: REG.t0, imm: 0x20 });
  expect([hart.pc, valueOf(hart, REG.t0)]).toEqual([0x20, 0xffffffff80000004n]);
  execute(rig, 'jal', { rd: 0, imm: 0x80000 });
  expect(hart.pc).toBe(0x80000);
  setAddress(hart, REG.ra, 0x80001); // Bit 0 is cleared.
  execute(rig, 'jalr', { rd: 0, rs1: REG.ra, imm: 4 });
  expect(hart.pc).toBe(0x80004);
  setAddress(hart, REG.ra, 0x101);
  execute(rig, 'jalr', { rd: REG.ra, rs1: REG.ra, imm: -1 });
  expect([hart.pc, valueOf(hart, REG.ra)]).toEqual([0x100, 0xffffffff80000004n]);
  setAddress(hart, REG.ra, 0x80000);
  execute(rig, 'jalr', { rd: REG.ra, rs1: REG.ra, imm: 0 });
  expect([hart.pc, valueOf(hart, REG.ra)]).toEqual([0x80000, 0xffffffff80000004n]);
});
