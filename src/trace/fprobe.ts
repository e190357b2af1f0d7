// Layer trace. `struct fprobe`: what callers fill in lies in guest memory, as include/linux/fprobe.h publishes it, in
// the layout of the era; flags and `nmissed` are cells over that memory, so the struct says what holds. What a return
// machine keeps about an fprobe is not here.
import { assert, known } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import type { KObject } from '../emu/slab.ts';
import { TRACE_EVENTS } from './event.ts';
import {
  FPROBE_LAYOUTS,
  type FprobeLayout,
  type FprobeStruct,
  layoutOf,
  loadStruct,
  readFprobeStruct,
  storePointer,
} from './fprobe-struct.ts';
import { storeOpsFlags } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';
import type { FprobeEra } from './profile.ts';

/** Structs of script probes lie here, out of the way of every other segment. */
const FPROBE_BASE: Address = 0x00260000;
const FPROBE_STRIDE = 128;
const FPROBE_COUNT_MAX = 4096;
const FPROBE_COUNT_FIRST = 16;

export interface Fprobe {
  readonly kind: 'fprobe';
  /** Its number in events, among those of all objects. */
  readonly object: number;
  readonly name: string;
  /** `struct fprobe` in guest memory: what handlers get. */
  readonly address: Address;
  /** What the struct of a guest's fprobe holds at its mark; a script's has no mark. */
  readonly mark: number;
  /** The heap object that the struct lies in; undefined elsewhere. */
  readonly memory: KObject | undefined;
  /** Identity of accesses to fp->flags and fp->nmissed; the value is in the struct, which guests write to as well. */
  readonly flags: Cell<number>;
  readonly nmissed: Cell<number>;
  /** Counts registrations, from 1; 0 before the first. For events only. */
  readonly generation: Cell<number>;
}

/** All `struct fprobe` that the kernel has heard of, by address. */
export interface FprobeTable {
  readonly era: FprobeEra;
  /** Undefined: there is no fprobe in this era. */
  readonly layout: FprobeLayout | undefined;
  readonly byAddress: Map<Address, Fprobe>;
  /** Structs handed out from FPROBE_BASE. */
  placed: number;
}

export function newFprobeTable(era: FprobeEra): FprobeTable {
  const layout = era === 'none' ? undefined : FPROBE_LAYOUTS[era];
  return { era, layout, byAddress: new Map(), placed: 0 };
}

/** What a user fills in before registering; absent handlers are NULL. */
export interface FprobeRequest {
  readonly name: string;
  readonly entryHandler?: Address | undefined;
  readonly exitHandler?: Address | undefined;
  readonly entryDataSize?: number;
  readonly nrMaxactive?: number;
  /** FPROBE_FL_*. */
  readonly flags?: number;
  /** FTRACE_OPS_FL_* of `fp->ops`, in eras of rethook (FP-20). */
  readonly opsFlags?: number;
}

/** A script's fprobe: its struct is placed and filled in. For boot, before the first step. */
export function newFprobe(k: Kernel, request: FprobeRequest): Fprobe {
  const { memory } = k.machine;
  const at = layoutOf(k);
  const address = placeStruct(k);
  const store = (offset: number, value: number): void => {
    memory.store64(address + offset, value, value >> 31);
  };
  memory.store32(address + at.flags, request.flags ?? 0);
  store(at.entryDataSize, request.entryDataSize ?? 0);
  memory.store32(address + at.nrMaxactive, request.nrMaxactive ?? 0);
  storePointer(k, address + at.entryHandler, request.entryHandler ?? NO_ADDRESS);
  storePointer(k, address + at.exitHandler, request.exitHandler ?? NO_ADDRESS);
  if (request.opsFlags !== undefined) storeOpsFlags(k, address, request.opsFlags);
  const fp = makeFprobe(k, address, { name: request.name, mark: 0 });
  const cpu = known(k.machine.cpus[0], 'there is a first CPU');
  if (k.fprobes.byAddress.size === 1) {
    k.machine.report(cpu, TRACE_EVENTS.fprobe_rules.id, ...rulesWords(k));
    if (k.fprobeOptions.sharedStrict) k.machine.report(cpu, TRACE_EVENTS.fprobe_strict.id);
  }
  k.machine.report(cpu, TRACE_EVENTS.object.id, ...objectWords(k, fp));
  return fp;
}

function placeStruct(k: Kernel): Address {
  const { memory } = k.machine;
  assert(k.fprobes.placed < FPROBE_COUNT_MAX, 'the fprobes of a workload fit their segment');
  const index = k.fprobes.placed++;
  const segment =
    memory.segmentAt(FPROBE_BASE) ??
    memory.addSegment({
      name: 'fprobe',
      base: FPROBE_BASE,
      bytes: FPROBE_COUNT_FIRST * FPROBE_STRIDE,
      bytesMax: FPROBE_COUNT_MAX * FPROBE_STRIDE,
      writable: true,
    });
  const bytes = k.fprobes.placed * FPROBE_STRIDE;
  if (bytes > segment.size) memory.grow(segment, 2 * bytes);
  return FPROBE_BASE + index * FPROBE_STRIDE;
}

/**
 * The fprobe whose struct a guest keeps at `address`. One that is zeroed for reuse, copied or never used is a new one;
 * so is one in memory that was freed and allocated again.
 */
export function bindFprobe(cx: Context, k: Kernel, address: Address): Fprobe {
  return cx.make(() => presentFprobe(k, address) ?? newGuestFprobe(cx, k, address));
}

/** The fprobe at `address`, if the kernel has heard of it. */
export function presentFprobe(k: Kernel, address: Address): Fprobe | undefined {
  const present = k.fprobes.byAddress.get(address);
  if (present === undefined || present.memory !== k.machine.slab.holding(address)) return undefined;
  const mark = k.machine.memory.loadLo(address + layoutOf(k).mark);
  return mark === present.mark ? present : undefined;
}

function newGuestFprobe(cx: Context, k: Kernel, address: Address): Fprobe {
  const mark = k.ops.numbered + 1;
  const fp = makeFprobe(k, address, { name: k.machine.nameOf(address), mark });
  k.machine.memory.store64(address + layoutOf(k).mark, mark, 0);
  if (k.fprobes.byAddress.size === 1) {
    cx.emit(TRACE_EVENTS.fprobe_rules.id, ...rulesWords(k));
    if (k.fprobeOptions.sharedStrict) cx.emit(TRACE_EVENTS.fprobe_strict.id);
  }
  cx.emit(TRACE_EVENTS.object.id, ...objectWords(k, fp));
  return fp;
}

function makeFprobe(
  k: Kernel,
  address: Address,
  { name, mark }: Pick<Fprobe, 'name' | 'mark'>,
): Fprobe {
  const { cells, memory, slab } = k.machine;
  const at = layoutOf(k);
  const fp: Fprobe = {
    kind: 'fprobe',
    object: ++k.ops.numbered,
    name,
    address,
    mark,
    memory: slab.holding(address),
    flags: cells.cell(`flags/${name}`, memory.load32(address + at.flags)),
    nmissed: cells.cell(`nmissed/${name}`, memory.loadLo(address + at.nmissed)),
    generation: cells.cell(`generation/${name}`, 0),
  };
  k.fprobes.byAddress.set(address, fp);
  return fp;
}

function rulesWords(k: Kernel): readonly [number, number, number, number] {
  const { strings } = k.machine;
  const { missPolicy, countRecursion, racyCounters } = k.fprobeOptions;
  const rules = [strings.id(k.era), strings.id(missPolicy)] as const;
  return [...rules, countRecursion ? 1 : 0, racyCounters ? 1 : 0];
}

function objectWords(k: Kernel, fp: Fprobe): readonly [number, number, number, number] {
  const { strings } = k.machine;
  const { entryHandler, exitHandler } = loadStruct(k, fp);
  const callback = entryHandler === NO_ADDRESS ? exitHandler : entryHandler;
  return [strings.id('fprobe'), fp.object, strings.id(fp.name), callback];
}

/** Through what an fprobe is reached, and the object of the ftrace_ops behind it. */
export interface FprobeHook {
  readonly hook: 'rethook' | 'fgraph' | 'ftrace';
  readonly ops: number;
}

/**
 * A registration of `fp` begins, which handlers may run for from now on: it gets its number, and events say what of
 * the struct counts. For the return machine, once it knows that `fp` is not registered yet; part of the present step.
 */
export function beginRegistration(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { hook, ops }: FprobeHook,
): FprobeStruct {
  const struct = readFprobeStruct(cx, k, fp);
  cx.make(() => {
    fp.generation.set(fp.generation.value + 1);
  });
  const { flags, entryDataSize, nrMaxactive, entryHandler, exitHandler } = struct;
  const words = [flags, entryHandler, exitHandler, entryDataSize | 0, nrMaxactive] as const;
  const name = cx.make(() => k.machine.strings.id(hook));
  cx.emit(TRACE_EVENTS.fprobe.id, fp.object, name, ops, ...words);
  return struct;
}
