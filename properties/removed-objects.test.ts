// Whole objects that are gone from a recording (docs/format.md): each lost frame is named by its number with the
// events that are lost, and nothing else is blamed. What one frame held is made again, wherever it was.
import { expect, test } from 'vitest';
import {
  damageText,
  joinBytes,
  readRecording,
  type RecordedFrame,
  salvageRecording,
} from '../src/replay/recording.ts';
import { replayRecording } from '../src/replay/replay.ts';
import { summarizeRecording } from '../src/replay/report-summary.ts';
import { originalOf } from './mutate-recording.ts';
import { recordLong } from './record-long.ts';
import { reframed } from './reframe.ts';

const { objects, bytes } = originalOf(reframed(recordLong({ rounds: 3, seed: 21 }), 100));
const WHOLE = readRecording(bytes);
const { frames } = WHOLE;
/** Preamble and header stand before the frames. */
const BEFORE = 2;

function without(from: number, count: number): Uint8Array {
  return joinBytes(objects.toSpliced(BEFORE + from, count));
}

function eventsOf(lost: readonly RecordedFrame[]): readonly [first: number, last: number] {
  const first = lost[0]?.firstEvent ?? 0;
  return [first, first + lost.reduce((sum, { eventCount }) => sum + eventCount, 0) - 1];
}

test.each(frames.map((frame, number) => [number, frame] as const))(
  'frame %i is gone: it is named, and made again',
  (number, frame) => {
    const damaged = without(number, 1);
    const found = salvageRecording(damaged);
    expect(found.damages).toMatchObject([{ part: 'frame', frame: number, offset: frame.offset }]);
    expect(damageText(found)).toContain(`; events ${eventsOf([frame]).join(' to ')} are lost`);
    expect(replayRecording(damaged)).toMatchObject({
      status: 'identical',
      digest: WHOLE.end?.digest,
      made: frame.eventCount,
    });
    const isLast = number === frames.length - 1;
    expect(summarizeRecording(found).ending).toBe(isLast ? 'lost' : 'run_end');
  },
);

test('several frames are gone, up to all of them: the first is named, with all events that are lost', () => {
  for (let from = 0; from < frames.length; from++)
    for (let count = 2; from + count <= frames.length; count++) {
      const found = salvageRecording(without(from, count));
      const lost = eventsOf(frames.slice(from, from + count));
      expect(found.damages).toMatchObject([{ part: 'frame', frame: from }]);
      expect(damageText(found)).toContain(`; events ${lost.join(' to ')} are lost`);
      expect(replayRecording(without(from, count)).status).toBe('identical');
    }
});

test('a frame in the middle and the last are gone: both are named, and made again', () => {
  const last = frames.length - 1;
  const damaged = joinBytes(objects.toSpliced(BEFORE + last, 1).toSpliced(BEFORE + 2, 1));
  expect(salvageRecording(damaged).damages).toMatchObject([{ frame: 2 }, { frame: last }]);
  const lost = (frames[2]?.eventCount ?? 0) + (frames[last]?.eventCount ?? 0);
  expect(replayRecording(damaged)).toMatchObject({ status: 'identical', made: lost });
});

test('the end is gone: the file stops there', () => {
  const found = salvageRecording(without(frames.length, 1));
  expect(found.damages).toMatchObject([{ part: 'frame', frame: frames.length }]);
  expect(damageText(found)).toContain(': the file stops here');
  expect(found.log.count).toBe(WHOLE.log.count);
});
