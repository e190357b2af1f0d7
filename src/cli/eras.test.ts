// `reprobe eras` on a workload whose eras differ in known ways: results of calls, orders of handlers, skips.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CaptureOptions, capture } from './captured-shell.ts';
import { main } from './cli.ts';

const WORKLOAD = `name: twice
machine: { cpus: 1, seed: 5 }
functions:
  round: { body: [call vfs_read, sleep 100] }
  vfs_read: { body: [work 4] }
tasks:
  t: { cpu: 0, run: round, times: 20 }
probes:
  old: { kind: fprobe, filter: vfs_read, entry: count, exit: count }
  new: { kind: fprobe, filter: vfs_read, entry: count, exit: count }
  refuses: { kind: fprobe, syms: [vfs_read], entry: count, entry_returns: 1, exit: count }
timeline:
  - { at: start, register: old, expect: 0 }
  - { at: start, register: new, expect: 0 }
  - { at: start, register: refuses, expect: 0 }
  - { at: end, unregister: old, expect: 0 }
  - { at: end, unregister: old, expect: -EINVAL }
`;

/** What paints. */
const ESCAPE = new RegExp(String.raw`${'\u001B'}\[\d+m`, 'gu');

let cwd = '';

async function reprobe(line: string, options: CaptureOptions = {}): Promise<string> {
  const { shell, out, err } = capture({ cwd, ...options });
  expect({ status: await main(line.split(' '), shell), err: err() }).toEqual({
    status: 0,
    err: '',
  });
  return out();
}

async function refused(line: string): Promise<string> {
  const { shell, out, err } = capture({ cwd });
  expect({ status: await main(line.split(' '), shell), out: out() }).toEqual({
    status: 2,
    out: '',
  });
  return err();
}

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'reprobe-eras-'));
  writeFileSync(join(cwd, 'twice.yaml'), WORKLOAD);
  writeFileSync(join(cwd, 'async.yaml'), `${WORKLOAD}  - { at: end, unregister_async: new }\n`);
});

afterAll(() => {
  rmSync(cwd, { recursive: true });
});

test('errnos, orders and skips differ as the rules of the eras say', async () => {
  expect(await reprobe('eras twice.yaml --chooser calm')).toMatchInlineSnapshot(`
    "twice.yaml in 6 eras (calm chooser)
                                             today    v6.18    v6.14    v6.12     v6.1    v5.18
    results of control calls
      unregister_fprobe(old) #2            -EINVAL  -EINVAL  -EINVAL   -EBUSY   -EBUSY   -EBUSY
    how often handlers ran
      refuses.exit                               0        0        0        0       20       20
    hits passed over
      refuses: rejected                         20       20       20       20        0        0
    handlers of one call, in order
      exit of vfs_read: new, old              seen     seen     seen        -        -        -
      exit of vfs_read: old, new                 -        -        -     seen        -        -
      exit of vfs_read: old, new, refuses        -        -        -        -     seen     seen
    expectations
      timeline[4] returns -EINVAL              met      met      met  not met  not met  not met
    26 facts are the same everywhere (--all shows them)
    "
  `);
});

test('two eras that are chosen, and all facts of them', async () => {
  const out = await reprobe('eras twice.yaml --chooser calm --profiles v6.14,today --all');
  expect(out).toMatch(/^ +v6\.14 +today$/mu);
  expect(out).toMatch(/^ {2}unregister_fprobe\(old\) #2 +-EINVAL +-EINVAL$/mu);
  expect(out).not.toContain('the same everywhere');
});

test('what has no difference says so', async () => {
  expect(await reprobe('eras twice.yaml --profiles v6.12')).toMatch(
    /^twice\.yaml in 1 era \(random chooser, seed 5\)\nnothing differs; \d+ facts are the same everywhere\n$/u,
  );
});

test('an era that has not what the workload uses is left out, or refused when it is asked for', async () => {
  expect(await reprobe('eras async.yaml')).toMatch(/^async\.yaml in 3 eras /u);
  expect(await refused('eras async.yaml --profiles today,v6.12')).toBe(
    'reprobe: unregister_async: profile v6.12 has no unregister_fprobe_async, which came with v6.14\n',
  );
});

test('json has each value under its era', async () => {
  const text = await reprobe('eras twice.yaml --profiles v6.12,today --seed 9 --json');
  expect(JSON.parse(text)).toMatchObject({
    file: 'twice.yaml',
    seed: 9,
    chooser: 'random',
    profiles: ['v6.12', 'today'],
    rows: expect.arrayContaining([
      {
        topic: 'calls',
        what: 'unregister_fprobe(old) #2',
        differs: true,
        values: { 'v6.12': '-EBUSY', today: '-EINVAL' },
      },
    ]) as unknown,
  });
});

test.each([
  [
    'v6.13',
    "expected some of today, v6.18, v6.14, v6.12, v6.1, v5.18, v2.6.31, found 'v6.13', did you mean 'v6.18'?",
  ],
  ['today,today', "expected each era once, found 'today' twice"],
])('--profiles %s is refused', async (given, message) => {
  expect(await refused(`eras twice.yaml --profiles ${given}`)).toBe(
    `reprobe: --profiles: ${message}\n`,
  );
});

test('a narrow terminal folds long rows, a pipe does not, and only the terminal has colours', async () => {
  const [pipe, tty] = [
    await reprobe('eras twice.yaml --chooser calm'),
    await reprobe('eras twice.yaml --chooser calm', { tty: true }),
  ];
  expect(pipe).not.toContain('\u001B');
  expect(tty).toContain('\u001B[1m');
  const plain = tty.replaceAll(ESCAPE, '');
  for (const line of plain.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});
