// What the trap does for an instruction is what the core would have done.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeCore, STACKS, TEXT_BYTES, TEXTS } from '../../properties/lockstep.ts';
import { encoded, registerValues } from '../../properties/reference-programs.ts';
import { known } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import { FRAME_PC, FRAME_WORDS, Hart, restoreFrame, saveFrame } from '../emu/regs.ts';
import type { Core } from '../emu/riscv/core.ts';
import { FORMS, identify } from '../emu/riscv/instruction.ts';
import { setValue } from '../emu/riscv/rig.ts';
import { run } from '../emu/riscv/run.ts';
import { simulateInsn } from './kprobe-simulate.ts';

const SIMULATED = FORMS.filter(({ base }) =>
  ['auipc', 'jal', 'jalr', 'beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu'].includes(base),
);
const JUMPING = SIMULATED.filter(({ base }) => base !== 'auipc');
/** What a property that proves anything has to see. */
const WANTED = [
  ...SIMULATED.map(({ name }) => `executed ${name}`),
  ...JUMPING.map(({ name }) => `jumped ${name}`),
  ...['beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu', 'c.beqz', 'c.bnez'].map((n) => `stayed ${n}`),
  'nowhere',
  'no text',
  'x0',
  'link over its base',
  'odd sum',
];

/** Reserved operands make something else of a form. */
function isSimulated([low = 0, high = 0]: readonly number[]): boolean {
  const found = identify(low, high)?.form;
  return found !== undefined && SIMULATED.includes(found);
}

const cases = fc.record({
  halves: encoded(SIMULATED).filter(isSimulated),
  text: fc.constantFrom(...TEXTS),
  atEnd: fc.boolean(),
  registers: registerValues,
});

function hartAt(pc: Address): Hart {
  const hart = new Hart(0);
  hart.pc = pc;
  hart.stackBase = known(STACKS[0], 'there is a stack');
  return hart;
}

function frameOf(hart: Hart): Int32Array {
  const frame = new Int32Array(FRAME_WORDS);
  saveFrame(hart, frame);
  return frame;
}

/** What a further step comes to. */
function goOn(core: Core, hart: Hart): readonly unknown[] {
  const stop = run(core, hart, 1, true);
  return [stop, hart.pc, hart.faultReason, hart.faultAddress];
}

test('a simulated instruction leaves registers and pc as the core does, and what follows faults alike', () => {
  const seen = new Set<string>();
  const check = ({ halves, text, atEnd, registers }: Drawn): void => {
    const [low = 0, high = 0] = halves;
    const address = text + (atEnd ? TEXT_BYTES - 2 * halves.length : 0);
    const core = makeCore();
    core.writeText(address, Uint16Array.from(halves));
    const hart = hartAt(address);
    registers.forEach((value, i) => {
      setValue(hart, i + 1, value);
    });
    const frame = frameOf(hart);
    note(seen, { frame, address, low, high, core });
    simulateInsn(frame, address, low, high);
    run(core, hart, 1, true);
    expect(frame).toEqual(frameOf(hart));
    noteTarget(seen, { frame, address, low, high, core });
    const resumed = hartAt(address);
    restoreFrame(resumed, frame);
    expect(goOn(core, resumed)).toEqual(goOn(core, hart));
  };
  fc.assert(fc.property(cases, check), {
    numRuns: Math.max(3000, fc.readConfigureGlobal().numRuns ?? 0),
  });
  expect(WANTED.filter((what) => !seen.has(what))).toEqual([]);
});

interface Drawn {
  readonly halves: readonly number[];
  readonly text: Address;
  readonly atEnd: boolean;
  readonly registers: readonly bigint[];
}

interface Moment {
  readonly frame: Int32Array;
  readonly address: Address;
  readonly low: number;
  readonly high: number;
  readonly core: Core;
}

function note(seen: Set<string>, { frame, low, high }: Moment): void {
  const { form, rd, rs1, imm } = known(identify(low, high), 'it is an instruction');
  seen.add(`executed ${form.name}`);
  if (form.bytes === 4 && rd === 0) seen.add('x0');
  if (form.base !== 'jalr') return;
  if (rd !== 0 && rd === rs1) seen.add('link over its base');
  if ((((frame[rs1] ?? 0) + imm) & 1) !== 0) seen.add('odd sum');
}

function noteTarget(seen: Set<string>, { frame, address, low, high, core }: Moment): void {
  const { form } = known(identify(low, high), 'it is an instruction');
  const pc = known(frame[FRAME_PC], 'a frame has a pc');
  seen.add(`${pc === address + form.bytes ? 'stayed' : 'jumped'} ${form.name}`);
  if (pc === NO_ADDRESS) seen.add('nowhere');
  else if (core.regionAt(pc) === undefined) seen.add('no text');
}

test('a jump to nowhere leaves the pc that faults', () => {
  const frame = new Int32Array(FRAME_WORDS);
  frame[5] = 0x1000;
  frame[32 + 5] = 1; // 0x1_0000_1000: in neither half.
  simulateInsn(frame, 0, 0x82 | (5 << 7) | 0x8000, 0); // c.jr t0
  expect(frame[FRAME_PC]).toBe(NO_ADDRESS);
});
