// What the end of a recording says, and what objects repeat of others.
import { expect, test } from 'vitest';
import { rebind } from '../../properties/rebind.ts';
import { sampleRun } from '../../properties/sample-events.ts';
import { recordSample, SAMPLE_HEADER } from '../../properties/sample-recording.ts';
import { EventLog } from './event-log.ts';
import { scanFrames } from './frame-scan.ts';
import { unpack } from './packed.ts';
import { damageText, joinBytes, readRecording, RecordingWriter } from './recording.ts';
import { sealed, SEAL_NONE } from './seal.ts';

/** Bytes of a preamble. */
const PREAMBLE = 10;
const FOLLOWS_ANOTHER = 'it does not follow the frame before it';
const NO_CHOICE = { choices: Uint8Array.of(0), state: null };
const SAMPLE = recordSample(sampleRun(700), { frameEvents: 64 });
const WHOLE = readRecording(SAMPLE);
const FIRST_FRAME = WHOLE.frames[0]?.offset ?? 0;
const STARTS = scanFrames(SAMPLE, FIRST_FRAME).objects.map(({ offset }) => offset);
const END_AT = STARTS.at(-1) ?? 0;
/** Preamble and header, frames, end. */
const PIECES = [0, ...STARTS].map((start, i) => SAMPLE.subarray(start, STARTS[i]));

test('what an object repeats has to be what is there', () => {
  const header = { ...SAMPLE_HEADER, profile: 'v6.12' };
  const [, a = SAMPLE, b = SAMPLE, ...rest] = PIECES;
  const begin = new RecordingWriter(new EventLog()).begin(header);
  const forged = rebind(begin.subarray(PREAMBLE), [a, b, ...rest]);
  expect(readRecording(joinBytes([begin, ...forged])).damages).toMatchObject([
    { part: 'end', what: 'it repeats another header' },
  ]);
  const log = sampleRun(700);
  const writer = new RecordingWriter(log);
  const parts = [writer.begin(SAMPLE_HEADER), writer.piece({ to: 64, ...NO_CHOICE })];
  const found = readRecording(joinBytes([...parts, b, ...rest]));
  expect(found.damages[0]).toMatchObject({ frame: 1, what: FOLLOWS_ANOTHER });
  expect(found.frames).toHaveLength(1);
  const last = readRecording(joinBytes([...parts, PIECES.at(-1) ?? b]));
  expect(last).toMatchObject({ damages: [{ frame: 1, what: 'the end is in its place' }] });
});

test('an end that counts other events than there are is wrong, not the frames', () => {
  const [totals, run] = unpack(PIECES.at(-1) ?? new Uint8Array()) as [object, string];
  const { count } = WHOLE.log;
  for (const events of [count - 1, count + 1]) {
    const end = sealed([{ ...totals, events }, run, SEAL_NONE]);
    const found = readRecording(joinBytes([...PIECES.slice(0, -1), end]));
    expect(found.damages).toMatchObject([{ part: 'end', what: 'its number of events is wrong' }]);
    expect([found.log.count, found.claim]).toEqual([count, undefined]);
  }
});

test('the end says what is lost before it', () => {
  const bytes = SAMPLE.slice();
  bytes[END_AT - 30] = (bytes[END_AT - 30] ?? 0) ^ 1;
  const found = readRecording(bytes);
  const last = WHOLE.frames.at(-1);
  const { firstEvent = 0, choices } = last ?? {};
  expect(found.islands).toEqual([]);
  expect(found.claim).toMatchObject({
    totals: { events: WHOLE.log.count, digest: WHOLE.end?.digest },
    lost: { choices: [choices], isSealed: true },
  });
  expect(damageText(found)).toContain(`; events ${firstEvent} to ${WHOLE.log.count - 1} are lost;`);
});

test.each([
  ['events', -1, 'its number of events is none'],
  ['steps', 'x', 'its number of steps is none'],
  ['choices', null, 'its number of choices is none'],
  ['strings', 1.5, 'its number of strings is none'],
  ['digest', 'x', 'its digest is none'],
  ['frames', null, 'its index is no list'],
  ['last', [1], 'what it repeats of the frame before it is nothing of the kind'],
  ['last', [-1, Uint8Array.of(0)], 'what it repeats of the frame before it is nothing of the kind'],
  ['last', [1, Uint8Array.of(1, 0, 0)], 'its choices list a zero as another answer'],
  ['last', null, FOLLOWS_ANOTHER],
  ['header', { version: 'x' }, 'the header that it repeats is none: workload is no map'],
])('an end whose %s is %j is named', (key, value, what) => {
  const [end, run] = unpack(SAMPLE.subarray(END_AT)) as [object, string];
  const other = sealed([{ ...end, [key]: value }, run, SEAL_NONE]);
  const found = readRecording(joinBytes([SAMPLE.subarray(0, END_AT), other]));
  expect(found.damages).toMatchObject([{ part: 'end', frame: undefined, offset: END_AT, what }]);
  expect(found).toMatchObject({ end: undefined, frames: { length: WHOLE.frames.length } });
});
