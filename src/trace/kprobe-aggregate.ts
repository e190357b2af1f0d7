// Layer trace. Several probes at one address (KP-30..KP-36, CC-S19), after `register_aggr_kprobe` and its like of
// kernel/kprobes.c of Linux v6.12. The text is unchanged while an aggregate takes the place of a probe in the table.
import { known } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { act, type Path, update, writeOnce } from '../emu/path.ts';
import { synchronize } from '../emu/rcu.ts';
import { allocate, type KObject } from '../emu/slab.ts';
import { ENOMEM, type Errno } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { KprobeHook } from './kprobe-ftrace.ts';
import type { OptimizedKprobe } from './kprobe-optimizer-state.ts';
import {
  isDisabled,
  KPROBE,
  KPROBE_FLAG_DISABLED,
  KPROBE_FLAG_GONE,
  KPROBE_FLAG_OPTIMIZED,
  loadKprobeHandler,
} from './kprobe-struct.ts';
import { kprobeBucket, kprobeState, probesOf } from './kprobe-table.ts';
import type { Kprobe, KprobeNode, KprobeSlot, ProbedInsn } from './kprobe.ts';

const AGGREGATE_BYTES = 120;

/** What `prepare_kprobe` has found out and allocated. */
export interface PreparedKprobe {
  readonly insn: ProbedInsn | undefined;
  readonly slot: KprobeSlot | undefined;
}

/** The entry of a probe that is alone at its address. */
export function soleNode(
  k: Kernel,
  p: Kprobe,
  addr: Address,
  { insn, slot }: PreparedKprobe,
): KprobeNode {
  const { cells } = k.machine;
  return {
    addr,
    insn,
    slot: cells.cell(`kprobe_slot/${p.name}`, slot),
    isAggregate: false,
    memory: undefined,
    flags: p.flags,
    armedIn: cells.cell<KprobeHook | undefined>(`armed_in/${p.name}`, undefined),
    hasPost: cells.cell(`post_handler/${p.name}`, hasPostHandler(k, p)),
    first: cells.cell<Kprobe | undefined>(`kprobe/${p.name}`, p),
  };
}

export function hasPostHandler(k: Kernel, p: Kprobe): boolean {
  return loadKprobeHandler(k, p, KPROBE.postHandler) !== NO_ADDRESS;
}

/** `register_aggr_kprobe`: `p` joins whoever is at the address already. Caller holds `kprobe_mutex`. */
export function* registerAggrKprobe(
  cx: Context,
  k: Kernel,
  present: KprobeNode,
  p: Kprobe,
): Path<Errno> {
  const reused = yield* k.fn.reuseUnusedKprobe(cx, k, present);
  if (reused !== 0) return reused;
  const node = present.isAggregate ? present : yield* aggregateOf(cx, k, present);
  if (node === undefined) return -ENOMEM;
  const revived = yield* k.fn.reviveAggregate(cx, k, node);
  if (revived < 0) return revived;
  const added = yield* k.fn.addNewKprobe(cx, k, node, p);
  if (added < 0) return added;
  return yield* enableAggregateFor(cx, k, node, p);
}

/** `alloc_aggr_kprobe` and `init_aggr_kprobe` (CC-S19.1-3); undefined without memory. */
export function* aggregateOf(
  cx: Context,
  k: Kernel,
  present: KprobeNode,
  optimized?: OptimizedKprobe,
): Path<KprobeNode | undefined> {
  const memory = yield* allocate(cx, { kind: 'kprobe_aggr', bytes: AGGREGATE_BYTES }); // CC-S19.1
  if (memory === undefined) return undefined;
  const made = cx.make(() => ({ ...aggregateNode(k, present, memory), optimized })); // CC-S19.2
  yield* k.fn.replaceKprobeNode(cx, k, present, made); // CC-S19.3
  const only = known(
    cx.make(() => present.first.value),
    'an entry has a probe',
  );
  cx.write(only.node, made);
  return made;
}

function aggregateNode(k: Kernel, present: KprobeNode, memory: KObject): KprobeNode {
  const { cells } = k.machine;
  const { addr, insn } = present;
  const name = `aggr_kprobe/${memory.object}`;
  const only = known(present.first.value, 'an entry has a probe');
  only.next.set(undefined);
  const isGone = (present.flags.value & KPROBE_FLAG_GONE) !== 0;
  return {
    addr,
    insn,
    slot: present.slot,
    isAggregate: true,
    memory,
    armedIn: present.armedIn,
    flags: cells.cell(`flags/${name}`, present.flags.value & ~KPROBE_FLAG_OPTIMIZED),
    hasPost: cells.cell(`post_handler/${name}`, !isGone && hasPostHandler(k, only)), // KP-34
    first: cells.cell<Kprobe | undefined>(`list/${name}`, only),
  };
}

/** `hlist_replace_rcu`: whoever looks finds the one or the other (CC-G18). */
export function* replaceKprobeNode(
  _cx: Context,
  k: Kernel,
  old: KprobeNode,
  made: KprobeNode,
): Path<void> {
  yield* update(kprobeBucket(k, old.addr), (nodes) =>
    nodes.map((node) => (node === old ? made : node)),
  );
}

/** `add_new_kprobe` (CC-S19.4): in front of the others (KP-31). */
export function* addNewKprobe(cx: Context, k: Kernel, node: KprobeNode, p: Kprobe): Path<Errno> {
  const wantsPost = cx.make(() => hasPostHandler(k, p));
  if (wantsPost) yield* k.fn.unoptimizeForPost(cx, k, node);
  if (wantsPost && (yield* k.fn.endBoost(cx, k, node)) < 0) return -ENOMEM;
  yield* act(node.first, () => {
    p.next.set(node.first.value);
    node.first.set(p);
  }); // CC-S19.4
  cx.write(p.node, node);
  if (wantsPost && !cx.make(() => node.hasPost.value)) yield* writeOnce(node.hasPost, true); // KP-34
  return 0;
}

/** An aggregate of which all were disabled is armed again for one that is not. */
function* enableAggregateFor(cx: Context, k: Kernel, node: KprobeNode, p: Kprobe): Path<Errno> {
  const wanted = cx.make(() => isDisabled(node.flags.value) && !isDisabled(p.flags.value));
  if (!wanted) return 0;
  yield* update(node.flags, (flags) => flags & ~KPROBE_FLAG_DISABLED);
  if (cx.make(() => kprobeState(k).allDisarmed.value)) return 0;
  const armed = yield* k.fn.armKprobe(cx, k, node);
  if (armed >= 0) return 0;
  yield* update(node.flags, (flags) => flags | KPROBE_FLAG_DISABLED); // KP-25
  yield* unlinkSibling(cx, node, p);
  cx.write(p.node, undefined);
  yield* synchronize(cx, 'synchronize_rcu');
  return armed;
}

/** `list_del_rcu`: the next pointer of the one that leaves stays valid (CC-S11.4). */
export function* unlinkSibling(_cx: Context, node: KprobeNode, p: Kprobe): Path<void> {
  yield* act(node.first, () => {
    const all = probesOf(node);
    const before = all[all.indexOf(p) - 1];
    if (before === undefined) node.first.set(p.next.value);
    else before.next.set(p.next.value);
  });
}

/** Does somebody else here have a post_handler? */
export function otherHasPost(k: Kernel, node: KprobeNode, p: Kprobe): boolean {
  return probesOf(node).some((one) => one !== p && hasPostHandler(k, one));
}

/** `aggr_kprobe_disabled` (KP-33). */
export function allDisabled(k: Kernel, node: KprobeNode): boolean {
  return probesOf(node).every(({ address }) =>
    isDisabled(k.machine.memory.load32(address + KPROBE.flags)),
  );
}
