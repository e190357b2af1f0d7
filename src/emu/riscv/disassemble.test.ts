import { expect, test } from 'vitest';
import { Disassembler } from './disassemble.ts';

const PC = 0xffffffff80000100n;

function print(word: number, disassembler = new Disassembler(undefined), pc = PC): string {
  const standing = { pc, low: word & 0xffff, high: word >>> 16 };
  return disassembler.print(standing, (address) => `<at ${address.toString(16)}>`);
}

// Words and texts of GNU objdump 2.40. golden/listing has every instruction.
// prettier-ignore
test.each([
  [0x00000013, 'nop'], [0x0001, 'nop'], [0x0005, 'c.nop\t1'],
  [0x4505, 'li\ta0,1'], [0xfff00513, 'li\ta0,-1'], [0x4005, 'c.li\tzero,1'],
  [0x852e, 'mv\ta0,a1'], [0x00058513, 'mv\ta0,a1'], [0x802e, 'c.mv\tzero,a1'],
  [0x0585, 'add\ta1,a1,1'], [0x0081, 'add\tra,ra,0'], [0x0106151b, 'sllw\ta0,a2,0x10'],
  [0x2501, 'sext.w\ta0,a0'], [0x0ff57513, 'zext.b\ta0,a0'], [0xfff54513, 'not\ta0,a0'],
  [0x00153513, 'seqz\ta0,a0'], [0x0087ba13, 'sltiu\ts4,a5,8'], [0x40b0053b, 'negw\ta0,a1'],
  [0x010006b7, 'lui\ta3,0x1000'], [0x7381, 'lui\tt2,0xfffe0'], [0x00000017, 'auipc\tzero,0x0'],
  [0x8082, 'ret'], [0x00008067, 'ret'], [0x8282, 'jr\tt0'], [0x00408067, 'jr\t4(ra)'],
  [0x9782, 'jalr\ta5'], [0x004080e7, 'jalr\t4(ra)'], [0x00050167, 'jalr\tsp,a0'],
  [0x00450167, 'jalr\tsp,4(a0)'],
  [0x0080006f, 'j\tffffffff80000108 <at ffffffff80000108>'],
  [0xffdff0ef, 'jal\tffffffff800000fc <at ffffffff800000fc>'],
  [0xca11, 'beqz\ta2,ffffffff80000114 <at ffffffff80000114>'],
  [0xfec59ae3, 'bne\ta1,a2,ffffffff800000f4 <at ffffffff800000f4>'],
  [0x0005c783, 'lbu\ta5,0(a1)'], [0xfef50fa3, 'sb\ta5,-1(a0)'], [0xe406, 'sd\tra,8(sp)'],
  [0x1605b52f, 'lr.d.aqrl\ta0,(a1)'], [0x00c5a52f, 'amoadd.w\ta0,a2,(a1)'],
  [0x10002573, 'csrr\ta0,sstatus'], [0x7c002573, 'csrr\ta0,0x7c0'],
  [0x1405d073, 'csrw\tsscratch,11'], [0xc0102573, 'rdtime\ta0'], [0xc0001073, 'unimp'],
  [0x0ff0000f, 'fence'], [0x0330000f, 'fence\trw,rw'], [0x8330000f, 'fence.tso'],
  [0x0000000f, 'fence\tunknown,unknown'], [0xf510000f, '.4byte\t0xf510000f'],
  [0x10200073, 'sret'], [0x9002, 'ebreak'], [0x0000, 'unimp'], [0x2000, '.2byte\t0x2000'],
  [0x00000053, '.4byte\t0x53'],
] as const)('%i', (word, text) => {
  expect(print(word)).toBe(text);
});

test('an address made by two instructions is shown, once', () => {
  const disassembler = new Disassembler(undefined);
  expect(print(0x00040717, disassembler)).toBe('auipc\ta4,0x40');
  expect(print(0xf3670713, disassembler)).toBe(
    'add\ta4,a4,-202 # ffffffff80040036 <at ffffffff80040036>',
  );
  expect(print(0xf3670713, disassembler)).toBe('add\ta4,a4,-202');
  expect(print(0x010006b7, disassembler)).toBe('lui\ta3,0x1000');
  expect(print(0x1936869b, disassembler)).toBe('addw\ta3,a3,403 # 1000193 <at 1000193>');
});

test('addresses from zero, tp and a known gp are shown', () => {
  expect(print(0x00002683)).toBe('lw\ta3,0(zero) # 0 <at 0>');
  expect(print(0x00422683)).toBe('lw\ta3,4(tp) # 4 <at 4>');
  expect(print(0x0041a683)).toBe('lw\ta3,4(gp)');
  expect(print(0x0041a683, new Disassembler(0x13800n))).toBe('lw\ta3,4(gp) # 13804 <at 13804>');
});

test('targets wrap around', () => {
  expect(print(0xff9ff06f, undefined, 4n)).toBe('j\tfffffffffffffffc <at fffffffffffffffc>');
});
