import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CHOICE, type ChoicePoint } from '../emu/choose.ts';
import {
  ChoiceWriter,
  Divergence,
  RecordedChooser,
  RecordingChooser,
  readChoices,
} from './choices.ts';

const POINT: ChoicePoint = { kind: CHOICE.schedule, cpu: 1, options: new Int32Array(8) };

const answers = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 6 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 0x7ffffffe }) },
  ),
  { maxLength: 400 },
);

function write(list: readonly number[]): Uint8Array {
  const writer = new ChoiceWriter();
  for (const index of list) writer.append(index);
  return writer.take();
}

test('answers are given again in order, over several lists', () => {
  fc.assert(
    fc.property(answers, answers, (first, second) => {
      const chooser = new RecordedChooser([write(first), write([]), write(second)]);
      const all = [...first, ...second];
      expect(chooser.left).toBe(all.length);
      expect(all.map(() => chooser.choose(POINT, 0x7fffffff))).toEqual(all);
      expect(chooser.left).toBe(0);
      expect(chooser.given).toBe(all.length);
    }),
  );
});

test('a recording chooser keeps what another one answers', () => {
  const chooser = new RecordingChooser({ choose: (_, count) => count - 1 });
  for (const count of [2, 5, 3]) chooser.choose(POINT, count);
  const again = new RecordedChooser([chooser.choices.take()]);
  expect([2, 5, 3].map((count) => again.choose(POINT, count))).toEqual([1, 4, 2]);
  expect(chooser.choices.count).toBe(0);
});

test('a calm list takes a few bytes, however long', () => {
  const writer = new ChoiceWriter();
  for (let i = 0; i < 100_000; i++) writer.append(0);
  const bytes = writer.take();
  expect(bytes.length).toBe(3);
  expect(readChoices(bytes)).toEqual({
    count: 100_000,
    runs: [{ index: 0, times: 100_000 }],
    fault: undefined,
  });
});

test('an answer that is not offered is a divergence', () => {
  const chooser = new RecordedChooser([write([0, 3])]);
  chooser.choose(POINT, 2);
  const ask = (): unknown => chooser.choose(POINT, 3);
  expect(ask).toThrow(Divergence);
  expect(ask).toThrow('choice 1 of the recording is 3, but only 3 options are offered');
  expect(ask).toThrow(
    expect.objectContaining({ reason: 'range', choice: 1, point: { kind: 0, cpu: 1, count: 3 } }),
  );
});

test('a question after the last answer is a divergence', () => {
  const chooser = new RecordedChooser([write([0])]);
  chooser.choose(POINT, 2);
  expect(() => chooser.choose(POINT, 2)).toThrow(
    expect.objectContaining({ name: 'Divergence', reason: 'ended', choice: 1 }),
  );
});

test('bytes that nobody vouches for are read without an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const { count, runs, fault } = readChoices(bytes);
      if (fault !== undefined) return;
      expect(runs.reduce((sum, { times }) => sum + times, 0)).toBe(count);
      expect(runs.every(({ index, times }) => index === 0 || times === 1)).toBe(true);
    }),
  );
  expect(readChoices(Uint8Array.of(2, 0, 0)).fault).toContain('list a zero');
  expect(readChoices(Uint8Array.of(2, 2, 1)).fault).toContain('more choices than it says');
});
