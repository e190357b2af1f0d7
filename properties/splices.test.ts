// Pieces of two recordings in one file, as joined files or an old, longer one under a new one leave them: what is read
// is of one of them, it replays, and the other is named (docs/format.md, "Whose frames"). Never is it a divergence.
import { expect, test } from 'vitest';
import {
  joinBytes,
  readRecording,
  type Salvage,
  salvageRecording,
} from '../src/replay/recording.ts';
import { recordRun, type RunSettings } from '../src/replay/run.ts';
import { expectFramesOf, expectReplay } from './damage-replay.ts';
import { Draws } from './mutate-bytes.ts';
import { originalOf, spliceRecordings } from './mutate-recording.ts';
import { recordLong } from './record-long.ts';
import { reframed } from './reframe.ts';

const SPLICES = 300;
const SEED = Number(process.env['SEED'] ?? 1);
const TIMEOUT = 300_000;
/** Rounds and seeds: the same workload with another seed, and another, longer one. */
const RUNS = [
  [3, 21],
  [3, 22],
  [6, 21],
] as const;
const ORIGINALS = RUNS.map(([rounds, seed]) =>
  originalOf(reframed(recordLong({ rounds, seed }), 100)),
);

/** Undefined for what was cut off within its header, and no frame is left of the other. */
function salvageUnlessRefused(bytes: Uint8Array): Salvage | undefined {
  try {
    return salvageRecording(bytes, 'x.trace');
  } catch (error) {
    expect(String(error)).toMatch(
      /^InputError: x\.trace: the header of the recording is damaged: /u,
    );
    return undefined;
  }
}

test('runs of one workload that differ in their seeds alone have other identities', () => {
  expect(new Set(ORIGINALS.map(({ run }) => run)).size).toBe(RUNS.length);
  for (const { bytes, run, objects } of ORIGINALS) {
    const { damages, frames, run: read } = readRecording(bytes);
    expect({ damages, read }).toEqual({ damages: [], read: run });
    expect(frames.length).toBe(objects.length - 3);
    expect(frames.length).toBeGreaterThan(4);
  }
});

/** The identity of a small run; `machine` adds to its options. */
function runOf(settings: RunSettings, machine = ''): string | undefined {
  const parts: Uint8Array[] = [];
  const text = `name: a\nmachine: { cpus: 1${machine} }\nfunctions: { f: { body: [work 1] } }
tasks: { t: { cpu: 0, run: f } }\n`;
  recordRun({ file: 'a.yaml', text, image: undefined }, settings, (bytes) =>
    parts.push(bytes.slice()),
  );
  return readRecording(joinBytes(parts)).run;
}

test('whatever tells two runs of a workload apart is in the identity', () => {
  const usual: RunSettings = { seed: 1, chooser: 'random', profile: 'today', variants: [] };
  const settings: readonly RunSettings[] = [
    usual,
    { ...usual, seed: 2 },
    { ...usual, chooser: 'calm' },
    { ...usual, profile: 'v6.12' },
    { ...usual, variants: ['M-13'] },
  ];
  const runs = [...settings.map((one) => runOf(one)), runOf(usual, ', preempt: false')];
  expect(new Set(runs).size).toBe(settings.length + 1);
  expect(runOf(usual)).toBe(runs[0]);
});

test(
  `${SPLICES} files spliced of two recordings: one is read and replays, the other is named`,
  () => {
    const seen = { both: 0, refused: 0 };
    for (let i = 0; i < SPLICES; i++) {
      const draws = new Draws(SEED * SPLICES + i);
      const at = draws.below(RUNS.length);
      const [one, two] = [ORIGINALS[at], ORIGINALS[(at + 1 + draws.below(2)) % RUNS.length]];
      if (one === undefined || two === undefined) throw new Error('there are originals');
      const { bytes } = spliceRecordings(one, two, draws);
      const found = salvageUnlessRefused(bytes);
      if (found?.header === undefined) seen.refused++;
      if (found === undefined) continue;
      expectFramesOf(bytes, found, ORIGINALS);
      expectReplay(bytes, found);
      if (found.damages.some(({ what }) => what.includes('another recording'))) seen.both++;
    }
    expect(seen.both).toBeGreaterThan(SPLICES / 4);
    expect(seen.refused).toBeLessThan(SPLICES / 4);
  },
  TIMEOUT,
);
