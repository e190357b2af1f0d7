// Each file that was made to hurt is what it means to be: the reader gets as far into it as it was made for, and it
// is not turned away at the door. That none of them hurts is for damage.test.ts.
import { expect, test } from 'vitest';
import { prepare } from '../src/replay/prepare.ts';
import { damageText, salvageRecording } from '../src/replay/recording.ts';
import { replayRecording } from '../src/replay/replay.ts';
import { hostileHeader, HOSTILE_WORKLOADS } from './hostile-workloads.ts';
import { HOSTILE_RECORDINGS } from './hostile.ts';

/** Frames that are read, and what is told. */
const MEANS: Readonly<Record<string, readonly [frames: number, told: RegExp]>> = {
  'nothing but beginnings of frames': [0, /^frame 0 .*: it is nested too deeply;/u],
  'frames that claim a long list': [0, /^frame 0 .*: the bytes end inside it;/u],
  'frames that overlap': [0, /^frame 0 .*; too much here looks like a frame to look any further;/u],
  'a long array before every frame': [3000, /: it does not end where it says; .* 0 events behind/u],
  'a gap before every frame': [3000, /: it does not start with event 2; .* are lost;/u],
  'one frame again and again': [1, /^frame 0 .*: its events were there before; .*; \d{4} more/u],
  'a frame at the end of time': [1, /; events 0 to 4294967294 are lost;/u],
  'a model of empty lists': [0, /: the file stops here/u],
  'more lists than an object may have': [
    0,
    /header of the recording is damaged: it has more than/u,
  ],
  'thousands of strings': [1, /: the file stops here/u],
  'four billion choices': [1, /: the file stops here/u],
  'symbols from the last to the first': [10, /: the file stops here/u],
  'calls that never return': [5, /: the file stops here/u],
};

function framesAndText(bytes: Uint8Array): readonly [frames: number, told: string] {
  try {
    const found = salvageRecording(bytes);
    const behind = found.islands.flatMap(({ frames }) => frames);
    return [found.frames.length + behind.length, damageText(found)];
  } catch (error) {
    return [0, String(error)];
  }
}

test('every hostile recording is named here', () => {
  expect(Object.keys(MEANS)).toEqual(Object.keys(HOSTILE_RECORDINGS));
});

test.each(Object.entries(MEANS))('%s: the reader takes it for that', (name, [least, told]) => {
  const [frames, text] = framesAndText(HOSTILE_RECORDINGS[name]?.() ?? new Uint8Array());
  expect(text).toMatch(told);
  expect(frames).toBeGreaterThanOrEqual(least);
});

test.each(Object.entries(HOSTILE_WORKLOADS))('%s: twenty mistakes and the rest', (_, make) => {
  const source = { file: 'x.yaml', text: make(), image: undefined };
  expect(() => prepare(source)).toThrow(/\nand (980|3980) more$/u);
});

test('a header of thousands of mistakes: twenty are told', () => {
  expect(() => replayRecording(hostileHeader())).toThrow(/did you mean[^]*\nand 3980 more$/u);
});
