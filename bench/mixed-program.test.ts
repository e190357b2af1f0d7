// The guest program of the processor benchmarks computes what it is said to compute.
import { expect, test } from 'vitest';
import { addressHi, addressLo } from '../src/emu/address.ts';
import { REG, setReg } from '../src/emu/regs.ts';
import { PLAIN } from '../src/emu/riscv/encode.ts';
import { makeRig, putWords, TEXT, valueOf } from '../src/emu/riscv/rig.ts';
import { run } from '../src/emu/riscv/run.ts';
import { STOP_ECALL } from '../src/emu/riscv/stop.ts';
import { INCREMENT, mixedProgram, MULTIPLIER, STATE_WORDS } from './mixed-program.ts';

/** The same computation in TypeScript: what a0 must be, 64 bits unsigned. */
function mixedModel(rounds: number): bigint {
  const state: bigint[] = Array.from({ length: STATE_WORDS }, (_, i) => BigInt(i));
  let random = 1n;
  let sum = 0n;
  for (let left = BigInt(rounds); left > 0n; left--) {
    random = u64(random * MULTIPLIER + INCREMENT);
    const index = Number(random >> 61n);
    const word = u64((state[index] as bigint) ^ (random >> 29n));
    state[index] = word;
    if ((word & 3n) === 0n) sum = u64(sum - random);
    sum = u64(sum + leafModel(word));
    sum = u64(sum ^ leafModel(left));
  }
  return sum;
}

function leafModel(value: bigint): bigint {
  const low = BigInt.asIntN(32, value + 77n);
  const folded = u64(BigInt.asIntN(64, value) >> 7n) ^ u64(low * low);
  return u64(folded + (BigInt.asIntN(64, value) < 0n ? 1n : 13n));
}

function u64(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function execute(rounds: number): { readonly sum: bigint; readonly instructions: number } {
  const rig = makeRig();
  const { hart } = rig;
  const program = mixedProgram(TEXT);
  rig.core.writeText(TEXT, program.halves);
  putWords(rig.core, program.end, [PLAIN.ecall]);
  setReg(hart, REG.a0, rounds, 0);
  setReg(hart, REG.ra, addressLo(program.end), addressHi(program.end));
  expect(run(rig.core, hart, 1_000_000, false)).toBe(STOP_ECALL);
  return { sum: valueOf(hart, REG.a0), instructions: hart.instret };
}

test.each([0, 1, 2, 17, 1000])('%i rounds come to the sum of the model', (rounds) => {
  expect(execute(rounds).sum).toBe(mixedModel(rounds));
});

test('a round takes about 52 instructions', () => {
  const { instructions } = execute(2000);
  const { instructions: before } = execute(1000);
  expect(Math.round((instructions - before) / 1000)).toBeOneOf([51, 52]);
});
