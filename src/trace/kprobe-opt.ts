// Layer trace. Jump-optimised probes (KP-60..KP-63, CC-S13.0): who becomes a jump, who is one no longer, and requests that
// meet one on its way. After kernel/kprobes.c of Linux v6.12. The worker is `kprobe-optimizer.ts`; detours are
// `kprobe-detour.ts`. Left out: `jump_label` and exception tables, of which this machine has none; and a probe in text that
// went and came again (KP-28) stays a breakpoint.
import { known } from '../assert.ts';
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { type Path, update } from '../emu/path.ts';
import { EINVAL, type Errno } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { functionCovering } from './kprobe-address.ts';
import { aggregateOf } from './kprobe-aggregate.ts';
import { probedText } from './kprobe-insn.ts';
import type { KprobeOptimizer, OptimizedKprobe } from './kprobe-optimizer-state.ts';
import { isUnused, kickKprobeOptimizer, removeDetour } from './kprobe-optimizer.ts';
import { replacedHalf } from './kprobe-prepare.ts';
import { JUMP_BYTES, optimizedRegion } from './kprobe-region.ts';
import { isDisabled, KPROBE_FLAG_DISABLED, KPROBE_FLAG_OPTIMIZED } from './kprobe-struct.ts';
import { kprobeBucket, kprobeState } from './kprobe-table.ts';
import type { KprobeNode } from './kprobe.ts';

const HALF_BYTES = 2;

function optimizerOf(cx: Context, k: Kernel): KprobeOptimizer | undefined {
  return cx.make(() => k.kprobes?.optimizer);
}

/**
 * `try_to_optimize_kprobe` (CC-S10.5): a probe that has just been planted becomes an aggregate if one jump can stand for
 * its instructions, and is queued. Caller holds `kprobe_mutex`.
 */
export function* tryToOptimizeKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  const optimizer = optimizerOf(cx, k);
  if (optimizer === undefined || node.insn === undefined || k.patching !== 'breakpoint') return;
  const optimized = yield* prepareOptimized(cx, k, optimizer, node);
  if (optimized === undefined) return;
  const aggregate = yield* aggregateOf(cx, k, node, optimized);
  if (aggregate === undefined) {
    yield* removeDetour(cx, k, optimized);
    return;
  }
  const { address } = known(
    cx.make(() => optimized.detour.value),
    'it was prepared',
  ).memory;
  cx.make(() => optimizer.byDetour.set(address, aggregate));
  yield* k.fn.optimizeKprobe(cx, k, aggregate);
}

/** `__prepare_optimized_kprobe`; undefined: not eligible, or no memory. */
function* prepareOptimized(
  cx: Context,
  k: Kernel,
  optimizer: KprobeOptimizer,
  { addr }: KprobeNode,
): Path<OptimizedKprobe | undefined> {
  const region = cx.make(() => k.fn.regionAt(k, addr));
  if (region === undefined) return undefined;
  const wanted = { addr, region };
  const detour = yield* k.fn.archPrepareOptimizedKprobe(cx, k, optimizer, wanted);
  if (detour === undefined) return undefined;
  const name = `detour/${detour.memory.object}`;
  return cx.make(() => ({ region, detour: k.machine.cells.cell(name, detour) }));
}

/** KP-60, as far as text says. */
export function regionAt(k: Kernel, addr: Address): readonly number[] | undefined {
  const func = known(functionCovering(k, addr), 'text was checked');
  return optimizedRegion(
    k,
    probedText(k, func, (at) => replacedHalf(k, at)),
    addr,
  );
}

/** `optimize_kprobe` (CC-S13.0, KP-60). Caller holds `kprobe_mutex`. */
export function* optimizeKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  const optimizer = optimizerOf(cx, k);
  if (optimizer === undefined || !isOptready(cx, node) || !mayOptimize(cx, k, optimizer, node)) {
    return;
  }
  if (isOptimized(cx, node)) {
    k.fn.cancelUnoptimize(cx, optimizer, node);
    return;
  }
  if (isQueued(cx, k, node)) return;
  yield* k.fn.queueToOptimize(cx, k, optimizer, node);
}

/** `kprobe_optready`. */
function isOptready(cx: Context, node: KprobeNode): boolean {
  return cx.make(() => node.optimized?.detour.value !== undefined);
}

/** KP-60, as far as that changes. */
function mayOptimize(
  cx: Context,
  k: Kernel,
  { allowed }: KprobeOptimizer,
  node: KprobeNode,
): boolean {
  const isOff = cx.make(() => isDisabled(node.flags.value) || kprobeState(k).allDisarmed.value);
  if (isOff || !cx.read(allowed) || cx.make(() => node.hasPost.value)) return false;
  return !othersInRegion(cx, k, node).some((one) => !isDisarmed(cx, k, one));
}

/** Probes in the region behind its first byte. */
function othersInRegion(
  cx: Context,
  k: Kernel,
  { addr, optimized }: KprobeNode,
): readonly KprobeNode[] {
  const { region } = known(optimized, 'there is a region');
  return cx.make(() =>
    region.slice(1).flatMap((_half, i) => nodeAt(k, addr + HALF_BYTES * (i + 1)) ?? []),
  );
}

function nodeAt(k: Kernel, addr: Address): KprobeNode | undefined {
  return kprobeBucket(k, addr).value.find((node) => node.addr === addr);
}

/** `kprobe_disarmed`: its text is as it was, and stays so. */
function isDisarmed(cx: Context, k: Kernel, node: KprobeNode): boolean {
  return cx.make(() => isDisabled(node.flags.value)) && !isQueued(cx, k, node);
}

/** A trap takes the region from the detour (KP-41.1); the text need not be a jump yet, or any more. */
function isOptimized(cx: Context, node: KprobeNode): boolean {
  return cx.make(() => (node.flags.value & KPROBE_FLAG_OPTIMIZED) !== 0);
}

/** `kprobe_queued`: it is on a list of the optimiser. Caller holds `kprobe_mutex`. */
export function isQueued(cx: Context, k: Kernel, node: KprobeNode): boolean {
  const optimizer = optimizerOf(cx, k);
  if (optimizer === undefined) return false;
  const { optimizing, unoptimizing, freeing } = optimizer;
  return [optimizing, unoptimizing, freeing].some((list) => cx.read(list).includes(node));
}

/** KP-36, CC-S11.4: is the text of an aggregate without probes still to be put back? Caller holds `kprobe_mutex`. */
export function mustLinger(cx: Context, k: Kernel, node: KprobeNode): boolean {
  return isQueued(cx, k, node);
}

/** CC-S13.0: from here on a trap takes the whole region from the detour. */
export function* queueToOptimize(
  cx: Context,
  k: Kernel,
  optimizer: KprobeOptimizer,
  node: KprobeNode,
): Path<void> {
  yield* update(node.flags, (flags) => flags | KPROBE_FLAG_OPTIMIZED); // CC-S13.0
  cx.write(optimizer.optimizing, [node, ...cx.read(optimizer.optimizing)]);
  yield* kickKprobeOptimizer(cx, k, optimizer);
}

/** It stays what it is: the jump is there. */
export function cancelUnoptimize(
  cx: Context,
  { unoptimizing }: KprobeOptimizer,
  node: KprobeNode,
): void {
  cx.write(
    unoptimizing,
    cx.read(unoptimizing).filter((one) => one !== node),
  );
}

/**
 * `unoptimize_kprobe` (KP-61): a probe that is queued to become a jump is dequeued; one that is a jump is put back, at once
 * where that is `force`, else by the worker. Caller holds `kprobe_mutex` and, to force, `text_mutex`.
 */
export function* unoptimizeKprobe(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  force: boolean,
): Path<void> {
  const optimizer = optimizerOf(cx, k);
  if (optimizer === undefined || isDisarmed(cx, k, node) || !isOptimized(cx, node)) return;
  const { optimizing, unoptimizing, freeing } = optimizer;
  if (cx.read(optimizing).includes(node)) {
    yield* k.fn.cancelOptimize(cx, optimizer, node);
    return;
  }
  const isPending = cx.read(unoptimizing).includes(node);
  if (force) yield* k.fn.forceUnoptimizeKprobe(cx, k, node);
  if (force && isPending) {
    k.fn.cancelUnoptimize(cx, optimizer, node);
    cx.write(freeing, [node, ...cx.read(freeing)]);
  }
  if (force || isPending) return;
  cx.write(unoptimizing, [node, ...cx.read(unoptimizing)]);
  yield* kickKprobeOptimizer(cx, k, optimizer);
}

/** The jump has never been written. */
export function* cancelOptimize(
  cx: Context,
  { optimizing }: KprobeOptimizer,
  node: KprobeNode,
): Path<void> {
  cx.write(
    optimizing,
    cx.read(optimizing).filter((one) => one !== node),
  );
  yield* update(node.flags, (flags) => flags & ~KPROBE_FLAG_OPTIMIZED);
}

/** `force_unoptimize_kprobe`. Caller holds both mutexes. */
export function* forceUnoptimizeKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  yield* k.fn.archUnoptimizeKprobe(cx, k, node); // CC-S13.1
  yield* update(node.flags, (flags) => flags & ~KPROBE_FLAG_OPTIMIZED); // CC-S13.1
}

/** A post_handler is to run from here on, and a detour calls none (KP-61). Caller holds `kprobe_mutex`. */
export function* unoptimizeForPost(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  if (node.optimized === undefined || optimizerOf(cx, k) === undefined) return;
  yield* mutexLock(cx, k.textMutex);
  yield* k.fn.unoptimizeKprobe(cx, k, node, true);
  yield* mutexUnlock(cx, k.textMutex);
}

/** `get_optimized_kprobe`: who has `addr` in its region behind its first byte. Caller holds `kprobe_mutex`. */
export function getOptimizedKprobe(cx: Context, k: Kernel, addr: Address): KprobeNode | undefined {
  if (optimizerOf(cx, k) === undefined) return undefined;
  for (let back = HALF_BYTES; back <= JUMP_BYTES; back += HALF_BYTES) {
    const node = cx.make(() => nodeAt(k, addr - back));
    if (node === undefined) continue;
    const bytes = HALF_BYTES * (node.optimized?.region.length ?? 0);
    return isOptready(cx, node) && back < bytes ? node : undefined;
  }
  return undefined;
}

/** `reuse_unused_kprobe` (KP-36): its last probe has left it, and a new one has come before the worker. */
export function* reuseUnusedKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<Errno> {
  if (!isUnused(cx, node)) return 0;
  yield* update(node.flags, (flags) => flags & ~KPROBE_FLAG_DISABLED);
  if (!isOptready(cx, node)) return -EINVAL;
  yield* k.fn.optimizeKprobe(cx, k, node);
  return 0;
}

/** `kill_optimized_kprobe` (KP-28): the text has gone, and nobody touches it. Caller holds `kprobe_mutex`. */
export function* killOptimizedKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  const optimizer = optimizerOf(cx, k);
  if (optimizer === undefined || node.optimized === undefined) return;
  const { optimizing, unoptimizing, freeing } = optimizer;
  for (const list of [optimizing, unoptimizing, freeing]) {
    cx.write(
      list,
      cx.read(list).filter((one) => one !== node),
    );
  }
  yield* update(node.flags, (flags) => flags & ~KPROBE_FLAG_OPTIMIZED);
  if (isUnused(cx, node)) {
    cx.write(freeing, [node, ...cx.read(freeing)]);
    yield* kickKprobeOptimizer(cx, k, optimizer);
  }
  yield* removeDetour(cx, k, node.optimized);
}
