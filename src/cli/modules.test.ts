// Modules on the command line: their files are read, recorded, and never overwritten.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { capture } from './captured-shell.ts';
import { main } from './cli.ts';

const MODULES = `name: with-module
machine: { cpus: 1 }
modules:
  mine: { image: mine.ko, params: { func: vfs_open } }
functions:
  vfs_open: { body: [work 3] }
tasks:
  t: { cpu: 0, run: vfs_open, times: 3 }
timeline:
  - { at: start, init_module: mine, expect: 0 }
  - { at: end, delete_module: mine, expect: 0 }
`;

let cwd = '';

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'reprobe-modules-'));
  writeFileSync(
    join(cwd, 'mine.ko'),
    readFileSync(new URL('../../golden/c/mine.ko', import.meta.url)),
  );
  writeFileSync(join(cwd, 'modules.yaml'), MODULES);
});

afterEach(() => {
  rmSync(cwd, { recursive: true });
});

async function reprobe(line: string): Promise<{ status: number; out: string; err: string }> {
  const { shell, out, err } = capture({ cwd });
  const status = await main(line.split(' '), shell);
  return { status, out: out(), err: err() };
}

test('modules are read from beside the workload, and travel in the recording', async () => {
  expect(await reprobe('record modules.yaml')).toMatchObject({ status: 0, err: '' });
  rmSync(join(cwd, 'mine.ko'));
  expect(await reprobe('replay modules.trace')).toMatchObject({ status: 0, err: '' });
  const text = await reprobe('report modules.trace');
  expect(text.out).toContain('-- module {"name":"mine","file":"mine.ko","digest":');
  const gone = await reprobe('record modules.yaml');
  expect(gone.status).toBe(2);
  expect(gone.err).toContain('cannot read module mine: no such file or directory');
});

test('a module is not overwritten by the recording of its run', async () => {
  const refused = await reprobe('record modules.yaml -o mine.ko');
  expect(refused.status).toBe(2);
  expect(refused.err).toContain('expected another file than module mine');
});
