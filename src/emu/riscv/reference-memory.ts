// Layer emu. Guest memory as the reference core sees it: little-endian bytes in segments, the reasons why an
// access faults, and reservations. It shares the segments' data with `Memory`, and none of the fast core's code.
import { type Address, GUARD_BYTES, NO_ADDRESS, STACK_BYTES } from '../address.ts';
import { GRANULE_SHIFT, PAGE_SHIFT, type Segment } from '../memory.ts';
import type { FaultReason } from '../regs.ts';
import type { ReferenceCore, ReferenceHart } from './reference.ts';

const HALF_BYTES = 0x80000000;

export type Bytes = 1 | 2 | 4 | 8;

/**
 * The host address of guest address `value`: its distance from 0xffffffff80000000, modulo 2^32. Taken as signed, an address
 * that is in neither half of the address space is one beyond 32 bits.
 */
export function hostAddress(value: bigint): Address {
  const signed = Number(BigInt.asIntN(64, value));
  if (signed < -HALF_BYTES || signed >= HALF_BYTES) return NO_ADDRESS;
  return signed < 0 ? signed + HALF_BYTES : signed - HALF_BYTES;
}

/** The segment that holds all of these bytes. */
export function segmentOf(
  core: ReferenceCore,
  address: Address,
  bytes: number,
): Segment | undefined {
  for (const segment of core.memory.segments) {
    const { base, size } = segment;
    if (address >= base && address + bytes <= base + size) return segment;
  }
  return undefined;
}

/** Whether guest address `address` lies within the own stack of `hart`. */
export function isPrivate({ stackBase }: ReferenceHart, address: bigint): boolean {
  return address >= stackBase && address < stackBase + BigInt(STACK_BYTES);
}

/** Loads an unsigned value; undefined after a fault. */
export function load(
  core: ReferenceCore,
  hart: ReferenceHart,
  address: bigint,
  bytes: Bytes,
): bigint | undefined {
  const segment = reach(core, hart, address, bytes);
  return segment === undefined ? undefined : peek(core, segment, address, bytes);
}

/** A store that has not happened yet. */
export interface Store {
  readonly address: bigint;
  readonly bytes: Bytes;
  readonly value: bigint;
}

/** Stores the low bytes of a value; false after a fault. */
export function store(core: ReferenceCore, hart: ReferenceHart, what: Store): boolean {
  const { address, bytes, value } = what;
  const segment = writable(core, hart, address, bytes);
  if (segment === undefined) return false;
  const offset = hostAddress(address) - segment.base;
  const view = viewOf(core, segment);
  if (bytes === 1) view.setUint8(offset, Number(value & 0xffn));
  else if (bytes === 2) view.setUint16(offset, Number(value & 0xffffn), true);
  else if (bytes === 4) view.setUint32(offset, Number(value & 0xffffffffn), true);
  else view.setBigUint64(offset, value, true);
  segment.dirty.fill(1, offset >> PAGE_SHIFT, ((offset + bytes - 1) >> PAGE_SHIFT) + 1);
  killReservations(core, address, bytes);
  return true;
}

/** Any store to the 8 bytes that a hart reserved takes its reservation away. */
export function killReservations(core: ReferenceCore, address: bigint, bytes: number): void {
  for (const hart of core.harts) {
    const { reservation } = hart;
    if (reservation === undefined) continue;
    if (address < reservation + 8n && address + BigInt(bytes) > reservation)
      hart.reservation = undefined;
  }
}

/** The segment for a store, or undefined and a fault. */
export function writable(
  core: ReferenceCore,
  hart: ReferenceHart,
  address: bigint,
  bytes: Bytes,
): Segment | undefined {
  const segment = reach(core, hart, address, bytes);
  if (segment === undefined || segment.writable) return segment;
  return refuse(hart, 'readonly', address);
}

/** The segment for a load, or undefined and a fault. */
export function reach(
  core: ReferenceCore,
  hart: ReferenceHart,
  address: bigint,
  bytes: Bytes,
): Segment | undefined {
  const at = hostAddress(address);
  const segment = segmentOf(core, at, bytes);
  if (segment === undefined) {
    const guarded = address < hart.stackBase && address >= hart.stackBase - BigInt(GUARD_BYTES);
    return refuse(hart, guarded ? 'stack' : 'unmapped', address);
  }
  const { base, live } = segment;
  if (live === undefined) return segment;
  const [first, last] = [at - base, at - base + bytes - 1];
  const lives = live[first >> GRANULE_SHIFT] === 1 && live[last >> GRANULE_SHIFT] === 1;
  return lives ? segment : refuse(hart, 'freed', address);
}

/** Notes a fault; undefined, for `return refuse(...)`. */
export function refuse(hart: ReferenceHart, reason: FaultReason, address: bigint): undefined {
  hart.faultReason = reason;
  hart.faultAddress = address;
  return undefined;
}

function peek(core: ReferenceCore, segment: Segment, address: bigint, bytes: Bytes): bigint {
  const offset = hostAddress(address) - segment.base;
  const view = viewOf(core, segment);
  if (bytes === 8) return view.getBigUint64(offset, true);
  if (bytes === 4) return BigInt(view.getUint32(offset, true));
  return BigInt(bytes === 2 ? view.getUint16(offset, true) : view.getUint8(offset));
}

/** Views are kept: a segment's bytes are replaced only when it grows. */
function viewOf({ views }: ReferenceCore, { bytes }: Segment): DataView {
  const found = views.get(bytes);
  if (found !== undefined) return found;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  views.set(bytes, view);
  return view;
}
