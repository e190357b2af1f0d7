// Layer emu. Guest memory: a short list of segments, each with its own bytes. What is here is the
// machine's own access, which asserts; guest access, which faults, is `riscv/access.ts`. Data memory is
// sequentially consistent (CC-M1). Left out on purpose: page tables, devices, unmapping.
import { assert, known } from '../assert.ts';
import { type Address, NO_ADDRESS } from './address.ts';

/** Written memory is tracked in pages of this size. */
export const PAGE_SHIFT = 8;
export const PAGE_BYTES: number = 1 << PAGE_SHIFT;
/** Liveness is kept for granules of this size; segments begin and end at one. */
export const GRANULE_SHIFT = 4;
const GRANULE_BYTES = 1 << GRANULE_SHIFT;

/** Kept unmapped at the ends of the user and kernel halves, so that base + offset never wraps into one. */
const EDGE_BYTES = 0x1000;
const HALF_BEGIN = -0x80000000 + EDGE_BYTES;

/** Mapped memory from `base`. Views share one buffer and are replaced together when it grows. */
export interface Segment {
  readonly name: string;
  readonly base: Address;
  /** Guest stores fault as 'readonly' unless set; the machine itself may write. */
  readonly writable: boolean;
  /** The segment never grows beyond this, and no other one is placed within. */
  readonly bytesMax: number;
  /** Decoded by a `Core`, which alone writes it. */
  readonly text: boolean;
  /** Mapped bytes; a multiple of GRANULE_BYTES. */
  size: number;
  /** Filling these directly is for boot: it marks no page. */
  bytes: Uint8Array;
  halves: Uint16Array;
  words: Int32Array;
  /** 1 for each page that was stored to. */
  dirty: Uint8Array;
  /** 1 for each live granule; undefined where everything always is. */
  live: Uint8Array | undefined;
}

export interface SegmentShape {
  readonly name: string;
  /** A multiple of GRANULE_BYTES. */
  readonly base: Address;
  /** Rounded up to a multiple of GRANULE_BYTES. */
  readonly bytes: number;
  readonly writable: boolean;
  /** How far `grow` may go; `bytes` by default. */
  readonly bytesMax?: number;
  /** Guest access to what `setLive` did not declare live faults as 'freed'. */
  readonly liveness?: boolean;
  readonly text?: boolean;
}

/** Holds an LR/SC reservation: NO_ADDRESS or the 8-byte aligned address that it is on. */
export interface Reserver {
  reservation: Address;
}

export class Memory {
  /** In address order. */
  readonly segments: Segment[] = [];
  /** How many reservations are live: stores look for them only when there are any. */
  reservations = 0;
  readonly #reservers: Reserver[] = [];
  #last: Segment | undefined;

  addSegment(shape: SegmentShape): Segment {
    const size = roundUp(shape.bytes);
    const bytesMax = roundUp(shape.bytesMax ?? size);
    assert((shape.base & (GRANULE_BYTES - 1)) === 0, 'segments are aligned');
    assert(size <= bytesMax && bytesMax > 0, 'a segment begins within its own limit');
    const end = shape.base + bytesMax;
    const kernel = shape.base >= 0;
    assert(kernel || shape.base >= HALF_BEGIN, 'no segment at the lowest addresses');
    assert(end <= (kernel ? -HALF_BEGIN : -EDGE_BYTES), 'no segment reaches the end of its half');
    for (const other of this.segments) {
      const apart =
        shape.base + bytesMax <= other.base || other.base + other.bytesMax <= shape.base;
      assert(apart, `segments ${shape.name} and ${other.name} do not overlap`);
    }
    const { name, base, writable } = shape;
    const text = shape.text ?? false;
    const live = shape.liveness === true ? new Uint8Array(size >> GRANULE_SHIFT) : undefined;
    const dirty = new Uint8Array(pagesOf(size));
    const segment = { name, base, writable, bytesMax, text, size, ...views(size), dirty, live };
    this.segments.push(segment);
    this.segments.sort((a, b) => a.base - b.base);
    return segment;
  }

  /** Extends `segment` to `bytes`; what is new is zero, clean, and not live. */
  grow(segment: Segment, bytes: number): void {
    const size = roundUp(bytes);
    assert(size >= segment.size, 'segments only grow');
    assert(size <= segment.bytesMax, `${segment.name} stays within its limit`);
    const { bytes: old, dirty, live } = segment;
    Object.assign(segment, views(size), { size });
    segment.bytes.set(old);
    segment.dirty = new Uint8Array(pagesOf(size));
    segment.dirty.set(dirty);
    if (live === undefined) return;
    segment.live = new Uint8Array(size >> GRANULE_SHIFT);
    segment.live.set(live);
  }

  /** The segment that maps the byte at `address`. */
  segmentAt(address: Address): Segment | undefined {
    const last = this.#last;
    if (last !== undefined && (address - last.base) >>> 0 < last.size) return last;
    return this.#search(address);
  }

  #search(address: Address): Segment | undefined {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const segment = this.segments[middle] as Segment;
      if (address < segment.base) high = middle;
      else if (address - segment.base >= segment.size) low = middle + 1;
      else return (this.#last = segment);
    }
    return undefined;
  }

  /** Whether one segment maps all of these bytes. */
  contains(address: Address, bytes: number): boolean {
    const segment = this.segmentAt(address);
    return segment !== undefined && address - segment.base + bytes <= segment.size;
  }

  #at(address: Address, bytes: number): Segment {
    const segment = known(this.segmentAt(address), 'the machine itself touches mapped memory only');
    assert(address - segment.base + bytes <= segment.size, 'an access ends in its segment');
    return segment;
  }

  /** The segment, told of a store that is about to happen. */
  #touch(address: Address, bytes: number): Segment {
    const segment = this.#at(address, bytes);
    assert(!segment.text, 'text is written through Core.writeHalf');
    this.noteStore(segment, address, bytes);
    return segment;
  }

  load8(address: Address): number {
    const segment = this.#at(address, 1);
    return segment.bytes[address - segment.base] as number;
  }

  /** Unsigned. */
  load16(address: Address): number {
    const segment = this.#at(address, 2);
    return read16(segment, address - segment.base);
  }

  /** Signed. */
  load32(address: Address): number {
    const segment = this.#at(address, 4);
    return read32(segment, address - segment.base);
  }

  /** Low word of the 8 bytes at `address`; signed. */
  loadLo(address: Address): number {
    const segment = this.#at(address, 8);
    return read32(segment, address - segment.base);
  }

  /** High word of the 8 bytes at `address`; signed. */
  loadHi(address: Address): number {
    const segment = this.#at(address, 8);
    return read32(segment, address - segment.base + 4);
  }

  store8(address: Address, value: number): void {
    const segment = this.#touch(address, 1);
    segment.bytes[address - segment.base] = value;
  }

  store16(address: Address, value: number): void {
    const segment = this.#touch(address, 2);
    write16(segment, address - segment.base, value);
  }

  store32(address: Address, value: number): void {
    const segment = this.#touch(address, 4);
    write32(segment, address - segment.base, value);
  }

  store64(address: Address, lo: number, hi: number): void {
    const segment = this.#touch(address, 8);
    write32(segment, address - segment.base, lo);
    write32(segment, address - segment.base + 4, hi);
  }

  /** Declares granules live (allocated) or not. Both ends are granule-aligned. */
  setLive(address: Address, bytes: number, live: boolean): void {
    const segment = this.#at(address, bytes);
    const map = known(segment.live, `${segment.name} tracks liveness`);
    assert(((address | bytes) & (GRANULE_BYTES - 1)) === 0, 'liveness is kept in granules');
    const first = (address - segment.base) >> GRANULE_SHIFT;
    map.fill(live ? 1 : 0, first, first + (bytes >> GRANULE_SHIFT));
  }

  /** Visits each page that was stored to, in address order; `offset` is the page's in the segment. */
  dirtyPages(visit: (segment: Segment, offset: number) => void): void {
    for (const segment of this.segments) {
      const { dirty } = segment;
      for (let page = dirty.indexOf(1); page >= 0; page = dirty.indexOf(1, page + 1)) {
        visit(segment, page << PAGE_SHIFT);
      }
    }
  }

  /** Forgets what was stored to so far. */
  cleanPages(): void {
    for (const segment of this.segments) segment.dirty.fill(0);
  }

  /** Marks the pages of a store and kills the reservations on it. Guest and machine stores alike. */
  noteStore(segment: Segment, address: Address, bytes: number): void {
    const offset = address - segment.base;
    segment.dirty[offset >> PAGE_SHIFT] = 1;
    segment.dirty[(offset + bytes - 1) >> PAGE_SHIFT] = 1;
    if (this.reservations !== 0) this.killReservations(address, bytes);
  }

  /** LR: `who` reserves the 8 bytes around `address`, in place of what it had reserved. */
  reserve(who: Reserver, address: Address): void {
    if (!this.#reservers.includes(who)) this.#reservers.push(who);
    this.reservations = this.#reservers.length;
    who.reservation = address & ~7;
  }

  /** SC, or a context switch: the reservation of `who`, if any, is gone. */
  unreserve(who: Reserver): void {
    who.reservation = NO_ADDRESS;
    const index = this.#reservers.indexOf(who);
    if (index >= 0) this.#reservers.splice(index, 1);
    this.reservations = this.#reservers.length;
  }

  /** A store of `bytes` (at most 8) at `address`: it may touch two reserved granules. */
  killReservations(address: Address, bytes: number): void {
    const first = address & ~7;
    const last = (address + bytes - 1) & ~7;
    for (let i = this.#reservers.length - 1; i >= 0; i--) {
      const who = this.#reservers[i] as Reserver;
      if (who.reservation === first || who.reservation === last) this.unreserve(who);
    }
  }
}

/** The first of these bytes, all mapped by `segment`, that lies in a granule which is not live. */
export function firstDead(segment: Segment, address: Address, bytes: number): Address | undefined {
  const { live, base } = segment;
  if (live === undefined) return undefined;
  const last = (address - base + bytes - 1) >> GRANULE_SHIFT;
  for (let granule = (address - base) >> GRANULE_SHIFT; granule <= last; granule++) {
    if (live[granule] !== 1) return Math.max(address, base + (granule << GRANULE_SHIFT));
  }
  return undefined;
}

/** Unsigned; the offset may be odd. The host is little-endian, as every platform of Node we support. */
export function read16(segment: Segment, offset: number): number {
  if ((offset & 1) === 0) return segment.halves[offset >> 1] as number;
  return (segment.bytes[offset] as number) | ((segment.bytes[offset + 1] as number) << 8);
}

/** Signed; at any offset. */
export function read32(segment: Segment, offset: number): number {
  if ((offset & 3) === 0) return segment.words[offset >> 2] as number;
  return read16(segment, offset) | (read16(segment, offset + 2) << 16);
}

export function write16(segment: Segment, offset: number, value: number): void {
  if ((offset & 1) === 0) {
    segment.halves[offset >> 1] = value;
  } else {
    segment.bytes[offset] = value;
    segment.bytes[offset + 1] = value >> 8;
  }
}

export function write32(segment: Segment, offset: number, value: number): void {
  if ((offset & 3) === 0) {
    segment.words[offset >> 2] = value;
  } else {
    write16(segment, offset, value);
    write16(segment, offset + 2, value >> 16);
  }
}

function roundUp(bytes: number): number {
  assert(Number.isInteger(bytes) && bytes >= 0, 'sizes are whole bytes');
  return (bytes + GRANULE_BYTES - 1) & -GRANULE_BYTES;
}

function pagesOf(bytes: number): number {
  return (bytes + PAGE_BYTES - 1) >> PAGE_SHIFT;
}

function views(size: number): Pick<Segment, 'bytes' | 'halves' | 'words'> {
  const bytes = new Uint8Array(size);
  return { bytes, halves: new Uint16Array(bytes.buffer), words: new Int32Array(bytes.buffer) };
}
