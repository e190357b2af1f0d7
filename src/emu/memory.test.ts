import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NO_ADDRESS } from './address.ts';
import { Memory, PAGE_BYTES, type Segment } from './memory.ts';

const BASE = 0x10000;

function withSegment(bytes = 0x400): { memory: Memory; segment: Segment } {
  const memory = new Memory();
  const shape = { name: 'data', base: BASE, bytes, bytesMax: 0x1000, writable: true };
  return { memory, segment: memory.addSegment(shape) };
}

function dirty(memory: Memory): string[] {
  const found: string[] = [];
  memory.dirtyPages(({ name }, offset) => found.push(`${name}+${offset}`));
  return found;
}

test('a segment is mapped from its base to its end, in whole granules', () => {
  const { memory, segment } = withSegment(30);
  expect(segment.size).toBe(32);
  expect(memory.segmentAt(BASE)).toBe(segment);
  expect(memory.segmentAt(BASE + 31)).toBe(segment);
  expect(memory.segmentAt(BASE - 1)).toBeUndefined();
  expect(memory.segmentAt(BASE + 32)).toBeUndefined();
  expect(memory.contains(BASE + 24, 8)).toBe(true);
  expect(memory.contains(BASE + 25, 8)).toBe(false);
});

test('segments are found among many, user ones included, and never overlap', () => {
  const memory = new Memory();
  const bases = [0x40000000, -0x7fc00000, 0, 0x1000, 0x20000000, -0x1000000];
  for (const base of bases) {
    memory.addSegment({ name: `at ${base}`, base, bytes: 0x100, writable: true });
  }
  for (const base of bases) {
    expect(memory.segmentAt(base + 0xff)?.base).toBe(base);
    expect(memory.segmentAt(base + 0x100)).toBeUndefined();
    expect(memory.segmentAt(base - 1)).toBeUndefined();
  }
  expect(memory.segments.map(({ base }) => base)).toEqual(bases.toSorted((a, b) => a - b));
  const overlapping = { name: 'x', base: 0xff0, bytes: 0x20, writable: true };
  expect(() => memory.addSegment(overlapping)).toThrow('do not overlap');
  const unaligned = { name: 'x', base: 0x2008, bytes: 16, writable: true };
  expect(() => memory.addSegment(unaligned)).toThrow('aligned');
  const last = { name: 'x', base: 0x7ffff000, bytes: 16, writable: true };
  expect(() => memory.addSegment(last)).toThrow('end of its half');
  const first = { name: 'x', base: -0x80000000, bytes: 16, writable: true };
  expect(() => memory.addSegment(first)).toThrow('lowest');
});

test('stores and loads of every width agree at every alignment', () => {
  const { memory } = withSegment();
  const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
  const property = fc.property(fc.integer({ min: 0, max: 40 }), word, word, (offset, lo, hi) => {
    const at = BASE + offset;
    memory.store64(at, lo, hi);
    expect([memory.loadLo(at), memory.loadHi(at)]).toEqual([lo, hi]);
    expect(memory.load8(at + 7)).toBe(hi >>> 24);
    memory.store32(at + 2, hi);
    expect(memory.load32(at + 2)).toBe(hi);
    expect(memory.load16(at)).toBe(lo & 0xffff);
    memory.store16(at + 1, 0x1ff80);
    expect(memory.load16(at + 1)).toBe(0xff80);
    memory.store8(at + 3, 0x1fe);
    expect(memory.load8(at + 3)).toBe(0xfe);
    expect(memory.load8(at)).toBe(lo & 0xff);
  });
  fc.assert(property);
});

test('the machine does not touch what is not mapped, nor text behind the back of its core', () => {
  const { memory, segment } = withSegment();
  expect(() => memory.load8(BASE - 1)).toThrow('mapped');
  expect(() => memory.loadLo(BASE + segment.size - 4)).toThrow('ends in its segment');
  expect(() => memory.store16(BASE + segment.size - 1, 0)).toThrow('ends in its segment');
  memory.addSegment({ name: 'text', base: 0, bytes: 16, writable: false, text: true });
  expect(() => memory.store32(0, 0)).toThrow('Core.writeHalf');
  expect(memory.load32(0)).toBe(0);
});

test('growing keeps bytes, dirty pages and liveness, within the limit', () => {
  const memory = new Memory();
  const shape = { name: 'heap', base: BASE, bytes: 0x200, bytesMax: 0x800, writable: true };
  const heap = memory.addSegment({ ...shape, liveness: true });
  memory.setLive(BASE + 0x10, 0x20, true);
  memory.store32(BASE + 0x1fc, 77);
  memory.grow(heap, 0x600);
  expect(memory.load32(BASE + 0x1fc)).toBe(77);
  expect(memory.load32(BASE + 0x5fc)).toBe(0);
  expect(dirty(memory)).toEqual(['heap+256']);
  expect([...(heap.live ?? [])].slice(0, 4)).toEqual([0, 1, 1, 0]);
  expect(heap.live?.length).toBe(0x60);
  expect(() => memory.grow(heap, 0x900)).toThrow('limit');
  expect(() => memory.grow(heap, 0x100)).toThrow('grow');
});

test('dirty pages are those stored to, in address order, until they are cleaned', () => {
  const { memory } = withSegment();
  memory.addSegment({ name: 'low', base: 0x1000, bytes: 0x400, writable: true });
  memory.load32(BASE);
  expect(dirty(memory)).toEqual([]);
  memory.store32(BASE + 2 * PAGE_BYTES - 2, 1);
  memory.store8(0x1000, 1);
  expect(dirty(memory)).toEqual(['low+0', 'data+256', 'data+512']);
  memory.cleanPages();
  expect(dirty(memory)).toEqual([]);
});

test('liveness is kept in whole granules of a segment that asked for it', () => {
  const { memory } = withSegment();
  expect(() => memory.setLive(BASE, 16, true)).toThrow('tracks liveness');
  const heap = memory.addSegment({
    name: 'heap',
    base: 0x20000,
    bytes: 64,
    writable: true,
    liveness: true,
  });
  memory.setLive(0x20000, 48, true);
  memory.setLive(0x20010, 16, false);
  expect([...(heap.live ?? [])]).toEqual([1, 0, 1, 0]);
  expect(() => memory.setLive(0x20008, 16, true)).toThrow('granules');
});

test('a store to any byte of the reserved 8 kills a reservation, others do not', () => {
  const { memory } = withSegment();
  const one = { reservation: NO_ADDRESS };
  const two = { reservation: NO_ADDRESS };
  memory.reserve(one, BASE + 0x14);
  memory.reserve(two, BASE + 0x18);
  memory.reserve(two, BASE + 0x20);
  expect([one.reservation, two.reservation, memory.reservations]).toEqual([
    BASE + 0x10,
    BASE + 0x20,
    2,
  ]);
  memory.store64(BASE + 0x18, 0, 0);
  memory.store8(BASE + 0xf, 0);
  expect(memory.reservations).toBe(2);
  memory.store32(BASE + 0xe, 0); // Ends in the granule of `one`.
  expect([one.reservation, memory.reservations]).toEqual([NO_ADDRESS, 1]);
  memory.unreserve(two);
  memory.unreserve(two);
  expect([two.reservation, memory.reservations]).toEqual([NO_ADDRESS, 0]);
});
