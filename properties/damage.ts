// Everything that reads what a user brings, under fire: mutants of recordings, of workloads, of text forms and of
// ELF files. Whatever they are, the answer is a value or an `InputError` that names the file; it comes soon and
// it takes little memory. Run in a process of its own by `damage-child.ts`, so that memory can be measured.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, known } from '../src/assert.ts';
import { loadElf } from '../src/emu/elf.ts';
import { judgeLog } from '../src/replay/judge-recording.ts';
import { prepare } from '../src/replay/prepare.ts';
import { damageText, joinBytes, salvageRecording } from '../src/replay/recording.ts';
import { replayRecording } from '../src/replay/replay.ts';
import { summarize } from '../src/replay/report-summary.ts';
import { ftraceReport, jsonReport, summaryReport } from '../src/replay/report.ts';
import { parseTextForm } from '../src/replay/text-form-read.ts';
import { formatRecording } from '../src/replay/text-form.ts';
import { expectFramesOf, expectReplay } from './damage-replay.ts';
import { hostileHeader, HOSTILE_WORKLOADS } from './hostile-workloads.ts';
import { HOSTILE_LINES, HOSTILE_RECORDINGS } from './hostile.ts';
import { Draws, mutateBytes } from './mutate-bytes.ts';
import {
  mutateRecording,
  type Original,
  originalOf,
  spliceRecordings,
} from './mutate-recording.ts';
import { mutateText } from './mutate-text.ts';
import { rebind } from './rebind.ts';
import { recordLong } from './record-long.ts';
import { reframed } from './reframe.ts';
import { smallRecording } from './small-recordings.ts';

export const DAMAGE_KINDS = ['recordings', 'workloads', 'texts', 'images', 'hostile'] as const;
export type DamageKind = (typeof DAMAGE_KINDS)[number];

export interface DamageReport {
  readonly mutants: number;
  /** Refused with an InputError. */
  readonly refused: number;
  /** Read without complaint. */
  readonly whole: number;
  /** Replayed, of those that can be. */
  readonly replayed: number;
  /** Milliseconds of processor time of the slowest mutant, and which it was: others may use the host, too. */
  readonly slowest: readonly [number, number];
  /** What should not have happened: the number of the mutant, and what. */
  readonly failures: readonly string[];
}

export interface DamageOptions {
  readonly kind: DamageKind;
  readonly seed: number;
  readonly count: number;
  /** The folder of the goldens. */
  readonly folder: string;
  /** Only this mutant: to see a failure again. */
  readonly only?: number | undefined;
  /** For the test of the test: a reader that stops at the first damage, or frames that do not tell their runs apart. */
  readonly plant?: 'stop' | 'adopt';
}

type Fate = 'refused' | 'whole' | 'damaged' | 'replayed';
/** Makes mutant number `index` from draws and says what became of it. */
type Attempt = (draws: Draws, index: number) => Fate;

const FAILURES_MAX = 10;
/** Microseconds of a millisecond. */
const THOUSAND = 1000;

/** Reads `count` mutants. */
export function checkDamage(options: DamageOptions): DamageReport {
  const attempt = attemptFor(options);
  const fates = { refused: 0, whole: 0, damaged: 0, replayed: 0 };
  const failures: string[] = [];
  let slowest: readonly [number, number] = [0, 0];
  const first = options.only ?? 0;
  const last = options.only ?? options.count - 1;
  for (let index = first; index <= last && failures.length < FAILURES_MAX; index++) {
    const begin = process.cpuUsage();
    try {
      fates[attempt(drawsFor(options.seed, index), index)]++;
    } catch (error) {
      failures.push(
        `mutant ${index}: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
      );
    }
    const { user, system } = process.cpuUsage(begin);
    const took = Math.round((user + system) / THOUSAND);
    if (took > slowest[0]) slowest = [took, index];
  }
  const { refused, whole, replayed } = fates;
  return { mutants: last - first + 1, refused, whole, replayed, slowest, failures };
}

/** Seeds are below 2^53: 32 bits for the mutant, the rest for the seed. */
function drawsFor(seed: number, index: number): Draws {
  return new Draws((seed % 0x200000) * 0x100000000 + index);
}

function attemptFor({ kind, folder, plant }: DamageOptions): Attempt {
  switch (kind) {
    case 'recordings':
      return recordingAttempt(folder, plant);
    case 'workloads':
      return workloadAttempt(folder);
    case 'texts':
      return textAttempt(folder);
    case 'images':
      return imageAttempt(folder);
    case 'hostile':
      return hostileAttempt(folder);
  }
}

function filesOf(folder: string, ending: string): readonly string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(ending));
  return files.toSorted((a, b) => (a < b ? -1 : 1)).map((file) => join(folder, file));
}

/** The value, or that the input was refused; anything else that is thrown goes through. */
function unlessRefused<T>(read: () => T, where: RegExp): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (!where.test(error.message))
      throw new Error(`the message does not say where: ${error.message}`, { cause: error });
    return undefined;
  }
}

function drawFrom<T>(list: readonly T[], draws: Draws): T {
  return known(list[draws.below(list.length)], 'there is something to draw from');
}

/** Small ones: a mutant takes no longer to read than it has to. */
function smallRecordings(folder: string): readonly Uint8Array[] {
  const [first, second] = filesOf(folder, '.trace').map(
    (file) => new Uint8Array(readFileSync(file)),
  );
  const golden = known(first, 'there are goldens');
  const other = known(second, 'there are goldens');
  return [
    smallRecording(golden, { seed: 1, from: 0, events: 60, frameEvents: 8, choices: [0, 0, 1] }),
    smallRecording(other, { seed: 2, from: 100, events: 120, frameEvents: 30, choices: [] }),
    smallRecording(other, {
      seed: 3,
      from: 300,
      events: 9,
      frameEvents: 1,
      choices: [0, 3, 70_000],
    }),
  ];
}

/** One mutant in so many is made from a golden, and one from recordings with many frames; those can be replayed. */
const GOLDEN_SHARE = 50;
const FRAMED_SHARE = 25;
/** Events of their frames. */
const FRAME_EVENTS = 100;

/** Runs of one workload that differ in their seeds, a longer one, and one of another workload. */
function framedRecordings(goldens: readonly Original[]): readonly Original[] {
  const golden = known(goldens[0], 'there are goldens');
  const long = [
    { rounds: 3, seed: 11 },
    { rounds: 3, seed: 12 },
    { rounds: 6, seed: 13 },
  ].map(recordLong);
  return [golden.bytes, ...long].map((bytes) => originalOf(reframed(bytes, FRAME_EVENTS)));
}

/** `one` as if it were of the run of the first of `all`. */
function ofRun(all: readonly Original[], one: Original): Original {
  const first = known(all[0], 'there are recordings');
  const header = known(first.objects[1], 'a recording has a header');
  const behind = rebind(header, one.objects.slice(2));
  const bytes = joinBytes([...one.objects.slice(0, 2), ...behind]);
  return { ...originalOf(bytes), run: first.run };
}

function recordingAttempt(folder: string, plant: DamageOptions['plant']): Attempt {
  const small = smallRecordings(folder).map(originalOf);
  const goldens = filesOf(folder, '.trace').map((file) =>
    originalOf(new Uint8Array(readFileSync(file))),
  );
  const told = framedRecordings(goldens);
  const framed = plant === 'adopt' ? told.map((one) => ofRun(told, one)) : told;
  return (draws, index) => {
    const isGolden = plant !== 'adopt' && index % GOLDEN_SHARE === 0;
    const isFramed = plant === 'adopt' || (!isGolden && index % FRAMED_SHARE === 0);
    const originals = isGolden ? goldens : isFramed ? framed : small;
    const [original, other] = [drawFrom(originals, draws), drawFrom(originals, draws)];
    const mutant =
      draws.below(isFramed ? 2 : 16) === 0
        ? spliceRecordings(original, other, draws)
        : mutateRecording(original, draws, other);
    const fate = readEveryWay(mutant.bytes, mutant.isAccident ? originals : undefined, plant);
    if (fate === 'refused' || !(isGolden || isFramed)) return fate;
    if (mutant.isAccident) expectReplay(mutant.bytes, salvageRecording(mutant.bytes));
    else unlessRefused(() => replayRecording(mutant.bytes), /./u);
    return 'replayed';
  };
}

/** `written`: every frame in the file that is not of these originals is a forgery. */
function readEveryWay(
  bytes: Uint8Array,
  written?: readonly Original[],
  plant?: DamageOptions['plant'],
): Fate {
  const whole = unlessRefused(() => salvageRecording(bytes, 'x.trace'), /^x\.trace: /u);
  if (whole === undefined) return 'refused';
  const found = plant === 'stop' ? { ...whole, islands: [] } : whole;
  const { damage, log } = found;
  if (written !== undefined) expectFramesOf(bytes, found, written);
  const text = formatRecording(found);
  unlessRefused(() => parseTextForm(text, 'x.txt'), /^x\.txt:\d+:\d+: /u);
  for (const report of [jsonReport, ftraceReport, summaryReport])
    for (const line of report(found)) known(line, 'a line is a text');
  summarize(log, 0);
  judgeLog(log);
  if ((damage === undefined) !== (damageText(found) === 'whole'))
    throw new Error('damage is not told');
  return damage === undefined ? 'whole' : 'damaged';
}

const SMALL_WORKLOADS: readonly string[] = [
  `name: a
machine: { cpus: 2, seed: 7 }
functions: { f: { body: [call g, work 2] }, g: { body: [work 1] } }
tasks: { t: { cpu: 0, run: f, times: 3 } }
probes: { p: { kind: ftrace, filter: "g*", notrace: [f], callback: count } }
timeline:
  - { at: start, register: p }
  - { on: { enter: g, nth: 2 }, set_filter: { probe: p, pattern: f, reset: true }, expect: 0 }
`,
  `# A comment.
name: "b"
machine:
  cpus: 1
  random: { schedule: [1, 8] }
data: { x: 8 }
functions:
  f:
    body:
      - loop: 3
        body: [add x 1, preempt_off, preempt_on]
handlers: { i: { irq: f, inject: 2 }, t: { timer: f, first: 3, every: 50, times: 2 } }
callbacks: { c: { body: [{ trylock: [work 1] }, return 0] } }
probes: { q: { kind: ftrace, callback: c } }
expect: [unregister, { counter: x, at_least: 1 }]
`,
];

function workloadAttempt(folder: string): Attempt {
  const goldens = filesOf(folder, '.yaml').map((file) => readFileSync(file, 'utf8'));
  const image = new Uint8Array(readFileSync(join(folder, 'c', 'store.elf')));
  return (draws, index) => {
    const texts = index % GOLDEN_SHARE === 0 ? goldens : SMALL_WORKLOADS;
    const text = drawFrom(texts, draws);
    const mutant = mutateText(text, draws, drawFrom(texts, draws));
    const source = {
      file: 'x.yaml',
      text: new TextDecoder().decode(mutant),
      image: text.includes('\nimage:') ? image : undefined,
    };
    const prepared = unlessRefused(() => prepare(source), /^x\.yaml:\d+:\d+: /u);
    return prepared === undefined ? 'refused' : 'whole';
  };
}

function textAttempt(folder: string): Attempt {
  const small = smallRecordings(folder).map((bytes) => formatRecording(salvageRecording(bytes)));
  const texts = filesOf(folder, '.txt').map((file) => readFileSync(file, 'utf8'));
  return (draws, index) => {
    const originals = index % GOLDEN_SHARE === 0 ? texts : small;
    const mutant = mutateText(drawFrom(originals, draws), draws, drawFrom(originals, draws));
    return readText(new TextDecoder().decode(mutant));
  };
}

function readText(text: string): Fate {
  const bytes = unlessRefused(() => parseTextForm(text, 'x.txt'), /^x\.txt:\d+:\d+: /u);
  return bytes === undefined ? 'refused' : readEveryWay(bytes);
}

function prepareOnly(text: string): Fate {
  const source = { file: 'x.yaml', text, image: undefined };
  const prepared = unlessRefused(() => prepare(source), /^x\.yaml:\d+:\d+: /u);
  return prepared === undefined ? 'refused' : 'whole';
}

function replayOnly(bytes: Uint8Array): Fate {
  const outcome = unlessRefused(() => replayRecording(bytes), /./u);
  return outcome === undefined ? 'refused' : 'whole';
}

/** Everything in `hostile.ts` and `hostile-workloads.ts`, in order. */
function hostileAttempt(folder: string): Attempt {
  const [golden = ''] = filesOf(folder, '.txt').map((file) => readFileSync(file, 'utf8'));
  const attempts = [
    ...Object.values(HOSTILE_RECORDINGS).map((make) => (): Fate => readEveryWay(make())),
    ...Object.values(HOSTILE_LINES).map(
      ([line, by]) =>
        (): Fate =>
          readText(golden.replace(line, () => by)),
    ),
    ...Object.values(HOSTILE_WORKLOADS).map((make) => (): Fate => prepareOnly(make())),
    (): Fate => replayOnly(hostileHeader()),
  ];
  return (_draws, index) => known(attempts[index % attempts.length], 'one of them')();
}

/** How many files those are. */
export const HOSTILE_COUNT: number =
  Object.keys(HOSTILE_RECORDINGS).length +
  Object.keys(HOSTILE_LINES).length +
  Object.keys(HOSTILE_WORKLOADS).length +
  1;

function imageAttempt(folder: string): Attempt {
  const store = new Uint8Array(readFileSync(join(folder, 'c', 'store.elf')));
  const tables = headOf(store);
  return (draws) => {
    const mutant = draws.below(2) === 0 ? mutateBytes(store, draws, store) : tables(draws);
    const elf = unlessRefused(() => loadElf(mutant, 'x.elf'), /^x\.elf: /u);
    return elf === undefined ? 'refused' : 'whole';
  };
}

/** Where an ELF file keeps its numbers: headers, section table, symbols. */
function headOf(store: Uint8Array): (draws: Draws) => Uint8Array {
  const view = new DataView(store.buffer, store.byteOffset, store.length);
  const sections = view.getUint32(40, true);
  return (draws) => {
    const copy = store.slice();
    for (let left = 1 + draws.size(6); left > 0; left--) {
      const at = draws.below(2) === 0 ? draws.below(64 + 8 * 56) : sections + draws.below(700);
      if (at < copy.length) copy[at] = draws.below(2) === 0 ? draws.below(256) : 0xff;
    }
    return copy;
  };
}
