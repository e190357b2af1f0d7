// Layer replay. The other half of columns.ts: bytes that nobody vouches for back to rows. It never throws for
// what the bytes hold and never makes more than one frame's worth of anything.
import { assert, known } from '../assert.ts';
import {
  type Coding,
  CODING,
  CODINGS_BY_ID,
  CPU_COUNT_MAX,
  FRAME_EVENTS_MAX,
  LEVEL_COUNT_MAX,
} from './columns.ts';
import { ROW_HEAD } from './decode.ts';
import { ROW_WORDS_MAX } from './event-log.ts';
import { type EventKind, kindById } from './schema.ts';
import { unzigzag, VarintReader } from './varint.ts';

/** A kind that the frame named, and where its rows start. */
interface Present {
  readonly kind: EventKind;
  readonly places: number[];
}

/** What a frame claims around its columns. */
export interface ColumnsExpected {
  readonly events: number;
  /** Numbers of strings that its events may name are below this. */
  readonly strings: number;
}

export type ColumnsRead =
  | { readonly rows: Int32Array; readonly fault: undefined }
  | { readonly rows: undefined; readonly fault: string };

/** The rows that `bytes` hold, or what is wrong with them. */
export function decodeColumns(bytes: Uint8Array, expected: ColumnsExpected): ColumnsRead {
  assert(expected.events <= FRAME_EVENTS_MAX, 'the caller bounds the events of a frame');
  const reader = new VarintReader(bytes);
  // Each event takes two bytes or more: what is made here is bounded by what was read.
  const space = new Int32Array(Math.min(expected.events, bytes.length) * ROW_WORDS_MAX);
  const present: Present[] = [];
  const used = readHeads(reader, { rows: space, events: expected.events, present });
  const rows = space.subarray(0, used);
  readPayloads(reader, rows, present, expected.strings);
  if (!reader.atEnd) reader.fail('its columns have bytes left over');
  const fault = reader.fault();
  return fault === undefined ? { rows, fault } : { rows: undefined, fault };
}

/** Fills in the heads; returns the words used. */
function readHeads(
  reader: VarintReader,
  into: { readonly rows: Int32Array; readonly events: number; readonly present: Present[] },
): number {
  const { rows, events, present } = into;
  const levels = new Int32Array(CPU_COUNT_MAX);
  const pids = new Int32Array(CPU_COUNT_MAX);
  let at = 0;
  let step = 0;
  let cpu = 0;
  for (let i = 0; i < events; i++) {
    const packed = reader.next();
    const one = readKind(reader, present, packed >>> 1);
    step = (step + unzigzag(reader.next())) | 0;
    if (packed % 2 === 1) cpu = readContext(reader, levels, pids);
    if (one === undefined || reader.fault() !== undefined) return at;
    rows[at] = one.kind.id;
    rows[at + 1] = step;
    rows[at + 2] = cpu;
    rows[at + 3] = levels[cpu] as number;
    rows[at + 4] = pids[cpu] as number;
    one.places.push(at);
    at += ROW_HEAD + one.kind.words;
  }
  return at;
}

/** The kind with number `rank` in this frame; the next free number is followed by an event id. */
function readKind(reader: VarintReader, present: Present[], rank: number): Present | undefined {
  const found = present[rank];
  if (found !== undefined) return found;
  if (rank !== present.length) reader.fail('an event is of no kind that the frame names');
  const id = reader.next();
  const kind = kindById(id);
  if (kind === undefined) reader.fail(`event kind ${id} is unknown`);
  else if (present.some((one) => one.kind === kind)) reader.fail(`event kind ${id} is named twice`);
  if (kind === undefined || reader.fault() !== undefined) return undefined;
  const one: Present = { kind, places: [] };
  present.push(one);
  return one;
}

function readContext(reader: VarintReader, levels: Int32Array, pids: Int32Array): number {
  const packed = reader.next();
  const cpu = packed >>> 1;
  if (cpu >= CPU_COUNT_MAX) {
    reader.fail(`CPU ${cpu} is out of range`);
    return 0;
  }
  if (packed % 2 === 0) return cpu;
  const level = reader.next();
  if (level >= LEVEL_COUNT_MAX) reader.fail(`level ${level} is out of range`);
  levels[cpu] = level;
  pids[cpu] = unzigzag(reader.next());
  return cpu;
}

function readPayloads(
  reader: VarintReader,
  rows: Int32Array,
  present: readonly Present[],
  strings: number,
): void {
  if (reader.fault() !== undefined) return;
  const list: number[] = [];
  for (const { kind, places } of present) {
    const codings = known(CODINGS_BY_ID[kind.id], 'every kind has codings');
    for (const [word, coding] of codings.entries())
      readColumn(reader, rows, places, { word: ROW_HEAD + word, coding, list });
    checkPlain(reader, rows, { kind, places, strings });
  }
}

function readColumn(
  reader: VarintReader,
  rows: Int32Array,
  places: readonly number[],
  column: { readonly word: number; readonly coding: Coding; readonly list: number[] },
): void {
  const { word, coding, list } = column;
  const constant = reader.next();
  if (constant > 1) reader.fail('a column is neither constant nor listed in full');
  let value = 0;
  for (const [i, at] of places.entries()) {
    if (i === 0 || constant === 0) {
      if (coding === CODING.delta) value = (value + unzigzag(reader.next())) | 0;
      else if (coding === CODING.plain) value = reader.next() | 0;
      else value = readListed(reader, list);
    }
    rows[at + word] = value;
  }
}

function readListed(reader: VarintReader, list: number[]): number {
  const place = reader.next();
  const found = list[place];
  if (found !== undefined) return found;
  if (place !== list.length) reader.fail('an address is not in the list of its frame');
  const address = ((list.at(-1) ?? 0) + unzigzag(reader.next())) | 0;
  // After a fault nothing is added: the list stays as short as the bytes that made it.
  if (reader.fault() === undefined) list.push(address);
  return address;
}

/** Strings exist, and booleans are 0 or 1: or else the text form could not show what is here. */
function checkPlain(
  reader: VarintReader,
  rows: Int32Array,
  column: {
    readonly kind: EventKind;
    readonly places: readonly number[];
    readonly strings: number;
  },
): void {
  for (const { type, word } of column.kind.fields) {
    if (type !== 'string' && type !== 'bool') continue;
    const below = type === 'bool' ? 2 : column.strings;
    for (const at of column.places) {
      const value = rows[at + ROW_HEAD + word] as number;
      if (value < 0 || value >= below) reader.fail(`a ${type} is ${value}, not below ${below}`);
    }
  }
}
