// What is no recording, and what cannot be one that is read here: one clear message each.
import { expect, test } from 'vitest';
import { SAMPLE_HEADER } from '../../properties/sample-recording.ts';
import { InputError } from '../assert.ts';
import { pack } from './packed.ts';
import { joinBytes, readRecording } from './recording.ts';
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
