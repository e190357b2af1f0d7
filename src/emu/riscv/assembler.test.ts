import fc from 'fast-check';
import { expect, test } from 'vitest';
import { REG } from '../regs.ts';
import { Assembler } from './assembler.ts';
import { C_NOP, PLAIN, encode } from './encode.ts';
import { TEXT, makeRig, valueOf } from './rig.ts';
import { run } from './run.ts';
import { STOP_ECALL } from './stop.ts';

const PLENTY = 1000;

/** What `a0` holds after the code that `write` assembles. */
function resultOf(write: (asm: Assembler) => void): bigint {
  const { core, hart } = makeRig();
  const asm = new Assembler(TEXT);
  write(asm);
  asm.plain('ecall');
  core.writeText(TEXT, asm.halves());
  expect(run(core, hart, PLENTY, false)).toBe(STOP_ECALL);
  return valueOf(hart, REG.a0);
}

test('li gives any constant, in at most 8 instructions', () => {
  const edges = [0n, 1n, -1n, 0x7ffn, 0x800n, -0x800n, 0x7fffffffn, 0x7ffff800n, 0x80000000n];
  const wide = [0xffffffffn, 2n ** 63n - 1n, -(2n ** 63n), 0x9e3779b97f4a7c15n, 0x100000000n];
  const value = fc.oneof(
    fc.constantFrom(...edges, ...wide),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.integer().map(BigInt),
  );
  const property = fc.property(value, (constant) => {
    const asm = new Assembler(TEXT);
    asm.li(REG.a0, constant);
    expect(asm.here - TEXT).toBeLessThanOrEqual(8 * 4);
    expect(resultOf((other) => other.li(REG.a0, constant))).toBe(BigInt.asUintN(64, constant));
  });
  fc.assert(property);
});

test('la gives any kernel address', () => {
  const property = fc.property(fc.integer({ min: 0, max: 0x7ffff7ff }), (address) => {
    const result = resultOf((asm) => asm.la(REG.a0, address));
    expect(result).toBe(0xffffffff80000000n + BigInt(address));
  });
  fc.assert(property);
  expect(() => new Assembler(TEXT).la(REG.a0, -0x7fc00000)).toThrow('same side');
  expect(() => new Assembler(TEXT).la(REG.a0, 0x7ffff800)).toThrow('auipc reaches');
});

test('upper and the 12 bits that it returns make any kernel address', () => {
  const property = fc.property(fc.integer({ min: 0, max: 0x7fffffff }), (address) => {
    const asm = new Assembler(TEXT);
    const low = asm.upper(REG.a0, address);
    expect([asm.here - TEXT, low >= -2048 && low < 2048]).toEqual([4, true]);
    const result = resultOf((other) => {
      other.emit('addi', { rd: REG.a0, rs1: REG.a0, imm: other.upper(REG.a0, address) });
    });
    expect(result).toBe(0xffffffff80000000n + BigInt(address));
  });
  fc.assert(property);
});

test('labels work backwards and forwards', () => {
  const result = resultOf((asm) => {
    const loop = asm.label('loop');
    const end = asm.label('end');
    asm.li(REG.a0, 0);
    asm.li(REG.a1, 5);
    asm.bind(loop);
    asm.branch('beq', { rs1: REG.a1, rs2: REG.zero, to: end });
    asm.emit('add', { rd: REG.a0, rs1: REG.a0, rs2: REG.a1 });
    asm.emit('addi', { rd: REG.a1, rs1: REG.a1, imm: -1 });
    asm.jal(0, loop);
    asm.bind(end);
  });
  expect(result).toBe(15n);
});

test('a label is bound exactly once', () => {
  const asm = new Assembler(TEXT);
  const label = asm.label('never');
  asm.jal(0, label);
  expect(() => asm.halves()).toThrow('label never is bound');
  asm.bind(label);
  expect([...asm.halves()]).toEqual([encode('jal', { rd: 0, imm: 4 }) & 0xffff, 0x0040]);
  expect(() => asm.bind(label)).toThrow('bound once');
});

test('calls reach absolute addresses, and position can be pinned', () => {
  const asm = new Assembler(0x100);
  asm.half(C_NOP);
  asm.half(C_NOP);
  asm.padTo(0x110);
  asm.call(0x80000);
  asm.jump(REG.t0, 0);
  expect(asm.here).toBe(0x118);
  const halves = asm.halves();
  const words = new Int32Array(halves.buffer);
  expect([...words]).toEqual([
    0x10001,
    PLAIN.nop,
    PLAIN.nop,
    PLAIN.nop,
    encode('jal', { rd: REG.ra, imm: 0x80000 - 0x110 }),
    encode('jal', { rd: REG.t0, imm: -0x114 }),
  ]);
  expect(() => asm.padTo(0x100)).toThrow('not behind us');
  expect(() => asm.padTo(0x11a)).toThrow('4 bytes');
});
