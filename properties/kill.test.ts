// A recording grows frame by frame, so a run that dies is worth what was written of it: killed at 50 random
// moments, every complete frame is readable and replays (ARCHITECTURE.md), each file by itself. All runs are one run, so what was
// written before each death is also the beginning of what the longest one wrote.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import { readRecording } from '../src/replay/recording.ts';
import { replayRecording } from '../src/replay/replay.ts';
import { buildPrograms, type Programs } from './determinism-programs.ts';
import { endlessWorkload } from './endless-workload.ts';
import { Draws } from './mutate-bytes.ts';

const KILLS = 50;
/** Processes at a time. */
const LANES = 3;
/** Some are killed before they have written much, or anything; the others when their file has some size. */
const EARLY = 6;
const EARLY_MS = 400;
const LATE_MS = 20;
const LATE_BYTES = 200_000;
const WORKLOAD = `${endlessWorkload('killed', 5)}handlers: { tick: { irq: g, inject: 1000000 } }
probes: { p: { kind: ftrace, filter: g, callback: count } }
timeline: [{ at: start, register: p }]
`;
const TIMEOUT = 300_000;
const SEED = Number(process.env['SEED'] ?? 1);

let programs: Programs;
let folder: string;

beforeAll(() => {
  programs = buildPrograms(process.cwd());
  folder = mkdtempSync(join(tmpdir(), 'reprobe-kill-'));
  writeFileSync(join(folder, 'killed.yaml'), WORKLOAD);
}, TIMEOUT);

afterAll(() => {
  programs.remove();
  rmSync(folder, { recursive: true });
});

/** Records until it is killed; what was written. */
async function killed(number: number): Promise<Uint8Array> {
  const draws = new Draws(SEED * 1000 + number);
  const trace = join(folder, `${number}.trace`);
  const words = [programs.path('src/cli/main'), 'record', 'killed.yaml', '-o', trace];
  const child = spawn(process.execPath, words, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)));
  const isEarly = number < EARLY;
  const size = isEarly ? 0 : 1 + draws.below(LATE_BYTES);
  while (sizeOf(trace) < size && child.exitCode === null) {
    // oxlint-disable-next-line no-await-in-loop -- it watches a file grow
    await sleep(2);
  }
  await sleep(draws.below(isEarly ? EARLY_MS : LATE_MS));
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
  return sizeOf(trace) === 0 ? new Uint8Array() : new Uint8Array(readFileSync(trace));
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** All of them, a few at a time. */
async function killAll(): Promise<readonly Uint8Array[]> {
  const files: Uint8Array[] = [];
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    for (let number = lane; number < KILLS; number += LANES) {
      // oxlint-disable-next-line no-await-in-loop -- a lane is a queue
      files.push(await killed(number));
    }
  });
  await Promise.all(lanes);
  return files.toSorted((a, b) => a.length - b.length);
}

/** Reads and replays a file that was not finished; the number of its frames. */
function expectReplays(bytes: Uint8Array): number {
  const recording = readRecording(bytes);
  expect(recording).toMatchObject({ end: undefined, islands: [], damages: { length: 1 } });
  const { frames, log } = recording;
  expect(recording.damage).toMatchObject({ part: 'frame', frame: frames.length });
  expect(replayRecording(bytes)).toMatchObject({ status: 'identical', events: log.count });
  return frames.length;
}

test(
  `${KILLS} runs killed at random moments leave files whose complete frames replay`,
  async () => {
    const files = await killAll();
    const longest = known(files.at(-1), 'there are files');
    expect(expectReplays(longest)).toBeGreaterThan(3);
    const written = files.filter(({ length }) => length > 0);
    expect(written.length).toBeGreaterThanOrEqual(KILLS - EARLY);
    // The moments are not all the same one; files grow by whole frames.
    expect(new Set(written.map(({ length }) => length)).size).toBeGreaterThan(KILLS / 10);
    for (const bytes of written) {
      expect(Buffer.compare(bytes, longest.subarray(0, bytes.length))).toBe(0);
      expectReplays(bytes);
    }
  },
  TIMEOUT,
);
