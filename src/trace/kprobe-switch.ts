// Layer trace. Enabling one probe again, and all of them at once (KP-24..KP-27, CC-S14), after kernel/kprobes.c of Linux
// v6.12; and what becomes of probes in a module that goes (KP-28, CC-S20.2).
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { type Path, writeOnce } from '../emu/path.ts';
import { EINVAL, type Errno } from './errno.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { Kernel } from './kernel.ts';
import { isOnFtrace } from './kprobe-arm.ts';
import {
  isDisabled,
  KPROBE,
  KPROBE_FLAG_DISABLED,
  KPROBE_FLAG_GONE,
  writeKprobeFlags,
} from './kprobe-struct.ts';
import { kprobeState, probesOf } from './kprobe-table.ts';
import { writeNodeFlags } from './kprobe-unregister.ts';
import type { Kprobe, KprobeNode } from './kprobe.ts';
import type { Module } from './module.ts';

/** `enable_kprobe`. */
export function* enableKprobe(cx: Context, k: Kernel, p: Kprobe): Path<Errno> {
  useOps(cx, p);
  const { mutex } = cx.make(() => kprobeState(k));
  yield* mutexLock(cx, mutex);
  const node = cx.read(p.node);
  const result = node === undefined ? -EINVAL : yield* k.fn.enableValidKprobe(cx, k, p, node);
  yield* mutexUnlock(cx, mutex);
  return result;
}

/** Caller holds `kprobe_mutex`. While all are disarmed an owner keeps its DISABLED (KP-24). */
export function* enableValidKprobe(
  cx: Context,
  k: Kernel,
  p: Kprobe,
  node: KprobeNode,
): Path<Errno> {
  const flags = cx.make(() => k.machine.memory.load32(p.address + KPROBE.flags));
  if ((flags & KPROBE_FLAG_GONE) !== 0) return -EINVAL;
  if (node.isAggregate) yield* writeKprobeFlags(cx, k, p, enabled);
  const { allDisarmed } = cx.make(() => kprobeState(k));
  if (cx.make(() => allDisarmed.value || !isDisabled(node.flags.value))) return 0;
  yield* writeNodeFlags(cx, k, node, enabled);
  const armed = yield* k.fn.armKprobe(cx, k, node); // CC-S10.4
  if (armed < 0) yield* k.fn.enableFailed(cx, k, p, node);
  return armed;
}

function enabled(flags: number): number {
  return flags & ~KPROBE_FLAG_DISABLED;
}

/** KP-25. */
export function* enableFailed(cx: Context, k: Kernel, p: Kprobe, node: KprobeNode): Path<void> {
  yield* writeNodeFlags(cx, k, node, (flags) => flags | KPROBE_FLAG_DISABLED);
  if (node.isAggregate) yield* writeKprobeFlags(cx, k, p, (flags) => flags | KPROBE_FLAG_DISABLED);
}

/** A write to `kprobes/enabled` (KP-26, KP-27). */
export function* writeEnabledFile(cx: Context, k: Kernel, text: string): Path<Errno> {
  const on = k.fn.parseEnabled(text);
  if (on === undefined) return -EINVAL;
  if (on === 'ignored') return 0;
  yield* on === 'on' ? k.fn.armAllKprobes(cx, k) : k.fn.disarmAllKprobes(cx, k);
  return 0;
}

const WORDS: Readonly<Record<string, 'on' | 'off'>> = { on: 'on', of: 'off' };

/** `kstrtobool` (KP-27): undefined is -EINVAL. */
export function parseEnabled(text: string): 'on' | 'off' | 'ignored' | undefined {
  const first = text.charAt(0);
  if ('1yYtT'.includes(first) && first !== '') return 'on';
  if ('0nNfF'.includes(first) && first !== '') return 'off';
  return WORDS[text.slice(0, 2).toLowerCase()];
}

/** `arm_all_kprobes`: those that are not disabled. */
export function* armAllKprobes(cx: Context, k: Kernel): Path<void> {
  const { mutex, allDisarmed } = cx.make(() => kprobeState(k));
  yield* mutexLock(cx, mutex);
  if (cx.make(() => allDisarmed.value)) {
    yield* writeOnce(allDisarmed, false); // CC-S14
    for (const node of enabledNodes(cx, k)) yield* k.fn.armKprobe(cx, k, node);
  }
  yield* mutexUnlock(cx, mutex);
}

/** `disarm_all_kprobes`: no probe's own flag changes (KP-26). */
export function* disarmAllKprobes(cx: Context, k: Kernel): Path<void> {
  const { mutex, allDisarmed } = cx.make(() => kprobeState(k));
  yield* mutexLock(cx, mutex);
  const wasOn = cx.make(() => !allDisarmed.value);
  if (wasOn) {
    yield* writeOnce(allDisarmed, true); // CC-S14
    for (const node of enabledNodes(cx, k)) yield* k.fn.disarmKprobe(cx, k, node);
  }
  yield* mutexUnlock(cx, mutex);
  if (wasOn) yield* k.fn.waitForKprobeOptimizer(cx, k);
}

/** In the order of the table. Caller holds `kprobe_mutex`. */
function enabledNodes(cx: Context, k: Kernel): readonly KprobeNode[] {
  return cx.make(() =>
    kprobeState(k).table.flatMap(({ value }) =>
      value.filter(({ flags }) => !isDisabled(flags.value)),
    ),
  );
}

/** A write to sysctl `debug/kprobes-optimization` (KP-63): 0 or 1. */
export function* writeOptimization(cx: Context, k: Kernel, text: string): Path<Errno> {
  const { mutex, optimizer } = cx.make(() => kprobeState(k));
  const value = text.trim();
  if ((value !== '0' && value !== '1') || optimizer === undefined) return -EINVAL;
  const allows = value === '1';
  yield* mutexLock(cx, mutex);
  const changes = cx.read(optimizer.allowed) !== allows;
  cx.write(optimizer.allowed, allows);
  for (const node of changes ? enabledNodes(cx, k) : []) {
    if (allows) yield* k.fn.optimizeKprobe(cx, k, node);
    else yield* k.fn.unoptimizeKprobe(cx, k, node, false);
  }
  yield* mutexUnlock(cx, mutex);
  if (changes && !allows) yield* k.fn.waitForKprobeOptimizer(cx, k);
  return 0;
}

/**
 * `kill_kprobe`, of whatever is in text that goes (KP-28): the breakpoint goes with it. One on an ftrace site is disarmed
 * before GONE counts as disabled. Caller holds `kprobe_mutex`.
 */
export function* killKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  const armed = isOnFtrace(cx, node) && cx.make(() => !isDisabled(node.flags.value));
  if (armed && !cx.make(() => kprobeState(k).allDisarmed.value)) {
    yield* k.fn.disarmKprobeFtrace(cx, k, node);
  }
  yield* writeNodeFlags(cx, k, node, gone);
  if (node.isAggregate) {
    for (const p of cx.make(() => probesOf(node))) yield* writeKprobeFlags(cx, k, p, gone);
    yield* writeOnce(node.hasPost, false);
  }
  yield* k.fn.killOptimizedKprobe(cx, k, node);
  yield* k.fn.archRemoveKprobe(cx, k, node);
}

/** `kprobes_module_callback` (CC-S20.2): a module goes, and what is planted in it with it. */
export function* kprobesModuleCallback(cx: Context, k: Kernel, module: Module): Path<void> {
  if (cx.make(() => k.kprobes) === undefined) return;
  const { mutex } = cx.make(() => kprobeState(k));
  yield* mutexLock(cx, mutex);
  for (const node of cx.make(() => nodesIn(k, module))) yield* k.fn.killKprobe(cx, k, node);
  yield* mutexUnlock(cx, mutex);
}

/** In the order of the table. */
function nodesIn(k: Kernel, { image: { object } }: Module): readonly KprobeNode[] {
  const { base, bytes } = object.text;
  return kprobeState(k).table.flatMap(({ value }) =>
    value.filter(({ addr }) => addr >= base && addr < base + bytes.length),
  );
}

function gone(flags: number): number {
  return flags | KPROBE_FLAG_GONE;
}
