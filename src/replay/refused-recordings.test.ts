// What is no recording, and what cannot be one that is read here: one clear message each.
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { originalOf } from '../../properties/mutate-recording.ts';
import { sampleRun } from '../../properties/sample-events.ts';
import { recordSample, SAMPLE_HEADER } from '../../properties/sample-recording.ts';
import { InputError } from '../assert.ts';
import { pack } from './packed.ts';
import { joinBytes, readRecording, salvageRecording } from './recording.ts';
import { sealed, SEAL_NONE } from './seal.ts';

test.each([
  ['an empty file', new Uint8Array(), 'expected a recording (.trace), the file is empty'],
  [
    'a text',
    new TextEncoder().encode('name: x\n'),
    'expected a recording (.trace), found something else',
  ],
  ['another file', pack(['other', 1]), 'expected a recording (.trace), found something else'],
  [
    'NaN for a version',
    pack(['reprobe', Number.NaN]),
    'expected a recording (.trace), found no format version',
  ],
  ['no version', pack(['reprobe']), 'expected a recording (.trace), found no format version'],
  [
    'a newer version',
    pack(['reprobe', 4]),
    'the recording has format version 4, but this reprobe reads version 3; use a newer reprobe, as the one that wrote it',
  ],
  [
    'an older version',
    joinBytes([pack(['reprobe', 2]), sealed([SAMPLE_HEADER, 2, SEAL_NONE])]),
    'the recording has format version 2, but this reprobe reads version 3; record its workload again, or use the older reprobe that wrote it',
  ],
  [
    'no header',
    pack(['reprobe', 3]),
    'the header of the recording is damaged: the bytes end inside it',
  ],
  [
    'a header without a field',
    joinBytes([pack(['reprobe', 3]), pack([{ version: 'x' }, 3, ''])]),
    'the header of the recording is damaged: workload is no map',
  ],
])('%s is one clear message', (_, bytes, message) => {
  expect(() => readRecording(bytes, 'x.trace')).toThrow(new InputError(message, 'x.trace'));
});

test('hostile lengths cost nothing', () => {
  const preamble = pack(['reprobe', 3]);
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
    expect(() => readRecording(joinBytes([preamble, Uint8Array.from(bytes)]))).toThrow(InputError);
});

const SAMPLE = recordSample(sampleRun(300), { frameEvents: 3 });
const WHOLE = readRecording(SAMPLE);
const END_AT = SAMPLE.length - (originalOf(SAMPLE).objects.at(-1)?.length ?? 0);
const CR = 0x0d;
const LF = 0x0a;

/** As a program leaves it that takes every byte for a letter, or reads UTF-8 where there is none. */
function rewritten(bytes: Uint8Array, from: 'latin1' | 'utf8', to: 'utf16le' | 'utf8'): Uint8Array {
  return new Uint8Array(Buffer.from(`\ufeff${Buffer.from(bytes).toString(from)}`, to));
}

const LOST = 'bytes of it are lost, take the file as it was written';

test.each([
  ['packed', new Uint8Array(gzipSync(SAMPLE)), 'a file that gzip packed: unpack it first'],
  [
    'an editor',
    rewritten(SAMPLE, 'utf8', 'utf8'),
    `a recording that was rewritten as text in UTF-8: ${LOST}`,
  ],
  [
    'a browser',
    rewritten(SAMPLE, 'latin1', 'utf8').subarray(3),
    `a recording that was rewritten as text in UTF-8: ${LOST}`,
  ],
  [
    'a shell',
    rewritten(SAMPLE, 'latin1', 'utf16le'),
    `a recording that was rewritten as text in UTF-16: ${LOST}`,
  ],
])('a recording that went through %s is told from other files', (_, bytes, what) => {
  expect(() => readRecording(bytes, 'x.trace')).toThrow(
    new InputError(`expected a recording (.trace), found ${what}`, 'x.trace'),
  );
});

test('other texts that begin with the word are not taken for a recording', () => {
  for (const text of [
    '-- reprobe recording, format 3\n',
    'name: reprobe\n',
    'reprobe',
    '# §reprobe',
  ])
    for (const encoding of ['utf8', 'utf16le'] as const)
      expect(() => readRecording(rewritten(Buffer.from(text), 'utf8', encoding))).toThrow(
        'expected a recording (.trace), found something else',
      );
});

test('a byte order mark before a recording costs nothing', () => {
  const found = readRecording(joinBytes([Uint8Array.of(0xef, 0xbb, 0xbf), SAMPLE]));
  expect(found.damages).toEqual([
    {
      part: 'header',
      frame: undefined,
      offset: 0,
      what: 'a byte order mark stands before it: take the file as it was written',
    },
  ]);
  expect(found.end?.digest).toBe(WHOLE.end?.digest);
  expect(found.isHeaderDoubtful).toBe(false);
});

test('line ends that were changed are named with the header, then what they cost', () => {
  const changed = Uint8Array.from([...SAMPLE].flatMap((byte) => (byte === LF ? [CR, LF] : [byte])));
  const found = salvageRecording(changed, 'x.trace');
  const what = 'its line ends were changed, each LF to CR LF: take the file as it was written';
  expect(found.damage).toEqual({ part: 'header', frame: undefined, offset: 10, what });
  const lost = found.damages.slice(1);
  expect(lost.length).toBeGreaterThan(0);
  const hit = WHOLE.frames.flatMap(({ offset }, number) => {
    const end = WHOLE.frames[number + 1]?.offset ?? END_AT;
    return SAMPLE.subarray(offset, end).includes(LF) ? [number] : [];
  });
  // Frames in a row are one place. Behind the first, nobody can count any more: the end is hit as well.
  expect(lost[0]?.frame).toBe(hit[0]);
  expect(lost).toHaveLength(hit.filter((number) => !hit.includes(number - 1)).length + 1);
  expect(lost.at(-1)?.part).toBe('end');
});

test('a flipped bit in the ten bytes of the preamble is damage to the header, and nothing is lost', () => {
  for (let bit = 0; bit < 80; bit++) {
    const bytes = SAMPLE.slice();
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const found = readRecording(bytes, 'x.trace');
    expect(found).toMatchObject({ header: SAMPLE_HEADER, isHeaderDoubtful: false });
    expect(found.damages).toMatchObject([{ part: 'header', offset: 0 }]);
    expect(found.end).toEqual(WHOLE.end);
  }
});
