// KP-44: an instruction that is stepped out of line does what it would have done in its place.
//
// Whatever instruction a kprobe steps (neither simulated nor refused), whatever registers hold: its copy in a slot
// leaves the same registers and the same memory, faults alike, and then stops at the breakpoint behind it or, boosted,
// is back at the next instruction. The property counts what it has seen; an instruction that was never copied, or a
// fault that never arose, is a failure.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import { type Address, SLOT_BASE } from '../src/emu/address.ts';
import { FRAME_PC, FRAME_WORDS, Hart, saveFrame } from '../src/emu/regs.ts';
import type { Core } from '../src/emu/riscv/core.ts';
import { FORMS, identify } from '../src/emu/riscv/instruction.ts';
import { setValue } from '../src/emu/riscv/rig.ts';
import { run } from '../src/emu/riscv/run.ts';
import { STOP_BREAK, STOP_FAULT, STOP_STEPS } from '../src/emu/riscv/stop.ts';
import { riscvProbeDecodeInsn } from '../src/trace/kprobe-insn.ts';
import { INSN_SLOT_BYTES, slotText } from '../src/trace/kprobe-slot.ts';
import { TEST_MS } from './check-guarantee.ts';
import { makeCore, STACKS, TEXTS } from './lockstep.ts';
import { encoded, registerValues } from './reference-programs.ts';

const NOT_STEPPED =
  /^(?:auipc|jalr?|b(?:eq|ne|ltu?|geu?)|ecall|ebreak|wfi|csr.*|fence.*|lr\..|sc\..)$/u;
/** From the tables of the manual, which the code under test does not read. */
const STEPPED = FORMS.filter(({ base }) => !NOT_STEPPED.test(base));
const RISKY = STEPPED.filter(({ base }) => /^(?:l[bhwd]u?|s[bhwd]|amo.*)$/u.test(base));
const FAULTS = ['unmapped', 'stack', 'readonly', 'freed', 'misaligned'];
const WANTED = [
  ...STEPPED.map(({ name }) => `copied ${name}`),
  ...FAULTS.map((reason) => `fault ${reason}`),
  'misaligned access',
];
/** Fewer would not meet everything that is wanted. */
const RUNS_MIN = 4000;

const cases = fc.record({
  halves: encoded([...FORMS, ...RISKY]).filter(([low = 0, high]) => stepped(low, high)),
  text: fc.constantFrom(...TEXTS.slice(0, 2)),
  slot: fc.nat(63).map((i) => SLOT_BASE + i * INSN_SLOT_BYTES),
  boosted: fc.boolean(),
  registers: registerValues,
});

interface Drawn {
  readonly halves: readonly number[];
  readonly text: Address;
  readonly slot: Address;
  readonly boosted: boolean;
  readonly registers: readonly bigint[];
}

function stepped(low: number, high: number | undefined): boolean {
  return riscvProbeDecodeInsn(low, high).kind === 'step';
}

/** A core with the instruction in its place and in the slot, and a hart at one of them. */
function machineAt(drawn: Drawn, pc: Address): { readonly core: Core; readonly hart: Hart } {
  const { halves, text, slot, boosted, registers } = drawn;
  const core = makeCore();
  core.addText(SLOT_BASE, 64 * INSN_SLOT_BYTES);
  core.writeText(text, Uint16Array.from(halves));
  const next = text + 2 * halves.length;
  const copy = boosted ? { insn: halves, boostTo: next } : { insn: halves };
  core.writeText(slot, Uint16Array.from(slotText(slot, copy)));
  const hart = new Hart(0);
  hart.pc = pc;
  hart.stackBase = known(STACKS[0], 'there is a stack');
  registers.forEach((value, i) => {
    setValue(hart, i + 1, value);
  });
  return { core, hart };
}

/** Registers and pc relative to `base`, what the faults say, and how many instructions there were. */
function stateOf(hart: Hart, base: Address): readonly unknown[] {
  const frame = new Int32Array(FRAME_WORDS);
  saveFrame(hart, frame);
  frame[FRAME_PC] = hart.pc - base;
  const { faultReason, faultAddress, instret, reservation, irqsOn } = hart;
  return [Array.from(frame), faultReason, faultAddress, instret, reservation, irqsOn];
}

/** The first segment in which the two differ, in bytes or dirty pages. */
function memoryDifference(a: Core, b: Core): string | undefined {
  const pairs = a.memory.segments.map((one, i) => [one, b.memory.segments[i]] as const);
  const found = pairs.find(([one, other]) => {
    const [bytes, dirty] = [Buffer.from(one.bytes.buffer), Buffer.from(one.dirty)];
    return other === undefined || !bytes.equals(other.bytes) || !dirty.equals(other.dirty);
  });
  return found?.[0].name;
}

function check(drawn: Drawn, seen: Set<string>): void {
  const { halves, text, slot, boosted } = drawn;
  const inPlace = machineAt(drawn, text);
  const copied = machineAt(drawn, slot);
  const stop = run(inPlace.core, inPlace.hart, 1, true);
  expect(run(copied.core, copied.hart, 1, true)).toBe(stop);
  expect(stateOf(copied.hart, slot)).toEqual(stateOf(inPlace.hart, text));
  expect(memoryDifference(copied.core, inPlace.core)).toBeUndefined();
  note(seen, drawn, stop === STOP_FAULT ? inPlace.hart : undefined);
  if (stop === STOP_FAULT) return;
  expect(stop).toBe(STOP_STEPS);
  const behind = slot + 2 * halves.length;
  expect(run(copied.core, copied.hart, 1, true)).toBe(boosted ? STOP_STEPS : STOP_BREAK);
  expect(copied.hart.pc).toBe(boosted ? text + 2 * halves.length : behind);
  const [registers] = stateOf(copied.hart, copied.hart.pc);
  expect(registers).toEqual(stateOf(inPlace.hart, inPlace.hart.pc)[0]);
}

function note(seen: Set<string>, { halves, registers }: Drawn, faulted: Hart | undefined): void {
  const { form, rs1, imm } = known(identify(halves[0] ?? 0, halves[1] ?? 0), 'an instruction');
  if (faulted !== undefined) seen.add(`fault ${faulted.faultReason}`);
  else seen.add(`copied ${form.name}`);
  const base = rs1 === 0 ? 0n : (registers[rs1 - 1] ?? 0n);
  const isOdd = ((base + BigInt(imm)) & 1n) !== 0n;
  if (faulted === undefined && isOdd && ['ld', 'sd', 'lw', 'sw'].includes(form.base)) {
    seen.add('misaligned access');
  }
}

test(
  'section 9: the copy of an instruction in a slot does what it does in its place',
  { timeout: TEST_MS },
  () => {
    const seen = new Set<string>();
    const numRuns = Math.max(RUNS_MIN, fc.readConfigureGlobal().numRuns ?? 0);
    fc.assert(
      fc.property(cases, (drawn) => {
        check(drawn, seen);
      }),
      { numRuns },
    );
    expect(WANTED.filter((what) => !seen.has(what))).toEqual([]);
  },
);
