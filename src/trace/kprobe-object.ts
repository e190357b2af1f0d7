// Layer trace. Probes as objects: the struct that a guest keeps in its memory, or one that is placed and filled in for a
// workload. The same struct is the same probe as long as its mark is there: one that is zeroed, copied, or in memory that was
// freed and allocated again is a new one.
import { assert, known } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { TRACE_EVENTS } from './event.ts';
import { watchCallback } from './ftrace-callback.ts';
import type { Kernel } from './kernel.ts';
import { JPROBE, KPROBE, KRETPROBE, loadPointer, storePointer } from './kprobe-struct.ts';
import { kprobeState } from './kprobe-table.ts';
import type { Kprobe, KprobeKind, KprobeNode } from './kprobe.ts';
import type { Rethook } from './rethook.ts';

/** Structs of script probes lie here, each with the name of its symbol behind it. */
const KPROBE_BASE: Address = 0x00300000;
const KPROBE_STRIDE = 256;
const KPROBE_NAME = 160;
const KPROBE_NAME_MAX = KPROBE_STRIDE - KPROBE_NAME - 1;
const KPROBE_COUNT_MAX = 4096;
const KPROBE_COUNT_FIRST = 16;

/** What a user fills in before registering; absent handlers are NULL. */
export interface KprobeFields {
  readonly name: string;
  readonly kind: KprobeKind;
  /** `symbol_name`, also `MOD:SYM`; or, without it, `addr`. Neither: both are NULL. */
  readonly symbol?: string | undefined;
  readonly addr?: Address | undefined;
  readonly offset?: number;
  readonly flags?: number;
  readonly preHandler?: Address | undefined;
  readonly postHandler?: Address | undefined;
  readonly faultHandler?: Address | undefined;
  /** Of a kretprobe. */
  readonly handler?: Address | undefined;
  readonly entryHandler?: Address | undefined;
  readonly maxactive?: number;
  readonly dataSize?: number;
  /** Of a jprobe. */
  readonly entry?: Address | undefined;
}

/** A script's probe: its struct is placed and filled in. For boot, before the first step. */
export function newKprobe(k: Kernel, fields: KprobeFields): Kprobe {
  const address = placeStruct(k);
  fillStruct(k, address, fields);
  const p = makeKprobe(k, { address, kind: fields.kind, name: fields.name, mark: 0 });
  const cpu = known(k.machine.cpus[0], 'there is a first CPU');
  k.machine.report(cpu, TRACE_EVENTS.object.id, ...objectWords(k, p));
  return p;
}

/**
 * Fills in the struct of a script's probe anew, as it has to be before it is registered again: what the kernel has left in
 * `addr` and `flags` counts otherwise (KP-10.1, KP-10.5). It is not registered. Part of the present step.
 */
export function refillKprobe(k: Kernel, p: Kprobe, fields: KprobeFields): void {
  assert(p.mark === 0 && p.node.value === undefined, 'it is a script probe that is not planted');
  fillStruct(k, p.address, fields);
  p.flags.set(fields.flags ?? 0);
}

function fillStruct(k: Kernel, address: Address, fields: KprobeFields): void {
  const { memory } = k.machine;
  const pointer = (offset: number, to: Address | undefined): void => {
    storePointer(k, address + offset, to ?? NO_ADDRESS);
  };
  if (fields.symbol !== undefined) storeName(k, address, fields.symbol);
  pointer(KPROBE.addr, fields.addr);
  memory.store32(address + KPROBE.offset, fields.offset ?? 0);
  memory.store32(address + KPROBE.flags, fields.flags ?? 0);
  pointer(KPROBE.preHandler, fields.preHandler);
  pointer(KPROBE.postHandler, fields.postHandler);
  pointer(KPROBE.faultHandler, fields.faultHandler);
  if (fields.kind === 'kretprobe') {
    pointer(KRETPROBE.handler, fields.handler);
    pointer(KRETPROBE.entryHandler, fields.entryHandler);
    memory.store32(address + KRETPROBE.maxactive, fields.maxactive ?? 0);
    memory.store64(address + KRETPROBE.dataSize, fields.dataSize ?? 0, 0);
  }
  if (fields.kind === 'jprobe') pointer(JPROBE.entry, fields.entry);
}

function storeName(k: Kernel, address: Address, symbol: string): void {
  assert(symbol.length <= KPROBE_NAME_MAX, 'a symbol fits behind its struct');
  const at = address + KPROBE_NAME;
  for (let i = 0; i < symbol.length; i++) k.machine.memory.store8(at + i, symbol.charCodeAt(i));
  storePointer(k, address + KPROBE.symbolName, at);
}

function placeStruct(k: Kernel): Address {
  const { memory } = k.machine;
  const state = kprobeState(k);
  assert(state.placed < KPROBE_COUNT_MAX, 'the probes of a workload fit their segment');
  const index = state.placed++;
  const segment =
    memory.segmentAt(KPROBE_BASE) ??
    memory.addSegment({
      name: 'kprobe',
      base: KPROBE_BASE,
      bytes: KPROBE_COUNT_FIRST * KPROBE_STRIDE,
      bytesMax: KPROBE_COUNT_MAX * KPROBE_STRIDE,
      writable: true,
    });
  const bytes = state.placed * KPROBE_STRIDE;
  if (bytes > segment.size) memory.grow(segment, 2 * bytes);
  return KPROBE_BASE + index * KPROBE_STRIDE;
}

/** The probe whose struct a guest keeps at `address`. */
export function bindKprobe(cx: Context, k: Kernel, address: Address, kind: KprobeKind): Kprobe {
  return cx.make(() => {
    const present = presentKprobe(k, address);
    if (present !== undefined) return present;
    const mark = k.ops.numbered + 1;
    const p = makeKprobe(k, { address, kind, name: k.machine.nameOf(address), mark });
    k.machine.memory.store64(address + KPROBE.mark, mark, 0);
    cx.emit(TRACE_EVENTS.object.id, ...objectWords(k, p));
    return p;
  });
}

/** The probe at `address`, if the kernel has heard of it. */
export function presentKprobe(k: Kernel, address: Address): Kprobe | undefined {
  const present = k.kprobes?.byAddress.get(address);
  if (present === undefined || present.memory !== k.machine.slab.holding(address)) return undefined;
  return k.machine.memory.loadLo(address + KPROBE.mark) === present.mark ? present : undefined;
}

function makeKprobe(
  k: Kernel,
  { address, kind, name, mark }: Pick<Kprobe, 'address' | 'kind' | 'name' | 'mark'>,
): Kprobe {
  const { cells, memory, slab } = k.machine;
  const { byAddress, mutex } = kprobeState(k);
  const p: Kprobe = {
    object: ++k.ops.numbered,
    kind,
    name,
    address,
    mark,
    memory: slab.holding(address),
    flags: cells.cell(`flags/${name}`, memory.load32(address + KPROBE.flags)),
    nmissed: cells.cell(`nmissed/${name}`, memory.loadLo(address + KPROBE.nmissed)),
    generation: cells.cell(`generation/${name}`, 0),
    next: cells.cell<Kprobe | undefined>(`next/${name}`, undefined),
    node: cells.cell<KprobeNode | undefined>(`node/${name}`, undefined, mutex),
    rethook: cells.cell<Rethook | undefined>(`rethook/${name}`, undefined),
  };
  byAddress.set(address, p);
  return p;
}

/** Handlers of the struct, whose calls are to be reported. */
export function watchHandlers(k: Kernel, p: Kprobe): void {
  for (const at of handlerPlaces(p)) {
    const handler = loadPointer(k, p.address + at);
    if (handler !== NO_ADDRESS) watchCallback(k, handler);
  }
}

function handlerPlaces({ kind }: Kprobe): readonly number[] {
  const own = [KPROBE.preHandler, KPROBE.postHandler, KPROBE.faultHandler];
  if (kind === 'kretprobe') return [...own, KRETPROBE.handler, KRETPROBE.entryHandler];
  return kind === 'jprobe' ? [...own, JPROBE.entry] : own;
}

/** The first handler that there is stands for the object. */
function objectWords(k: Kernel, p: Kprobe): readonly [number, number, number, number] {
  const { strings } = k.machine;
  const handlers = handlerPlaces(p).map((at) => loadPointer(k, p.address + at));
  const callback = handlers.find((handler) => handler !== NO_ADDRESS) ?? NO_ADDRESS;
  return [strings.id(p.kind), p.object, strings.id(p.name), callback];
}
