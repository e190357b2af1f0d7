// Layer trace. Planting and lifting a breakpoint (CC-S10.4, CC-S11.3), after arch/x86/kernel/kprobes/core.c and
// kernel/kprobes.c of Linux v6.12. One store and one SYNC, without a descriptor: whoever traps meanwhile finds the probe in
// the table. Where text is patched while the machine is stopped, so is it here. Probes on ftrace sites: `kprobe-ftrace.ts`.
import { known } from '../assert.ts';
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import type { Path } from '../emu/path.ts';
import { C_EBREAK, sync, writeHalf } from '../emu/text.ts';
import type { Errno } from './errno.ts';
import { whileTextRests } from './ftrace-stop.ts';
import type { Kernel } from './kernel.ts';
import { isQueued } from './kprobe-opt.ts';
import { KPROBE_FLAG_FTRACE } from './kprobe-struct.ts';
import { kprobeState } from './kprobe-table.ts';
import type { KprobeNode } from './kprobe.ts';

/** `arm_kprobe`: 0, or why it cannot be armed. Caller holds `kprobe_mutex`. */
export function* armKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<Errno> {
  if (isOnFtrace(cx, node)) return yield* k.fn.armKprobeFtrace(cx, k, node);
  yield* mutexLock(cx, k.textMutex);
  const neighbour = k.fn.getOptimizedKprobe(cx, k, node.addr);
  if (neighbour !== undefined) yield* k.fn.unoptimizeKprobe(cx, k, neighbour, true); // KP-61
  yield* k.fn.archArmKprobe(cx, k, node);
  yield* k.fn.optimizeKprobe(cx, k, node);
  yield* mutexUnlock(cx, k.textMutex);
  return 0;
}

/**
 * `disarm_kprobe`: the text is as it was, and every CPU knows (KP-22); or the optimiser will see to it. Caller holds
 * `kprobe_mutex`.
 */
export function* disarmKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<Errno> {
  if (isOnFtrace(cx, node)) return yield* k.fn.disarmKprobeFtrace(cx, k, node);
  yield* mutexLock(cx, k.textMutex);
  const { allDisarmed } = cx.make(() => kprobeState(k));
  const isForced = cx.make(() => allDisarmed.value);
  yield* k.fn.unoptimizeKprobe(cx, k, node, isForced);
  if (!isQueued(cx, k, node)) {
    yield* k.fn.archDisarmKprobe(cx, k, node);
    const neighbour = isForced ? undefined : k.fn.getOptimizedKprobe(cx, k, node.addr);
    if (neighbour !== undefined) yield* k.fn.optimizeKprobe(cx, k, neighbour);
  }
  yield* mutexUnlock(cx, k.textMutex);
  return 0;
}

/** KP-10.6: flags of an ftrace site do not change while it is planted. */
export function isOnFtrace(cx: Context, node: KprobeNode): boolean {
  return cx.make(() => (node.flags.value & KPROBE_FLAG_FTRACE) !== 0);
}

/** `arch_arm_kprobe`. Caller holds `text_mutex`. */
export function* archArmKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  const { bytes } = known(node.insn, 'a breakpoint stands for an instruction');
  cx.make(() => {
    k.machine.text.beginBreakpoint(node.addr, bytes);
  });
  yield* writeFirstHalf(cx, k, node, C_EBREAK);
}

/** `arch_disarm_kprobe`. Caller holds `text_mutex`. */
export function* archDisarmKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  const { low } = known(node.insn, 'a breakpoint stands for an instruction');
  yield* writeFirstHalf(cx, k, node, low);
}

function* writeFirstHalf(cx: Context, k: Kernel, { addr }: KprobeNode, half: number): Path<void> {
  if (k.patching === 'stopMachine') {
    yield* whileTextRests(cx, k, (own) => writeHalf(own, addr, 0, half)); // CC-S2.2
    return;
  }
  yield* writeHalf(cx, addr, 0, half); // CC-S10.4, CC-S11.3
  yield* k.fn.kprobeSyncText(cx);
}

/** The SYNC of CC-S10.4 and CC-S11.3: no CPU fetches the old half any more, nor is in its trap (CC-G6). */
export function* kprobeSyncText(cx: Context): Path<void> {
  yield* sync(cx);
}
