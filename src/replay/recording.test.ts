import { decodeMulti } from '@msgpack/msgpack';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyLog, sampleRun } from '../../properties/sample-events.ts';
import { recordSample, SAMPLE_HEADER, sampleState } from '../../properties/sample-recording.ts';
import { InputError } from '../assert.ts';
import { ChoiceWriter, RecordedChooser } from './choices.ts';
import { FRAME_EVENTS_MAX } from './columns.ts';
import { EventLog } from './event-log.ts';
import { scanFrames } from './frame-scan.ts';
import { islandEvents } from './island.ts';
import { pack } from './packed.ts';
import {
  damageText,
  digestOfLog,
  joinBytes,
  readRecording,
  type RecordedFrame,
  type Recording,
  RecordingWriter,
  type Salvage,
  salvageRecording,
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
/** Where the last object starts. */
const END_AT = scanFrames(SAMPLE, FIRST_FRAME).objects.at(-1)?.offset ?? 0;

/** The first `count` frames of a damaged file are those of the whole one. */
function expectFrames(recording: Salvage, count: number): void {
  const frames = ({ frames: all }: Salvage): string => JSON.stringify(all.slice(0, count));
  expect(frames(recording)).toBe(frames(WHOLE));
  const events = WHOLE.frames[count]?.firstEvent ?? WHOLE.log.count;
  const words = ({ log }: Salvage): string => log.rows(0, events).join();
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

/** As the object behind `frame` repeats it. */
function beforeOf(frame: RecordedFrame | undefined): unknown {
  return frame === undefined ? null : [frame.eventCount, frame.choices];
}

test('any msgpack decoder reads it', () => {
  const objects = [...decodeMulti(SAMPLE)];
  expect(objects[0]).toEqual(['reprobe', 3]);
  expect(objects[1]).toEqual([SAMPLE_HEADER, 3, expect.stringMatching(/^[0-9a-f]{16}$/)]);
  const run = (objects[1] as unknown[])[2];
  const frames = objects.slice(2, -1);
  expect(frames.map((frame) => (frame as unknown[]).toSpliced(2, 1))).toEqual(
    WHOLE.frames.map((frame, number) => [
      frame.firstEvent,
      frame.eventCount,
      frame.choices,
      frame.strings,
      frame.stateDigest,
      beforeOf(WHOLE.frames[number - 1]),
      run,
      frame.digest,
    ]),
  );
  expect(objects.at(-1)).toEqual([
    { ...WHOLE.end, last: beforeOf(WHOLE.frames.at(-1)), header: SAMPLE_HEADER },
    run,
    expect.any(String),
  ]);
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
      const { length } = recording.frames;
      expect(recording.damage).toMatchObject(
        at > END_AT ? { part: 'end' } : { part: 'frame', frame: length },
      );
    }
  }
});

const VERSION_AT = pack(['reprobe', 3]).length - 1;

/** Numbers of the whole file's frames that `found` has, in order. */
function framesIn(found: Salvage): readonly number[] {
  const digests = WHOLE.frames.map(({ digest }) => digest);
  const behind = found.islands.flatMap(({ frames }) => frames);
  return [...found.frames, ...behind].map(({ digest }) => digests.indexOf(digest));
}

test('a flipped bit costs the frame that it hits and no other one', () => {
  const draw = draws(2);
  const all = WHOLE.frames.map((_, number) => number);
  for (let i = 0; i < 300; i++) {
    const at = draw(SAMPLE.length);
    const bytes = SAMPLE.slice();
    bytes[at] = (bytes[at] ?? 0) ^ (1 << draw(8));
    const found = salvageRecording(bytes, 'x.trace');
    const hit = at < FIRST_FRAME ? -1 : [...ENDS, END_AT].filter((end) => end <= at).length;
    expect(found.damage).toMatchObject(
      hit < 0
        ? { part: 'header' }
        : hit < all.length
          ? { part: 'frame', frame: hit }
          : { part: 'end', frame: undefined },
    );
    expect(found.damages).toHaveLength(1);
    expect(framesIn(found)).toEqual(all.filter((number) => number !== hit));
    expectFrames(found, found.frames.length);
  }
});

/** The objects of the sample: begin (preamble and header), frames, end. */
function pieces(): Uint8Array[] {
  const starts = [0, FIRST_FRAME, ...ENDS, END_AT];
  return starts.map((start, i) => SAMPLE.subarray(start, starts[i + 1]));
}

test('frames that lie in another order, or twice, are read in the order of their events', () => {
  const all = WHOLE.frames.map((_, number) => number);
  const [begin, a, b, ...rest] = pieces() as [Uint8Array, Uint8Array, Uint8Array, ...Uint8Array[]];
  const swapped = readRecording(joinBytes([begin, b, a, ...rest]));
  expect(framesIn(swapped)).toEqual(all);
  const what = 'it lies in the place of another one';
  expect(swapped.damages).toMatchObject([
    { part: 'frame', frame: 1, what },
    { part: 'frame', frame: 0, what },
  ]);
  const twice = readRecording(joinBytes([begin, a, a, b, ...rest]));
  expect(framesIn(twice)).toEqual(all);
  expect(twice.damages).toMatchObject([{ frame: 0, what: 'its events were there before' }]);
  const junk = readRecording(joinBytes([begin, a, Uint8Array.of(0x98, 0, 0xc4), b, ...rest]));
  expect(framesIn(junk)).toEqual(all);
  expect(junk.islands).toEqual([]);
  expect(junk.end?.digest).toBe(WHOLE.end?.digest);
});

/** A byte more before it, and another one in it. */
function spoilt(object: Uint8Array = SAMPLE): Uint8Array {
  return joinBytes([Uint8Array.of(0xc1), object]).with(40, 0xc1);
}

test('damages are numbered as the frames were written, wherever they lie now', () => {
  const all = pieces();
  const two = readRecording(joinBytes(all.with(3, spoilt(all[3])).with(6, spoilt(all[6]))));
  expect(two.damages).toMatchObject([
    { part: 'frame', frame: 2 },
    { part: 'frame', frame: 5 },
  ]);
  expect(framesIn(two)).toEqual([0, 1, 3, 4, 6, 7, 8, 9, 10]);
  // Without the end nobody knows how many frames the first gap swallowed.
  const endless = readRecording(
    joinBytes(all.with(3, spoilt(all[3])).with(6, spoilt(all[6])).slice(0, 9)),
  );
  expect(endless.damages.map(({ frame }) => frame)).toEqual([2, undefined, undefined]);
  const last = all.length - 1;
  const ended = readRecording(
    joinBytes([...all.slice(0, -2), all[last] ?? SAMPLE, all[last - 1] ?? SAMPLE]),
  );
  expect(ended.damages).toMatchObject([{ part: 'end', what: 'frames follow it' }]);
  expect(ended.end?.digest).toBe(WHOLE.end?.digest);
});

/** Number and text of the events behind the damage. */
function textsBehind({ islands }: Salvage): unknown[] {
  return islands.flatMap((island) =>
    island.frames.flatMap((frame) =>
      [...islandEvents(island, frame)].map((event) => [event.index, 'text' in event && event.text]),
    ),
  );
}

test('behind lost frames the strings are known that must be the same ones', () => {
  const log = new EventLog();
  const writer = new RecordingWriter(log);
  const parts = [writer.begin(SAMPLE_HEADER)];
  for (const text of ['first', 'second', 'third', 'fourth']) {
    log.emit(30, 1, 0, 0, 0, log.strings.id(text), 0, 0, 0, 0, 0, 0, 0);
    log.emit(30, 2, 0, 0, 0, log.strings.id('first'), 0, 0, 0, 0, 0, 0, 0);
    parts.push(writer.frame(Uint8Array.of(0), null));
  }
  const [begin, one, , three, four] = parts as [
    Uint8Array,
    Uint8Array,
    unknown,
    Uint8Array,
    Uint8Array,
  ];
  // The end says how many strings there are: one is lost.
  const ended = readRecording(joinBytes([begin, one, three, four, writer.end(9)]));
  expect(textsBehind(ended)).toEqual([
    [4, 'third'],
    [5, 'first'],
    [6, 'fourth'],
    [7, 'first'],
  ]);
  expect(ended.end).toBeUndefined();
  expect(ended.damages).toMatchObject([{ frame: 1, what: 'it does not start with event 2' }]);
  // Without it nobody knows; nor behind two gaps.
  const unended = readRecording(joinBytes([begin, one, three]));
  expect(textsBehind(unended)).toEqual([
    [4, '?2'],
    [5, 'first'],
  ]);
  expect(damageText(unended)).toContain('; events 2 to 3 are lost; 1 whole frames with 2 events');
});

test('a frame without events is the only one', () => {
  const empty = new RecordingWriter(new EventLog());
  const parts = [empty.begin(SAMPLE_HEADER), empty.frame(Uint8Array.of(0), null)];
  expect(readRecording(joinBytes([...parts, empty.end(0)])).damage).toBeUndefined();
  const two = readRecording(joinBytes([...parts, empty.frame(Uint8Array.of(0), null)]));
  expect(two.damage).toMatchObject({
    frame: 1,
    what: 'a frame without events is not the only one',
  });
});

test('frames are read where the beginning of the file is gone', () => {
  const all = WHOLE.frames.map((_, number) => number);
  const [begin = new Uint8Array(), ...rest] = pieces();
  for (const kept of [0, 1, 9, 10, 11, begin.length - 30]) {
    const found = salvageRecording(joinBytes([begin.subarray(0, kept), ...rest]));
    expect(found).toMatchObject({ header: SAMPLE_HEADER, isHeaderDoubtful: false });
    expect(framesIn(found)).toEqual(all);
    expect(found.damages.every(({ part }) => part === 'header')).toBe(true);
    const endless = salvageRecording(joinBytes([begin.subarray(0, kept), ...rest.slice(0, -1)]));
    expect(endless.header).toBeUndefined();
    expect(framesIn(endless)).toEqual(all);
  }
});

test('a header whose structure is broken is read from the end, or leaves the frames', () => {
  const bytes = SAMPLE.slice();
  bytes[VERSION_AT + 2] = 0xc1;
  const found = salvageRecording(bytes, 'x.trace');
  expect(found).toMatchObject({ header: SAMPLE_HEADER, isHeaderDoubtful: false });
  expect(found.damages).toMatchObject([
    { part: 'header', what: 'it has a value of type 0xc1, but the end repeats it' },
  ]);
  expect(framesIn(found)).toHaveLength(WHOLE.frames.length);
  expect(found.end).toEqual(WHOLE.end);
  const endless = bytes.subarray(0, END_AT);
  expect(salvageRecording(endless).header).toBeUndefined();
  expect(() => readRecording(endless, 'x.trace')).toThrow(
    /^x\.trace: header \(byte 10\): it has a value of type 0xc1; .* whole frames .*; without it the run cannot/u,
  );
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

test('what follows the end is damage, not ignored', () => {
  const found = readRecording(joinBytes([SAMPLE, Uint8Array.of(0)]));
  expect(found.log.count).toBe(WHOLE.log.count);
  expect(found.end).toBeDefined();
  expect(found.damage?.what).toBe('more bytes follow it');
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
  let deep: Model = null;
  for (let depth = 0; depth < 40; depth++) deep = [deep];
  expect(() => beginWith(deep)).toThrow('more than 32 levels of nesting cannot be recorded');
  const { header } = readRecording(beginWith(['\ud800', -0]));
  expect(header.workload.model).toEqual(['\ufffd', 0]);
});
