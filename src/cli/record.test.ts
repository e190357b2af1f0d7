// What `reprobe record` prints and returns, with a recorder that behaves as told; real runs are in
// `commands.test.ts`.
import { existsSync, linkSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { InputError, InvariantError } from '../assert.ts';
import { type CaptureOptions, capture } from './captured-shell.ts';
import { main } from './cli.ts';
import type { RecordJob, RecordSummary } from './recorder.ts';
import type { Shell } from './shell.ts';
import type { VerdictSummary } from './verdict.ts';

const WORKLOAD = `name: little
machine: { cpus: 1, seed: 42 }
functions:
  f: { body: [work 3] }
tasks:
  t: { cpu: 0, run: f }
`;

let cwd = '';

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'reprobe-cli-'));
  writeFileSync(join(cwd, 'little.yaml'), WORKLOAD);
});

afterEach(() => {
  rmSync(cwd, { recursive: true });
});

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function reprobe(argv: readonly string[], options: CaptureOptions = {}): Promise<Ran> {
  const { shell, out, err } = capture({ cwd, record: recorder(), ...options });
  const status = await main(argv, shell);
  return { status, out: out(), err: err() };
}

const HELD: VerdictSummary = {
  guarantee: 'memory',
  sentence: 'Nothing is used after it was freed.',
  document: 'ftrace.rst',
  section: 'Unregistering',
  rules: ['CC-O7'],
  verdict: { status: 'held', exercised: 3 },
  shows: [],
};
const BROKEN: VerdictSummary = {
  ...HELD,
  verdict: { status: 'broken', at: 9, why: 'freed at event 7', shows: [7, 9] },
  shows: ['#7 free', '#9 touch'],
};
const NEVER: VerdictSummary = {
  ...HELD,
  guarantee: 'notrace',
  verdict: { status: 'never exercised', why: 'nothing is notrace' },
};
const SUMMARY: RecordSummary = {
  events: 10,
  steps: 20,
  digest: '0123456789abcdef',
  ending: 'run_end',
  lastEvent: undefined,
  unfired: [],
  failed: [],
  verdicts: [HELD, NEVER],
  expectations: [],
};

/** A recorder that writes `bytes` and ends as told; it notes what it was asked for. */
function recorder(
  end: () => RecordSummary | undefined = () => SUMMARY,
  asked: RecordJob[] = [],
): Shell['record'] {
  return (job, listener) => {
    asked.push(job);
    const done = new Promise<RecordSummary | undefined>((resolve) => {
      const summary = end();
      listener.bytes(new Uint8Array([1, 2, 3]));
      resolve(summary);
    });
    return { done, stop: () => undefined };
  };
}

test('the summary names the seed and the command that records the same run', async () => {
  const { status, out, err } = await reprobe(['record', 'little.yaml', '-o', 'my run.trace']);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  expect(out).toMatchInlineSnapshot(`
    "recorded my run.trace from little.yaml (random chooser, profile today)
      events   10
      steps    20, ended with run_end
      digest   0123456789abcdef
    guarantees
      memory   held (exercised 3 times)
      notrace  never exercised: nothing is notrace
    seed 42; the same run again:
      reprobe record little.yaml -o 'my run.trace' --seed 42 --chooser random
    "
  `);
  expect([...readFileSync(join(cwd, 'my run.trace'))]).toEqual([1, 2, 3]);
});

test('without options the seed is the workload’s and the file is named after it', async () => {
  const asked: RecordJob[] = [];
  await reprobe(['record', 'little.yaml'], { record: recorder(undefined, asked) });
  expect(asked).toEqual([
    {
      source: { file: 'little.yaml', text: WORKLOAD, image: undefined },
      settings: { seed: 42, chooser: 'random', profile: 'today', variants: [] },
      modules: [],
    },
  ]);
  expect(existsSync(join(cwd, 'little.trace'))).toBe(true);
});

test('every option arrives', async () => {
  const asked: RecordJob[] = [];
  const options = ['--seed', '7', '--chooser', 'calm', '--profile', 'today'];
  const variants = ['--variant', 'M-13', 'little.yaml', '--variant', 'M-14'];
  const { out } = await reprobe(['record', ...options, ...variants], {
    record: recorder(undefined, asked),
  });
  expect(asked[0]?.settings).toEqual({
    seed: 7,
    chooser: 'calm',
    profile: 'today',
    variants: ['M-13', 'M-14'],
  });
  expect(out).toContain(
    'record little.yaml -o little.trace --seed 7 --chooser calm --variant M-13 --variant M-14\n',
  );
});

test('a broken guarantee is status 1 and shows its events', async () => {
  const record = recorder(() => ({ ...SUMMARY, verdicts: [BROKEN] }));
  const { status, out } = await reprobe(['record', 'little.yaml'], { record });
  expect(status).toBe(1);
  expect(out).toContain(`  memory  broken at event 9: freed at event 7
    promised: Nothing is used after it was freed.
    (ftrace.rst, Unregistering; CC-O7)
    #7 free
    #9 touch
`);
});

test('an expectation that is not met is status 1', async () => {
  const expectations = [
    { text: 'ops0.count is 5', met: true, found: '5' },
    { text: 'ops0.count is 4', met: false, found: '5' },
  ];
  const record = recorder(() => ({ ...SUMMARY, expectations }));
  const { status, out } = await reprobe(['record', 'little.yaml'], { record });
  expect(status).toBe(1);
  expect(out).toContain('  ops0.count is 5: met\n  ops0.count is 4: not met, found 5\n');
});

test('--json prints one object', async () => {
  const { out } = await reprobe(['record', 'little.yaml', '--json']);
  expect(JSON.parse(out)).toMatchObject({
    file: 'little.trace',
    seed: 42,
    command: 'reprobe record little.yaml -o little.trace --seed 42 --chooser random',
    digest: SUMMARY.digest,
    verdicts: [{ guarantee: 'memory', verdict: { status: 'held', exercised: 3 } }, {}],
  });
});

test('colours are for terminals, and not with NO_COLOR', async () => {
  const plain = await reprobe(['record', 'little.yaml']);
  const terminal = await reprobe(['record', 'little.yaml'], { tty: true });
  const refused = await reprobe(['record', 'little.yaml'], { tty: true, env: { NO_COLOR: '1' } });
  const dumb = await reprobe(['record', 'little.yaml'], { tty: true, env: { TERM: 'dumb' } });
  expect(terminal.out).toContain('\u001B[32mheld\u001B[0m');
  expect(plain.out).not.toContain('\u001B');
  expect(refused.out).toBe(plain.out);
  expect(dumb.out).toBe(plain.out);
});

test('a fault of ours is status 70 with the seed and the command', async () => {
  const record = recorder(() => {
    throw new InvariantError('a lock is released by its owner');
  });
  const { status, out, err } = await reprobe(['record', 'little.yaml', '--seed', '9'], { record });
  expect({ status, out }).toEqual({ status: 70, out: '' });
  expect(err.split('\n')[0]).toBe(
    'reprobe: this is a fault of reprobe, not yours: InvariantError: a lock is released by its owner',
  );
  expect(err).toMatch(/\nseed 9\nreproduce it with: reprobe record little\.yaml .*--seed 9 .*\n$/u);
});

test('anything unexpected is a fault of ours, too', async () => {
  const shell = capture({ cwd, record: recorder() });
  const broken: Shell = { ...shell.shell, out: { ...shell.shell.out, write: unexpected } };
  expect(await main(['record', 'little.yaml'], broken)).toBe(70);
  expect(shell.err()).toContain('reproduce it with: reprobe record little.yaml\n');
});

function unexpected(): Promise<void> {
  return Promise.reject(new TypeError('undefined is not a function'));
}

test('a workload that is wrong is status 2, and an older recording stays', async () => {
  writeFileSync(join(cwd, 'little.trace'), 'older');
  const record = recorder(() => {
    throw new InputError('no function matches', 'little.yaml:3:1');
  });
  const { status, err } = await reprobe(['record', 'little.yaml'], { record });
  expect({ status, err }).toEqual({
    status: 2,
    err: 'reprobe: little.yaml:3:1: no function matches\n',
  });
  expect(readFileSync(join(cwd, 'little.trace'), 'utf8')).toBe('older');
});

test.each(['little.yaml', './little.yaml', 'other.yaml'])(
  'the workload is not overwritten by the name %s',
  async (file) => {
    linkSync(join(cwd, 'little.yaml'), join(cwd, 'other.yaml'));
    const { status, err } = await reprobe(['record', 'little.yaml', '-o', file]);
    expect(status).toBe(2);
    expect(err).toContain('expected another file than the workload');
    expect(readFileSync(join(cwd, 'little.yaml'), 'utf8')).toBe(WORKLOAD);
  },
);

test.each([
  [
    ['record', 'litle.yaml'],
    "litle.yaml: cannot read the workload: no such file or directory, did you mean 'little.yaml'?",
  ],
  [['record', '.'], '.: cannot read the workload: it is a directory'],
  [
    ['record', 'little.yaml', '-o', 'no/x.trace'],
    'no/x.trace: cannot write the recording: no such folder',
  ],
  [['record', 'little.yaml', '-o', '.'], '.: cannot write the recording: it is a directory'],
  [['record', 'little.yaml', '-o', '-'], "--output: expected the name of a file, found '-'"],
])('%s: %s', async (argv, message) => {
  const { status, err } = await reprobe(argv);
  expect({ status, err }).toEqual({ status: 2, err: `reprobe: ${message}\n` });
});

test('a workload that is not text is refused', async () => {
  writeFileSync(join(cwd, 'bytes.yaml'), new Uint8Array([0x6e, 0xff, 0xfe]));
  const { status, err } = await reprobe(['record', 'bytes.yaml']);
  expect({ status, err }).toEqual({
    status: 2,
    err: 'reprobe: bytes.yaml: expected the workload in UTF-8, found other bytes\n',
  });
});

test('an interrupted run is status 130 and says what is left', async () => {
  const { status, out, err } = await reprobe(['record', 'little.yaml'], {
    record: recorder(() => undefined),
  });
  expect({ status, out }).toEqual({ status: 130, out: '' });
  expect(err).toBe('interrupted: little.trace holds nothing that can be replayed\n');
});

test('a reader that went away is no complaint', async () => {
  const { status, err } = await reprobe(['record', 'little.yaml'], { closed: true });
  expect({ status, err }).toEqual({ status: 141, err: '' });
});
