// Goldens. Each is a workload with its story (`.yaml`), the recording of its run (`.trace`) and that
// recording's text form (`.txt`), side by side in one folder. The test and the writer share this file.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare } from '../src/replay/prepare.ts';
import { joinBytes, readRecording } from '../src/replay/recording.ts';
import { recordPrepared, type RunResult, type WorkloadSource } from '../src/replay/run.ts';
import { formatRecording } from '../src/replay/text-form.ts';
import type { GuaranteeName } from '../src/replay/workload/model.ts';
import { parseWorkload } from '../src/replay/workload/parse.ts';
import { ALL_STORIES } from './all-stories.ts';
import { tell } from './told.ts';

/** The folder's name in recordings, wherever it lies: a recording holds the path that a user typed. */
const FOLDER = 'golden';
const ENDINGS = ['.yaml', '.trace', '.txt'] as const;
/** As the command line has it. */
const SEED_DEFAULT = 1;
/** Goldens of another era than today's, by name. */
const PROFILES: Readonly<Record<string, string>> = {
  'arguments-c-jprobe': 'v2.6.31',
  'context-idle-rethook': 'v6.12',
  'memory-rethook-pool': 'v6.12',
  'nmissed-kprobe-shared': 'v6.12',
  'nmissed-exit-only': 'v5.18',
  'nmissed-one-node': 'v6.12',
  'pairing-c-module-rethook': 'v6.12',
  'pairing-void-entry': 'v6.1',
  'quiescence-rethook-no-memory': 'v6.12',
  'recursion-kprobe-busy': 'v6.12',
  'unregister-fprobe-unwaited': 'v6.14',
  'unregister-rethook-sleepers': 'v6.12',
};
/** Goldens of an era that breaks what the documents promise, by name: what is broken in them. */
export const BROKEN: Readonly<Record<string, readonly GuaranteeName[]>> = {
  'unregister-fprobe-unwaited': ['unregister'],
};

export interface RecordedGolden {
  readonly trace: Uint8Array;
  readonly text: string;
  readonly result: RunResult;
}

/** Names of all goldens, in order. */
export function goldenNames(folder: string): readonly string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  return files.map((file) => file.slice(0, -'.yaml'.length)).toSorted(byCodeUnits);
}

/** Files that lack one of their two companions, as sentences. */
export function leftovers(files: readonly string[]): readonly string[] {
  const present = new Set(files);
  const stems = files.flatMap((file) => {
    const ending = ENDINGS.find((one) => file.endsWith(one));
    return ending === undefined ? [] : [file.slice(0, -ending.length)];
  });
  return [...new Set(stems)].toSorted(byCodeUnits).flatMap((stem) =>
    ENDINGS.filter((ending) => !present.has(stem + ending)).map((ending) => {
      const advice = ending === '.yaml' ? 'delete its .trace and .txt' : 'npm run golden';
      return `${stem}${ending} is missing: ${advice}`;
    }),
  );
}

/** Where a run of a golden differs from the golden. */
interface Otherwise {
  readonly seed?: number;
  readonly profile?: string;
  /** Bugs. */
  readonly variants?: readonly string[];
}

/** Runs a golden's workload, by the seed that it names and in its era, unless `otherwise` says something else. */
export function recordGolden(
  folder: string,
  name: string,
  otherwise: Otherwise = {},
): RecordedGolden {
  const source = readSource(folder, name);
  const prepared = prepare(source);
  const seed = otherwise.seed ?? prepared.plan.machine.seed ?? SEED_DEFAULT;
  const profile = otherwise.profile ?? PROFILES[name] ?? 'today';
  const { variants = [] } = otherwise;
  const settings = { seed, chooser: 'random', profile, variants } as const;
  const parts: Uint8Array[] = [];
  const sink = (bytes: Uint8Array): void => {
    parts.push(bytes.slice());
  };
  const result = recordPrepared(prepared, { source, settings, sink });
  const trace = joinBytes(parts);
  return { trace, text: formatRecording(readRecording(trace)), result };
}

function readSource(folder: string, name: string): WorkloadSource {
  const text = readFileSync(join(folder, `${name}.yaml`), 'utf8');
  const file = `${FOLDER}/${name}.yaml`;
  const { image, modules } = parseWorkload(text, file).workload;
  return {
    file,
    text,
    image: image === undefined ? undefined : readFileSync(join(folder, image)),
    modules: Object.entries(modules ?? {}).flatMap(([module, { image: path }]) =>
      path === undefined ? [] : [{ name: module, bytes: readFileSync(join(folder, path)) }],
    ),
  };
}

/** What is wrong with a golden's run, as sentences: unmet expectations and claims that do not hold. */
export function complaints(name: string, { result }: RecordedGolden): readonly string[] {
  const { expectations, log } = result;
  const unmet = expectations
    .filter(({ met }) => !met)
    .map(({ text, found }) => `expected: ${text}; found ${found}`);
  const claims = ALL_STORIES[name];
  if (claims === undefined) return [...unmet, `golden/stories.ts has no claims for ${name}`];
  const told = tell([...log.events(0, log.count)]);
  const untrue = claims.filter(({ holds }) => !holds(told));
  return [...unmet, ...untrue.map(({ says }) => `the story is not true: ${says}`)];
}

/**
 * The first line that differs, and nothing else of two long texts; undefined when they are equal. A list of
 * strings stands above the events that brought them: it is shown when nothing else differs.
 */
export function firstDifference(golden: string, found: string): string | undefined {
  if (golden === found) return undefined;
  const [left, right] = [golden.split('\n'), found.split('\n')];
  return firstOf(left.filter(isTelling), right.filter(isTelling)) ?? firstOf(left, right);
}

function isTelling(line: string): boolean {
  return !line.startsWith('-- strings ');
}

function firstOf(left: readonly string[], right: readonly string[]): string | undefined {
  const longest = left.length > right.length ? left : right;
  const at = longest.findIndex((_, index) => left[index] !== right[index]);
  return at < 0 ? undefined : `\n  golden ${shown(left[at])}\n  found  ${shown(right[at])}`;
}

function shown(line: string | undefined): string {
  return line ?? '(nothing: the text ends before)';
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : 1;
}
