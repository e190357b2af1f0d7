// `reprobe cat` on recordings of goldens: a file at the end, at an event, and what is wrong on a command line.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { capture } from './captured-shell.ts';
import { main } from './cli.ts';

const GOLDEN = readFileSync(join(import.meta.dirname, '../../golden/unregister-c-kprobe.trace'));

let cwd = '';

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function reprobe(...argv: readonly string[]): Promise<Ran> {
  const { shell, out, err } = capture({ cwd });
  const status = await main(argv, shell);
  return { status, out: out(), err: err() };
}

/** The number of the first event whose line, as `report` prints it, has this in it. */
async function eventWith(text: string): Promise<string> {
  const { out } = await reprobe('report', 'fork.trace');
  const line = out.split('\n').find((one) => one.startsWith('#') && one.includes(text)) ?? '';
  return /^#(\d+)/u.exec(line)?.[1] ?? '';
}

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'reprobe-cat-'));
  writeFileSync(join(cwd, 'fork.trace'), GOLDEN);
  writeFileSync(join(cwd, 'cut.trace'), GOLDEN.subarray(0, -20));
  writeFileSync(join(cwd, 'w.yaml'), 'name: w\nmachine: { cpus: 1 }\n');
});

afterAll(() => {
  rmSync(cwd, { recursive: true });
});

test('at the end of the run nothing is planted, and behind the event of a handler the probe is', async () => {
  expect(await reprobe('cat', 'fork.trace', 'kprobes/list')).toEqual({
    status: 0,
    out: '',
    err: '',
  });
  const at = await eventWith('kind=kprobe_pre');
  expect(await reprobe('cat', 'fork.trace', 'kprobes/list', '--at', at)).toEqual({
    status: 0,
    out: 'ffffffff80000000  k  do_fork+0x0    \n',
    err: '',
  });
});

test('the other files', async () => {
  expect((await reprobe('cat', 'fork.trace', 'kprobes/enabled')).out).toBe('1\n');
  const at = await eventWith('kind=kprobe_pre');
  const { out } = await reprobe('cat', 'fork.trace', 'kprobes/blacklist', '--at', at);
  expect(out.split('\n').map((line) => line.split('\t')[1])).toEqual([
    'show_after',
    'show_before',
    undefined,
  ]);
});

test.each([
  [['fork.trace'], 'cat expects a file of debugfs behind the recording: kprobes/list'],
  [
    ['fork.trace', 'kprobes/lst'],
    "fork.trace: no file 'kprobes/lst', did you mean 'kprobes/list'? " +
      'expected one of kprobes/list, kprobes/enabled, kprobes/blacklist',
  ],
  [
    ['fork.trace', 'kprobes/list', '--at', '999999'],
    /^--at: expected a whole number from 0 to \d+, found '999999'$/u,
  ],
  [
    ['fork.trace', 'kprobes/list', '--at', 'end'],
    /^--at: expected a whole number from 0 to \d+, found 'end'$/u,
  ],
  [['none.trace', 'kprobes/list'], /^none.trace: cannot read the recording: no such file/u],
  [['w.yaml', 'kprobes/list'], /^w.yaml: this is a workload, not a recording/u],
])('%j is wrong input', async (argv, message) => {
  const { status, out, err } = await reprobe('cat', ...argv);
  expect([status, out]).toEqual([2, '']);
  const line = err.replace(/^reprobe: /u, '').trimEnd();
  if (typeof message === 'string') expect(line).toBe(message);
  else expect(line).toMatch(message);
});

test('of a damaged recording the file is shown at its last event, then the damage', async () => {
  const { status, out, err } = await reprobe('cat', 'cut.trace', 'kprobes/enabled');
  expect([status, out]).toEqual([2, '1\n']);
  expect(err).toMatch(/^reprobe: cut.trace: /u);
});
