// What a real kernel did, done again: each case of golden/truth that is about ftrace and needs no tracefs.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compare, defects, type Outcome } from './outcome.ts';
import { compareAll, parityPage } from './page.ts';
import { play, type Rig } from './rig.ts';

const FOLDER = join(import.meta.dirname, '..');
const TIMEOUT_MS = 120_000;
const compared = compareAll(FOLDER);

function outcomesOf(file: string): readonly Outcome[] {
  return compared.find((one) => one.file === file)?.outcomes ?? [];
}

/** How many cases were compared as a whole. */
function wholeOf(file: string): number {
  return outcomesOf(file).filter(({ missing }) => missing.length === 0).length;
}

test.each(compared.map(({ file }) => file))(
  '%s: no difference without an accepted reason',
  (file) => {
    expect(outcomesOf(file).length).toBeGreaterThan(20);
    expect(defects(outcomesOf(file))).toEqual([]);
  },
);

test(
  'golden/PARITY.md is what `npm run parity` writes',
  async () => {
    await expect(parityPage(compared)).toMatchFileSnapshot('../PARITY.md');
  },
  TIMEOUT_MS,
);

test('enough is compared: what is missing is named case by case', () => {
  for (const build of ['', '.6.1']) {
    expect(wholeOf(`filters${build}.json`)).toBeGreaterThanOrEqual(77);
  }
  expect(wholeOf('api.json')).toBeGreaterThanOrEqual(74);
  expect(wholeOf('api.6.1.json')).toBeGreaterThanOrEqual(52);
});

test('a kernel that does something else would be seen', () => {
  expect(defects([{ id: 'x', missing: [], differences: compare('ret', 0, -22) }])).toEqual([
    'x: ret: 0 there, -22 here',
  ]);
  const rig: Rig = {
    functions: ['tgt_a1', 'tgt_a2'],
    profile: 'today',
    landingPad: true,
  };
  const { seen } = play(rig, [
    { call: 'ftrace_set_filter', args: [{ at: 'A' }, { text: 'tgt_a2' }, 6, 0] },
    { call: 'register_ftrace_function', args: [{ at: 'A' }] },
    { run: rig.functions },
  ]);
  expect(seen.map(({ result, order }) => [result, order])).toEqual([
    [0, []],
    [0, []],
    [0, ['tgt_a1', 'A', 'tgt_a2']],
  ]);
});
