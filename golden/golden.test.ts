// Every golden is recorded again and compared byte for byte, told, judged, replayed, and read by a msgpack
// decoder that is not ours. What differs is shown as one line.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeMulti } from '@msgpack/msgpack';
import { expect, test } from 'vitest';
import { RecordedChooser } from '../src/replay/choices.ts';
import { decodeColumns } from '../src/replay/columns-read.ts';
import { openSession, prepareModel } from '../src/replay/prepare.ts';
import { digestOfLog, FORMAT_VERSION, readRecording } from '../src/replay/recording.ts';
import { filesOf, replayRecording } from '../src/replay/replay.ts';
import { parseTextForm } from '../src/replay/text-form-read.ts';
import { formatRecording } from '../src/replay/text-form.ts';
import { ALL_STORIES } from './all-stories.ts';
import {
  BROKEN,
  complaints,
  firstDifference,
  goldenNames,
  leftovers,
  type RecordedGolden,
  recordGolden,
} from './golden.ts';
import { tell } from './told.ts';

const FOLDER = import.meta.dirname;
const names = goldenNames(FOLDER);
const recorded = new Map<string, RecordedGolden>();

function golden(name: string): RecordedGolden {
  const found = recorded.get(name) ?? recordGolden(FOLDER, name);
  recorded.set(name, found);
  return found;
}

function trace(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(FOLDER, `${name}.trace`)));
}

function text(name: string): string {
  return readFileSync(join(FOLDER, `${name}.txt`), 'utf8');
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

test('there are at least six goldens, and nothing is left over', () => {
  expect(names.length).toBeGreaterThanOrEqual(6);
  expect(leftovers(readdirSync(FOLDER))).toEqual([]);
  expect(Object.keys(ALL_STORIES).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(names);
});

test.each(names)('%s: recorded again, it is the same (CC-O14)', (name) => {
  const again = golden(name);
  expect(firstDifference(text(name), again.text)).toBeUndefined();
  expect(areEqual(trace(name), again.trace)).toBe(true);
});

test.each(names)('%s: it ends as it should, and its story is true', (name) => {
  expect(golden(name).result.ending).toBe('run_end');
  expect(complaints(name, golden(name))).toEqual([]);
  const broken = golden(name).result.verdicts.filter(({ verdict }) => verdict.status === 'broken');
  expect(broken.map(({ guarantee }) => guarantee.name)).toEqual(BROKEN[name] ?? []);
});

test.each(Object.entries(BROKEN))('%s: today nothing is broken (FP-56)', (name) => {
  const { verdicts } = recordGolden(FOLDER, name, { profile: 'today' }).result;
  expect(verdicts.filter(({ verdict }) => verdict.status === 'broken')).toEqual([]);
});

test.each(names)('%s: the text is the recording, in both directions', (name) => {
  expect(firstDifference(text(name), formatRecording(readRecording(trace(name))))).toBeUndefined();
  expect(areEqual(parseTextForm(text(name)), trace(name))).toBe(true);
});

test.each(names)('%s: it replays', (name) => {
  const { result } = golden(name);
  const { events, steps, digest } = result;
  expect(replayRecording(trace(name))).toEqual({ status: 'identical', events, steps, digest });
});

test.each(names)('%s: a chooser that never looks ahead gives the same run', (name) => {
  const { header, frames, end } = readRecording(trace(name));
  const { plan } = prepareModel(header.workload.model, filesOf(header), name);
  // Without its `calm`, so that the core comes back at every single boundary.
  const recordedChooser = new RecordedChooser(frames.map(({ choices }) => choices));
  const session = openSession(plan, header, {
    choose: (point, count) => recordedChooser.choose(point, count),
  });
  while (session.tick());
  expect(session.machine.step).toBe(end?.steps);
  expect(digestOfLog(session.log)).toBe(end?.digest);
  expect(recordedChooser.left).toBe(0);
});

test.each(names)('%s: another msgpack decoder reads the same', (name) => {
  const recording = readRecording(trace(name));
  const [preamble, header, ...rest] = [...decodeMulti(trace(name))];
  expect(preamble).toEqual(['reprobe', FORMAT_VERSION]);
  const { header: own, frames, end } = recording;
  const seal: unknown = expect.stringMatching(/^[0-9a-f]{16}$/u);
  expect(header).toEqual([own, FORMAT_VERSION, seal]);
  const run = (header as unknown[])[2];
  const last = frames.at(-1);
  const ended = { ...end, last: [last?.eventCount, last?.choices], header: own };
  expect(rest.pop()).toEqual([ended, run, seal]);
  expect(rest.length).toBe(frames.length);
  let strings = 0;
  for (const [index, frame] of recording.frames.entries()) {
    const { firstEvent, eventCount, choices, stateDigest, digest } = frame;
    const [first, count, columns, ...others] = rest[index] as [number, number, Uint8Array];
    expect([first, count]).toEqual([firstEvent, eventCount]);
    const before = index === 0 ? null : [frames[index - 1]?.eventCount, frames[index - 1]?.choices];
    expect(others).toEqual([choices, frame.strings, stateDigest, before, run, digest]);
    strings += frame.strings.length;
    const { rows } = decodeColumns(new Uint8Array(columns), { events: count, strings });
    expect(areEqual(bytesOf(rows), bytesOf(recording.log.rows(first, first + count)))).toBe(true);
  }
});

function bytesOf(words: Int32Array | undefined): Uint8Array {
  const { buffer, byteOffset, byteLength } = words ?? new Int32Array();
  return new Uint8Array(buffer, byteOffset, byteLength);
}

test('a story claims something: no claim is true of a run where nothing happens', () => {
  const nothing = tell([]);
  const all = Object.values(ALL_STORIES).flat();
  expect(all.filter(({ holds }) => holds(nothing)).map(({ says }) => says)).toEqual([]);
  expect(Object.values(ALL_STORIES).filter((claims) => claims.length === 0)).toEqual([]);
});

test('a golden without a workload, or without its recording or text, is left over', () => {
  const files = ['a.yaml', 'a.trace', 'a.txt', 'b.trace', 'b.txt', 'c.yaml', 'c', 'golden.ts'];
  expect(leftovers(files)).toEqual([
    'b.yaml is missing: delete its .trace and .txt',
    'c.trace is missing: npm run golden',
    'c.txt is missing: npm run golden',
  ]);
});

test('of two texts that differ, the first line that differs is shown', () => {
  expect(firstDifference('a\nb\nc', 'a\nb\nc')).toBeUndefined();
  expect(firstDifference('a\nb\nc', 'a\nx\ny')).toBe('\n  golden b\n  found  x');
  expect(firstDifference('a', 'a\nb')).toBe(
    '\n  golden (nothing: the text ends before)\n  found  b',
  );
  expect(firstDifference('-- strings b\n#1', '-- strings a\n-- strings b\n#2')).toBe(
    '\n  golden #1\n  found  #2',
  );
  expect(firstDifference('-- strings b\n#1', '-- strings a\n#1')).toBe(
    '\n  golden -- strings b\n  found  -- strings a',
  );
});

test('an unmet expectation and an untrue story are told', () => {
  const name = 'filter-swap-interrupted';
  const folder = mkdtempSync(join(tmpdir(), 'reprobe-golden-'));
  const yaml = readFileSync(join(FOLDER, `${name}.yaml`), 'utf8');
  // The same run, but the interrupt never comes, and more is expected of it.
  const changed = yaml.replace(/^.*irq: timer_tick.*\n/mu, '').replace('at_least: ', 'at_least: 9');
  writeFileSync(join(folder, `${name}.yaml`), changed);
  const found = complaints(name, recordGolden(folder, name)).join('\n');
  rmSync(folder, { recursive: true });
  expect(found).toContain('expected: hits at least 9');
  expect(found).toContain('the story is not true: three callbacks stand on one stack');
});
