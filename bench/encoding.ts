// How events become bytes: our columns against what msgpackr makes of one event at a time. Both start from the rows
// of the same log, of a long run of the workload of the whole runs.
/* oxlint-disable typescript/no-unsafe-type-assertion -- hot loops over typed arrays */
import { Packr } from 'msgpackr';
import { assert, known } from '../src/assert.ts';
import { ColumnEncoder } from '../src/replay/columns.ts';
import { ROW_HEAD } from '../src/replay/decode.ts';
import { Digest } from '../src/replay/digest.ts';
import type { EventLog } from '../src/replay/event-log.ts';
import { randomChooser, INJECT_RATIO, SCHEDULE_RATIO } from '../src/replay/explore/random.ts';
import { openSession, prepareModel } from '../src/replay/prepare.ts';
import { RecordingWriter } from '../src/replay/recording.ts';
import { EVENT_ID_COUNT, EVENT_KINDS, WORDS_BY_ID } from '../src/replay/schema.ts';
import { type Clock, inTurn, type Timed } from './clock.ts';
import { fileHeader } from './header.ts';
import { eachRow } from './rows.ts';
import type { Figure, Suite } from './suite.ts';
import { fileSystem } from './workload.ts';

/** As `driveFrames` cuts them. */
const FRAME_EVENTS = 4000;
const NO_CHOICES = new Uint8Array(1);
const MILLION = 1e6;
const PASSES = 5;

export const encoding: Suite = {
  budgets: {
    columns: { bound: 'least', limit: 6, unit: 'x msgpackr records' },
    'bytes of an event, in a file': { bound: 'most', limit: 0.5, unit: 'x msgpackr arrays' },
  },
  measure({ clock, toy }) {
    const log = logOf(toy);
    const measures = [encodeColumns, writeFrames, encodeRecords, encodeArrays].map(
      (encode) => () => measure(clock, log, encode),
    );
    const [columns, frames, records, arrays] = inTurn(toy ? 1 : PASSES, measures);
    assert(columns !== undefined && frames !== undefined, 'ours were measured');
    assert(records !== undefined && arrays !== undefined, 'theirs were measured');
    return [
      speed('columns', columns, records),
      speed('frames of a file (columns, digests)', frames, records),
      speed('msgpackr records', records, undefined),
      speed('msgpackr arrays', arrays, undefined),
      size('bytes of an event, in a file', frames, arrays),
      size('bytes of an event, msgpackr records', records, undefined),
      size('bytes of an event, msgpackr arrays', arrays, undefined),
    ];
  },
};

interface Measured extends Timed {
  readonly events: number;
  readonly bytes: number;
}

/** Encodes the log and hands over the bytes, piece by piece; a piece may be gone with the next one. */
type Encoder = (log: EventLog, sink: (bytes: Uint8Array) => void) => void;

function measure(clock: Clock, log: EventLog, encode: Encoder): Measured {
  let bytes = 0;
  const seconds = clock(() => {
    encode(log, (piece) => {
      bytes += piece.length;
    });
  });
  const digest = new Digest();
  encode(log, (piece) => {
    digest.bytes(piece);
  });
  return { seconds, events: log.count, bytes, digest: digest.hex() };
}

function speed(name: string, measured: Measured, against: Measured | undefined): Figure {
  const { events, seconds, digest } = measured;
  const plain = { name, value: events / seconds / MILLION, unit: 'M events/s', digest };
  return against === undefined ? plain : { ...plain, compared: against.seconds / seconds };
}

function size(name: string, measured: Measured, against: Measured | undefined): Figure {
  const { events, bytes, digest } = measured;
  const plain = { name, value: bytes / events, unit: 'bytes', digest };
  return against === undefined ? plain : { ...plain, compared: bytes / against.bytes };
}

const encoder = new ColumnEncoder();

const encodeColumns: Encoder = (log, sink) => {
  for (let from = 0; from < log.count; from += FRAME_EVENTS) {
    sink(encoder.encode(log.rows(from, Math.min(log.count, from + FRAME_EVENTS))));
  }
};

/** All that a file has but its choices and state digests. */
const writeFrames: Encoder = (log, sink) => {
  const writer = new RecordingWriter(log);
  sink(writer.begin(header));
  for (let from = 0; from < log.count; from += FRAME_EVENTS) {
    sink(
      writer.piece({
        to: Math.min(log.count, from + FRAME_EVENTS),
        choices: NO_CHOICES,
        state: null,
      }),
    );
  }
  sink(writer.end(0));
};

type Make = (rows: Int32Array, at: number) => unknown;

/**
 * By event id: makes the record of the event at `at`, with the names of the table. Compiled from the table, because
 * objects made field by field in a loop take msgpackr three times as long: it is to be at its best.
 */
const makers: readonly (Make | undefined)[] = Array.from({ length: EVENT_ID_COUNT }, (_, id) => {
  const kind = EVENT_KINDS.find((one) => one.id === id);
  if (kind === undefined) return undefined;
  const names = kind.fields.flatMap(({ name, type }) =>
    type === 'u64' ? [name, `${name}_high`] : [name],
  );
  const fields = ['step', 'cpu', 'level', 'pid', ...names];
  const pairs = fields.map((name, i) => `${name}: rows[at + ${i + 1}]`);
  // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- see above; only our table goes in
  return new Function('rows', 'at', `return { event: ${id}, ${pairs.join(', ')} }`) as Make;
});

/** By the record extension of msgpackr, which names the fields of a kind once: its smallest and fastest. */
const encodeRecords: Encoder = (log, sink) => {
  packFrames(log, new Packr({ structures: [] }), sink, (rows, at, id) =>
    known(makers[id], 'there is such a kind')(rows, at),
  );
};

/** [id, step, cpu, level, pid, payload ...] */
const encodeArrays: Encoder = (log, sink) => {
  packFrames(log, new Packr({ useRecords: false }), sink, (rows, at, id) => {
    const words: number[] = [];
    const end = at + ROW_HEAD + (WORDS_BY_ID[id] as number);
    for (let i = at; i < end; i++) words.push(rows[i] as number);
    return words;
  });
};

/** A list of as many events as a frame has is packed at once: faster than one call for each. */
function packFrames(
  log: EventLog,
  packr: Packr,
  sink: (bytes: Uint8Array) => void,
  make: (rows: Int32Array, at: number, id: number) => unknown,
): void {
  const rows = log.rows();
  let list: unknown[] = [];
  eachRow(rows, (at, id) => {
    list.push(make(rows, at, id));
    if (list.length < FRAME_EVENTS) return;
    sink(packr.pack(list));
    list = [];
  });
  sink(packr.pack(list));
}

const { plan: shortPlan } = prepareModel(fileSystem(), {}, 'file-system');
const header = fileHeader(shortPlan);
const logs = new Map<boolean, EventLog>();

/** Made once: the events are not what is measured. */
function logOf(toy: boolean): EventLog {
  const found = logs.get(toy);
  if (found !== undefined) return found;
  const { plan } = prepareModel(fileSystem(toy ? 20 : 3000), {}, 'file-system');
  const random = { seed: 1, schedule: SCHEDULE_RATIO, inject: INJECT_RATIO };
  const session = openSession(plan, { profile: 'today', variants: [] }, randomChooser(random));
  while (session.tick());
  assert(session.ending === 'run_end', 'the run comes to its end');
  logs.set(toy, session.log);
  return session.log;
}
