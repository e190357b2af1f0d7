import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { expect, test } from 'vitest';
import { anyLog, sampleRun } from '../../properties/sample-events.ts';
import { decodeColumns } from './columns-read.ts';
import { ColumnEncoder, FRAME_EVENTS_MAX } from './columns.ts';
import { ROW_HEAD } from './decode.ts';
import type { EventLog } from './event-log.ts';
import { WORDS_BY_ID } from './schema.ts';

const encoder = new ColumnEncoder();

function decode(bytes: Uint8Array, log: EventLog, events = log.count): Int32Array | string {
  const { rows, fault } = decodeColumns(bytes, { events, strings: log.strings.count });
  return rows ?? fault;
}

test('rows come back, and equal rows are equal bytes', () => {
  fc.assert(
    fc.property(anyLog(120), (log) => {
      const bytes = encoder.encode(log.rows()).slice();
      expect(decode(bytes, log)).toEqual(log.rows());
      expect(new ColumnEncoder().encode(log.rows())).toEqual(bytes);
    }),
  );
});

test('a full frame of a long run comes back', () => {
  const log = sampleRun(FRAME_EVENTS_MAX * 2);
  const rows = log.rows(FRAME_EVENTS_MAX, FRAME_EVENTS_MAX * 2);
  expect(decode(encoder.encode(rows), log, FRAME_EVENTS_MAX)).toEqual(rows);
});

test('a run takes less than half of the bytes of msgpack arrays', () => {
  const log = sampleRun(FRAME_EVENTS_MAX - 64);
  const packr = new Packr({ useRecords: false });
  let packed = 0;
  const rows = log.rows();
  for (let at = 0; at < rows.length;) {
    const words = ROW_HEAD + (WORDS_BY_ID[rows[at] as number] as number);
    packed += packr.pack(Array.from(rows.subarray(at, at + words))).length;
    at += words;
  }
  expect(encoder.encode(rows).length).toBeLessThan(packed / 2);
});

test('one event too many is our own fault', () => {
  const log = sampleRun(FRAME_EVENTS_MAX + 1);
  expect(() => encoder.encode(log.rows())).toThrow('at most FRAME_EVENTS_MAX');
});

test('damaged columns are refused or give sound rows, never an exception', () => {
  const edit = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(anyLog(30), fc.array(edit, { minLength: 1, maxLength: 4 }), (log, edits) => {
      const bytes = encoder.encode(log.rows()).slice();
      for (const [at, byte] of edits) bytes[at % Math.max(1, bytes.length)] = byte;
      const rows = decode(bytes, log);
      if (typeof rows === 'string') return;
      expect(decode(encoder.encode(rows), log)).toEqual(rows);
    }),
  );
});

test('columns that are cut or go on are refused', () => {
  fc.assert(
    fc.property(anyLog(30), fc.nat(), (log, cut) => {
      const bytes = encoder.encode(log.rows()).slice();
      expect(typeof decode(Uint8Array.of(...bytes, 0), log)).toBe('string');
      fc.pre(bytes.length > 0);
      expect(typeof decode(bytes.subarray(0, cut % bytes.length), log)).toBe('string');
    }),
    { numRuns: 100 },
  );
});

test.each([
  ['an unknown kind', [0, 99, 0], 'event kind 99 is unknown'],
  ['a kind that was not named', [2, 1, 0], 'an event is of no kind that the frame names'],
  ['a CPU out of range', [1, 5, 0, 0x80, 0x04], 'CPU 256 is out of range'],
  ['a level out of range', [1, 5, 0, 1, 9, 0], 'level 9 is out of range'],
  ['a number that is too long', [0, 0x85, 0x00, 0], 'a number is longer than it needs to be'],
  ['a number of 33 bits', [0, 5, 0xff, 0xff, 0xff, 0xff, 0x1f], 'a number has more than 32 bits'],
  ['a string that does not exist', [0, 22, 0, 0, 3], 'a string is 3, not below 1'],
])('%s is named', (_, bytes, fault) => {
  const read = decodeColumns(Uint8Array.from(bytes), { events: 1, strings: 1 });
  expect(read).toEqual({ rows: undefined, fault });
});
