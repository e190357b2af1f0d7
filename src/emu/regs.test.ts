import { expect, test } from 'vitest';
import { FRAME_HI, FRAME_PC, FRAME_WORDS, Hart, REG } from './regs.ts';
import { restoreFrame, saveFrame, setReg } from './regs.ts';

test('a frame brings every register and pc back', () => {
  const hart = new Hart(3);
  for (let i = 1; i < 32; i++) setReg(hart, i, i * 3, -i);
  hart.pc = 0x1234;
  const frame = new Int32Array(FRAME_WORDS);
  saveFrame(hart, frame);
  expect([frame[REG.t6], frame[FRAME_HI + REG.t6], frame[FRAME_PC]]).toEqual([93, -31, 0x1234]);
  const other = new Hart(1);
  restoreFrame(other, frame);
  expect([other.lo.slice(0, 32), other.hi.slice(0, 32), other.pc]).toEqual([
    hart.lo.slice(0, 32),
    hart.hi.slice(0, 32),
    0x1234,
  ]);
});

test('x0 cannot be set, frames have one size', () => {
  const hart = new Hart(0);
  expect(() => setReg(hart, 0, 1, 0)).toThrow('x0');
  expect(() => setReg(hart, 32, 1, 0)).toThrow('x0');
  expect(() => saveFrame(hart, new Int32Array(64))).toThrow('frame');
  const frame = new Int32Array(FRAME_WORDS);
  frame[FRAME_HI] = 1;
  expect(() => restoreFrame(hart, frame)).toThrow('x0 is zero');
});

test('lo and hi are the two halves of x', () => {
  const hart = new Hart(0);
  setReg(hart, REG.a0, 5, 6);
  expect(hart.x[REG.a0]).toBe(5);
  expect(hart.hi[REG.a0]).toBe(6);
  hart.x[hart.lo.length + REG.a0] = 7;
  expect(hart.hi[REG.a0]).toBe(7);
});
