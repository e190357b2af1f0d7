// Layer trace. `struct ftrace_hash`: a set of call sites, complete before it is published and never
// changed after (FT-40). An empty filter selects every function, an empty notrace excludes none (FT-37).
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { useObject } from '../emu/kernel-access.ts';
import { act, type Path } from '../emu/path.ts';
import { callRcu } from '../emu/rcu.ts';
import { allocate, type KObject, touch } from '../emu/slab.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';

export interface FtraceHash {
  /** Its memory; undefined for `EMPTY_HASH`, which is shared and never freed. */
  readonly memory: KObject | undefined;
  /** Call sites. The value stays what it was when the hash was published. */
  readonly ips: Cell<ReadonlySet<Address>>;
}

/** Which of the two hashes of an ops. */
export type WhichHash = 'filterHash' | 'notraceHash';

/** What a pair of hashes says: which sites are in, which are out. */
export interface Selection {
  readonly filter: ReadonlySet<Address>;
  readonly notrace: ReadonlySet<Address>;
}

/** Header and buckets of a `struct ftrace_hash` of default size. */
const FTRACE_HASH_BYTES = 32 + 8 * 1024;

/** `alloc_ftrace_hash`: empty, and nobody else can see it yet. Undefined without memory. */
export function* allocFtraceHash(cx: Context, k: Kernel): Path<FtraceHash | undefined> {
  const memory = yield* allocate(cx, { kind: 'ftrace_hash', bytes: FTRACE_HASH_BYTES }); // CC-S6.1
  if (memory === undefined) return undefined;
  return cx.make(() => ({
    memory,
    ips: k.machine.cells.cell<ReadonlySet<Address>>(`ftrace_hash/${memory.object}`, new Set()),
  }));
}

/** `free_ftrace_hash`: at once, so nobody may have seen it. Freed twice, it is an oops (FT-47). */
export function* freeFtraceHash(cx: Context, k: Kernel, { memory }: FtraceHash): Path<void> {
  if (memory === undefined) return;
  const { slab, slabCell } = k.machine;
  yield* act(slabCell, () => {
    if (memory.live) slab.destroy(cx, memory);
    else useObject(cx, memory, NO_ADDRESS);
  });
}

/** A control path uses `hash`, which its ops points to: an oops when it was freed (FT-47). */
export function useHash(cx: Context, { memory }: FtraceHash): void {
  if (memory === undefined) return;
  cx.make(() => {
    useObject(cx, memory, NO_ADDRESS);
  });
}

/** `free_ftrace_hash_rcu` (CC-S6.7): list walkers may still hold it; nobody waits here (FT-42). */
export function* freeFtraceHashRcu(cx: Context, k: Kernel, hash: FtraceHash): Path<void> {
  if (hash.memory === undefined) return;
  yield* callRcu(cx, (softirq) => freeFtraceHash(softirq, k, hash));
}

/** The sites in `hash`, as part of the step that loaded the pointer to it. */
export function hashIps(cx: Context, hash: FtraceHash): ReadonlySet<Address> {
  if (hash.memory !== undefined) touch(cx, hash.memory);
  return cx.make(() => hash.ips.value);
}

/** What the hashes of `ops` select. Caller holds `ftrace_lock`. */
export function ftraceSelection(cx: Context, ops: FtraceOps): Selection {
  useOps(cx, ops);
  const [filter, notrace] = [cx.read(ops.filterHash), cx.read(ops.notraceHash)];
  useHash(cx, filter);
  useHash(cx, notrace);
  return { filter: hashIps(cx, filter), notrace: hashIps(cx, notrace) };
}

/** The selection rule (FT-36): notrace wins. */
export function ftraceSelects(selection: Selection, ip: Address): boolean {
  const { filter, notrace } = selection;
  return (filter.size === 0 || filter.has(ip)) && !notrace.has(ip);
}
