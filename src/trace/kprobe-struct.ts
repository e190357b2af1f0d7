// Layer trace. What `struct kprobe`, `struct kretprobe` and `struct jprobe` hold in guest memory: their layouts, and how
// the kernel reads and writes them (KP-1, KR-1). The kernel's use of freed memory is an oops (CC-M15).
import { type Address, addressHi, addressLo, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { act, type Path, readOnce } from '../emu/path.ts';
import { touchOps } from './ftrace-ops-memory.ts';
import type { Kernel } from './kernel.ts';
import type { Kprobe } from './kprobe.ts';

/** Flags of a kprobe (KP-2). */
export const KPROBE_FLAG_GONE = 1;
export const KPROBE_FLAG_DISABLED = 2;
export const KPROBE_FLAG_OPTIMIZED = 4;
export const KPROBE_FLAG_FTRACE = 8;
export const KPROBE_FLAG_ON_FUNC_ENTRY = 16;

/** Offsets in the guest's structs; include/linux/kprobes.h repeats them: change both or neither. */
export const KPROBE = {
  /** Stands for what a real kernel keeps in `hlist` and `list`: as long as it is there, that is. */
  mark: 0,
  list: 16,
  nmissed: 32,
  addr: 40,
  symbolName: 48,
  offset: 56,
  flags: 60,
  preHandler: 64,
  postHandler: 72,
  opcode: 80,
  ainsn: 88,
  /** `v2.6.31` only (KP-48); reserved today. */
  faultHandler: 96,
  /** The kernel's, for jprobes. */
  breakHandler: 104,
  bytes: 112,
} as const;

/** Behind the `struct kprobe` that it begins with. */
export const KRETPROBE = {
  handler: 112,
  entryHandler: 120,
  maxactive: 128,
  nmissed: 132,
  dataSize: 136,
  /** `rp->rh`, or the list of free instances. */
  own: 144,
  bytes: 152,
} as const;

export const JPROBE = { entry: 112, bytes: 120 } as const;

/** A pointer in guest memory; NO_ADDRESS is NULL. */
export function loadPointer(k: Kernel, at: Address): Address {
  const { memory } = k.machine;
  const [lo, hi] = [memory.loadLo(at), memory.loadHi(at)];
  return lo === 0 && hi === 0 ? NO_ADDRESS : toAddress(lo, hi);
}

export function storePointer(k: Kernel, at: Address, pointer: Address): void {
  const isNull = pointer === NO_ADDRESS;
  k.machine.memory.store64(at, isNull ? 0 : addressLo(pointer), isNull ? 0 : addressHi(pointer));
}

/** KP-2. */
export function isDisabled(flags: number): boolean {
  return (flags & (KPROBE_FLAG_DISABLED | KPROBE_FLAG_GONE)) !== 0;
}

/** A handler of the struct; NO_ADDRESS is NULL. */
export function loadKprobeHandler(k: Kernel, { address }: Kprobe, at: number): Address {
  return loadPointer(k, address + at);
}

/** The counter, as far as anybody counts. */
export function loadKprobeNmissed(k: Kernel, { address }: Kprobe): number {
  return k.machine.memory.loadLo(address + KPROBE.nmissed);
}

/** Reads p->flags in one step, on behalf of a hit. */
export function* readKprobeFlags(cx: Context, k: Kernel, p: Kprobe): Path<number> {
  yield* readOnce(p.flags);
  touchOps(cx, p);
  return cx.make(() => k.machine.memory.load32(p.address + KPROBE.flags));
}

/** Changes p->flags in one step. Caller holds `kprobe_mutex`. */
export function* writeKprobeFlags(
  _cx: Context,
  k: Kernel,
  p: Kprobe,
  change: (flags: number) => number,
): Path<void> {
  yield* act(p.flags, () => {
    if (p.memory?.live === false) return;
    const { memory } = k.machine;
    const flags = change(memory.load32(p.address + KPROBE.flags));
    memory.store32(p.address + KPROBE.flags, flags);
    p.flags.set(flags);
  });
}
