// Recordings and texts that somebody made to hurt: each seal is right where one is needed. What they ask for in
// a few hundred kilobytes is more than a reader should give.
import { ColumnEncoder } from '../src/replay/columns.ts';
import { pack } from '../src/replay/packed.ts';
import { joinBytes } from '../src/replay/recording.ts';
import {
  FORMAT_MAGIC,
  FORMAT_VERSION,
  FRAME_TYPE,
  packFrame,
  SEAL_NONE,
  sealAt,
  sealed,
} from '../src/replay/seal.ts';
import { SAMPLE_HEADER } from './sample-recording.ts';

const BYTES = 200_000;
const START = joinBytes([
  pack([FORMAT_MAGIC, FORMAT_VERSION]),
  sealed([SAMPLE_HEADER, FORMAT_VERSION, SEAL_NONE]),
]);
const RUN = sealAt(START, START.length);
const NO_CHOICES = new Uint8Array(1);
/** One event of kind `run_end`. */
const ONE_EVENT = Uint8Array.of(0, 34, 0);

interface FrameParts {
  readonly first: number;
  readonly count: number;
  readonly columns: Uint8Array;
  readonly choices?: Uint8Array;
  readonly strings?: readonly string[];
}

function frame({
  first,
  count,
  columns,
  choices = NO_CHOICES,
  strings = [],
}: FrameParts): Uint8Array {
  const before = first === 0 ? null : ([count, choices] as const);
  return packFrame({ first, count, columns, choices, strings, state: null, before, run: RUN });
}

function repeated(bytes: readonly number[] | Uint8Array, total: number): Uint8Array {
  const times = Math.floor(total / bytes.length);
  return joinBytes(Array.from({ length: times }, () => Uint8Array.from(bytes)));
}

/** Frames until the file is long enough. */
function frames(make: (number: number) => Uint8Array): Uint8Array {
  const parts = [START];
  for (let number = 0, length = 0; length < BYTES; number++) {
    const part = make(number);
    parts.push(part);
    length += part.length;
  }
  return joinBytes(parts);
}

/** `rows` (words of an EventLog) as the columns of frame `number`, 4,000 a frame. */
function framesOfRows(
  row: (index: number) => readonly number[],
  strings: readonly string[],
): Uint8Array {
  const encoder = new ColumnEncoder();
  return frames((number) => {
    const rows = Array.from({ length: 4000 }, (_, i) => row(number * 4000 + i)).flat();
    const columns = encoder.encode(Int32Array.from(rows)).slice();
    return frame({
      first: number * 4000,
      count: 4000,
      columns,
      strings: number === 0 ? strings : [],
    });
  });
}

/** Beginnings of frames that all claim the same end. */
function overlapping(): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  const end = BYTES - 60;
  for (let at = 0; at + 20 < end; at += 20) {
    const left = end - at - 8;
    bytes.set(
      [FRAME_TYPE, 1, 1, 0xc6, left >>> 24, (left >>> 16) & 255, (left >>> 8) & 255, left & 255],
      at,
    );
  }
  const seal = [0xb0, ...Array.from({ length: 16 }, () => 0x30)];
  bytes.set([0xc4, 1, 0, 0x90, 0xc0, 0xc0, ...seal, ...seal], end);
  return joinBytes([START, bytes]);
}

/** An array that is 2^20 long and stands before every frame. */
const LONG_ARRAY = Uint8Array.of(0xdd, 0, 0x0f, 0xff, 0xff);

export const HOSTILE_RECORDINGS: Readonly<Record<string, () => Uint8Array>> = {
  'nothing but beginnings of frames': () =>
    joinBytes([START, new Uint8Array(BYTES).fill(FRAME_TYPE)]),
  'frames that claim a long list': () =>
    joinBytes([START, repeated([FRAME_TYPE, 1, 1, 0xc4, 0, 0xc4, 0, ...LONG_ARRAY], BYTES)]),
  'frames that overlap': overlapping,
  'a long array before every frame': () =>
    frames(() => joinBytes([frame({ first: 5, count: 0, columns: new Uint8Array() }), LONG_ARRAY])),
  'a gap before every frame': () =>
    frames((number) => frame({ first: 2 * number + 1, count: 1, columns: ONE_EVENT })),
  'one frame again and again': () =>
    frames(() => frame({ first: 0, count: 1, columns: ONE_EVENT })),
  'a frame at the end of time': () =>
    joinBytes([START, frame({ first: 2 ** 32 - 1, count: 1, columns: ONE_EVENT })]),
  'a model of empty lists': () => {
    const model = Array.from({ length: BYTES }, () => []);
    const header = { ...SAMPLE_HEADER, workload: { ...SAMPLE_HEADER.workload, model } };
    return joinBytes([START.subarray(0, 10), sealed([header, FORMAT_VERSION, SEAL_NONE])]);
  },
  'more lists than an object may have': () => {
    const header = {
      ...SAMPLE_HEADER,
      options: { lists: Array.from({ length: 1.1e6 }, () => []) },
    };
    return joinBytes([START.subarray(0, 10), sealed([header, FORMAT_VERSION, SEAL_NONE])]);
  },
  'thousands of strings': () => {
    const strings = Array.from({ length: BYTES / 8 }, (_, i) => i.toString(36));
    return joinBytes([START, frame({ first: 0, count: 1, columns: ONE_EVENT, strings })]);
  },
  'four billion choices': () => {
    const count = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f);
    const choices = joinBytes([count, repeated([0, 1], BYTES)]);
    return joinBytes([START, frame({ first: 0, count: 1, columns: ONE_EVENT, choices })]);
  },
  'symbols from the last to the first': () =>
    framesOfRows((index) => [1, 0, 0, 0, 0, 0, -8 * index, 8, 0, 0], ['x']),
  'calls that never return': () =>
    framesOfRows(
      (index) => [101, index, index % 4, 0, index % 50, index % 3, 7, 3, 4 * (index % 9), 1],
      ['ftrace_set_filter', 'register_ftrace_function', 'ftrace_set_filter_ip', '*'],
    ),
};

/** Texts in place of a line of a golden's text form. */
export const HOSTILE_LINES: Readonly<Record<string, readonly [line: RegExp, by: string]>> = {
  'a model of nested lists': [
    /^-- model .*$/mu,
    `-- model ${'['.repeat(BYTES)}${']'.repeat(BYTES)}`,
  ],
  'a model of nested maps': [
    /^-- model .*$/mu,
    `-- model ${'{"a":'.repeat(BYTES)}0${'}'.repeat(BYTES)}`,
  ],
  'a string of escapes': [/^-- strings /mu, `-- strings "${'\\n'.repeat(4 * BYTES)}" `],
  'a string without an end': [/^-- strings /mu, `-- strings "${'a'.repeat(8 * BYTES)}`],
  'notes without an end': [/</u, '<'.repeat(BYTES)],
  'notes behind notes': [/</u, `${'<a>'.repeat(BYTES)}<`],
};
