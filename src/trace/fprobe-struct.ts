// Layer trace. What a `struct fprobe` holds, in guest memory: its layouts, and how the kernel reads and writes it. The
// kernel's use of freed memory is an oops (CC-M15).
import { known } from '../assert.ts';
import { type Address, addressHi, addressLo, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { act, andThen, type Path, readOnce } from '../emu/path.ts';
import type { Fprobe } from './fprobe.ts';
import { watchCallback } from './ftrace-callback.ts';
import { touchOps, useOps } from './ftrace-ops-memory.ts';
import type { Kernel } from './kernel.ts';
import type { FprobeEra } from './profile.ts';

/** Offsets in the guest's struct; include/linux/fprobe.h repeats them: change both or neither. */
export interface FprobeLayout {
  readonly nmissed: number;
  readonly flags: number;
  readonly entryDataSize: number;
  readonly nrMaxactive: number;
  readonly entryHandler: number;
  readonly exitHandler: number;
  /** The pointer that a return machine keeps: `hlist_array` or `rethook`. */
  readonly own: number;
  /** Stands for what else a real kernel keeps in the struct: as long as it is there, that is. */
  readonly mark: number;
  readonly bytes: number;
}

/** In the layout `rethook` a `struct ftrace_ops` comes first. */
export const FPROBE_LAYOUTS: Readonly<Record<Exclude<FprobeEra, 'none'>, FprobeLayout>> = {
  fgraph: {
    nmissed: 0,
    flags: 8,
    entryDataSize: 16,
    nrMaxactive: 24,
    entryHandler: 32,
    exitHandler: 40,
    own: 48,
    mark: 56,
    bytes: 64,
  },
  rethook: {
    nmissed: 64,
    flags: 72,
    own: 80,
    entryDataSize: 88,
    nrMaxactive: 96,
    entryHandler: 104,
    exitHandler: 112,
    mark: 120,
    bytes: 128,
  },
};

/** fp->flags (FP-3). */
export const FPROBE_FL_DISABLED = 1;
export const FPROBE_FL_KPROBE_SHARED = 2;

/** The layout of this era's struct. */
export function layoutOf(k: Kernel): FprobeLayout {
  return known(k.fprobes.layout, 'the era has fprobes');
}

/** What the struct holds besides its counter; NO_ADDRESS is NULL. */
export interface FprobeStruct {
  readonly flags: number;
  readonly entryDataSize: number;
  readonly nrMaxactive: number;
  readonly entryHandler: Address;
  readonly exitHandler: Address;
}

/** Reads the struct as part of the present step, and has calls of its handlers reported. */
export function readFprobeStruct(cx: Context, k: Kernel, fp: Fprobe): FprobeStruct {
  useOps(cx, fp);
  return cx.make(() => {
    const found = loadStruct(k, fp);
    const { entryHandler, exitHandler } = found;
    if (entryHandler !== NO_ADDRESS) watchCallback(k, entryHandler);
    if (exitHandler !== NO_ADDRESS) watchCallback(k, exitHandler);
    return found;
  });
}

/** What the struct holds now. */
export function loadStruct(k: Kernel, { address }: Fprobe): FprobeStruct {
  const { memory } = k.machine;
  const at = layoutOf(k);
  return {
    flags: memory.load32(address + at.flags),
    entryDataSize: loadSize(k, address + at.entryDataSize),
    nrMaxactive: memory.load32(address + at.nrMaxactive) | 0,
    entryHandler: loadPointer(k, address + at.entryHandler),
    exitHandler: loadPointer(k, address + at.exitHandler),
  };
}

/** A `size_t`; what is beyond any memory is as good as any other such number. */
function loadSize(k: Kernel, at: Address): number {
  const { memory } = k.machine;
  const [lo, hi] = [memory.loadLo(at), memory.loadHi(at)];
  return hi === 0 ? lo >>> 0 : Number.MAX_SAFE_INTEGER;
}

function loadPointer(k: Kernel, at: Address): Address {
  const { memory } = k.machine;
  const [lo, hi] = [memory.loadLo(at), memory.loadHi(at)];
  return lo === 0 && hi === 0 ? NO_ADDRESS : toAddress(lo, hi);
}

/** Stores a pointer; NO_ADDRESS is NULL. */
export function storePointer(k: Kernel, at: Address, pointer: Address): void {
  const isNull = pointer === NO_ADDRESS;
  k.machine.memory.store64(at, isNull ? 0 : addressLo(pointer), isNull ? 0 : addressHi(pointer));
}

/** Stores fp->entry_data_size, as registration does where it rounds (FP-50); part of the present step. */
export function writeEntryDataSize(cx: Context, k: Kernel, fp: Fprobe, bytes: number): void {
  useOps(cx, fp);
  cx.make(() => {
    k.machine.memory.store64(fp.address + layoutOf(k).entryDataSize, bytes, 0);
  });
}

/** Reads fp->flags in one step: anyone may change them at any time (CC-S8, CC-S9). On behalf of a hit. */
export function readFprobeFlags(cx: Context, k: Kernel, fp: Fprobe): Path<number> {
  return andThen(readOnce(fp.flags), () => {
    touchOps(cx, fp);
    return cx.make(() => k.machine.memory.load32(fp.address + layoutOf(k).flags));
  });
}

/** Changes fp->flags in one step. */
export function* changeFprobeFlags(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  change: (flags: number) => number,
): Path<void> {
  yield* act(fp.flags, () => {
    if (fp.memory?.live === false) return;
    const { memory } = k.machine;
    const at = fp.address + layoutOf(k).flags;
    const flags = change(memory.load32(at));
    memory.store32(at, flags);
    fp.flags.set(flags);
  });
  useOps(cx, fp);
}
