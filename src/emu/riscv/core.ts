// Layer emu. What harts execute: memory, and text regions that are decoded on first use. Text is data
// (ARCHITECTURE.md): `writeHalf` is the only way to change it, and an entry that a write covers is decoded
// afresh. Which version of a halfword a CPU sees (CC-M5) is not decided here: see `runFetched`.
import { assert, known } from '../../assert.ts';
import { type Address, STACK_BYTES } from '../address.ts';
import { Memory, type Segment } from '../memory.ts';
import { TextRegion } from './region.ts';

export { ATTENTION, VISIBLE } from './region.ts';

/** A region starts with no more than this, and doubles. */
const TEXT_BYTES_FIRST = 1024;

const NOWHERE: readonly TextRegion[] = [];

export class Core {
  readonly memory: Memory;
  /** What `time` and `cycle` read at the start of a run: the machine sets it to the global step. */
  time = 0;
  #regions: readonly TextRegion[] = NOWHERE;
  #last: TextRegion | undefined;
  #before: TextRegion | undefined;
  /** Holds what `fetched` was given; not a part of memory. */
  #fetched: TextRegion | undefined;

  constructor(memory: Memory) {
    this.memory = memory;
  }

  /** Reserves [base, base + bytesCapacity) for text; it is mapped as far as it was written. */
  addText(base: Address, bytesCapacity: number): TextRegion {
    const segment = this.memory.addSegment({
      name: 'text',
      base,
      bytes: Math.min(bytesCapacity, TEXT_BYTES_FIRST),
      bytesMax: bytesCapacity,
      writable: false,
      text: true,
    });
    const region = new TextRegion(segment);
    this.#regions = [...this.#regions, region];
    return region;
  }

  /** The region whose written part covers `address`; none where no instruction can stand. */
  regionAt(address: Address): TextRegion | undefined {
    if ((address & 1) !== 0) return undefined;
    const last = this.#last;
    if (last !== undefined && (address - last.base) >>> 0 < last.size) return last;
    return this.#search(address);
  }

  /** A hit goes there and back: between two regions, the one before the last is nearly always the next. */
  #search(address: Address): TextRegion | undefined {
    const before = this.#before;
    this.#before = this.#last;
    if (before !== undefined && (address - before.base) >>> 0 < before.size)
      return (this.#last = before);
    for (const region of this.#regions) {
      if ((address - region.base) >>> 0 < region.size) return (this.#last = region);
    }
    return undefined;
  }

  /** The segment that begins at `stackBase`: a hart's own stack. */
  stackAt(stackBase: Address): Segment {
    const stack = known(this.memory.segmentAt(stackBase), 'a hart runs on a stack');
    assert(stack.base === stackBase, 'a stack is a segment of its own');
    assert(stack.size >= STACK_BYTES && stack.writable, 'a stack is all there');
    assert(stack.live === undefined, 'stacks have no liveness');
    return stack;
  }

  /** Writes one halfword of text, for all CPUs. */
  writeHalf(address: Address, value: number): void {
    assert(value >= 0 && value <= 0xffff, 'a halfword has 16 bits');
    const region = this.#reach(address, 2);
    const offset = address - region.base;
    this.memory.noteStore(region.segment, address, 2);
    region.segment.halves[offset >> 1] = value;
    region.forget(offset);
  }

  /** Writes text in bulk: what an image loader and an assembler hand over. */
  writeText(address: Address, halves: Uint16Array): void {
    if (halves.length === 0) return;
    const region = this.#reach(address, 2 * halves.length);
    const first = address - region.base;
    for (let i = 0; i < halves.length; i++) {
      this.memory.noteStore(region.segment, address + 2 * i, 2);
      region.forget(first + 2 * i);
    }
    region.segment.halves.set(halves, first >> 1);
  }

  /**
   * Replaces the flags of the instruction at `address`; they survive rewriting. Bits beside VISIBLE and
   * ATTENTION are the machine's own and make no boundary.
   */
  setFlags(address: Address, flags: number): void {
    assert(flags >= 0 && flags <= 0xff, 'flags fit in a byte');
    const region = this.#reach(address, 2);
    region.setFlags(address - region.base, flags);
  }

  flagsAt(address: Address): number {
    const region = this.regionAt(address);
    return region === undefined ? 0 : region.flagsAt(address - region.base);
  }

  /** A region whose only instruction stands at `pc` and is made of these halfwords. */
  fetched(pc: Address, low: number, high: number): TextRegion {
    const region = (this.#fetched ??= fetchedRegion());
    region.base = pc;
    region.segment.halves[0] = low;
    region.segment.halves[1] = high;
    region.forget(0);
    region.decodeAt(0);
    return region;
  }

  /** The region for [address, address + bytes), which becomes mapped. */
  #reach(address: Address, bytes: number): TextRegion {
    assert((address & 1) === 0, 'text is written in halfwords');
    const region = known(this.#reserved(address), `the address is reserved for text`);
    const { segment } = region;
    const end = address - region.base + bytes;
    assert(end <= segment.bytesMax, 'text ends in its region');
    if (end > segment.size) {
      this.memory.grow(segment, Math.min(segment.bytesMax, Math.max(end, 2 * segment.size)));
      region.fit();
    }
    return region;
  }

  #reserved(address: Address): TextRegion | undefined {
    for (const region of this.#regions) {
      if ((address - region.base) >>> 0 < region.segment.bytesMax) return region;
    }
    return undefined;
  }
}

function fetchedRegion(): TextRegion {
  const shape = { name: 'fetched', base: 0, bytes: 4, writable: false, text: true };
  return new TextRegion(new Memory().addSegment(shape));
}
