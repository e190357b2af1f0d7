import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressHi, addressLo } from './address.ts';
import { relocate, RELOCATION, relocatedBytes } from './relocate.ts';
import { decodeCompressed } from './riscv/decode-compressed.ts';
import { decode } from './riscv/decode.ts';
import { encode } from './riscv/encode.ts';

const PLACE = 0x1000;
const C_BEQZ = 0xc001; // c.beqz s0, 0
const C_J = 0xa001; // c.j 0

/** What `words` become when `type` is applied at their beginning; undefined when it does not fit. */
function applied(type: number, words: readonly number[], value: number): DataView | undefined {
  const view = new DataView(new ArrayBuffer(8));
  words.forEach((one, i) => {
    view.setInt32(4 * i, one, true);
  });
  return relocate(type, { view, at: 0, place: PLACE, value }) ? view : undefined;
}

/** Where compressed instruction `low` leads when it is to lead `by` bytes away. */
function half(type: number, low: number, by: number): number {
  return decodeCompressed((word(applied(type, [low], PLACE + by)) ?? 0) & 0xffff).imm;
}

function word(view: DataView | undefined, at = 0): number | undefined {
  return view?.getInt32(at, true);
}

const even = (bits: number): fc.Arbitrary<number> =>
  fc.integer({ min: -(2 ** (bits - 2)), max: 2 ** (bits - 2) - 1 }).map((pairs) => 2 * pairs);
const distance = fc.integer({ min: -0x7ffff000, max: 0x7fffe000 });

test('branches and jumps become those that an assembler would have written', () => {
  const branch = encode('beq', { rs1: 8, rs2: 9, imm: 0 });
  const jump = encode('jal', { rd: 1, imm: 0 });
  fc.assert(
    fc.property(even(13), even(21), (near, far) => {
      expect(word(applied(RELOCATION.R_RISCV_BRANCH, [branch], PLACE + near))).toBe(
        encode('beq', { rs1: 8, rs2: 9, imm: near }),
      );
      expect(word(applied(RELOCATION.R_RISCV_JAL, [jump], PLACE + far))).toBe(
        encode('jal', { rd: 1, imm: far }),
      );
    }),
  );
});

test('compressed branches and jumps decode to the distance', () => {
  fc.assert(
    fc.property(even(9), even(12), (near, far) => {
      expect(half(RELOCATION.R_RISCV_RVC_BRANCH, C_BEQZ, near)).toBe(near);
      expect(half(RELOCATION.R_RISCV_RVC_JUMP, C_J, far)).toBe(far);
    }),
  );
});

test('both halves of an address add up', () => {
  const auipc = encode('auipc', { rd: 5, imm: 0 });
  const addi = encode('addi', { rd: 5, rs1: 5, imm: 0 });
  const store = encode('sd', { rs1: 5, rs2: 6, imm: 0 });
  fc.assert(
    fc.property(distance, (by) => {
      const value = PLACE + by;
      const pair = applied(RELOCATION.R_RISCV_CALL_PLT, [auipc, addi], value);
      const high = applied(RELOCATION.R_RISCV_PCREL_HI20, [auipc], value);
      expect(word(high)).toBe(word(pair));
      const upper = decode(word(pair) ?? 0, PLACE).imm;
      const lower = decode(word(pair, 4) ?? 0, PLACE).imm;
      expect((upper + lower) | 0).toBe(addressLo(value | 0));
      const load = applied(RELOCATION.R_RISCV_PCREL_LO12_I, [addi], value);
      expect(decode(word(load) ?? 0, PLACE).imm).toBe(lower);
      const stored = applied(RELOCATION.R_RISCV_PCREL_LO12_S, [store], value);
      expect(decode(word(stored) ?? 0, PLACE).imm).toBe(lower);
    }),
  );
});

test('data gets the guest value; sums and differences wrap', () => {
  const at = (view: DataView | undefined): readonly (number | undefined)[] => [
    word(view),
    word(view, 4),
  ];
  const value = 0x12345;
  const guest = [addressLo(value), addressHi(value)];
  expect(at(applied(RELOCATION.R_RISCV_64, [7, 7], value))).toEqual(guest);
  expect(at(applied(RELOCATION.R_RISCV_32, [7, 7], value))).toEqual([guest[0], 7]);
  expect(word(applied(RELOCATION.R_RISCV_ADD32, [7], value))).toBe((guest[0] ?? 0) + 7);
  expect(word(applied(RELOCATION.R_RISCV_SUB32, [7], value))).toBe((7 - (guest[0] ?? 0)) | 0);
  expect(at(applied(RELOCATION.R_RISCV_ADD64, [1, 0], value))).toEqual([
    (guest[0] ?? 0) + 1,
    guest[1],
  ]);
  expect(at(applied(RELOCATION.R_RISCV_SUB64, guest, value))).toEqual([0, 0]);
  expect(at(applied(RELOCATION.R_RISCV_NONE, [3, 4], value))).toEqual([3, 4]);
});

test('what is too far, or odd, does not fit', () => {
  const reach: readonly (readonly [number, number])[] = [
    [RELOCATION.R_RISCV_BRANCH, 0x1000],
    [RELOCATION.R_RISCV_JAL, 0x100000],
    [RELOCATION.R_RISCV_RVC_BRANCH, 0x100],
    [RELOCATION.R_RISCV_RVC_JUMP, 0x800],
  ];
  for (const [type, limit] of reach) {
    expect(applied(type, [0], PLACE + limit)).toBeUndefined();
    expect(applied(type, [0], PLACE + limit - 2)).toBeDefined();
    expect(applied(type, [0], PLACE - limit)).toBeDefined();
    expect(applied(type, [0], PLACE - limit - 2)).toBeUndefined();
    expect(applied(type, [0], PLACE + 3)).toBeUndefined();
  }
  expect(relocatedBytes(51)).toBeUndefined();
  expect(relocatedBytes(RELOCATION.R_RISCV_CALL)).toBe(8);
});
