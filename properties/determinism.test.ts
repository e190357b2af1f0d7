// A run is a function of its workload and its choices (ARCHITECTURE.md; CC-O14): wherever, whenever and under
// whatever conditions it is recorded, the bytes are the same. And a recording that was killed is worth what
// was written of it: its complete frames replay.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { joinBytes, readRecording } from '../src/replay/recording.ts';
import { replayRecording } from '../src/replay/replay.ts';
import { recordRun } from '../src/replay/run.ts';
import { longWorkload } from './determinism-long.ts';
import { checkDeterminism } from './determinism-many.ts';
import { buildPrograms, type Programs } from './determinism-programs.ts';

const RUNS = 20;
const PLANTED_RUNS = 3;
const LONG_ROUNDS = 500;
/** Of all events and texts of the long run. */
const LONG_DIGEST = 'd4b288b7757b7a94';
/** Far more rounds than are recorded before it is killed. */
const KILLED_ROUNDS = 30_000;
const TIMEOUT = 120_000;

let programs: Programs;
let folder: string;

beforeAll(() => {
  programs = buildPrograms(process.cwd());
  folder = mkdtempSync(join(tmpdir(), 'reprobe-'));
}, TIMEOUT);

afterAll(() => {
  programs.remove();
  rmSync(folder, { recursive: true });
});

test(
  'one workload, 20 processes and worker threads, 20 conditions: equal files',
  async () => {
    const report = await checkDeterminism({ count: RUNS, programs });
    expect(report).toEqual({ runs: RUNS, differences: [] });
  },
  TIMEOUT,
);

test(
  'a planted look at the clock is found, and where it first shows',
  async () => {
    const report = await checkDeterminism({ count: PLANTED_RUNS, plant: 'clock', programs });
    expect(report.runs).toBe(PLANTED_RUNS);
    expect(report.differences.length).toBeGreaterThan(0);
    expect(report.differences.join('\n')).toMatch(
      /^TZ=\S+ .*node.* against TZ=.*node.*: \n {2}golden (?:#|--).*\n {2}found {2}(?:#|--)/mu,
    );
  },
  TIMEOUT,
);

test(
  'the command line records a golden byte for byte, from any folder',
  () => {
    const [name, cwd] = ['filter-swap-interrupted', join(folder, 'any folder')];
    cpSync(join(process.cwd(), 'golden'), join(cwd, 'golden'), { recursive: true });
    const words = [programs.path('src/cli/main'), 'record', `golden/${name}.yaml`, '-o', 'x.trace'];
    const { status, stderr } = spawnSync(process.execPath, words, { cwd, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const golden = readFileSync(join(process.cwd(), 'golden', `${name}.trace`));
    expect(readFileSync(join(cwd, 'x.trace')).equals(golden)).toBe(true);
  },
  TIMEOUT,
);

test(
  'the digest of a long run is what it was',
  () => {
    const text = longWorkload(LONG_ROUNDS);
    const parts: Uint8Array[] = [];
    const { steps, digest, ending } = recordRun(
      { file: 'long.yaml', text, image: undefined },
      { seed: 2027, chooser: 'random', profile: 'today', variants: [] },
      (bytes) => {
        parts.push(bytes.slice());
      },
    );
    expect(ending).toBe('run_end');
    expect(steps).toBeGreaterThan(100_000);
    const advice =
      'what a run does has changed. If that was meant, say why in the commit, run `npm run golden`, and pin' +
      ' this digest as LONG_DIGEST. If not, the first line that differs in a golden shows where it began';
    expect(digest, advice).toBe(LONG_DIGEST);
    expect(replayRecording(joinBytes(parts))).toMatchObject({ status: 'identical', steps, digest });
  },
  TIMEOUT,
);

test.each([1, 150_000])(
  'killed with %i bytes written, the complete frames replay',
  async (bytes) => {
    const [workload, trace] = [join(folder, `${bytes}.yaml`), join(folder, `${bytes}.trace`)];
    writeFileSync(workload, longWorkload(KILLED_ROUNDS));
    const words = [programs.path('src/cli/main'), 'record', workload, '-o', trace];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] });
    const ended = new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)));
    while (sizeOf(trace) < bytes && child.exitCode === null) {
      // oxlint-disable-next-line no-await-in-loop -- it watches a file grow
      await sleep(2);
    }
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    const recording = readRecording(new Uint8Array(readFileSync(trace)));
    expect(recording.end).toBeUndefined();
    expect(recording.damage?.what).toBeDefined();
    const outcome = replayRecording(new Uint8Array(readFileSync(trace)));
    expect(outcome).toMatchObject({ status: 'identical', events: recording.log.count });
    expect(outcome.damage).toContain(`${recording.frames.length} whole frames`);
    expect(recording.log.count).toBeGreaterThanOrEqual(bytes > 1 ? 4000 : 0);
  },
  TIMEOUT,
);

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
