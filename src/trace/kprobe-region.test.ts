// KP-60: which instructions one jump can stand for.
import { expect, test } from 'vitest';
import { smallKernel } from '../../properties/small-kernel.ts';
import { C_ADDI } from '../../properties/small-optprobe.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import { Assembler } from '../emu/riscv/assembler.ts';
import { optimizedRegion } from './kprobe-region.ts';

const BASE = 0x1000;
/** `addi a5, a5, 1`, in four bytes. */
const LONG = 0x00178793;
const A5 = 15;

function long(text: Assembler): void {
  text.word(LONG);
  text.plain('ret');
}

const short =
  (count: number) =>
  (text: Assembler): void => {
    for (let i = 0; i < count; i++) text.half(C_ADDI);
  };

const through =
  (register: number) =>
  (text: Assembler): void => {
    text.word(LONG);
    text.emit('jalr', { rd: 0, rs1: register, imm: 0 });
  };

/** How many bytes the region at `offset` of a function has; undefined: there is none. */
function regionBytes(
  write: (text: Assembler) => void,
  { offset = 0, site = NO_ADDRESS }: { readonly offset?: number; readonly site?: number } = {},
): number | undefined {
  const { k } = smallKernel({ functions: { a1: [] } });
  const text = new Assembler(BASE);
  write(text);
  const halves = text.halves();
  const func = { address: BASE, size: 2 * halves.length, site };
  const read = (at: number): number => halves[(at - BASE) >> 1] ?? 0;
  const region = optimizedRegion(k, { func, siteBytes: 4, read }, BASE + offset);
  return region === undefined ? undefined : 2 * region.length;
}

test('KP-60: the fewest whole instructions that cover four bytes', () => {
  expect(regionBytes(long)).toBe(4);
  expect(
    regionBytes((text) => {
      text.half(C_ADDI);
      text.half(C_ADDI);
      text.plain('ret');
    }),
  ).toBe(4);
  expect(
    regionBytes((text) => {
      text.half(C_ADDI);
      long(text);
    }),
  ).toBe(6);
});

test('KP-60: the region is inside the function, and not in its call site', () => {
  expect(regionBytes(short(1))).toBeUndefined();
  expect(regionBytes(short(4), { offset: 4 })).toBe(4);
  expect(regionBytes(short(4), { offset: 6 })).toBeUndefined();
  expect(regionBytes(short(4), { offset: 0, site: BASE + 2 })).toBeUndefined();
});

test('KP-60: an instruction that depends on where it stands, or that no kprobe may touch, is in no region', () => {
  for (const second of ['ret', 'ebreak', 'ecall'] as const) {
    expect(
      regionBytes((text) => {
        text.half(C_ADDI);
        text.plain(second);
      }),
    ).toBeUndefined();
  }
  expect(
    regionBytes((text) => {
      text.half(C_ADDI);
      text.emit('auipc', { rd: A5, imm: 0 });
    }),
  ).toBeUndefined();
});

test('KP-60, KP-100: nor one that may run under a reservation', () => {
  const lr = 0x1007b72f;
  expect(
    regionBytes(
      (text) => {
        text.word(lr);
        text.word(LONG);
        text.plain('ret');
      },
      { offset: 4 },
    ),
  ).toBeUndefined();
});

test.each([
  [0, 4],
  [2, undefined],
  [4, 4],
])('KP-60: somebody jumps to byte %i of the region', (to, bytes) => {
  const backwards = (text: Assembler): void => {
    text.half(C_ADDI);
    text.half(C_ADDI);
    text.word(LONG);
    text.emit('bne', { rs1: A5, rs2: 0, imm: to - 8 });
    text.plain('ret');
  };
  expect(regionBytes(backwards)).toBe(bytes);
});

test('KP-60: a jump whose target the text does not say may lead anywhere; a return leads out', () => {
  expect(regionBytes(through(A5))).toBeUndefined();
  expect(regionBytes(through(1))).toBe(4);
});
