import { expect, test } from 'vitest';
import { REG } from '../regs.ts';
import { ATTENTION, VISIBLE } from './core.ts';
import { C_EBREAK, C_NOP, PLAIN, encode } from './encode.ts';
import { TEXT, TEXT_BYTES, makeRig, putWords, valueOf } from './rig.ts';
import { run } from './run.ts';
import { STOP_ATTENTION, STOP_BREAK, STOP_ECALL, STOP_FAULT, STOP_STEPS } from './stop.ts';

test('rewritten text executes as it is now, whichever half was written', () => {
  const { core, hart } = makeRig();
  putWords(core, TEXT, [encode('addi', { rd: REG.a0, rs1: 0, imm: 1 }), PLAIN.ecall]);
  const again = (): number => {
    hart.pc = TEXT;
    return run(core, hart, 10, false);
  };
  expect([again(), valueOf(hart, REG.a0)]).toEqual([STOP_ECALL, 1n]);
  const other = encode('addi', { rd: REG.a0, rs1: 0, imm: 2 });
  core.writeHalf(TEXT + 2, other >>> 16); // Covers the second half of the entry before it.
  expect([again(), valueOf(hart, REG.a0)]).toEqual([STOP_ECALL, 2n]);
  core.writeHalf(TEXT, C_EBREAK);
  expect(again()).toBe(STOP_BREAK);
  core.writeHalf(TEXT, other & 0xffff);
  expect(again()).toBe(STOP_ECALL);
  expect(core.memory.load32(TEXT)).toBe(other);
});

test('flags survive rewriting and growth of the region', () => {
  const { core, hart } = makeRig();
  putWords(core, TEXT, [PLAIN.nop, PLAIN.nop, PLAIN.ecall]);
  core.setFlags(TEXT + 4, ATTENTION);
  core.setFlags(TEXT + 8, VISIBLE);
  for (const value of [C_NOP, PLAIN.nop & 0xffff]) {
    core.writeHalf(TEXT + 4, value);
    core.writeHalf(TEXT + 6, value === C_NOP ? C_NOP : 0);
    hart.pc = TEXT;
    expect([run(core, hart, 9, false), hart.pc]).toEqual([STOP_ATTENTION, TEXT + 4]);
    expect([run(core, hart, 1, false), hart.pc]).toEqual([STOP_STEPS, TEXT + 8]);
  }
  core.writeHalf(TEXT + TEXT_BYTES - 2, C_NOP);
  expect([core.flagsAt(TEXT + 4), core.flagsAt(TEXT + 8)]).toEqual([ATTENTION, VISIBLE]);
  expect([core.flagsAt(TEXT), core.flagsAt(0x7000000)]).toEqual([0, 0]);
  core.setFlags(TEXT + 4, 0);
  hart.pc = TEXT;
  expect([run(core, hart, 1, false), hart.pc]).toEqual([STOP_STEPS, TEXT + 8]);
});

test("flags of the machine's own are kept, and make no boundary", () => {
  const { core, hart } = makeRig();
  putWords(core, TEXT, [PLAIN.nop, PLAIN.nop, PLAIN.ecall]);
  core.setFlags(TEXT + 4, VISIBLE | 0x84);
  core.setFlags(TEXT + 4, 0x84);
  expect([run(core, hart, 1, false), hart.pc]).toEqual([STOP_STEPS, TEXT + 8]);
  expect(core.flagsAt(TEXT + 4)).toBe(0x84);
});

test('regions border on each other, and are decoded as they grow', () => {
  const { core, hart } = makeRig();
  core.addText(TEXT + TEXT_BYTES, 0x100);
  core.addText(TEXT + TEXT_BYTES + 0x100, 0x100);
  const last = TEXT + TEXT_BYTES - 4;
  core.writeHalf(last, C_NOP);
  core.writeHalf(last + 2, C_NOP);
  core.writeText(last + 4, new Uint16Array(0x80).fill(C_NOP));
  putWords(core, last + 4 + 0x100, [PLAIN.ecall]);
  hart.pc = last;
  expect([run(core, hart, 1, false), hart.pc]).toEqual([STOP_STEPS, last + 0x104]);
  expect(hart.instret).toBe(2 + 0x80);
});

test('an instruction that was cut off by the end of text is whole once text grows', () => {
  const { core, hart, memory } = makeRig();
  const size = memory.segmentAt(TEXT)?.size ?? 0;
  core.writeHalf(size - 2, encode('addi', { rd: REG.a0, rs1: 0, imm: 9 }) & 0xffff);
  hart.pc = size - 2;
  expect([run(core, hart, 1, true), hart.faultReason]).toEqual([STOP_FAULT, 'fetch']);
  core.writeHalf(size, encode('addi', { rd: REG.a0, rs1: 0, imm: 9 }) >>> 16);
  expect([run(core, hart, 1, true), valueOf(hart, REG.a0)]).toEqual([STOP_STEPS, 9n]);
});

test('text stays in its region', () => {
  const { core } = makeRig();
  expect(() => core.writeHalf(TEXT + TEXT_BYTES, 0)).toThrow('reserved for text');
  expect(() => core.writeHalf(TEXT + 1, 0)).toThrow('halfwords');
  expect(() => core.writeHalf(TEXT, 0x10000)).toThrow('16 bits');
  expect(() => core.writeText(TEXT + TEXT_BYTES - 2, new Uint16Array(2))).toThrow('ends in');
  expect(() => core.setFlags(TEXT, 0x100)).toThrow('byte');
  expect(() => core.addText(TEXT + 0x10, 16)).toThrow('overlap');
});

test('written text is dirty', () => {
  const { core, memory } = makeRig();
  core.writeText(TEXT + 0x1fe, Uint16Array.of(C_NOP, C_NOP));
  const dirty: number[] = [];
  memory.dirtyPages((_, offset) => dirty.push(offset));
  expect(dirty).toEqual([0x100, 0x200]);
});

test('a hart needs a stack of its own', () => {
  const { core, hart } = makeRig();
  hart.stackBase += 16;
  expect(() => run(core, hart, 1, false)).toThrow('segment of its own');
});
