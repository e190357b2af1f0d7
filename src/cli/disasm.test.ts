// `reprobe disasm` as a user runs it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { capture } from './captured-shell.ts';
import { main } from './cli.ts';

const STORE = new URL('../../golden/c/', import.meta.url);

let cwd = '';

async function reprobe(line: string): Promise<{ status: number; out: string; err: string }> {
  const { shell, out, err } = capture({ cwd });
  const status = await main(line.split(' '), shell);
  return { status, out: out(), err: err() };
}

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'reprobe-disasm-'));
  writeFileSync(join(cwd, 'store.elf'), readFileSync(new URL('store.elf', STORE)));
  writeFileSync(join(cwd, 'little.yaml'), 'name: little\n');
});

afterAll(() => {
  rmSync(cwd, { recursive: true });
});

test('an image is printed as objdump prints it, and a function of it alone', async () => {
  const whole = await reprobe('disasm store.elf');
  expect({ status: whole.status, err: whole.err }).toEqual({ status: 0, err: '' });
  expect(whole.out).toBe(readFileSync(new URL('store.lst', STORE), 'utf8'));
  const one = await reprobe('disasm store.elf count_nothing');
  expect(one.out.split('\n').slice(-3)).toEqual([
    'ffffffff80000a18 <count_nothing>:',
    'ffffffff80000a18:\t8082                \tret',
    '',
  ]);
});

test.each([
  [
    'store.elf quue_pop',
    "expected a function of the image, found 'quue_pop', did you mean 'queue_pop'?",
  ],
  ['store.elf stats', "expected a function of the image, found 'stats'"],
  ['little.yaml', 'not an ELF file'],
])('`disasm %s` is wrong input', async (words, message) => {
  const { status, out, err } = await reprobe(`disasm ${words}`);
  expect({ status, out }).toEqual({ status: 2, out: '' });
  expect(err).toMatch(/^reprobe: (?:store\.elf|little\.yaml): /u);
  expect(err).toContain(message);
});
