// Layer emu. Objects that live and die: `kmalloc` memory for guests and the kernel's own objects. Each has
// a number and a generation; freed memory is poisoned, and any later touch is an event (CC-M15).
import { assert } from '../assert.ts';
import { type Address, HEAP_BASE, HEAP_BYTES_MAX, NO_ADDRESS } from './address.ts';
import { CHOICE } from './choose.ts';
import type { Context } from './context.ts';
import { EMU_EVENTS } from './event.ts';
import { LIMITS } from './limits.ts';
import type { Machine } from './machine.ts';
import type { Segment } from './memory.ts';
import { act, type Path } from './path.ts';

/** Granule of guest heap objects, and of liveness. */
const GRANULE = 16;
const POISON = 0x6b;
/** An event tells no greater number; who asks for more is told as asking for this much. */
const INT_MAX = 0x7fffffff;

export interface KObject {
  readonly kind: string;
  /** Unique for objects without an address; for others the number of the place. */
  readonly object: number;
  /** Counts reuses of the place, from 1. */
  readonly generation: number;
  /** NO_ADDRESS for objects that only the kernel model sees. */
  readonly address: Address;
  readonly bytes: number;
  live: boolean;
}

export interface Request {
  readonly kind: string;
  readonly bytes: number;
  /** Where it lies, if the caller manages the place (trampolines). */
  readonly address?: Address;
  /** The kernel's own, but guest code is shown what is in it: it lies in the heap, and begins as zeros. */
  readonly shown?: boolean;
}

export class Slab {
  private readonly machine: Machine;
  private readonly heap: Segment;
  private heapEnd = 0;
  /** Of live objects without an address. */
  private kernelBytes = 0;
  private objectCount = 0;
  /** Free heap places by size, longest free first, so that reuse is late. */
  private readonly free = new Map<number, Address[]>();
  /** The object that lies, or lay last, at an address. */
  private readonly places = new Map<Address, KObject>();
  /** Kinds of objects whose allocation may fail by choice. */
  failing: ReadonlySet<string> = new Set();

  constructor(machine: Machine, heap: Segment) {
    this.machine = machine;
    this.heap = heap;
  }

  /** Makes an object of `kind` (an effect: inside a step). Undefined when memory is out or by choice. */
  create(cx: Context, request: Request): KObject | undefined {
    const machine = this.machine;
    const mayFail = this.failing.has(request.kind);
    const fails = mayFail && machine.chooseAt(cx.cpu, CHOICE.alloc, 2) === 1;
    const address = fails ? undefined : this.place(request);
    if (address === undefined) {
      const bytes = Math.min(request.bytes, INT_MAX);
      cx.emit(EMU_EVENTS.alloc_failed.id, machine.strings.id(request.kind), bytes);
      return undefined;
    }
    const before = address === NO_ADDRESS ? undefined : this.places.get(address);
    assert(before?.live !== true, 'a place is free before it is used again');
    const made: KObject = {
      kind: request.kind,
      object: before?.object ?? ++this.objectCount,
      generation: (before?.generation ?? 0) + 1,
      address,
      bytes: request.bytes,
      live: true,
    };
    if (address !== NO_ADDRESS) this.places.set(address, made);
    const kind = machine.strings.id(made.kind);
    cx.emit(EMU_EVENTS.alloc.id, kind, made.object, made.generation, address, made.bytes);
    return made;
  }

  /** Frees and poisons (an effect: inside a step). */
  destroy(cx: Context, made: KObject): void {
    assert(made.live, `a ${made.kind} is freed once`);
    made.live = false;
    cx.emit(EMU_EVENTS.free.id, made.object, made.generation);
    const { address } = made;
    if (address === NO_ADDRESS) this.kernelBytes -= made.bytes;
    if (address < HEAP_BASE) return;
    const bytes = roundUp(made.bytes);
    for (let at = address; at < address + bytes; at++) this.machine.memory.store8(at, POISON);
    this.machine.memory.setLive(address, bytes, false);
    const places = this.free.get(bytes);
    if (places === undefined) this.free.set(bytes, [address]);
    else places.push(address);
  }

  /** The object whose memory covers `address`, dead or alive. */
  covering(address: Address): KObject | undefined {
    for (const made of this.places.values()) {
      if (address >= made.address && address < made.address + made.bytes) return made;
    }
    return undefined;
  }

  /** The heap object whose memory covers `address`, dead or alive. */
  holding(address: Address): KObject | undefined {
    return address < HEAP_BASE ? undefined : this.covering(address);
  }

  /** The live heap object that begins at `address`. */
  at(address: Address): KObject | undefined {
    const made = this.places.get(address);
    return made?.live === true && made.kind === 'heap' ? made : undefined;
  }

  private place(request: Request): Address | undefined {
    if (request.address !== undefined) return request.address;
    if (request.kind !== 'heap' && request.shown !== true) return this.placeHidden(request.bytes);
    const bytes = roundUp(request.bytes);
    const reused = this.free.get(bytes)?.shift();
    const address = reused ?? this.extend(bytes);
    if (address !== undefined) this.machine.memory.setLive(address, bytes, true);
    if (address !== undefined && request.shown === true) this.clear(address, bytes);
    return address;
  }

  /** Nobody sees where it lies; it takes memory all the same. */
  private placeHidden(bytes: number): Address | undefined {
    if (bytes > LIMITS.kernelBytesMax - this.kernelBytes) return undefined;
    this.kernelBytes += bytes;
    return NO_ADDRESS;
  }

  private clear(address: Address, bytes: number): void {
    for (let at = address; at < address + bytes; at++) this.machine.memory.store8(at, 0);
  }

  private extend(bytes: number): Address | undefined {
    const end = this.heapEnd + bytes;
    if (end > HEAP_BYTES_MAX) return undefined;
    const address = HEAP_BASE + this.heapEnd;
    if (end > this.heap.bytes.length) {
      this.machine.memory.grow(this.heap, Math.min(Math.max(end * 2, 4096), HEAP_BYTES_MAX));
    }
    this.heapEnd = end;
    return address;
  }
}

function roundUp(bytes: number): number {
  return Math.max(GRANULE, Math.ceil(bytes / GRANULE) * GRANULE);
}

/** Allocates in one step. */
export function allocate(cx: Context, request: Request): Path<KObject | undefined> {
  return act(cx.cpu.machine.slabCell, () => cx.cpu.machine.slab.create(cx, request));
}

/** Frees in one step. */
export function release(cx: Context, made: KObject): Path<void> {
  return act(cx.cpu.machine.slabCell, () => {
    cx.cpu.machine.slab.destroy(cx, made);
  });
}

/** Reports a use of `made`, dead or alive; belongs to the step of the access that uses it. */
export function touch(cx: Context, made: KObject): void {
  cx.emit(EMU_EVENTS.touch.id, made.object, made.generation);
}
