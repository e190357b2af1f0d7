import { decodeMulti } from '@msgpack/msgpack';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyLog, sampleRun } from '../../properties/sample-events.ts';
import { recordSample, SAMPLE_HEADER, sampleState } from '../../properties/sample-recording.ts';
import { InputError } from '../assert.ts';
import { ChoiceWriter, RecordedChooser } from './choices.ts';
import { FRAME_EVENTS_MAX } from './columns.ts';
import { EventLog } from './event-log.ts';
import { pack } from './packed.ts';
import {
  damageText,
  digestOfLog,
  joinBytes,
  readRecording,
  type Recording,
  RecordingWriter,
} from './recording.ts';

/** A source of numbers for damage: seeded, so that a failure comes again. */
function draws(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

function tryRead(bytes: Uint8Array): Recording | InputError {
  try {
    return readRecording(bytes, 'x.trace');
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

const SAMPLE = recordSample(sampleRun(700), { frameEvents: 64 });
const WHOLE = readRecording(SAMPLE);
/** Where frames end: what starts before and ends after a damaged byte is lost. */
const ENDS = WHOLE.frames.slice(1).map(({ offset }) => offset);
const FIRST_FRAME = WHOLE.frames[0]?.offset ?? 0;

/** The first `count` frames of a damaged file are those of the whole one. */
function expectFrames(recording: Recording, count: number): void {
  const frames = ({ frames: all }: Recording): string => JSON.stringify(all.slice(0, count));
  expect(frames(recording)).toBe(frames(WHOLE));
  const events = WHOLE.frames[count]?.firstEvent ?? WHOLE.log.count;
  const words = ({ log }: Recording): string => log.rows(0, events).join();
  expect(words(recording)).toBe(words(WHOLE));
}

test('a recording comes back whole', () => {
  const log = sampleRun(700);
  expect(WHOLE.damage).toBeUndefined();
  expect(WHOLE.header).toEqual(SAMPLE_HEADER);
  expect(WHOLE.log.rows()).toEqual(log.rows());
  expect([...WHOLE.log.events()]).toEqual([...log.events()]);
  expect(WHOLE.frames.map(({ stateDigest }) => stateDigest).slice(0, 3)).toEqual([
    sampleState(0),
    sampleState(1),
    null,
  ]);
  expect(WHOLE.end).toMatchObject({ events: log.count, steps: log.count * 2 });
  expect(WHOLE.end?.digest).toBe(digestOfLog(log));
  const chooser = new RecordedChooser(WHOLE.frames.map(({ choices }) => choices));
  expect(chooser.left).toBe(WHOLE.end?.choices);
});

test('any events come back, however they are cut into frames', () => {
  fc.assert(
    fc.property(anyLog(100), fc.integer({ min: 1, max: 40 }), (log, frameEvents) => {
      const bytes = recordSample(log, { frameEvents });
      const { log: found, damage, end } = readRecording(bytes);
      expect(damage).toBeUndefined();
      expect(found.rows()).toEqual(log.rows());
      expect(end?.digest).toBe(digestOfLog(log));
    }),
    { numRuns: 100 },
  );
});

test('any msgpack decoder reads it', () => {
  const objects = [...decodeMulti(SAMPLE)];
  expect(objects[0]).toEqual(['reprobe', 1]);
  expect(objects[1]).toEqual([SAMPLE_HEADER, expect.stringMatching(/^[0-9a-f]{16}$/)]);
  const frames = objects.slice(2, -1);
  expect(frames.map((frame) => (frame as unknown[]).toSpliced(2, 1))).toEqual(
    WHOLE.frames.map((frame) => [
      frame.firstEvent,
      frame.eventCount,
      frame.choices,
      frame.strings,
      frame.stateDigest,
      frame.digest,
    ]),
  );
  expect(objects.at(-1)).toEqual([WHOLE.end, expect.any(String)]);
});

test('equal runs are equal bytes', () => {
  expect(recordSample(sampleRun(700), { frameEvents: 64 })).toEqual(SAMPLE);
});

test('a file that is cut anywhere keeps every complete frame', () => {
  const draw = draws(1);
  for (let i = 0; i < 300; i++) {
    const at = draw(SAMPLE.length);
    const found = tryRead(SAMPLE.subarray(0, at));
    if (at < FIRST_FRAME) expect(found).toBeInstanceOf(InputError);
    else {
      const recording = found as Recording;
      const complete =
        at === FIRST_FRAME ? 0 : [...ENDS, SAMPLE.length].filter((end) => end <= at).length;
      expect(recording.frames.length).toBeGreaterThanOrEqual(complete);
      expectFrames(recording, recording.frames.length);
      expect(recording.end).toBeUndefined();
      expect(recording.damage?.frame).toBe(recording.frames.length);
    }
  }
});

test('a flipped bit is found in its frame and nothing before it is lost', () => {
  const draw = draws(2);
  for (let i = 0; i < 300; i++) {
    const at = draw(SAMPLE.length);
    const bytes = SAMPLE.slice();
    bytes[at] = (bytes[at] ?? 0) ^ (1 << draw(8));
    const found = tryRead(bytes);
    if (found instanceof InputError) expect(at).toBeLessThan(FIRST_FRAME);
    else if (at < FIRST_FRAME) {
      expect(found.damage).toMatchObject({ frame: undefined, what: 'its digest does not match' });
      expectFrames(found, WHOLE.frames.length);
    } else {
      const complete = ENDS.filter((end) => end <= at).length;
      expect(found.damage).toBeDefined();
      expect(found.frames.length).toBeGreaterThanOrEqual(complete);
      expect(found.damage?.frame).toBe(found.frames.length);
      expectFrames(found, found.frames.length);
    }
  }
});

test('garbage is an InputError or damage, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(SAMPLE.length), (garbage, keep) => {
      const found = tryRead(joinBytes([SAMPLE.subarray(0, keep), garbage]));
      if (!(found instanceof InputError)) expect(found.frames.length).toBeLessThan(20);
      expect(tryRead(garbage)).toBeInstanceOf(InputError);
    }),
    { numRuns: 300 },
  );
});

test('more than a frame holds becomes several, with the choices in the first', () => {
  const log = sampleRun(FRAME_EVENTS_MAX * 2 + 100);
  const writer = new RecordingWriter(log);
  const choices = new ChoiceWriter();
  choices.append(3);
  const begin = writer.begin(SAMPLE_HEADER);
  const frames = writer.frame(choices.take(), sampleState(1));
  expect(writer.events).toBe(log.count);
  const found = readRecording(joinBytes([begin, frames, writer.end(9)]));
  expect(found.damage).toBeUndefined();
  expect(found.frames).toMatchObject([
    { eventCount: FRAME_EVENTS_MAX, choiceCount: 1, stateDigest: null },
    { eventCount: FRAME_EVENTS_MAX, choiceCount: 0, stateDigest: null },
    { firstEvent: FRAME_EVENTS_MAX * 2, choiceCount: 0, stateDigest: sampleState(1) },
  ]);
});

test('a killed run is readable up to its last frame', () => {
  const log = sampleRun(100);
  const writer = new RecordingWriter(log);
  const begin = writer.begin(SAMPLE_HEADER);
  expect(readRecording(begin)).toMatchObject({ frames: [], damage: { frame: 0 } });
  const found = readRecording(joinBytes([begin, writer.frame(Uint8Array.of(0), null)]));
  expect(found.log.count).toBe(log.count);
  expect(damageText(found)).toBe(
    `frame 1 (byte ${found.damage?.offset}): the file stops here: the run never came to its end; ` +
      `1 whole frames with ${log.count} events can be used`,
  );
});

test.each([
  ['an empty file', new Uint8Array(), 'expected a recording (.trace), the file is empty'],
  [
    'a text',
    new TextEncoder().encode('name: x\n'),
    'expected a recording (.trace), found something else',
  ],
  ['another file', pack(['other', 1]), 'expected a recording (.trace), found something else'],
  ['no version', pack(['reprobe']), 'expected a recording (.trace), found no format version'],
  [
    'a newer version',
    pack(['reprobe', 2]),
    'the recording has format version 2, but this reprobe reads versions up to 1; use the reprobe that wrote it',
  ],
  [
    'no header',
    pack(['reprobe', 1]),
    'the header of the recording is damaged: the bytes end inside it',
  ],
  [
    'a header without a field',
    joinBytes([pack(['reprobe', 1]), pack([{ version: 'x' }, ''])]),
    'the header of the recording is damaged: workload is no map',
  ],
])('%s is one clear message', (_, bytes, message) => {
  expect(() => readRecording(bytes, 'x.trace')).toThrow(new InputError(message, 'x.trace'));
});

test('hostile lengths cost nothing', () => {
  const preamble = pack(['reprobe', 1]);
  const hostile = [
    [0xdd, 0xff, 0xff, 0xff, 0xff],
    [0xdf, 0xff, 0xff, 0xff, 0xff],
    [0xc6, 0xff, 0xff, 0xff, 0xff],
    [0xdb, 0x7f, 0xff, 0xff, 0xff, 0x41],
    Array.from({ length: 5000 }, () => 0x91),
    [0x92, 0x81, 0xa9, ...new TextEncoder().encode('__proto__'), 0x80, 0xc0],
    [0xc7, 0x01, 0x01, 0x00],
  ];
  for (const bytes of hostile)
    expect(tryRead(joinBytes([preamble, Uint8Array.from(bytes)]))).toBeInstanceOf(InputError);
});

test('what follows the end is damage, not ignored', () => {
  const found = readRecording(joinBytes([SAMPLE, Uint8Array.of(0)]));
  expect(found.log.count).toBe(WHOLE.log.count);
  expect(found.end).toBeDefined();
  expect(found.damage?.what).toContain('more bytes follow');
});

type Model = (typeof SAMPLE_HEADER)['workload']['model'];

function beginWith(model: Model): Uint8Array {
  const workload = { ...SAMPLE_HEADER.workload, model };
  return new RecordingWriter(new EventLog()).begin({ ...SAMPLE_HEADER, workload });
}

test('a header that no file could give back is refused or put right', () => {
  const proto = Object.fromEntries([['__proto__', 1]]);
  expect(() => beginWith({ x: Number.NaN })).toThrow(InputError);
  expect(() => beginWith(proto)).toThrow(InputError);
  const { header } = readRecording(beginWith(['\ud800', -0]));
  expect(header.workload.model).toEqual(['\ufffd', 0]);
});
