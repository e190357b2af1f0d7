// The fast core does what the reference core says (ARCHITECTURE.md, "The core").
//
// Whatever program runs, whatever text is rewritten under it and however its runs are cut: after each run the two
// cores agree on registers, memory, dirty pages, traps, fault addresses and counts. The property counts what it
// has seen; an instruction that never executed, or a trap that never arose, is a failure.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FORMS } from '../src/emu/riscv/instruction.ts';
import { TEST_MS } from './check-guarantee.ts';
import { type Coverage, firstDifference } from './lockstep.ts';
import { programs } from './reference-programs.ts';

const STOPS = ['steps', 'attention', 'ecall', 'break', 'wfi', 'irq'];
const FAULTS = ['fetch', 'illegal', 'unmapped', 'stack', 'readonly', 'freed', 'misaligned'];
const JUMPS = new Set(['beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu', 'jal', 'jalr']);

/** What a property that proves anything has to see. */
const WANTED = [
  ...FORMS.map(({ name }) => `executed ${name}`),
  ...FORMS.filter(({ base }) => JUMPS.has(base)).map(({ name }) => `jumped ${name}`),
  ...[...STOPS, ...FAULTS].map((trap) => `trap ${trap}`),
  'stored sc.w',
  'stored sc.d',
];

/** Fewer would not meet everything that is wanted. */
const RUNS_MIN = 1500;

test('the two cores agree on every program', { timeout: TEST_MS }, () => {
  const coverage: Coverage = new Map();
  const numRuns = Math.max(RUNS_MIN, fc.readConfigureGlobal().numRuns ?? 0);
  fc.assert(
    fc.property(programs, (program) => {
      expect(firstDifference(program, coverage)).toBeUndefined();
    }),
    { numRuns },
  );
  const neverExercised = WANTED.filter((what) => !coverage.has(what));
  expect(neverExercised).toEqual([]);
});
