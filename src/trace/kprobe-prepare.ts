// Layer trace. What a probe needs before it is planted (KP-10.10, CC-S10.2): its instruction decoded and, where it is
// stepped, copied out of line; and what is given back when nobody is left at the address (CC-S11.6).
import { known } from '../assert.ts';
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { type Path, update, writeOnce } from '../emu/path.ts';
import { ENOMEM, type Errno } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { KprobeTarget } from './kprobe-address.ts';
import { hasPostHandler, type PreparedKprobe } from './kprobe-aggregate.ts';
import { probedText, type ProbedText } from './kprobe-insn.ts';
import {
  archPrepareSsSlot,
  freeInsnSlot,
  getInsnSlot,
  type KprobeInsnCache,
} from './kprobe-slot.ts';
import { KPROBE_FLAG_DISABLED, KPROBE_FLAG_GONE } from './kprobe-struct.ts';
import { kprobeBucket, kprobeState } from './kprobe-table.ts';
import type { Kprobe, KprobeNode, KprobeSlot, ProbedInsn } from './kprobe.ts';

/** `prepare_kprobe`: what is allocated, or why the instruction cannot be probed. Caller holds `kprobe_mutex`. */
export function* prepareKprobe(
  cx: Context,
  k: Kernel,
  p: Kprobe,
  { addr, func }: KprobeTarget,
): Path<PreparedKprobe | Errno> {
  const text = cx.make(() =>
    probedText(k, known(func, 'text was checked'), (at) => replacedHalf(k, at)),
  );
  const found = cx.make(() => k.fn.kprobeInsnAt(text, addr));
  if (found.kind === 'rejected') return found.errno;
  const { kind, bytes } = found;
  const insn = cx.make(() => insnOf(text, addr, { kind, bytes }));
  if (kind === 'simulate') return { insn, slot: undefined };
  const wantsBoost = cx.make(() => k.machine.preemption !== 'full' && !hasPostHandler(k, p));
  const slot = yield* k.fn.prepareSlot(cx, k, { addr, insn, wantsBoost }); // CC-S10.2
  return slot === undefined ? -ENOMEM : { insn, slot };
}

function insnOf(
  { read, func }: ProbedText,
  addr: Address,
  { kind, bytes }: Pick<ProbedInsn, 'kind' | 'bytes'>,
): ProbedInsn {
  const high = addr + 2 < func.address + func.size ? read(addr + 2) : 0;
  return { kind, bytes, low: read(addr), high };
}

/** What a breakpoint of a kprobe hides at `at`, or a jump, whatever the text of that one is right now (H-18). */
export function replacedHalf(k: Kernel, at: Address): number | undefined {
  const here = nodeAt(k, at);
  if (here !== undefined) return here.insn?.low;
  return nodeAt(k, at - 2)?.optimized?.region[1];
}

function nodeAt(k: Kernel, at: Address): KprobeNode | undefined {
  return kprobeBucket(k, at).value.find(({ addr }) => addr === at);
}

interface SlotRequest {
  readonly addr: Address;
  readonly insn: ProbedInsn;
  /** Nobody has to know when the copy is done (KP-41.2). */
  readonly wantsBoost: boolean;
}

/** A slot with a copy of the instruction; undefined without memory. */
export function* prepareSlot(
  cx: Context,
  k: Kernel,
  { addr, insn: { bytes, low, high }, wantsBoost }: SlotRequest,
): Path<KprobeSlot | undefined> {
  const memory = yield* getInsnSlot(cx, slotsOf(cx, k)); // CC-S10.2
  if (memory === undefined) return undefined;
  cx.make(() => {
    const insn = bytes === 2 ? [low] : [low, high];
    archPrepareSsSlot(k.machine, memory, wantsBoost ? { insn, boostTo: addr + bytes } : { insn });
  });
  return { memory, address: memory.address, isBoosted: wantsBoost };
}

/** Who is in a boosted copy has left nothing behind that a grace period of ours waits for. */
export function* releaseSlot(
  cx: Context,
  k: Kernel,
  { memory, isBoosted }: KprobeSlot,
): Path<void> {
  yield* freeInsnSlot(cx, slotsOf(cx, k), memory, isBoosted);
}

function slotsOf(cx: Context, k: Kernel): KprobeInsnCache {
  return cx.make(() => kprobeState(k).slots);
}

/** A post_handler comes to a boosted probe: from here on somebody has to know when the copy is done. */
export function* endBoost(cx: Context, k: Kernel, node: KprobeNode): Path<Errno> {
  const { addr, insn } = node;
  const boosted = cx.make(() => node.slot.value);
  if (insn === undefined || boosted?.isBoosted !== true) return 0;
  const slot = yield* k.fn.prepareSlot(cx, k, { addr, insn, wantsBoost: false });
  if (slot === undefined) return -ENOMEM;
  yield* writeOnce(node.slot, slot);
  yield* k.fn.releaseSlot(cx, k, boosted);
  return 0;
}

/** `arch_remove_kprobe` (CC-S11.6). */
export function* archRemoveKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  const slot = yield* update(node.slot, () => undefined);
  if (slot !== undefined) yield* k.fn.releaseSlot(cx, k, slot);
}

/**
 * KP-28: at an address whose text had gone a new probe gives the aggregate a new slot, and it is as good as disabled until
 * it is armed.
 */
export function* reviveAggregate(cx: Context, k: Kernel, node: KprobeNode): Path<Errno> {
  if (!cx.make(() => (node.flags.value & KPROBE_FLAG_GONE) !== 0)) return 0;
  if (node.insn?.kind === 'step') {
    const { addr, insn } = node;
    const slot = yield* k.fn.prepareSlot(cx, k, { addr, insn, wantsBoost: false });
    if (slot === undefined) return -ENOMEM;
    yield* writeOnce(node.slot, slot);
  }
  yield* update(node.flags, (flags) => (flags & ~KPROBE_FLAG_GONE) | KPROBE_FLAG_DISABLED);
  return 0;
}
