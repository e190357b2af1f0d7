// Layer trace. A hit of a jump-optimised probe (CC-H9, KP-62), and of one that is to become a jump or was one (KP-41.1).
// IRQs are as the caller has them; only preemption is off.
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { type Path, readOnce } from '../emu/path.ts';
import { preemptDisable, preemptEnable } from '../emu/preempt.ts';
import { touch } from '../emu/slab.ts';
import type { Kernel } from './kernel.ts';
import { hitBy, setCurrentKprobe } from './kprobe-busy.ts';
import { passes } from './kprobe-step.ts';
import { isDisabled, KPROBE_FLAG_OPTIMIZED } from './kprobe-struct.ts';
import { currentKprobe } from './kprobe-table.ts';
import type { CurrentKprobe, KprobeNode } from './kprobe.ts';

/** `setup_detour_execution` (KP-41.1): where the trap goes on with all of the region; undefined: it is stepped. */
export function* setupDetourExecution(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  interrupted: CurrentKprobe | undefined,
): Path<Address | undefined> {
  if (node.optimized === undefined) return undefined;
  const flags = yield* readOnce(node.flags);
  const detour = cx.make(() => node.optimized?.detour.value);
  if ((flags & KPROBE_FLAG_OPTIMIZED) === 0 || detour === undefined) return undefined;
  if (interrupted === undefined) yield* setCurrentKprobe(cx, k, undefined);
  return passes(cx, node, 'detour', detour.copy);
}

/** `optimized_callback` (CC-H9.3-5), called by the detour at `at`. */
export function* optimizedCallback(cx: Context, k: Kernel, at: Address, regs: Address): Path<void> {
  const node = cx.make(() => k.kprobes?.optimizer?.byDetour.get(at));
  if (node === undefined) {
    cx.make(() => {
      cx.cpu.machine.oops(cx.cpu, 'no such detour', at);
    });
    return;
  }
  yield* preemptDisable(cx); // CC-H9.3
  const flags = yield* readOnce(node.flags); // CC-H9.4
  if (node.memory !== undefined) touch(cx, node.memory);
  if (!isDisabled(flags)) yield* k.fn.optimizedHit(cx, k, node, regs); // KP-62
  yield* preemptEnable(cx); // CC-H9.5
}

/** What handlers return, and what they make of `ip`, counts for nothing (KP-62). */
export function* optimizedHit(cx: Context, k: Kernel, node: KprobeNode, regs: Address): Path<void> {
  const current = yield* readOnce(cx.make(() => currentKprobe(k, cx.cpu))); // CC-H9.4
  if (current !== undefined) {
    yield* k.fn.kprobesIncNmissedCount(cx, k, node, 'kprobe_running');
    return;
  }
  yield* setCurrentKprobe(
    cx,
    k,
    cx.make(() => hitBy(cx, node)),
  );
  yield* k.fn.optPreHandler(cx, k, node, regs);
  yield* setCurrentKprobe(cx, k, undefined);
}
