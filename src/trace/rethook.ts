// Layer trace. `struct rethook`: who takes returns, and the nodes that calls take for it, after kernel/trace/rethook.c of
// Linux v6.12 (FP-30.4, FP-40, CC-S8, CC-S16). Here is the pool, from its first node to its last; what calls do with
// nodes is in `rethook-return.ts`. Left out: the real pool has a queue for each CPU, here the node that came back
// last is taken first.
import { assert, known } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { useObject } from '../emu/kernel-access.ts';
import { andThen, fetchAdd, type Path, readOnce, update, writeOnce } from '../emu/path.ts';
import { callRcu } from '../emu/rcu.ts';
import { allocate, type KObject, release, touch } from '../emu/slab.ts';
import type { Fprobe } from './fprobe.ts';
import type { Kernel } from './kernel.ts';
import type { Kprobe } from './kprobe.ts';

/** Which link is called at a return that was taken. */
export type RethookHandler = 'fprobeExitHandler' | 'kretprobeRethookHandler';

/** Nodes that are free, the next one first; undefined: none. One value, so that taking one is one step whatever is left. */
type FreeNodes =
  | { readonly node: RethookNode; readonly below: FreeNodes; readonly count: number }
  | undefined;

export interface Rethook {
  /** `struct rethook`, and the array of its nodes. */
  readonly memory: KObject;
  readonly array: KObject;
  /** Whom the handler is for. */
  readonly data: Fprobe | Kprobe;
  /** Undefined: stopped (FP-40.2). */
  readonly handler: Cell<RethookHandler | undefined>;
  /** Free nodes; the last one that came is taken first. */
  readonly pool: Cell<FreeNodes>;
  /** How many nodes there are. */
  readonly nodes: number;
  /** Nodes that are not given up yet, and one for the rethook itself: with the last one all memory goes (FP-42). */
  readonly refs: Cell<number>;
}

/** `struct rethook_node`, with what an fprobe puts behind it. */
export interface RethookNode {
  readonly rethook: Rethook;
  /** Where its `entry_data` lies; NO_ADDRESS when there is none. */
  readonly data: Address;
  /** Written by the task that took it, before others can see it. */
  readonly call: Cell<HookedCall | undefined>;
}

/** The call whose return is taken. */
export interface HookedCall extends HookRequest {
  /** What the function would have returned to without this node: maybe the trampoline, for an older one (FP-35). */
  readonly retAddr: Address;
  /** The stack pointer at its entry. */
  readonly frame: Address;
  readonly next: RethookNode | undefined;
}

/** A call whose return is to be taken. */
export interface HookRequest {
  readonly ip: Address;
  readonly parentIp: Address;
  /** Where it really returns to; differs from `parentIp` in a tail call whose caller's return is taken. */
  readonly retIp: Address;
  /** Its registers, a `struct pt_regs` at its entry. */
  readonly regs: Address;
  /** The registration that it is taken for; for events. */
  readonly generation: number;
}

/** Whose node it is, of a pool of an fprobe. */
export function fprobeOf({ rethook: { data } }: RethookNode): Fprobe {
  assert(data.kind === 'fprobe', 'an fprobe has its own pool');
  return data;
}

/** The call that took `node`. */
export function hookedCall({ call }: RethookNode): HookedCall {
  return known(call.value, 'a node that is taken has its call');
}

/** Bytes of `struct rethook`, of a node, and of all nodes with the data of each behind it. */
const RETHOOK_BYTES = 56;
export const RETHOOK_NODE_BYTES = 64;
/** OBJPOOL_OBJECT_SIZE_MAX: a node with its data is not longer (P06). */
const NODE_BYTES_MAX = 0x10000;

export interface RethookRequest {
  readonly data: Fprobe | Kprobe;
  readonly handler: RethookHandler;
  readonly nodes: number;
  /** Of each node, behind it. */
  readonly dataBytes: number;
}

/** `rethook_alloc` (CC-S8.2): its pool is full and its handler set. Undefined without memory. */
export function* rethookAlloc(
  cx: Context,
  k: Kernel,
  request: RethookRequest,
): Path<Rethook | undefined> {
  const { dataBytes, nodes } = request;
  assert(nodes > 0, 'a pool has nodes (FP-22)');
  const memory = yield* allocate(cx, { kind: 'rethook', bytes: RETHOOK_BYTES }); // CC-S8.2
  if (memory === undefined) return undefined;
  const array = yield* k.fn.rethookAllocNodes(cx, nodes, dataBytes);
  if (array !== undefined) return cx.make(() => newRethook(k, request, { memory, array }));
  yield* k.fn.rethookAllocFailed(cx, memory);
  return undefined;
}

/** `objpool_init`: memory of `nodes` nodes; undefined without it. */
export function* rethookAllocNodes(
  cx: Context,
  nodes: number,
  dataBytes: number,
): Path<KObject | undefined> {
  const nodeBytes = RETHOOK_NODE_BYTES + dataBytes;
  if (nodeBytes > NODE_BYTES_MAX) return undefined;
  const bytes = nodes * strideOf(dataBytes);
  return yield* allocate(cx, { kind: 'rethook_node', bytes, shown: dataBytes > 0 }); // CC-S8.2
}

/** A node begins at a multiple of 16 bytes. */
function strideOf(dataBytes: number): number {
  return RETHOOK_NODE_BYTES + 16 * Math.ceil(dataBytes / 16);
}

/** What was allocated before goes back. */
export function* rethookAllocFailed(cx: Context, memory: KObject): Path<void> {
  yield* release(cx, memory); // CC-S8.2
}

function newRethook(
  k: Kernel,
  { data, handler, nodes, dataBytes }: RethookRequest,
  { memory, array }: Pick<Rethook, 'memory' | 'array'>,
): Rethook {
  const { cells } = k.machine;
  const named = (field: string): string => `${field}/${data.name}`;
  const rethook: Rethook = {
    memory,
    array,
    data,
    handler: cells.cell<RethookHandler | undefined>(named('rethook_handler'), handler),
    pool: cells.cell<FreeNodes>(named('rethook_pool'), undefined),
    nodes,
    refs: cells.cell(named('rethook_refs'), nodes + 1),
  };
  const node = (index: number): RethookNode => ({
    rethook,
    data:
      dataBytes === 0
        ? NO_ADDRESS
        : array.address + RETHOOK_NODE_BYTES + index * strideOf(dataBytes),
    call: cells.cell<HookedCall | undefined>(`${named('rethook_node')}/${index}`, undefined),
  });
  for (let index = nodes - 1; index >= 0; index--) {
    rethook.pool.set(withNode(rethook.pool.value, node(index)));
  }
  return rethook;
}

/** `pool`, with `node` as the next to be taken. */
function withNode(pool: FreeNodes, node: RethookNode): FreeNodes {
  return { node, below: pool, count: countNodes(pool) + 1 };
}

export function countNodes(pool: FreeNodes): number {
  return pool === undefined ? 0 : pool.count;
}

/** `rethook_stop` (CC-S8.2 of unregister): whoever has a node goes on, nobody gets one, no handler starts. */
export function* rethookStop(cx: Context, rethook: Rethook): Path<void> {
  yield* writeOnce(rethook.handler, undefined); // CC-S8.2
  useRethook(cx, rethook);
}

/** `rethook_free` (CC-S8.4): stopped if it was not, and given up behind a grace period. Nobody waits. */
export function* rethookFree(cx: Context, k: Kernel, rethook: Rethook): Path<void> {
  yield* k.fn.rethookStop(cx, rethook);
  yield* callRcu(cx, (softirq) => rethookFreeRcu(softirq, rethook)); // CC-S8.4
}

/** `rethook_free_rcu`: free nodes are given up; those in use follow as their calls return (FP-40.4). */
function* rethookFreeRcu(cx: Context, rethook: Rethook): Path<void> {
  const free = yield* update(rethook.pool, () => undefined); // CC-S8.4
  useRethook(cx, rethook);
  yield* dropReferences(cx, rethook, countNodes(free) + 1);
}

function* dropReferences(cx: Context, rethook: Rethook, count: number): Path<void> {
  const before = yield* fetchAdd(rethook.refs, -count); // CC-S16
  useRethook(cx, rethook);
  if (before > count) return;
  yield* release(cx, rethook.array); // CC-S16
  yield* release(cx, rethook.memory); // CC-S16
}

/** Somebody uses `rethook`, whose pointer he has: reported, and an oops when it was freed (CC-M15). */
export function useRethook(cx: Context, { memory }: Rethook): void {
  cx.make(() => {
    if (memory.live) touch(cx, memory);
    useObject(cx, memory, NO_ADDRESS);
  });
}

/** Why there is no node. */
export type NoNode = 'no_node' | 'not_watching';

/** `rethook_try_get` (CC-H11.4-5): a node that is this call's from now on. Preemption is off. */
export function* rethookTryGet(
  cx: Context,
  k: Kernel,
  rethook: Rethook,
): Path<RethookNode | NoNode> {
  const handler = yield* readOnce(rethook.handler); // CC-H11.4
  useRethook(cx, rethook);
  if (handler === undefined) return 'no_node';
  if (!k.fn.rethookIsWatching(cx)) return 'not_watching';
  const before = yield* update(rethook.pool, (pool) => pool?.below); // CC-H11.5
  useRethook(cx, rethook);
  return before?.node ?? 'no_node';
}

/** Where RCU does not watch, no grace period outlasts the use of a node. */
export function rethookIsWatching(cx: Context): boolean {
  return cx.make(() => cx.cpu.watching);
}

/**
 * `rethook_recycle` (CC-S16): its call is over with `node`. Of a rethook that was stopped nobody takes nodes any more, so
 * behind a grace period the node gives up the pool. Preemption is off.
 */
export function* rethookRecycle(cx: Context, k: Kernel, node: RethookNode): Path<void> {
  const { rethook } = node;
  const handler = yield* readOnce(rethook.handler); // CC-S16
  useRethook(cx, rethook);
  if (handler !== undefined) yield* k.fn.rethookPush(cx, node);
  else yield* callRcu(cx, (softirq) => dropReferences(softirq, rethook, 1)); // CC-S16
}

/** `objpool_push` (CC-S16). */
export function rethookPush(cx: Context, node: RethookNode): Path<void> {
  const { rethook } = node;
  const push = (pool: FreeNodes): FreeNodes => withNode(pool, node);
  return andThen(update(rethook.pool, push), () => {
    useRethook(cx, rethook);
  });
}
