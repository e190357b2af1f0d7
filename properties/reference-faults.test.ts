// The property of `reference.test.ts` can fail: with a fault planted into a copy of the fast core's source the same
// programs find a difference, for each fault; with none they find nothing.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assert } from '../src/assert.ts';
import type * as Lockstep from './lockstep.ts';
import { programs } from './reference-programs.ts';

const ROOT = join(import.meta.dirname, '..');
const COPIED = ['src/assert.ts', 'src/emu', 'properties/lockstep.ts'];

interface Fault {
  readonly what: string;
  /** In src/emu. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

// prettier-ignore
const FAULTS: readonly Fault[] = [
  { what: 'add loses a carry', file: 'riscv/run.ts', from: '(x[a + HI] as number) + (x[b + HI] as number) + (sum >>> 0 < p >>> 0 ? 1 : 0)', to: '(x[a + HI] as number) + (x[b + HI] as number)' },
  { what: 'bltu compares high words as signed', file: 'riscv/run.ts', from: 'p >>> 0 < q >>> 0)\n              next', to: 'p < q)\n              next' },
  { what: 'mulhsu takes both as unsigned', file: 'riscv/muldiv.ts', from: 'op !== OP.mulhu && aHi < 0', to: 'op === OP.mulh && aHi < 0' },
  { what: 'divw by zero is 0', file: 'riscv/muldiv.ts', from: 'wantsQuotient ? -1 : dividend;\n  if', to: 'wantsQuotient ? 0 : dividend;\n  if' },
  { what: 'c.ldsp loses a bit of its offset', file: 'riscv/decode-compressed.ts', from: 'bits(half, 5, 3, 2) | bits(half, 2, 6, 3)', to: 'bits(half, 5, 3, 2) | bits(half, 2, 6, 2)' },
  { what: 'c.addiw to x0 is a hint', file: 'riscv/decode-compressed.ts', from: 'full(half) === 0 ? ILLEGAL : unary(OP.addiw', to: 'unary(OP.addiw' },
  { what: 'lr with a second operand is legal', file: 'riscv/decode.ts', from: 'if (op === OP.lrw && rs2(word) !== 0) return ILLEGAL;', to: '' },
  { what: 'the last byte may be freed', file: 'memory.ts', from: 'granule <= last; granule++', to: 'granule < last; granule++' },
  { what: 'the guard page is like any other hole', file: 'riscv/access.ts', from: "guard ? 'stack' : 'unmapped'", to: "'unmapped'" },
  { what: 'the second page of a store stays clean', file: 'memory.ts', from: 'segment.dirty[(offset + bytes - 1) >> PAGE_SHIFT] = 1;', to: '' },
  { what: 'sc keeps the reservation', file: 'riscv/atomic.ts', from: '    memory.unreserve(hart);\n', to: '' },
  { what: 'a private store kills no reservation', file: 'riscv/run.ts', from: 'OUTSIDE_8) | core.memory.reservations) !== 0', to: 'OUTSIDE_8) | 0) !== 0' },
  { what: 'alignment is that of the host address', file: 'riscv/atomic.ts', from: '(low & (bytes - 1)) !== 0', to: '(address & (bytes - 1)) !== 0' },
  { what: 'csrrs of x0 writes', file: 'riscv/csr.ts', from: 'KIND_WRITE || source !== 0', to: 'KIND_WRITE || true' },
  { what: 'a jump keeps bit 0', file: 'riscv/execute.ts', from: 'hart, base, imm - odd', to: 'hart, base, imm' },
  { what: 'a jump leaves its half unnoticed', file: 'address.ts', from: 'base < 0 === sum < 0 ? sum | 0 : NO_ADDRESS', to: 'sum | 0' },
  { what: 'a written second half is not decoded again', file: 'riscv/region.ts', from: 'if (offset > 0) code[offset - 2]', to: 'if (offset < 0) code[offset - 2]' },
  { what: 'an ebreak is retired', file: 'riscv/run.ts', from: 'stop === RUNS_ON || stop === STOP_WFI', to: 'stop === RUNS_ON || stop === STOP_BREAK || stop === STOP_WFI' },
];

const PROGRAMS = 1500;
let cases: readonly Lockstep.Program[] = [];
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'reprobe-reference-'));
  cases = fc.sample(programs, { numRuns: PROGRAMS, seed: 1 });
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The comparison, of a copy of the cores in which `fault` is planted. */
async function lockstepWith(name: string, fault: Fault | undefined): Promise<typeof Lockstep> {
  const place = join(folder, name);
  for (const path of COPIED) cpSync(join(ROOT, path), join(place, path), { recursive: true });
  if (fault !== undefined) {
    const file = join(place, 'src/emu', fault.file);
    const text = readFileSync(file, 'utf8');
    assert(text.split(fault.from).length === 2, `${fault.file} has the place once`);
    writeFileSync(file, text.replace(fault.from, fault.to));
  }
  const module: unknown = await import(pathToFileURL(join(place, 'properties/lockstep.ts')).href);
  return module as typeof Lockstep;
}

function findsDifference({ firstDifference }: typeof Lockstep): boolean {
  return cases.some((program) => firstDifference(program, new Map()) !== undefined);
}

test('a copy without a fault agrees', { timeout: 60_000 }, async () => {
  expect(findsDifference(await lockstepWith('none', undefined))).toBe(false);
});

test.each(FAULTS.map((fault, index) => [fault.what, index, fault] as const))(
  'found: %s',
  { timeout: 60_000 },
  async (_, index, fault) => {
    expect(findsDifference(await lockstepWith(`fault-${index}`, fault))).toBe(true);
  },
);
