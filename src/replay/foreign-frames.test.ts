// Frames of another recording in a file: named, and never taken for frames of this one.
import { expect, test } from 'vitest';
import { originalOf } from '../../properties/mutate-recording.ts';
import { recordLong } from '../../properties/record-long.ts';
import { sampleRun } from '../../properties/sample-events.ts';
import { recordSample, SAMPLE_HEADER } from '../../properties/sample-recording.ts';
import { damageText, joinBytes, readRecording, salvageRecording } from './recording.ts';
import { replayRecording } from './replay.ts';

/** Enough for several frames. */
const ROUNDS = 120;

const LONG = recordLong({ rounds: ROUNDS, seed: 3 });
/** The same workload with another seed: frames that look alike. */
const OTHER = recordLong({ rounds: ROUNDS, seed: 4 });
const WHOLE = readRecording(LONG);
const OTHER_WHOLE = readRecording(OTHER);
const [PREAMBLE, HEADER, ...FRAMES] = originalOf(LONG).objects as [
  Uint8Array,
  Uint8Array,
  ...Uint8Array[],
];
const BEGIN = joinBytes([PREAMBLE, HEADER]);
const OTHERS = originalOf(OTHER).objects.slice(2);
const ONE = 'it belongs to another recording';

function placeOf(bytes: Uint8Array): number {
  return BEGIN.length + bytes.length;
}

test('behind frames of one run those of another are named, and not replayed', () => {
  const kept = joinBytes(FRAMES.slice(0, 2));
  const bytes = joinBytes([BEGIN, kept, ...OTHERS.slice(2)]);
  const what = `it and ${OTHERS.length - 3} more behind it belong to another recording`;
  const found = readRecording(bytes);
  expect(found.damages).toEqual([{ part: 'frame', frame: 2, offset: placeOf(kept), what }]);
  expect(found).toMatchObject({ islands: [], end: undefined, claim: undefined });
  expect(damageText(found)).toMatch(
    /^frame 2 \(byte \d+\): it and \d+ more behind it belong to another recording; 2 whole frames with \d+ events can be used$/u,
  );
  const { firstEvent: events } = WHOLE.frames[2] ?? {};
  expect(replayRecording(bytes)).toMatchObject({ status: 'identical', events });
});

test('a frame of another run in the place of a lost one costs no more than that', () => {
  const [first = BEGIN, , ...rest] = FRAMES;
  const bytes = joinBytes([BEGIN, first, OTHERS[1] ?? BEGIN, ...rest]);
  expect(readRecording(bytes).damages).toEqual([
    { part: 'frame', frame: 1, offset: placeOf(first), what: ONE },
  ]);
  expect(replayRecording(bytes)).toMatchObject({
    status: 'identical',
    made: WHOLE.frames[1]?.eventCount,
    digest: WHOLE.end?.digest,
  });
});

test('the end of another run is none', () => {
  const kept = joinBytes(FRAMES.slice(0, -1));
  const bytes = joinBytes([BEGIN, kept, OTHERS.at(-1) ?? BEGIN]);
  const found = readRecording(bytes);
  expect(found.damages).toMatchObject([{ offset: placeOf(kept), what: ONE }]);
  expect(found.end).toBeUndefined();
  expect(replayRecording(bytes)).toMatchObject({
    status: 'identical',
    events: WHOLE.log.count,
  });
});

test('the tail of an older recording is no part of a new one', () => {
  const short = recordLong({ rounds: 4, seed: 3 });
  const bytes = joinBytes([short, OTHER.subarray(short.length)]);
  const found = readRecording(bytes);
  const what = 'objects of another recording follow it';
  expect(found.damages).toEqual([{ part: 'end', frame: undefined, offset: short.length, what }]);
  expect(found).toMatchObject({ islands: [], end: readRecording(short).end });
  expect(replayRecording(bytes)).toMatchObject({ status: 'identical', events: found.log.count });
  // Killed before its end, it is not ended by the old one's.
  const begun = short.subarray(0, short.length - 100);
  const killed = joinBytes([begun, OTHER.subarray(begun.length)]);
  const left = readRecording(killed);
  expect(left).toMatchObject({ islands: [], end: undefined, claim: undefined });
  expect(left.damages).toMatchObject([
    { part: 'end' },
    {
      part: 'frame',
      frame: 1,
      what: expect.stringMatching(/belong to another recording$/u) as string,
    },
  ]);
  expect(replayRecording(killed)).toMatchObject({ status: 'identical', events: left.log.count });
});

test('a header of another run is none: the end tells', () => {
  const bytes = joinBytes([BEGIN, ...OTHERS]);
  const found = readRecording(bytes);
  expect(found.header).toEqual(OTHER_WHOLE.header);
  expect(found.damages).toEqual([
    {
      part: 'header',
      frame: undefined,
      offset: PREAMBLE.length,
      what: 'it belongs to another recording than all that is behind it, but the end repeats it',
    },
  ]);
  expect(replayRecording(bytes)).toMatchObject({
    status: 'identical',
    digest: OTHER_WHOLE.end?.digest,
  });
  const endless = joinBytes([BEGIN, ...OTHERS.slice(0, -1)]);
  expect(() => replayRecording(endless)).toThrow(
    /^header \(byte 10\): it belongs to another recording than all that is behind it; .*; without it the run cannot be repeated/u,
  );
  expect(salvageRecording(endless).log.count).toBe(OTHER_WHOLE.log.count);
});

test('a run is of its header, and recordings of one header are one', () => {
  const seed = { ...SAMPLE_HEADER, chooser: { name: 'random', seed: 43 } };
  const runs = [SAMPLE_HEADER, seed, SAMPLE_HEADER].map((header) => {
    const bytes = recordSample(sampleRun(200), { frameEvents: 50, header });
    return originalOf(bytes).objects;
  }) as [Uint8Array[], Uint8Array[], Uint8Array[]];
  const [one, two, three] = runs;
  expect(one).toEqual(three);
  expect(readRecording(joinBytes(one.with(3, three[3] ?? BEGIN))).damages).toEqual([]);
  expect(readRecording(joinBytes(one.with(3, two[3] ?? BEGIN))).damages).toMatchObject([
    { part: 'frame', frame: 1, what: ONE },
  ]);
});
