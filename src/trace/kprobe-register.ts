// Layer trace. `register_kprobe` and `register_kprobes` (KP-10..KP-14, CC-S10), after kernel/kprobes.c of Linux v6.12.
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { act, enter, type Path, update } from '../emu/path.ts';
import { synchronize } from '../emu/rcu.ts';
import { EINVAL, type Errno } from './errno.ts';
import { TRACE_EVENTS } from './event.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { Kernel } from './kernel.ts';
import type { KprobeTarget } from './kprobe-address.ts';
import { type PreparedKprobe, soleNode } from './kprobe-aggregate.ts';
import { watchHandlers } from './kprobe-object.ts';
import {
  isDisabled,
  KPROBE,
  KPROBE_FLAG_DISABLED,
  KPROBE_FLAG_FTRACE,
  KPROBE_FLAG_ON_FUNC_ENTRY,
  loadKprobeHandler,
  storePointer,
  writeKprobeFlags,
} from './kprobe-struct.ts';
import { kprobeBucket, kprobeState } from './kprobe-table.ts';
import type { Kprobe, KprobeNode } from './kprobe.ts';
import { modulePut } from './module.ts';

/**
 * `register_kprobe`. Guarantee (KP-11): the probe is in the table before its breakpoint is in the text, so whoever hits it
 * finds it. Task context; sleeps.
 */
export function* registerKprobe(cx: Context, k: Kernel, p: Kprobe): Path<Errno> {
  useOps(cx, p);
  const target = cx.make(() => k.fn.kprobeAddr(k, p)); // KP-10.1-3
  if (typeof target === 'number') return target;
  yield* act(p.flags, () => {
    storePointer(k, p.address + KPROBE.addr, target.addr); // Never cleared by a failure behind it.
  });
  const again = yield* warnKprobeRereg(cx, k, p);
  if (again < 0) return again; // KP-10.4
  yield* k.fn.initKprobe(cx, k, p); // KP-10.5
  const safe = yield* act(k.machine.slabCell, () => k.fn.checkKprobeAddressSafe(k, target)); // CC-S10.1
  if (typeof safe === 'number') return safe;
  const { mutex } = cx.make(() => kprobeState(k));
  yield* mutexLock(cx, mutex); // KP-10.9
  const result = yield* registerLocked(cx, k, p, target);
  yield* mutexUnlock(cx, mutex);
  if (safe.module !== undefined) yield* modulePut(safe.module);
  return result;
}

/** `warn_kprobe_rereg`: the struct is planted, and must not be touched (KP-10.4). */
export function* warnKprobeRereg(cx: Context, k: Kernel, p: Kprobe): Path<Errno> {
  const { mutex } = cx.make(() => kprobeState(k));
  yield* mutexLock(cx, mutex);
  const isPlanted = cx.read(p.node) !== undefined;
  yield* mutexUnlock(cx, mutex);
  if (!isPlanted) return 0;
  cx.emit(EMU_EVENTS.printk.id, cx.cpu.machine.strings.id('WARNING: warn_kprobe_rereg'));
  return -EINVAL;
}

/** KP-10.5: a user passes in DISABLED at most, and counting begins anew. */
export function* initKprobe(_cx: Context, k: Kernel, p: Kprobe): Path<void> {
  yield* act(p.flags, () => {
    if (p.memory?.live === false) return;
    const { memory } = k.machine;
    const flags = memory.load32(p.address + KPROBE.flags) & KPROBE_FLAG_DISABLED;
    memory.store32(p.address + KPROBE.flags, flags);
    p.flags.set(flags);
    memory.store64(p.address + KPROBE.nmissed, 0, 0);
    p.nmissed.set(0);
  });
}

/** Caller holds `kprobe_mutex`. */
function* registerLocked(cx: Context, k: Kernel, p: Kprobe, target: KprobeTarget): Path<Errno> {
  const present = yield* k.fn.getKprobe(cx, k, target.addr); // KP-10.9
  begins(cx, k, p, target);
  yield* writeKprobeFlags(cx, k, p, (flags) => flags | flagsOf(target));
  if (present !== undefined) return yield* enter(k.fn.registerAggrKprobe(cx, k, present, p));
  return yield* k.fn.registerNewKprobe(cx, k, p, target);
}

function flagsOf({ isEntry, site }: KprobeTarget): number {
  const onEntry = isEntry ? KPROBE_FLAG_ON_FUNC_ENTRY : 0;
  return onEntry | (site === NO_ADDRESS ? 0 : KPROBE_FLAG_FTRACE); // KP-10.6
}

/** From here on its handlers may run (KP-12): the registration gets its number, and events say what of the struct counts. */
function begins(cx: Context, k: Kernel, p: Kprobe, { addr, site }: KprobeTarget): void {
  cx.make(() => {
    watchHandlers(k, p);
    p.generation.set(p.generation.value + 1);
    const { memory, strings } = k.machine;
    const how = strings.id(site === NO_ADDRESS ? 'breakpoint' : 'ftrace');
    const handler = (at: number): Address => loadKprobeHandler(k, p, at);
    const flags = memory.load32(p.address + KPROBE.flags);
    const words = [flags, handler(KPROBE.preHandler), handler(KPROBE.postHandler)] as const;
    cx.emit(TRACE_EVENTS.kprobe.id, p.object, strings.id(p.kind), how, addr, ...words);
  });
}

/** KP-52: no step, and no slot. */
const ON_SITE: PreparedKprobe = { insn: undefined, slot: undefined };

/** The first probe of its address (CC-S10.2-5). Caller holds `kprobe_mutex`. */
export function* registerNewKprobe(
  cx: Context,
  k: Kernel,
  p: Kprobe,
  target: KprobeTarget,
): Path<Errno> {
  const prepared =
    target.site === NO_ADDRESS ? yield* k.fn.prepareKprobe(cx, k, p, target) : ON_SITE; // CC-S10.2
  if (typeof prepared === 'number') return prepared;
  const node = cx.make(() => soleNode(k, p, target.addr, prepared));
  return yield* k.fn.plantKprobe(cx, k, p, node);
}

/** CC-S10.3-5: in the table first, then in the text (KP-11). */
export function* plantKprobe(cx: Context, k: Kernel, p: Kprobe, node: KprobeNode): Path<Errno> {
  yield* linkNode(cx, k, node); // CC-S10.3
  cx.write(p.node, node);
  const flags = cx.make(() => node.flags.value);
  const isOff = cx.make(() => kprobeState(k).allDisarmed.value) || isDisabled(flags);
  const armed = isOff ? 0 : yield* k.fn.armKprobe(cx, k, node); // CC-S10.4
  if (armed < 0) {
    yield* unlinkNode(cx, k, node);
    cx.write(p.node, undefined);
    yield* synchronize(cx, 'synchronize_rcu'); // CC-G16
    return armed;
  }
  yield* k.fn.tryToOptimizeKprobe(cx, k, node); // CC-S10.5
  return 0;
}

/** `hlist_add_head_rcu`. Caller holds `kprobe_mutex`. */
export function* linkNode(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  const bucket = cx.make(() => kprobeBucket(k, node.addr));
  yield* update(bucket, (nodes) => [node, ...nodes]);
}

/** `hlist_del_rcu`. */
export function* unlinkNode(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  const bucket = cx.make(() => kprobeBucket(k, node.addr));
  yield* update(bucket, (nodes) => nodes.filter((one) => one !== node));
}

/** `register_kprobes` (KP-13): all of them or none. */
export function* registerKprobes(cx: Context, k: Kernel, ps: readonly Kprobe[]): Path<Errno> {
  if (ps.length === 0) return -EINVAL;
  for (const [i, p] of ps.entries()) {
    const result = yield* enter(k.fn.registerKprobe(cx, k, p));
    if (result < 0) {
      if (i > 0) yield* enter(k.fn.unregisterKprobes(cx, k, ps.slice(0, i)));
      return result;
    }
  }
  return 0;
}
