// What the commands say of a damaged recording, and what they still show of it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { scanFrames } from '../replay/frame-scan.ts';
import { unpack } from '../replay/packed.ts';
import { joinBytes, readRecording, RecordingWriter } from '../replay/recording.ts';
import { recordRun } from '../replay/run.ts';
import { sealed, SEAL_NONE } from '../replay/seal.ts';
import { capture } from './captured-shell.ts';
import { main } from './cli.ts';

const WORKLOAD = `name: little
machine: { cpus: 1 }
functions: { f: { body: [work 2] } }
tasks: { t: { cpu: 0, run: f, times: 40 } }
`;

let cwd = '';

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function reprobe(line: string): Promise<Ran> {
  const { shell, out, err } = capture({ cwd });
  const status = await main(line.split(' '), shell);
  return { status, out: out(), err: err() };
}

function record(): Uint8Array {
  const parts: Uint8Array[] = [];
  recordRun(
    { file: 'little.yaml', text: WORKLOAD, image: undefined },
    { seed: 1, chooser: 'calm', profile: 'today', variants: [] },
    (bytes) => {
      parts.push(bytes.slice());
    },
  );
  return joinBytes(parts);
}

const LITTLE = record();

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'reprobe-damage-'));
});

afterAll(() => {
  rmSync(cwd, { recursive: true });
});

test('a recording whose header is damaged is whole: the end repeats it', async () => {
  const bytes = LITTLE.slice();
  bytes[11] = 0xc1;
  writeFileSync(join(cwd, 'copied.trace'), bytes);
  const [report, replay] = await Promise.all([
    reprobe('report copied.trace'),
    reprobe('replay copied.trace'),
  ]);
  expect(report.out).toContain('\n-- workload {"name":"little",');
  expect(replay.out).toMatch(/^identical: 90 events, 163 steps, /u);
  for (const { status, err } of [report, replay]) {
    expect(status).toBe(2);
    expect(err).toContain(
      'copied.trace: header (byte 10): it has a value of type 0xc1, but the end repeats it',
    );
  }
});

test('a lost frame is made again by a replay', async () => {
  const bytes = LITTLE.slice();
  const at = readRecording(LITTLE).frames[0]?.offset ?? 0;
  bytes[at + 40] = (bytes[at + 40] ?? 0) ^ 1;
  writeFileSync(join(cwd, 'lost.trace'), bytes);
  const replay = await reprobe('replay lost.trace');
  expect(replay.out).toMatch(/^identical: 0 events, 90 lost events made again, 163 steps, /u);
  expect(replay.err).toContain(
    'the 90 lost events were made again by the same choices, and the digest of the whole run is as recorded',
  );
  expect(replay.status).toBe(2);
  const report = await reprobe('report lost.trace --json');
  expect(report.out).toBe('{"lost":[0,89]}\n');
});

test('a divergence in a damaged file names the damage as well', async () => {
  const { frames } = readRecording(LITTLE);
  const { offset = 0 } = frames[0] ?? {};
  const end = scanFrames(LITTLE, offset).objects[1]?.offset;
  const frame = unpack(LITTLE.subarray(offset, end)) as unknown[];
  const other = sealed(frame.with(5, '0123456789abcdef').with(8, SEAL_NONE));
  writeFileSync(join(cwd, 'other.trace'), joinBytes([LITTLE.subarray(0, offset), other]));
  const { status, out } = await reprobe('replay other.trace');
  expect(status).toBe(1);
  expect(out).toMatch(
    /^diverged at event 90\n[^]*\n {2}damage: {4}frame 1 \(byte \d+\): the file stops here: /u,
  );
});

test('a recording without a header is reported and judged, not replayed', async () => {
  const { frames } = readRecording(LITTLE);
  const end = scanFrames(LITTLE, frames[0]?.offset ?? 0).objects.at(-1)?.offset;
  const bytes = LITTLE.slice(0, end);
  bytes[11] = 0xc1;
  writeFileSync(join(cwd, 'headless.trace'), bytes);
  const [report, judge, replay] = await Promise.all([
    reprobe('report headless.trace'),
    reprobe('judge headless.trace'),
    reprobe('replay headless.trace'),
  ]);
  const what = 'headless.trace: header (byte 10): it has a value of type 0xc1';
  expect(report.out).toContain('\n-- header lost: it has a value of type 0xc1\n-- frame 0\n');
  expect(judge.out).toContain('memory ');
  for (const { status, err } of [report, judge, replay]) {
    expect(status).toBe(2);
    expect(err).toContain(what);
  }
  expect(replay.out).toBe('');
  expect(replay.err).toContain('without it the run cannot be repeated');
});

test('frames behind a gap are reported, and not judged', async () => {
  const golden = readRecording(LITTLE);
  const writer = new RecordingWriter(golden.log);
  const parts = [writer.begin(golden.header)];
  const third = Math.floor(golden.log.count / 3);
  for (const to of [third, 2 * third, golden.log.count])
    parts.push(writer.piece({ to, choices: Uint8Array.of(0), state: null }));
  writeFileSync(join(cwd, 'gap.trace'), joinBytes(parts.toSpliced(2, 1)));
  const report = await reprobe('report gap.trace');
  expect(report.out).toContain(`\n-- lost events ${third} to ${2 * third - 1}: frame 1 (byte `);
  expect(report.err).toContain(`events ${third} to ${2 * third - 1} are lost`);
  const json = await reprobe('report gap.trace --json');
  expect(json.out).toContain(`\n{"lost":[${third},${2 * third - 1}]}\n`);
  expect(json.out).toContain(`"index":${golden.log.count - 1},`);
  const judge = await reprobe('judge gap.trace');
  expect(judge.status).toBe(2);
  expect(judge.out).toContain(`gap.trace: ${third} events, up to the first that is lost\n`);
});
