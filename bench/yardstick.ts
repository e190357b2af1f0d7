// What this host can do, by something that everybody can write again: Y, the speed of a CRC-32 over a table, one
// byte a turn, in MB (a million bytes) a second. Budgets are multiples of Y, so that they mean the same everywhere.
/* oxlint-disable typescript/no-unsafe-type-assertion -- a hot loop over typed arrays */
import { assert } from '../src/assert.ts';
import type { Clock } from './clock.ts';

const POLYNOMIAL = 0xedb88320 | 0;
const BUFFER_BYTES = 1 << 20;

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let word = byte;
  for (let bit = 0; bit < 8; bit++) word = (word >>> 1) ^ (-(word & 1) & POLYNOMIAL);
  return word;
});

/** CRC-32 as zip and Ethernet know it; the loop is the yardstick, so it stays as plain as it is. */
export function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) {
    crc = (table[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

const buffer = Uint8Array.from({ length: BUFFER_BYTES }, (_, i) => (i * 167) >>> 3);

const EXPECTED = crc32(buffer);

/** Y, in MB/s, measured over so many megabytes. */
export function measureY(clock: Clock, megabytes: number): number {
  let crc = 0;
  const seconds = clock(() => {
    for (let i = 0; i < megabytes; i++) crc = crc32(buffer);
  });
  assert(crc === EXPECTED, 'the checksum of the same bytes is the same');
  return (megabytes * BUFFER_BYTES) / 1e6 / seconds;
}
