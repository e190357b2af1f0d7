// Records one workload many times, half of the time in fresh processes and half in worker threads, each under
// other conditions: time zone, locale, heap, stack, compiler, native code, working directory. All files must
// be equal, byte for byte. Called by determinism.test.ts with 20 runs, by `npm run nightly` with 200.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstDifference } from '../golden/golden.ts';
import { readRecording } from '../src/replay/recording.ts';
import { formatRecording } from '../src/replay/text-form.ts';
import type { ChildTask } from './determinism-child.ts';
import { buildPrograms, type Programs } from './determinism-programs.ts';

export interface DeterminismReport {
  /** Recordings made. */
  readonly runs: number;
  /** For each that differs: its conditions, and the first line of text that differs. */
  readonly differences: readonly string[];
}

export interface DeterminismOptions {
  readonly count: number;
  /** For the test of the test: something that is not repeatable. */
  readonly plant?: 'clock';
  /** Programs that were built already. */
  readonly programs?: Programs;
}

/** What a process is started with. */
interface Conditions {
  readonly env: Readonly<Record<string, string>>;
  readonly flags: readonly string[];
}

/** The golden with the most code behind it: an ELF file, two CPUs, interrupts, waits. */
const GOLDEN = 'memory-c-store';
const WORKERS = 5;
/** Processes at a time. */
const LANES = 3;

const ZONES = ['UTC', 'Asia/Kathmandu', 'America/St_Johns', 'Pacific/Chatham', 'Europe/Berlin'];
const LOCALES = ['C', 'de_DE.UTF-8', 'tr_TR.UTF-8', 'ar_EG.UTF-8', 'sv_SE.UTF-8', 'POSIX'];
const FLAGS: readonly (readonly string[])[] = [
  [],
  ['--max-old-space-size=96'],
  ['--max-semi-space-size=1'],
  ['--max-semi-space-size=32', '--stack-size=800'],
  ['--no-opt'],
  ['--always-sparkplug', '--hash-seed=7'],
  ['--single-threaded', '--gc-interval=5000'],
];
const NATIVE_OFF = { MSGPACKR_NATIVE_ACCELERATION_DISABLED: 'true' };

/** The conditions of process number `index`: the lists have lengths without a common factor. */
function conditionsOf(index: number): Conditions {
  const locale = pick(LOCALES, index);
  return {
    env: {
      TZ: pick(ZONES, index),
      ...(index % 2 === 0 ? { LC_ALL: locale } : { LANG: locale }),
      ...(index % 4 < 2 ? {} : NATIVE_OFF),
    },
    flags: pick(FLAGS, index),
  };
}

function pick<T>(list: readonly T[], index: number): T {
  const found = list[index % list.length];
  if (found === undefined) throw new Error('a list of conditions is empty');
  return found;
}

/** Records `count` times under conditions that differ. Resolves when all are compared. */
export async function checkDeterminism(options: DeterminismOptions): Promise<DeterminismReport> {
  const programs = options.programs ?? buildPrograms(process.cwd());
  const folder = mkdtempSync(join(tmpdir(), 'reprobe-determinism-'));
  try {
    const parts = shares(options.count);
    const runs = parts.map((count, index) => ({ index, files: filesOf(folder, index, count) }));
    const lanes = Array.from({ length: LANES }, async (_, lane) => {
      for (const run of runs.filter(({ index }) => index % LANES === lane)) {
        // oxlint-disable-next-line no-await-in-loop -- a lane is a queue
        await record(programs, run, options.plant);
      }
    });
    await Promise.all(lanes);
    return compare(runs);
  } finally {
    rmSync(folder, { recursive: true });
    if (options.programs === undefined) programs.remove();
  }
}

/** How many recordings each process makes: half of all alone, the others in worker threads. */
function shares(count: number): readonly number[] {
  const alone = Math.ceil(count / 2);
  const together = Math.floor((count - alone) / WORKERS);
  const rest = count - alone - together * WORKERS;
  return [
    ...Array.from({ length: alone + rest }, () => 1),
    ...Array.from({ length: together }, () => WORKERS),
  ];
}

interface Run {
  readonly index: number;
  readonly files: readonly string[];
}

function filesOf(folder: string, index: number, count: number): readonly string[] {
  const home = join(folder, `${'a folder '.repeat(index % 3)}${index}`);
  mkdirSync(home);
  return Array.from({ length: count }, (_, number) => join(home, `${number}.trace`));
}

/** Starts one process and waits for it. */
function record(
  programs: Programs,
  { index, files }: Run,
  plant: 'clock' | undefined,
): Promise<void> {
  const { env, flags } = conditionsOf(index);
  const task: ChildTask = {
    folder: join(process.cwd(), 'golden'),
    golden: GOLDEN,
    files,
    ...(plant === undefined ? {} : { plant }),
  };
  const program = programs.path('properties/determinism-child');
  const child = spawn(process.execPath, [...flags, program, JSON.stringify(task)], {
    cwd: join(files[0] ?? '', '..'),
    env: { ...(process.env['PATH'] === undefined ? {} : { PATH: process.env['PATH'] }), ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`recording number ${index} ended with ${code}: ${describe(index)}`));
    });
  });
}

function compare(runs: readonly Run[]): DeterminismReport {
  const made = runs.flatMap(({ index, files }) => files.map((file) => ({ index, file })));
  const [first, ...others] = made.map(({ index, file }) => ({ index, bytes: readFileSync(file) }));
  if (first === undefined) return { runs: 0, differences: [] };
  const differences = others
    .filter(({ bytes }) => !bytes.equals(first.bytes))
    .map(({ index, bytes }) => {
      const where = firstDifference(textOf(first.bytes), textOf(bytes)) ?? 'equal as text';
      return `${describe(first.index)} against ${describe(index)}: ${where}`;
    });
  return { runs: made.length, differences };
}

function textOf(bytes: Uint8Array): string {
  return formatRecording(readRecording(bytes));
}

/** As a shell would start it. */
function describe(index: number): string {
  const { env, flags } = conditionsOf(index);
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [...words, 'node', ...flags].join(' ');
}
