// Layer trace. `unregister_kprobes` (KP-20..KP-22, CC-S11), after kernel/kprobes.c of Linux v6.12.
import { known } from '../assert.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { act, type Path, update, writeOnce } from '../emu/path.ts';
import { synchronize } from '../emu/rcu.ts';
import type { Errno } from './errno.ts';
import { EINVAL } from './errno.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { Kernel } from './kernel.ts';
import { hasPostHandler, otherHasPost, unlinkSibling } from './kprobe-aggregate.ts';
import { isOnFtrace } from './kprobe-arm.ts';
import { unlinkNode } from './kprobe-register.ts';
import {
  isDisabled,
  KPROBE,
  KPROBE_FLAG_DISABLED,
  KPROBE_FLAG_GONE,
  storePointer,
  writeKprobeFlags,
} from './kprobe-struct.ts';
import { kprobeState, probesOf } from './kprobe-table.ts';
import type { Kprobe, KprobeNode } from './kprobe.ts';

/**
 * `unregister_kprobes`. Guarantee `unregister` (KP-21): after it returns no handler of theirs runs or will run, and they
 * may be freed: the text is clean and synced, the table and lists do not lead to them, and the wait has outlasted
 * whoever had found them before. One wait for all. Task context; sleeps.
 */
export function* unregisterKprobes(cx: Context, k: Kernel, ps: readonly Kprobe[]): Path<void> {
  if (ps.length === 0) return;
  const { mutex } = cx.make(() => kprobeState(k));
  yield* mutexLock(cx, mutex); // CC-S11.1
  const left: KprobeNode[] = [];
  for (const p of ps) {
    useOps(cx, p);
    const node = yield* k.fn.unregisterKprobeTop(cx, k, p);
    if (node === undefined) yield* k.fn.clearKprobeAddr(cx, k, p); // KP-20.2
    else if (node !== 'shared') left.push(node);
  }
  yield* mutexUnlock(cx, mutex);
  yield* k.fn.kprobeSynchronizeRcu(cx); // CC-S11.5
  for (const node of left) yield* k.fn.unregisterKprobeBottom(cx, k, node); // CC-S11.6
}

/** KP-20.6. */
export function* kprobeSynchronizeRcu(cx: Context): Path<void> {
  yield* synchronize(cx, 'synchronize_rcu');
}

/** KP-20.2. */
export function* clearKprobeAddr(_cx: Context, k: Kernel, p: Kprobe): Path<void> {
  yield* act(p.flags, () => {
    if (p.memory?.live !== false) storePointer(k, p.address + KPROBE.addr, NO_ADDRESS);
  });
}

/**
 * `__unregister_kprobe_top` (CC-S11.2-4): the entry that left the table with it; `shared`: others have it still;
 * undefined: the probe is not registered.
 */
export function* unregisterKprobeTop(
  cx: Context,
  k: Kernel,
  p: Kprobe,
): Path<KprobeNode | 'shared' | undefined> {
  const node = cx.read(p.node);
  if (node === undefined) return undefined;
  const result = yield* k.fn.disableValidKprobe(cx, k, p, node); // CC-S11.2-3
  if (result < 0) return undefined;
  const isOver = yield* k.fn.unlinkKprobe(cx, k, p, node); // CC-S11.4
  cx.write(p.node, undefined);
  return isOver ? node : 'shared';
}

/** CC-S11.4; true: nobody is left at the address. */
export function* unlinkKprobe(cx: Context, k: Kernel, p: Kprobe, node: KprobeNode): Path<boolean> {
  if (!node.isAggregate) {
    yield* unlinkNode(cx, k, node);
    return true;
  }
  yield* k.fn.dropPostHandler(cx, k, p, node);
  if (cx.make(() => probesOf(node).length) > 1 || k.fn.mustLinger(cx, k, node)) {
    yield* unlinkSibling(cx, node, p);
    const { allDisarmed } = cx.make(() => kprobeState(k));
    const armed = cx.make(() => !allDisarmed.value && !isDisabled(node.flags.value));
    if (armed) yield* k.fn.optimizeKprobe(cx, k, node);
    return false;
  }
  yield* unlinkNode(cx, k, node);
  return true;
}

/** KP-34: with the last post_handler goes the aggregate's, except where it says which ftrace_ops the site is armed in. */
export function* dropPostHandler(cx: Context, k: Kernel, p: Kprobe, node: KprobeNode): Path<void> {
  const isLast = cx.make(() => {
    const isGone = (p.flags.value & KPROBE_FLAG_GONE) !== 0;
    return !isGone && hasPostHandler(k, p) && node.hasPost.value && !otherHasPost(k, node, p);
  });
  if (isLast && !isOnFtrace(cx, node)) yield* writeOnce(node.hasPost, false);
}

/**
 * `__disable_kprobe` (KP-23, CC-S11.2-3), of a probe that is registered: its own flag, and with the last enabled one at
 * the address the text. Caller holds `kprobe_mutex`.
 */
export function* disableValidKprobe(
  cx: Context,
  k: Kernel,
  p: Kprobe,
  node: KprobeNode,
): Path<Errno> {
  if (cx.make(() => isDisabled(k.machine.memory.load32(p.address + KPROBE.flags)))) return 0;
  if (node.isAggregate) yield* writeKprobeFlags(cx, k, p, (flags) => flags | KPROBE_FLAG_DISABLED); // CC-S11.2
  if (node.isAggregate && !cx.make(() => k.fn.allDisabled(k, node))) return 0;
  const { allDisarmed } = cx.make(() => kprobeState(k));
  if (!cx.make(() => allDisarmed.value || isDisabled(node.flags.value))) {
    const result = yield* k.fn.disarmKprobe(cx, k, node); // CC-S11.3
    if (result < 0) {
      yield* writeKprobeFlags(cx, k, p, (flags) => flags & ~KPROBE_FLAG_DISABLED);
      return result;
    }
  }
  yield* writeNodeFlags(cx, k, node, (flags) => flags | KPROBE_FLAG_DISABLED); // CC-S11.3
  return 0;
}

/** An aggregate's flags are its own; those of a probe alone are in its struct. */
export function* writeNodeFlags(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  change: (flags: number) => number,
): Path<void> {
  if (node.isAggregate) {
    yield* update(node.flags, change);
    return;
  }
  const p = known(
    cx.make(() => node.first.value),
    'an entry has a probe',
  );
  yield* writeKprobeFlags(cx, k, p, change);
}

/** `__unregister_kprobe_bottom` (CC-S11.6), behind the wait. */
export function* unregisterKprobeBottom(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  const { detourTasksWait } = k.kprobeOptions;
  if (node.optimized !== undefined && detourTasksWait) yield* k.fn.synchronizeRcuTasks(cx); // CC-N2
  yield* k.fn.freeAggrKprobe(cx, k, node);
}

/** `disable_kprobe` (KP-23): no wait, so a handler may still be running. */
export function* disableKprobe(cx: Context, k: Kernel, p: Kprobe): Path<Errno> {
  useOps(cx, p);
  const { mutex } = cx.make(() => kprobeState(k));
  yield* mutexLock(cx, mutex);
  const node = cx.read(p.node);
  const result = node === undefined ? -EINVAL : yield* k.fn.disableValidKprobe(cx, k, p, node);
  yield* mutexUnlock(cx, mutex);
  return result;
}
