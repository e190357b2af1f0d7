// Damage costs nothing for good (docs/format.md): of a recording every whole frame is read and replays, what one
// damage took is made again, and the damage is named by frame. And whatever a file holds, reading it ends soon, takes little memory,
// and throws an InputError or nothing. `npm run nightly` reads a million mutants where this test reads ten thousand.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { scanFrames } from '../src/replay/frame-scan.ts';
import {
  damageText,
  joinBytes,
  readRecording,
  type RecordedFrame,
  type Recording,
} from '../src/replay/recording.ts';
import { type ReplayOutcome, replayRecording } from '../src/replay/replay.ts';
import { damageInProcess, repeatDamage } from './damage-process.ts';
import { type DamageOptions, HOSTILE_COUNT } from './damage.ts';
import { buildPrograms, type Programs } from './determinism-programs.ts';
import { Draws, flipBit, truncate } from './mutate-bytes.ts';
import { recordLong } from './record-long.ts';

const MUTANTS = 10_000;
const MEGABYTES_MAX = 256;
/** No mutant takes longer, on a machine that has other things to do. */
const SLOWEST_MS = 30_000;
const TIMEOUT = 300_000;
const DAMAGES = 300;
const ROUNDS = 120;
const SEED = Number(process.env['SEED'] ?? 1);

let programs: Programs;

beforeAll(() => {
  programs = buildPrograms(process.cwd());
}, TIMEOUT);

afterAll(() => {
  programs.remove();
});

async function run(options: Pick<DamageOptions, 'kind' | 'count' | 'plant'>): Promise<number> {
  const task = { ...options, seed: SEED, folder: join(process.cwd(), 'golden') };
  const answer = await damageInProcess(programs.path('properties/damage-child'), task);
  const { failures, mutants, megabytes, slowest, refused, whole } = answer;
  expect(failures, repeatDamage(task)).toEqual([]);
  expect(mutants).toBe(options.count);
  expect(megabytes).toBeLessThan(MEGABYTES_MAX);
  expect(slowest[0]).toBeLessThan(SLOWEST_MS);
  // Neither does everything break, nor is everything taken.
  expect(refused).toBeGreaterThan(options.count / 100);
  expect(whole).toBeGreaterThan(0);
  return answer.replayed;
}

test.concurrent(
  'mutants of recordings are read as far as they are whole',
  async () => {
    expect(await run({ kind: 'recordings', count: MUTANTS })).toBeGreaterThan(100);
  },
  TIMEOUT,
);

test.concurrent(
  'mutants of workloads are workloads, or an InputError with line and column',
  async () => {
    await run({ kind: 'workloads', count: MUTANTS });
  },
  TIMEOUT,
);

test.concurrent.each(['texts', 'images'] as const)(
  'mutants of %s are read, or an InputError says where they are wrong',
  async (kind) => {
    await run({ kind, count: MUTANTS });
  },
  TIMEOUT,
);

test.concurrent(
  'what was made to hurt does not',
  async () => {
    await run({ kind: 'hostile', count: HOSTILE_COUNT });
  },
  TIMEOUT,
);

test.concurrent.each([
  [
    'a reader that stops at the first damage is',
    'stop',
    200,
    /whole frame at byte \d+ is not read/u,
  ],
  ['frames that do not tell their runs apart are', 'adopt', 40, /: diverged at \d+: /u],
] as const)(
  '%s found',
  async (_, plant, mutants, found) => {
    const task = { kind: 'recordings', count: mutants, seed: 1, plant } as const;
    const folder = join(process.cwd(), 'golden');
    const child = programs.path('properties/damage-child');
    const { failures } = await damageInProcess(child, { ...task, folder });
    expect(failures.join('\n')).toMatch(found);
  },
  TIMEOUT,
);

const LONG = recordLong({ rounds: ROUNDS, seed: 11 });
const WHOLE = readRecording(LONG);
const FIRST_FRAME = WHOLE.frames[0]?.offset ?? 0;
/** Where frames and the end start. */
const STARTS = scanFrames(LONG, FIRST_FRAME).objects.map(({ offset }) => offset);
const IN_END = { part: 'end', frame: undefined };

/** Is that a byte of the end? */
function isInEnd(at: number): boolean {
  return at >= (STARTS.at(-1) ?? 0);
}

/** Replays of damaged files, by what is left in them: most damages leave the same. */
const replays = new Map<string, ReplayOutcome>();

function replayOnce(found: Recording, bytes: Uint8Array): ReplayOutcome {
  const { frames, islands, header, isHeaderDoubtful, end, claim } = found;
  const left = [frames, islands.map((island) => island.frames)].flat(2);
  const digests = left.map((one) => one.digest);
  const key = JSON.stringify([header, isHeaderDoubtful, digests, end, claim?.totals]);
  const known = replays.get(key);
  if (known !== undefined) return known;
  const outcome = replayRecording(bytes);
  replays.set(key, outcome);
  return outcome;
}

function count(frames: readonly RecordedFrame[]): number {
  return frames.reduce((sum, { eventCount }) => sum + eventCount, 0);
}

/** All whole frames but number `lost` are read, and they replay. */
function expectReplays(bytes: Uint8Array, lost: number): void {
  const found = readRecording(bytes, 'x.trace');
  const behind = found.islands.flatMap(({ frames }) => frames);
  const whole = WHOLE.frames.filter((_, number) => number !== lost);
  const read = [...found.frames, ...behind].map(({ digest }) => digest);
  expect(read).toEqual(whole.slice(0, read.length).map(({ digest }) => digest));
  const outcome = replayOnce(found, bytes);
  expect(outcome).toMatchObject({ status: 'identical', events: count(found.frames) });
  const replayed = outcome.status === 'identical' ? (outcome.behind ?? 0) : 0;
  expect(replayed).toBe(count(behind));
}

test(
  `${DAMAGES} truncations: every whole frame is read and replays`,
  () => {
    expect(WHOLE.frames.length).toBeGreaterThan(4);
    const draws = new Draws(SEED);
    for (let i = 0; i < DAMAGES; i++) {
      const bytes = truncate(LONG, draws, LONG);
      if (bytes.length < FIRST_FRAME) {
        expect(() => readRecording(bytes, 'x.trace')).toThrow(/^x\.trace: /u);
        continue;
      }
      const complete = STARTS.filter((start) => start > FIRST_FRAME && start <= bytes.length);
      expect(readRecording(bytes)).toMatchObject({
        frames: { length: complete.length },
        islands: [],
        damages: [isInEnd(bytes.length - 1) ? IN_END : { part: 'frame', frame: complete.length }],
      });
      expectReplays(bytes, complete.length);
    }
  },
  TIMEOUT,
);

test(
  `${DAMAGES} flipped bits: every whole frame is read and replays, and lost events are made again`,
  () => {
    const draws = new Draws(SEED + 1);
    for (let i = 0; i < DAMAGES; i++) {
      const bytes = flipBit(LONG, draws, LONG);
      const at = bytes.findIndex((byte, place) => byte !== LONG[place]);
      const hit = at < FIRST_FRAME ? -1 : STARTS.findLastIndex((start) => start <= at);
      const found = readRecording(bytes, 'x.trace');
      const place = hit < 0 ? 'header' : isInEnd(at) ? 'end' : `frame ${hit}`;
      expect(damageText(found)).toMatch(new RegExp(`^${place} \\(byte \\d+\\): `, 'u'));
      expectReplays(bytes, hit);
      // All of the run is there again, and the end proves it; unless it is the end that is damaged.
      const outcome = replayOnce(found, bytes);
      expect(outcome).toMatchObject({ status: 'identical', digest: WHOLE.end?.digest });
      const { made } = outcome.status === 'identical' ? outcome : {};
      expect(made).toBe(WHOLE.frames[hit]?.eventCount);
    }
    // What is hit at least once each: header, every frame, the end.
    expect(replays.size).toBeGreaterThanOrEqual(STARTS.length + 1);
  },
  TIMEOUT,
);

test(
  `${DAMAGES} objects torn: every whole frame is read and replays`,
  () => {
    const draws = new Draws(SEED + 3);
    const objects = [10, ...STARTS, LONG.length];
    for (let i = 0; i < DAMAGES; i++) {
      const number = draws.below(objects.length - 1);
      const [start = 0, end = 0] = objects.slice(number);
      const at = start + draws.below(end - start);
      const gone = draws.below(1 + draws.size(end - at));
      const more = Uint8Array.from({ length: draws.size(600) }, () => draws.below(256));
      const parts = [LONG.subarray(0, at), more, LONG.subarray(at + gone)];
      if (gone + more.length > 0) expectReplays(joinBytes(parts), number - 1);
    }
  },
  TIMEOUT,
);

test(
  'a damaged header is never called a divergence where nothing repeats it',
  () => {
    const draws = new Draws(SEED + 2);
    const killed = LONG.subarray(0, STARTS.at(-1));
    let identical = 0;
    for (let i = 0; i < 40; i++) {
      const bytes = killed.slice();
      const at = 10 + draws.below(FIRST_FRAME - 10);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << draws.below(8));
      try {
        expect(replayRecording(bytes)).toMatchObject({
          status: 'identical',
          events: WHOLE.log.count,
        });
        identical++;
      } catch (error) {
        expect(String(error)).toMatch(
          /^InputError: .*header.*damaged|^InputError: header \(byte \d+\): /u,
        );
      }
    }
    expect(identical).toBeGreaterThan(4);
  },
  TIMEOUT,
);
