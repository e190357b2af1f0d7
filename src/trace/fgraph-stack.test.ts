// The layout of shadow stacks (FP-70).
import { expect, test } from 'vitest';
import {
  decodeDescriptor,
  type Descriptor,
  encodeDescriptor,
  FGRAPH_DATA_WORDS_MAX,
  hasRoomForData,
  hasRoomForFrame,
  RET_STACK_WORDS,
  stackLimit,
} from './fgraph-stack.ts';
import { decodeHeader, encodeHeader } from './fprobe-header.ts';

test('FP-70: a page of 512 words, of which 492 or 491 may be pushed to', () => {
  expect(RET_STACK_WORDS).toBe(512);
  expect([stackLimit(3), stackLimit(4)]).toEqual([492, 491]);
  expect([487, 488].map((curr) => hasRoomForFrame(3, curr))).toEqual([true, false]);
  expect([485, 486].map((curr) => hasRoomForFrame(4, curr))).toEqual([true, false]);
  expect([489, 490].map((curr) => hasRoomForData(3, curr, 1))).toEqual([true, false]);
});

test('FP-74: at most 32 words of data for one hook and call', () => {
  expect(FGRAPH_DATA_WORDS_MAX).toBe(32);
  expect([32, 33].map((words) => hasRoomForData(4, 5, words))).toEqual([true, false]);
});

test.each<Descriptor>([
  { type: 'reserved', offset: 4 },
  { type: 'bitmap', offset: 3, bitmap: 0x8001 },
  { type: 'data', offset: 40, words: 32, owner: 15 },
  { type: 'data', offset: 6, words: 1, owner: 0 },
])('FP-70: descriptor %j is one word of 28 bits', (descriptor) => {
  const word = encodeDescriptor(descriptor);
  expect(word >>> 28).toBe(0);
  expect(decodeDescriptor(word)).toEqual(descriptor);
});

test('FP-70: where each field of a descriptor lies', () => {
  expect(encodeDescriptor({ type: 'bitmap', offset: 4, bitmap: 2 })).toBe(
    4 | (1 << 10) | (2 << 12),
  );
  const data = { type: 'data', offset: 7, words: 3, owner: 5 } as const;
  expect(encodeDescriptor(data)).toBe(7 | (2 << 10) | (2 << 12) | (5 << 17));
  expect(decodeDescriptor(0)).toEqual({ type: 'reserved', offset: 0 });
});

test('FP-70, M-56: a header is a pointer and a size of four bits; 16 words would be none', () => {
  for (const words of [0, 1, 15]) {
    const header = { address: 0x260080, words };
    expect(decodeHeader(...encodeHeader(header))).toEqual(header);
  }
  expect(decodeHeader(0, 0)).toBeUndefined();
  expect(decodeHeader(...encodeHeader({ address: 0x260080, words: 16 }))?.words).toBe(0);
});
