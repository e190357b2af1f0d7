// Workloads that are wrong thousands of times, each mistake near to thousands of names: as YAML, and as the model in
// the header of a recording. Twenty mistakes are told.
import { pack } from '../src/replay/packed.ts';
import { joinBytes } from '../src/replay/recording.ts';
import { FORMAT_MAGIC, FORMAT_VERSION, SEAL_NONE, sealed } from '../src/replay/seal.ts';
import { SAMPLE_HEADER } from './sample-recording.ts';

const MISTAKES = 4000;
/** Patterns cost more: of each, the names that it selects are looked for. */
const PATTERNS = 1000;

type Lines = (number: number) => string;

/** A workload of which `section` has many lines. */
function text(section: string, count: number, line: Lines): string {
  const lines = Array.from({ length: count }, (_, number) => `  ${line(number)}`);
  const start = ['name: a', 'machine: { cpus: 1 }', 'tasks: { t: { cpu: 0, run: name0 } }'];
  return [...start, `${section}:`, ...lines, ''].join('\n');
}

export const HOSTILE_WORKLOADS: Readonly<Record<string, () => string>> = {
  'thousands of calls of what is nearly there': () =>
    text('functions', MISTAKES, (n) => `name${n}: { body: [call nane${n}] }`),
  'thousands of keys that are nearly right': () =>
    text('functions', MISTAKES, (n) => `name${n}: { bodx: [work 1] }`),
  'thousands of lines that are nearly right': () =>
    text('functions', MISTAKES, (n) => `name${n}: { body: [wrk 1] }`),
  'thousands of values that are nearly right': () =>
    text('probes', MISTAKES, (n) => `name${n}: { kind: ftrce, callback: count }`),
  'a thousand patterns that are nearly right': () =>
    [
      text('functions', PATTERNS, (n) => `name${n}: { body: [work 1] }`),
      'probes:',
      ...Array.from(
        { length: PATTERNS },
        (_, n) => `  p${n}: { kind: ftrace, filter: nane${n}, callback: count }`,
      ),
      '',
    ].join('\n'),
};

/** A recording whose header holds such a workload. */
export function hostileHeader(): Uint8Array {
  const names = Array.from({ length: MISTAKES }, (_, number) => number);
  const model = {
    name: 'a',
    machine: { cpus: 1 },
    functions: Object.fromEntries(names.map((n) => [`name${n}`, { body: [`call nane${n}`] }])),
    tasks: { t: { cpu: 0, run: 'name0' } },
  };
  const header = { ...SAMPLE_HEADER, workload: { ...SAMPLE_HEADER.workload, model } };
  return joinBytes([
    pack([FORMAT_MAGIC, FORMAT_VERSION]),
    sealed([header, FORMAT_VERSION, SEAL_NONE]),
  ]);
}
