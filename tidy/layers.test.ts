// The lint rules that hold the layers apart and keep runs repeatable: each planted violation is an error, and
// what the layers may do is none (ARCHITECTURE.md, "Layers"; CONTRIBUTING.md).
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from './source.ts';

const PLANTED: readonly (readonly [path: string, code: string])[] = [
  ['src/emu/a.ts', "export { a } from '../trace/a.ts';"],
  ['src/emu/riscv/a.ts', "export { a } from '../../replay/a.ts';"],
  ['src/emu/b.ts', "export { a } from '../cli/a.ts';"],
  ['src/emu/c.ts', "export { a } from '../index.ts';"],
  ['src/emu/d.ts', "export { readFileSync } from 'node:fs';"],
  ['src/emu/e.ts', "export { z } from 'zod';"],
  ['src/emu/f.ts', "export const a = await import('../trace/a.ts');"],
  ['src/emu/g.ts', 'export const a = Date.now();'],
  ['src/emu/h.ts', 'export const a = Math.random();'],
  ['src/emu/i.ts', 'setTimeout(() => 1, 1);'],
  ['src/emu/j.ts', 'export const a = process.pid;'],
  ['src/emu/k.ts', 'export const a = performance.now();'],
  ['src/emu/l.ts', 'export const a = (1234).toLocaleString();'],
  ['src/emu/m.ts', "console.log('a');"],
  ['src/trace/a.ts', "export { a } from '../replay/a.ts';"],
  ['src/trace/variants/a.ts', "export { a } from '../../cli/a.ts';"],
  ['src/trace/b.ts', "export { a } from '../index.ts';"],
  ['src/trace/c.ts', "export { readFileSync } from 'node:fs';"],
  ['src/trace/d.ts', "export { parse } from 'yaml';"],
  ['src/trace/e.ts', 'export const a = Date.now();'],
  ['src/trace/f.ts', 'export const a = Math.random();'],
  ['src/replay/a.ts', "export { a } from '../cli/a.ts';"],
  ['src/replay/b.ts', "export { a } from '../index.ts';"],
  ['src/replay/workload/a.ts', "export { a } from '../../index.ts';"],
  ['src/replay/c.ts', "export { parse } from 'yaml';"],
  ['src/replay/workload/b.ts', "export { pack } from 'msgpackr';"],
  ['src/replay/d.ts', "export { readFileSync } from 'node:fs';"],
  ['src/replay/e.ts', 'export const a = new Date(0);'],
  ['src/replay/f.ts', 'export const a = process.env;'],
  ['src/replay/guarantee/a.ts', "export { a } from '../event-log.ts';"],
  ['src/replay/guarantee/b.ts', "export { a } from '../../trace/glob.ts';"],
  ['src/replay/guarantee/c.ts', "export { a } from 'zod';"],
  ['src/cli/a.ts', "export { a } from '../emu/a.ts';"],
  ['src/cli/b.ts', "export { parse } from 'yaml';"],
  ['src/cli/c.ts', "console.log('a');"],
  ['src/cli/d.ts', 'export const a = Math.random();'],
  ['src/index.ts', "export { a } from './cli/a.ts';"],
  ['src/late.ts', 'export const a = process.pid;'],
  ['properties/a.test.ts', 'export const a = Math.random();'],
];

const ACCEPTED: typeof PLANTED = [
  ['src/emu/ok.ts', "export { a } from './a.ts';\nexport { b } from '../assert.ts';"],
  // A test may look at a lower layer through the glasses of a higher one: nothing imports it.
  ['src/emu/ok.test.ts', "export { a } from '../replay/a.ts';\nexport const b = process.cwd();"],
  ['src/trace/ok.ts', "export { a } from '../emu/riscv/a.ts';"],
  [
    'src/replay/ok.ts',
    "export { pack } from 'msgpackr';\nexport { a } from './guarantee/index.ts';",
  ],
  ['src/replay/workload/ok.ts', "export { parse } from 'yaml';\nexport { a } from '../run.ts';"],
  [
    'src/replay/guarantee/ok.ts',
    "export { a } from '../schema.ts';\nexport { b } from './judge.ts';",
  ],
  ['src/replay/guarantee/fact.ts', "export { assert } from '../../assert.ts';"],
  ['src/cli/ok.ts', "export { a } from '../replay/run.ts';\nexport const b = process.argv;"],
  ['bench/ok.ts', 'console.log(performance.now());'],
];

/** A finding of the rules that matter here, as `--format=unix` prints it. */
const FINDING =
  /^(?:\.\/)?([^:\n]+\.ts):\d+.*\[Error\/eslint\((?:no-restricted-\w+|no-console)\)\]$/gmu;

let folder = '';
let findings = new Map<string, number>();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'reprobe-layers-'));
  const config = readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8');
  plant('.oxlintrc.json', config.replace('"typeAware": true', '"typeAware": false'));
  for (const [path, code] of [...PLANTED, ...ACCEPTED]) plant(path, `${code}\n`);
  const oxlint = join(ROOT, 'node_modules/.bin/oxlint');
  const { stdout } = spawnSync(oxlint, ['--format=unix'], { cwd: folder, encoding: 'utf8' });
  findings = new Map();
  for (const [, path = ''] of stdout.matchAll(FINDING))
    findings.set(path, (findings.get(path) ?? 0) + 1);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function plant(path: string, text: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

test.each(PLANTED)('%s may not say `%s`', (path) => {
  expect(findings.get(path)).toBeGreaterThan(0);
});

test.each(ACCEPTED)('%s may say `%s`', (path) => {
  expect(findings.get(path)).toBeUndefined();
});
