import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NO_ADDRESS } from '../address.ts';
import { REG } from '../regs.ts';
import { Assembler } from './assembler.ts';
import { ATTENTION, VISIBLE } from './core.ts';
import { CSRS, C_EBREAK, C_NOP, PLAIN, encode } from './encode.ts';
import { DATA, DATA_BYTES, type Rig, STACK, TEXT, execute, makeRig, putWords } from './rig.ts';
import { setAddress, setValue, valueOf } from './rig.ts';
import { runFetched } from './run-fetched.ts';
import { run } from './run.ts';
import { STOP_ATTENTION, STOP_BREAK, STOP_ECALL, STOP_FAULT, STOP_IRQ } from './stop.ts';
import { STOP_STEPS, STOP_WFI } from './stop.ts';

const PLENTY = 1_000_000;
const SHARED_LOAD = encode('ld', { rd: REG.a0, rs1: REG.a1, imm: 0 });
const PRIVATE_STORE = encode('sd', { rs1: REG.sp, rs2: REG.a0, imm: -8 });

function rigOf(words: readonly number[]): Rig {
  const rig = makeRig();
  putWords(rig.core, TEXT, words);
  setAddress(rig.hart, REG.a1, DATA);
  return rig;
}

/** Runs and tells: why, where, steps, instructions since boot. */
function go({ core, hart }: Rig, steps: number, everyInstruction = false): number[] {
  const stop = run(core, hart, steps, everyInstruction);
  return [stop, hart.pc, hart.steps, hart.instret];
}

test('private instructions are no boundaries', () => {
  const rig = rigOf([PLAIN.nop, PRIVATE_STORE, PLAIN.lpad, PLAIN.fence, PLAIN.ecall]);
  expect(go(rig, 1)).toEqual([STOP_STEPS, 16, 1, 4]);
  expect(go(rig, 1)).toEqual([STOP_ECALL, 16, 1, 4]);
});

test('a shared access is one boundary, before it', () => {
  const rig = rigOf([PLAIN.nop, SHARED_LOAD, PLAIN.nop, SHARED_LOAD, SHARED_LOAD, PLAIN.ebreak]);
  expect(go(rig, 1)).toEqual([STOP_STEPS, 4, 1, 1]);
  expect(go(rig, 1)).toEqual([STOP_STEPS, 12, 1, 3]);
  expect(go(rig, PLENTY)).toEqual([STOP_BREAK, 20, 3, 5]);
  rig.hart.pc = TEXT;
  expect(go(rig, PLENTY)).toEqual([STOP_BREAK, 20, 5, 10]);
});

test.each(['sd', 'sb', 'lw'] as const)('shared %s, and one that faults, are boundaries', (name) => {
  const rig = rigOf([PLAIN.nop, encode(name, { rd: 0, rs1: REG.a1, rs2: 0, imm: 0 })]);
  expect(go(rig, 1)).toEqual([STOP_STEPS, 4, 1, 1]);
  setAddress(rig.hart, REG.a1, DATA + DATA_BYTES);
  rig.hart.pc = TEXT;
  expect(go(rig, 1)).toEqual([STOP_STEPS, 4, 1, 2]);
  expect(go(rig, 1)).toEqual([STOP_FAULT, 4, 1, 2]);
});

test('atomics are boundaries outside the own stack only', () => {
  const amo = encode('amoadd.w', { rd: 0, rs1: REG.a1, rs2: 0 });
  const rig = rigOf([PLAIN.nop, amo, PLAIN.ecall]);
  expect(go(rig, 1)).toEqual([STOP_STEPS, 4, 1, 1]);
  rig.hart.pc = TEXT;
  setAddress(rig.hart, REG.a1, STACK);
  expect(go(rig, 1)).toEqual([STOP_STEPS, 8, 1, 3]);
});

test('a misaligned access to the own stack is private', () => {
  const rig = rigOf([PLAIN.nop, SHARED_LOAD, PLAIN.ecall]);
  setAddress(rig.hart, REG.a1, STACK + 3);
  expect(go(rig, 1)).toEqual([STOP_STEPS, 8, 1, 2]);
});

test('flags stop before their instruction, which then executes', () => {
  const rig = rigOf([PLAIN.nop, PLAIN.nop, PLAIN.nop, PLAIN.nop, PLAIN.ecall]);
  rig.core.setFlags(TEXT, ATTENTION); // Where a run begins: no matter.
  rig.core.setFlags(TEXT + 4, VISIBLE);
  rig.core.setFlags(TEXT + 12, ATTENTION);
  expect(go(rig, 1)).toEqual([STOP_STEPS, 4, 1, 1]);
  expect(go(rig, PLENTY)).toEqual([STOP_ATTENTION, 12, 1, 3]);
  expect(go(rig, PLENTY)).toEqual([STOP_ECALL, 16, 2, 4]);
  rig.hart.pc = TEXT;
  expect(go(rig, 2)).toEqual([STOP_ATTENTION, 12, 2, 7]);
});

test('a flagged shared access is one boundary', () => {
  const rig = rigOf([PLAIN.nop, SHARED_LOAD, PLAIN.ecall]);
  rig.core.setFlags(TEXT + 4, VISIBLE);
  expect(go(rig, 3)).toEqual([STOP_ECALL, 8, 3, 2]);
});

test('with everyInstruction each instruction is a step', () => {
  const rig = rigOf([PLAIN.nop, PLAIN.nop, SHARED_LOAD, PLAIN.nop, PLAIN.ecall]);
  expect(go(rig, 1, true)).toEqual([STOP_STEPS, 4, 1, 1]);
  expect(go(rig, 2, true)).toEqual([STOP_STEPS, 12, 2, 3]);
  rig.core.setFlags(TEXT + 16, ATTENTION);
  expect(go(rig, PLENTY, true)).toEqual([STOP_ATTENTION, 16, 1, 4]);
  expect(go(rig, PLENTY, true)).toEqual([STOP_ECALL, 16, 1, 4]);
});

test('ebreak in both forms, wfi, and what follows', () => {
  const rig = rigOf([PLAIN.ebreak, PLAIN.wfi, PLAIN.ecall]);
  rig.core.writeHalf(TEXT + 12, C_EBREAK);
  expect(go(rig, PLENTY)).toEqual([STOP_BREAK, 0, 1, 0]);
  rig.hart.pc = TEXT + 4;
  expect(go(rig, PLENTY)).toEqual([STOP_WFI, 8, 1, 1]);
  rig.hart.pc = TEXT + 12;
  expect(go(rig, PLENTY)).toEqual([STOP_BREAK, 12, 1, 1]);
  rig.core.writeHalf(TEXT + 10, C_NOP);
  rig.hart.pc = TEXT + 10;
  expect(go(rig, 1)).toEqual([STOP_STEPS, 12, 1, 2]);
});

const SIE = 2;

test('writing sstatus stops, reading it is a boundary only', () => {
  const off = encode('csrrci', { rd: REG.a0, csr: CSRS.sstatus, rs1: SIE });
  const read = encode('csrrs', { rd: REG.a2, csr: CSRS.sstatus, rs1: 0 });
  const on = encode('csrrs', { rd: REG.a3, csr: CSRS.sstatus, rs1: REG.a0 });
  const rig = rigOf([PLAIN.nop, off, PLAIN.nop, read, on, PLAIN.ecall]);
  expect(go(rig, 1)).toEqual([STOP_STEPS, 4, 1, 1]);
  expect(rig.hart.irqsOn).toBe(true);
  expect(go(rig, PLENTY)).toEqual([STOP_IRQ, 8, 1, 2]);
  expect([rig.hart.irqsOn, valueOf(rig.hart, REG.a0)]).toEqual([false, 2n]);
  expect(go(rig, PLENTY)).toEqual([STOP_IRQ, 20, 3, 5]);
  expect([rig.hart.irqsOn, valueOf(rig.hart, REG.a2), valueOf(rig.hart, REG.a3)]).toEqual([
    true,
    0n,
    0n,
  ]);
});

test('CSRs that are there, and no other', () => {
  const rig = makeRig();
  const { core, hart } = rig;
  setValue(hart, REG.a1, 0x123456789abcdef0n);
  for (const csr of [CSRS.sscratch, CSRS.sepc, CSRS.scause]) {
    execute(rig, 'csrrw', { rd: 0, csr, rs1: REG.a1 });
    execute(rig, 'csrrsi', { rd: REG.a0, csr, rs1: 31 });
    expect(valueOf(hart, REG.a0)).toBe(0x123456789abcdef0n);
    execute(rig, 'csrrc', { rd: REG.a0, csr, rs1: REG.a1 });
    expect(valueOf(hart, REG.a0)).toBe(0x123456789abcdeffn);
    execute(rig, 'csrrwi', { rd: REG.a0, csr, rs1: 7 });
    expect(valueOf(hart, REG.a0)).toBe(0xfn);
    execute(rig, 'csrrci', { rd: REG.a0, csr, rs1: 3 });
    execute(rig, 'csrrs', { rd: REG.a0, csr, rs1: 0 });
    expect(valueOf(hart, REG.a0)).toBe(4n);
  }
  core.time = 0x123456789;
  execute(rig, 'csrrs', { rd: REG.a0, csr: CSRS.time, rs1: 0 });
  execute(rig, 'csrrc', { rd: REG.a2, csr: CSRS.cycle, rs1: 0 });
  expect([valueOf(hart, REG.a0), valueOf(hart, REG.a2)]).toEqual([0x123456789n, 0x123456789n]);
  hart.instret = 41;
  execute(rig, 'csrrs', { rd: REG.a0, csr: CSRS.instret, rs1: 0 });
  expect([valueOf(hart, REG.a0), hart.instret]).toEqual([41n, 42]);
  for (const operands of [
    { rd: 0, csr: CSRS.time, rs1: REG.a1 },
    { rd: 0, csr: 0x300, rs1: 0 },
    { rd: 0, csr: 0x143, rs1: 0 },
    { rd: 0, csr: 0xc03, rs1: 0 },
  ]) {
    expect(execute(rig, 'csrrs', operands)).toBe(STOP_FAULT);
    expect([hart.faultReason, hart.faultAddress]).toEqual(['illegal', TEXT]);
  }
});

test('time goes on within a run, however it is cut', () => {
  const time = encode('csrrs', { rd: REG.a2, csr: CSRS.time, rs1: 0 });
  const whole = rigOf([PLAIN.nop, SHARED_LOAD, SHARED_LOAD, time, PLAIN.ecall]);
  whole.core.time = 100;
  go(whole, PLENTY);
  expect(valueOf(whole.hart, REG.a2)).toBe(102n);
  const cut = rigOf([PLAIN.nop, SHARED_LOAD, SHARED_LOAD, time, PLAIN.ecall]);
  for (cut.core.time = 100; cut.hart.pc !== 16; cut.core.time++) go(cut, 1);
  expect(valueOf(cut.hart, REG.a2)).toBe(102n);
});

test('jumps to nowhere, off the end, to odd addresses', () => {
  const rig = rigOf([encode('jalr', { rd: REG.ra, rs1: REG.a1, imm: 0 })]);
  expect(go(rig, PLENTY)).toEqual([STOP_FAULT, DATA, 1, 1]);
  expect([rig.hart.faultReason, rig.hart.faultAddress]).toEqual(['fetch', DATA]);
  rig.hart.pc = TEXT;
  expect(go(rig, 1, true)).toEqual([STOP_STEPS, DATA, 1, 2]);
  expect(go(rig, 1, true)).toEqual([STOP_FAULT, DATA, 1, 2]);
  rig.hart.pc = TEXT;
  expect(go(rig, PLENTY, true)).toEqual([STOP_FAULT, DATA, 2, 3]);
  setValue(rig.hart, REG.a1, 0x1234567812345678n);
  rig.hart.pc = TEXT;
  expect(go(rig, PLENTY)).toEqual([STOP_FAULT, NO_ADDRESS, 1, 4]);
  rig.hart.pc = TEXT + 1;
  expect(go(rig, PLENTY)).toEqual([STOP_FAULT, TEXT + 1, 1, 4]);
  expect(rig.hart.faultReason).toBe('fetch');
});

test('a jump out of its half of the address space ends nowhere', () => {
  const back = rigOf([encode('jal', { rd: 0, imm: -4 })]);
  back.core.addText(-0x1100, 0x100); // What lies as far from the end of user space.
  expect(go(back, PLENTY)).toEqual([STOP_FAULT, NO_ADDRESS, 1, 1]);
  expect([back.hart.faultReason, back.hart.faultAddress]).toEqual(['fetch', NO_ADDRESS]);
  const user = -0x1100;
  putWords(back.core, user, [encode('jal', { rd: 0, imm: 0x1100 })]);
  back.hart.pc = user;
  expect(go(back, PLENTY)).toEqual([STOP_FAULT, NO_ADDRESS, 1, 2]);
});

test('a jump from the end of the kernel half comes to the beginning of user space', () => {
  const rig = makeRig();
  const [high, low] = [0x7fffef00, -0x7ffff000];
  rig.core.addText(high, 0x100);
  rig.core.addText(low, 0x100);
  putWords(rig.core, high, [encode('jal', { rd: 0, imm: 0x2100 })]);
  putWords(rig.core, low, [encode('jal', { rd: 0, imm: -0x2100 })]);
  rig.hart.pc = high;
  expect(go(rig, 3, true)).toEqual([STOP_STEPS, low, 3, 3]);
});

test('bit 0 of a target is cleared, at the end of user space too', () => {
  const rig = rigOf([encode('jalr', { rd: REG.ra, rs1: REG.a1, imm: 0 })]);
  setValue(rig.hart, REG.a1, 0x7fffffffn);
  expect(go(rig, PLENTY)).toEqual([STOP_FAULT, -2, 1, 1]);
});

test('fresh text is illegal, and an instruction cut off by the end of text cannot be fetched', () => {
  const rig = makeRig();
  expect(go(rig, PLENTY)).toEqual([STOP_FAULT, TEXT, 1, 0]);
  expect(rig.hart.faultReason).toBe('illegal');
  rig.core.addText(0x90000, 4);
  rig.core.writeText(0x90000, Uint16Array.of(...Array.from({ length: 8 }, () => C_NOP)));
  rig.core.writeHalf(0x9000e, 3);
  rig.hart.pc = 0x90000;
  expect(go(rig, PLENTY)).toEqual([STOP_FAULT, 0x9000e, 1, 7]);
  expect([rig.hart.faultReason, rig.hart.faultAddress]).toEqual(['fetch', 0x9000e]);
});

test('a private loop is cut into steps of 4,096 instructions, so that no loop hangs the host', () => {
  const asm = new Assembler(TEXT);
  const loop = asm.label('loop');
  asm.li(REG.a0, 100_000);
  asm.bind(loop);
  asm.emit('addi', { rd: REG.a0, rs1: REG.a0, imm: -1 });
  asm.branch('bne', { rs1: REG.a0, rs2: REG.zero, to: loop });
  asm.emit('ld', { rd: REG.a2, rs1: REG.a1, imm: 0 });
  asm.plain('ecall');
  const rig = makeRig();
  rig.core.writeText(TEXT, asm.halves());
  setAddress(rig.hart, REG.a1, DATA);
  const prologue = (loop.address ?? 0) / 4;
  expect(go(rig, 1).slice(2)).toEqual([1, 4096]);
  const steps = Math.ceil((prologue + 200_000) / 4096);
  expect(go(rig, steps - 1)).toEqual([STOP_STEPS, asm.here - 8, steps - 1, prologue + 200_000]);
  rig.hart.pc = TEXT;
  expect(go(rig, PLENTY, true)).toEqual([
    STOP_ECALL,
    asm.here - 4,
    prologue + 200_002,
    2 * prologue + 400_001,
  ]);
});

const WORDS = [
  PLAIN.nop,
  SHARED_LOAD,
  PRIVATE_STORE,
  PLAIN.wfi,
  PLAIN.ecall,
  encode('csrrsi', { rd: 0, csr: CSRS.sstatus, rs1: SIE }),
  encode('csrrs', { rd: REG.a2, csr: CSRS.sstatus, rs1: 0 }),
  encode('jal', { rd: 0, imm: 12 }),
  encode('beq', { rs1: REG.a0, rs2: REG.a0, imm: 8 }),
  encode('lw', { rd: REG.a0, rs1: 0, imm: 0 }),
  encode('jalr', { rd: 0, rs1: 0, imm: 0 }),
  encode('mul', { rd: REG.a3, rs1: REG.sp, rs2: REG.sp }),
];

/** The stops of a run that is cut into pieces of at most `budget` steps; it ends in a fault. */
function history(words: readonly number[], flags: readonly number[], cut: Cut): number[][] {
  const rig = rigOf(words.map((index) => WORDS[index] as number));
  flags.forEach((flag, index) => rig.core.setFlags(TEXT + 4 * index, flag));
  const stops: number[][] = [];
  let steps = 0;
  let stop = 0;
  while (stop !== STOP_FAULT) {
    stop = run(rig.core, rig.hart, cut.budget, cut.everyInstruction);
    const { pc, instret, x } = rig.hart;
    steps += rig.hart.steps;
    if (stop !== STOP_STEPS) stops.push([stop, pc, steps, instret, ...x]);
    if (stop === STOP_ECALL) rig.hart.pc += 4;
  }
  return stops;
}

interface Cut {
  readonly budget: number;
  readonly everyInstruction: boolean;
}

test('cutting a run into pieces changes nothing', () => {
  const word = fc.array(fc.nat(WORDS.length - 1), { minLength: 1, maxLength: 12 });
  const flags = fc.array(fc.constantFrom(0, 0, 0, VISIBLE, ATTENTION), { maxLength: 12 });
  const property = fc.property(
    word,
    flags,
    fc.boolean(),
    fc.integer({ min: 1, max: 4 }),
    (...p) => {
      const [words, marks, everyInstruction, budget] = p;
      const whole = history(words, marks, { budget: PLENTY, everyInstruction });
      expect(history(words, marks, { budget, everyInstruction })).toEqual(whole);
    },
  );
  fc.assert(property);
});

test('a fetched instruction executes in place of the one in memory, as one step', () => {
  const rig = rigOf([PLAIN.ecall, PLAIN.nop, PLAIN.nop]);
  const { core, hart } = rig;
  const tell = (stop: number): number[] => [stop, hart.pc, hart.steps, hart.instret];
  const addi = encode('addi', { rd: REG.a0, rs1: 0, imm: 5 });
  expect(tell(runFetched(core, hart, addi & 0xffff, addi >>> 16))).toEqual([STOP_STEPS, 4, 1, 1]);
  expect(valueOf(hart, REG.a0)).toBe(5n);
  hart.pc = TEXT;
  expect(tell(runFetched(core, hart, C_EBREAK, 0xffff))).toEqual([STOP_BREAK, 0, 1, 1]);
  expect(tell(runFetched(core, hart, C_NOP, 0))).toEqual([STOP_STEPS, 2, 1, 2]);
  hart.pc = TEXT;
  expect(tell(runFetched(core, hart, 0, 0))).toEqual([STOP_FAULT, 0, 1, 2]);
  expect(hart.faultReason).toBe('illegal');
  const call = encode('jal', { rd: REG.t0, imm: 8 });
  core.setFlags(TEXT + 8, ATTENTION);
  expect(tell(runFetched(core, hart, call & 0xffff, call >>> 16))).toEqual([
    STOP_ATTENTION,
    8,
    1,
    3,
  ]);
  expect(valueOf(hart, REG.t0)).toBe(0xffffffff80000004n);
  hart.pc = TEXT;
  core.setFlags(TEXT, ATTENTION);
  const self = encode('jal', { rd: 0, imm: 0 });
  expect(tell(runFetched(core, hart, self & 0xffff, self >>> 16))).toEqual([
    STOP_ATTENTION,
    0,
    1,
    4,
  ]);
  expect(go(rig, 1)).toEqual([STOP_ECALL, 0, 1, 4]);
});
