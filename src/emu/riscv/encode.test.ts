import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decode } from './decode.ts';
import { CSRS, type Mnemonic, type Operands, PLAIN, encode, mnemonics } from './encode.ts';
import { FIRST_ALWAYS_BOUNDARY, OP, REG_SINK } from './ops.ts';

// Words as the GNU assembler emits them.
test.each([
  [encode('add', { rd: 10, rs1: 11, rs2: 12 }), 0x00c58533],
  [encode('sub', { rd: 31, rs1: 30, rs2: 29 }), 0x41df0fb3],
  [encode('sraw', { rd: 1, rs1: 2, rs2: 3 }), 0x403150bb],
  [encode('mulhsu', { rd: 5, rs1: 6, rs2: 7 }), 0x027322b3],
  [encode('remuw', { rd: 5, rs1: 6, rs2: 7 }), 0x027372bb],
  [encode('addi', { rd: 2, rs1: 2, imm: -2048 }), 0x80010113],
  [encode('srai', { rd: 10, rs1: 10, imm: 63 }), 0x43f55513],
  [encode('sraiw', { rd: 10, rs1: 10, imm: 31 }), 0x41f5551b],
  [encode('ld', { rd: 1, rs1: 2, imm: 2047 }), 0x7ff13083],
  [encode('sd', { rs1: 2, rs2: 1, imm: -8 }), 0xfe113c23],
  [encode('sb', { rs1: 10, rs2: 11, imm: 2047 }), 0x7eb50fa3],
  [encode('beq', { rs1: 10, rs2: 11, imm: -4096 }), 0x80b50063],
  [encode('bgeu', { rs1: 10, rs2: 11, imm: 4094 }), 0x7eb57fe3],
  [encode('jal', { rd: 5, imm: -0x100000 }), 0x800002ef],
  [encode('jal', { rd: 1, imm: 0xffffe }), 0x7ffff0ef],
  [encode('jalr', { rd: 0, rs1: 1, imm: 0 }), 0x00008067],
  [encode('lui', { rd: 10, imm: 0xfffff }), 0xfffff537],
  [encode('auipc', { rd: 10, imm: -1 }), 0xfffff517],
  [encode('lr.d', { rd: 10, rs1: 11, rs2: 0 }), 0x1005b52f],
  [encode('sc.w', { rd: 10, rs1: 11, rs2: 12 }), 0x18c5a52f],
  [encode('amomaxu.d', { rd: 10, rs1: 11, rs2: 12 }), 0xe0c5b52f],
  [encode('csrrw', { rd: 10, csr: CSRS.sstatus, rs1: 11 }), 0x10059573],
  [encode('csrrci', { rd: 10, csr: CSRS.instret, rs1: 31 }), 0xc02ff573],
  [PLAIN.wfi, 0x10500073],
  [PLAIN['fence.i'], 0x0000100f],
])('encodes %i', (word, expected) => {
  expect(word).toBe(expected | 0);
});

const register = fc.nat(31);
const destination = fc.integer({ min: 1, max: 31 });

function multiple(bits: number, unit: number): fc.Arbitrary<number> {
  const bound = 2 ** (bits - 1) / unit;
  return fc.integer({ min: -bound, max: bound - 1 }).map((value) => value * unit);
}

/** Operands of the right kind, and what they decode to. */
function operandsOf(mnemonic: Mnemonic): fc.Arbitrary<Record<string, number>> {
  if (mnemonic === 'lui' || mnemonic === 'auipc')
    return fc.record({ rd: destination, imm: multiple(20, 1) });
  if (/^(b..u?)$/.test(mnemonic))
    return fc.record({ rs1: register, rs2: register, imm: multiple(13, 2) });
  if (/^s[bhwd]$/.test(mnemonic))
    return fc.record({ rs1: register, rs2: register, imm: multiple(12, 1) });
  if (/^s(ll|rl|ra)i/.test(mnemonic)) {
    const imm = fc.nat(mnemonic.endsWith('w') ? 31 : 63);
    return fc.record({ rd: destination, rs1: destination, imm });
  }
  if (/i$|iw$|iu$|^jalr$|^l[bhwd]u?$/.test(mnemonic) && !mnemonic.startsWith('csr'))
    return fc.record({ rd: destination, rs1: destination, imm: multiple(12, 1) });
  if (mnemonic === 'jal') return fc.record({ rd: destination, imm: multiple(21, 2) });
  if (mnemonic.startsWith('csr'))
    return fc.record({ rd: destination, rs1: register, csr: fc.nat(0xfff) });
  const rs2 = mnemonic.startsWith('lr') ? fc.constant(0) : register;
  return fc.record({ rd: destination, rs1: register, rs2 });
}

/** The operations that an instruction decodes to, canonical forms included. */
function operationsOf(mnemonic: Mnemonic, operands: Record<string, number>): readonly number[] {
  if (mnemonic === 'lui' || mnemonic === 'auipc') return [OP.constant, OP.constantNegative];
  if (mnemonic === 'addi' && operands['imm'] === 0) return [OP.mv];
  if (mnemonic.startsWith('csr')) return [operands['csr'] === 0x100 ? OP.csrStatus : OP.csr];
  const named: Readonly<Record<string, number>> = OP;
  return [named[mnemonic.replace('.', '')] ?? -1];
}

test.each(mnemonics())('%s decodes to what was encoded', (name) => {
  const mnemonic = name as Mnemonic;
  const property = fc.property(operandsOf(mnemonic), (operands) => {
    const word = encode(mnemonic, operands as Operands[typeof mnemonic]);
    const decoded = decode(word, 0);
    expect(operationsOf(mnemonic, operands)).toContain(decoded.op);
    expect(decoded.rd).toBe(operands['rd'] ?? 0);
    if (operands['rs1'] !== undefined) expect(decoded.rs1).toBe(operands['rs1']);
    if (operands['rs2'] !== undefined) expect(decoded.rs2).toBe(operands['rs2']);
    if (mnemonic === 'lui') expect(decoded.imm).toBe((operands['imm'] ?? 0) << 12);
    else if (mnemonic === 'auipc')
      expect(decoded.imm).toBe((((operands['imm'] ?? 0) << 12) + -0x80000000) | 0);
    else if (operands['imm'] !== undefined) expect(decoded.imm).toBe(operands['imm']);
    if (operands['csr'] !== undefined) expect(decoded.imm & 0xfff).toBe(operands['csr']);
  });
  fc.assert(property, { numRuns: 50 });
});

test('writing x0 is nothing, unless the instruction may fault or act', () => {
  for (const name of mnemonics()) {
    const mnemonic = name as Mnemonic;
    const operands: Record<string, number> = { rd: 0, rs1: 1, rs2: 0, imm: 0, csr: 0x100 };
    const { op, rd } = decode(encode(mnemonic, operands as Operands[typeof mnemonic]), 0);
    const jumps = op === OP.j || op === OP.jr || (op >= OP.beq && op <= OP.bgeu);
    const stores = op >= OP.sb && op <= OP.sd;
    const acts = op >= OP.lb && op <= FIRST_ALWAYS_BOUNDARY + 3 && !stores;
    expect([name, rd]).toEqual([name, acts ? REG_SINK : 0]);
    expect([name, jumps || stores || acts || op === OP.nop]).toEqual([name, true]);
  }
});

test.each([
  0x00000000, 0x0000_707f, 0x0000_7003, 0x0000_4023, 0x0000_2063, 0x8000_0033, 0x0200_103b,
  0x0000_1067, 0x0400_1013, 0x8000_5013, 0x0200_101b, 0x0000_202b, 0x1010_202f, 0x0000_002f,
  0x2800_202f, 0x0000_200f, 0x3020_0073, 0x0010_0173, 0x0000_4073, 0x0000_0007, 0x0000_0043,
])('%i is illegal', (word) => {
  expect(decode(word, 0).op).toBe(OP.illegal);
});

test('operands out of range are refused', () => {
  expect(() => encode('addi', { rd: 1, rs1: 1, imm: 2048 })).toThrow('12 bits');
  expect(() => encode('addi', { rd: 32, rs1: 1, imm: 0 })).toThrow('registers');
  expect(() => encode('add', { rd: -1, rs1: 1, rs2: 0 })).toThrow('registers');
  expect(() => encode('slliw', { rd: 1, rs1: 1, imm: 32 })).toThrow('below 32');
  expect(() => encode('slli', { rd: 1, rs1: 1, imm: 64 })).toThrow('below 64');
  expect(() => encode('beq', { rs1: 1, rs2: 1, imm: 4096 })).toThrow('13 bits');
  expect(() => encode('beq', { rs1: 1, rs2: 1, imm: 3 })).toThrow('multiple of 2');
  expect(() => encode('jal', { rd: 1, imm: 0x100000 })).toThrow('21 bits');
  expect(() => encode('sd', { rs1: 1, rs2: 1, imm: -2049 })).toThrow('12 bits');
  expect(() => encode('lui', { rd: 1, imm: 0x100000 })).toThrow('20 bits');
  expect(() => encode('csrrw', { rd: 1, rs1: 1, csr: 0x1000 })).toThrow('12 bits');
  expect(() => encode('lr.w', { rd: 1, rs1: 1, rs2: 1 })).toThrow('one operand');
});
