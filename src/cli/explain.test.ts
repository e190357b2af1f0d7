// `reprobe explain` on recordings of goldens: the list, one miss, numbers that do not exist, narrow and wide terminals.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { capture } from './captured-shell.ts';
import { main } from './cli.ts';

const POOL = readFileSync(join(import.meta.dirname, '../../golden/memory-rethook-pool.trace'));

let cwd = '';

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function reprobe(line: string, columns = 80): Promise<Ran> {
  const { shell, out, err } = capture({ cwd });
  const wide = { ...shell, out: { ...shell.out, columns } };
  const status = await main(line.split(' '), wide);
  return { status, out: out(), err: err() };
}

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'reprobe-explain-'));
  writeFileSync(join(cwd, 'pool.trace'), POOL);
  writeFileSync(join(cwd, 'cut.trace'), POOL.subarray(0, -20));
  const none = readFileSync(join(import.meta.dirname, '../../golden/unregister-idle.trace'));
  writeFileSync(join(cwd, 'none.trace'), none);
});

afterAll(() => {
  rmSync(cwd, { recursive: true });
});

test('without --miss all misses are listed, by probe and reason', async () => {
  const { status, out, err } = await reprobe('explain pool.trace');
  expect({ status, err }).toEqual({ status: 0, err: '' });
  expect(out).toMatchInlineSnapshot(`
    "pool.trace: 24 hits missed or passed over
      probe  reason         hits  counted  numbers for --miss
      fp1    disabled         19        0  1, 4-7, 9-20, 22-23
      fp1    exit_disabled     2        0  2-3
      fp0    no_node           1        1  8
      fp0    removed           1        0  21
      fp1    removed           1        0  24
    "
  `);
});

test('one miss: where, why, by which rule, what it counted, and who held the node', async () => {
  const { status, out, err } = await reprobe('explain pool.trace --miss 8');
  expect({ status, err }).toEqual({ status: 0, err: '' });
  expect(out).toMatchInlineSnapshot(`
    "miss 8: fp0 at vfs_read: no_node
      event #673, step 2934, CPU 0, task level of task reader0 (pid 1)
      why: there was no node for its return
      rule: FP-30.4, FP-22: A call takes a node of the pool for its return and
        gives it back when it has returned; without one it is missed and counted.
      counted: nmissed of fp0 went from 0 to 1 (#674)
    what the events before it show
      #25 nodes of the pool: nr_maxactive 1
      #657 a node is held by the call of vfs_read in reader1 (task, CPU 1)
    "
  `);
});

test.each([80, 120])('at %i columns no line is longer', async (columns) => {
  for (const line of ['explain pool.trace', 'explain pool.trace --miss 8']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { out } = await reprobe(line, columns);
    const longest = Math.max(...out.split('\n').map(({ length }) => length));
    expect(longest).toBeLessThanOrEqual(columns);
    expect(longest).toBeGreaterThan(40);
  }
});

test('json has the same, for programs', async () => {
  const list = JSON.parse((await reprobe('explain pool.trace --json')).out) as unknown;
  expect(list).toMatchObject({
    file: 'pool.trace',
    misses: 24,
    groups: expect.arrayContaining([
      { probe: 'fp0', reason: 'no_node', counted: 1, numbers: [8] },
    ]) as unknown,
  });
  const one = JSON.parse((await reprobe('explain pool.trace --miss 8 --json')).out) as unknown;
  expect(one).toMatchObject({
    file: 'pool.trace',
    miss: {
      number: 8,
      reason: 'no_node',
      rules: ['FP-30.4', 'FP-22'],
      counted: { from: 0, to: 1 },
    },
  });
});

test.each(['0', '25', '1.5', 'x', '99999999999'])('--miss %s is refused', async (given) => {
  expect(await reprobe(`explain pool.trace --miss ${given}`)).toEqual({
    status: 2,
    out: '',
    err: `reprobe: --miss: expected a whole number from 1 to 24, found '${given}'\n`,
  });
});

test('a recording without misses says so', async () => {
  expect(await reprobe('explain none.trace')).toEqual({
    status: 0,
    out: 'none.trace: every hit ran its handlers\n',
    err: '',
  });
  expect(await reprobe('explain none.trace --miss 1')).toMatchObject({
    status: 2,
    err: "reprobe: --miss: no hit of this recording was missed, found '1'\n",
  });
});

test('of a damaged recording it tells what is readable, then where the damage is', async () => {
  const { status, out, err } = await reprobe('explain cut.trace');
  expect(status).toBe(2);
  expect(out).toContain('no_node');
  expect(err).toMatch(/^reprobe: cut\.trace: end \(byte \d+\): /u);
});
