// Layer trace. `register_fprobe` and `unregister_fprobe` on the function-graph machine (FP-50..FP-59, CC-S9), after
// kernel/trace/fprobe.c. Left out: references that keep a matching function's module during registration (FP-10).
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { useObject } from '../emu/kernel-access.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { act, type Path, readOnce } from '../emu/path.ts';
import { callRcu, synchronize } from '../emu/rcu.ts';
import { allocate, release } from '../emu/slab.ts';
import { E2BIG, EEXIST, EINVAL, ENOENT, ENOMEM, type Errno } from './errno.ts';
import { fgraphOf } from './fgraph-state.ts';
import { addFprobeIps, removeFprobeIps } from './fprobe-hook.ts';
import { setNmissed } from './fprobe-miss.ts';
import type { FprobeState, FprobeTarget } from './fprobe-operation.ts';
import { type FprobeStruct, readFprobeStruct, writeEntryDataSize } from './fprobe-struct.ts';
import {
  addToExistence,
  deleteNode,
  fprobeExists,
  type FprobeHlist,
  type FprobeNode,
  type HookType,
  insertNode,
  nodesOf,
  removeFromExistence,
  tablesOf,
} from './fprobe-table.ts';
import { beginRegistration, type Fprobe } from './fprobe.ts';
import { ftraceLocation, ftraceLookupSymbols } from './ftrace-record.ts';
import { globMatch } from './glob.ts';
import type { Kernel } from './kernel.ts';

const WORD_BYTES = 8;
/** FP-50: what four bits count. */
const DATA_WORDS_MAX = 15;
const HLIST_BYTES = 64;
const NODE_BYTES = 32;

/** `register_fprobe`, `_ips` and `_syms`. Task context; sleeps. */
export function* registerFprobe(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  target: FprobeTarget,
): Path<Errno> {
  const ips = cx.make(() => addressesOf(k, target));
  if (typeof ips === 'number') return ips;
  const { mutex } = cx.make(() => tablesOf(k));
  yield* mutexLock(cx, mutex);
  const result = yield* registerLocked(cx, k, fp, ips);
  yield* mutexUnlock(cx, mutex);
  return result;
}

/** The sites, each once, or why not. */
function addressesOf(k: Kernel, target: FprobeTarget): readonly Address[] | Errno {
  if ('ips' in target) {
    const found = target.ips.map((ip) => ftraceLocation(k, ip)?.ip);
    const sites = found.filter((ip) => ip !== undefined);
    return sites.length < found.length ? -EINVAL : [...new Set(sites)];
  }
  if ('syms' in target) {
    return ftraceLookupSymbols(k, target.syms)?.map(({ ip }) => ip) ?? -ENOENT;
  }
  const { filter, notfilter } = target;
  const sites = k.records.filter(({ func: { name }, disabled }) => {
    if (disabled || !globMatch(filter, name)) return false; // FP-51
    return notfilter === undefined || !globMatch(notfilter, name);
  });
  return sites.length > 0 ? sites.map(({ ip }) => ip) : -ENOENT;
}

function* registerLocked(cx: Context, k: Kernel, fp: Fprobe, ips: readonly Address[]): Path<Errno> {
  const struct = readFprobeStruct(cx, k, fp);
  const bytes = Math.ceil(struct.entryDataSize / WORD_BYTES) * WORD_BYTES;
  if (!k.fn.fprobeDataFits(bytes)) return -E2BIG;
  writeEntryDataSize(cx, k, fp, bytes); // FP-50
  const hlist = yield* allocHlist(cx, k, fp, { ips, hook: k.fn.fprobeHookType(struct) });
  if (hlist === undefined) return -ENOMEM;
  yield* setNmissed(cx, k, fp, 0); // CC-S9.1, FP-4
  const hooked = yield* addFprobeIps(cx, k, hlist, () => {
    announce(cx, k, fp, hlist);
  });
  if (hooked < 0) {
    yield* freeHlist(cx, hlist);
    return hooked;
  }
  const linked = yield* k.fn.fprobeLink(cx, k, fp, hlist);
  if (linked < 0) {
    yield* undoHook(cx, k, hlist);
    return linked;
  }
  setArray(cx, k, fp, hlist);
  for (const node of cx.read(hlist.nodes)) {
    if (yield* isOutOfMemory(cx, k)) {
      yield* k.fn.fprobeUndoRegister(cx, k, hlist);
      setArray(cx, k, fp, undefined);
      return -ENOMEM;
    }
    yield* insertNode(cx, k, node);
  }
  return 0;
}

/** FP-52(c): in the existence table, unless it is there (FP-53). */
export function* fprobeLink(cx: Context, k: Kernel, fp: Fprobe, hlist: FprobeHlist): Path<Errno> {
  if (yield* fprobeExists(cx, k, fp)) return -EEXIST;
  yield* addToExistence(cx, k, hlist);
  return 0;
}

/** Stores `fp->hlist_array`. Caller holds `fprobe_mutex`. */
function setArray(cx: Context, k: Kernel, fp: Fprobe, hlist: FprobeHlist | undefined): void {
  const { arrays } = cx.make(() => tablesOf(k));
  const all = new Map(cx.read(arrays));
  if (hlist === undefined) all.delete(fp.address);
  else all.set(fp.address, hlist);
  cx.write(arrays, all);
}

/** FP-50. */
export function fprobeDataFits(bytes: number): boolean {
  return bytes <= DATA_WORDS_MAX * WORD_BYTES;
}

/** FP-54: fprobes without exit handler need no shadow stack. */
export function fprobeHookType({ exitHandler }: FprobeStruct): HookType {
  return exitHandler === NO_ADDRESS ? 'ftrace' : 'fgraph';
}

/** From here on handlers may run for this registration. On top of one that is in force no new one begins (FP-53). */
function announce(cx: Context, k: Kernel, fp: Fprobe, { generation, hook }: FprobeHlist): void {
  const { arrays } = cx.make(() => tablesOf(k));
  if (!cx.read(arrays).has(fp.address)) {
    const ops = cx.make(() => (hook === 'fgraph' ? fgraphOf(k).manager : tablesOf(k).ftrace()));
    beginRegistration(cx, k, fp, { hook, ops: ops.object });
  }
  cx.make(() => {
    generation.set(fp.generation.value);
  });
}

function* allocHlist(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { ips, hook }: { readonly ips: readonly Address[]; readonly hook: HookType },
): Path<FprobeHlist | undefined> {
  const bytes = HLIST_BYTES + ips.length * NODE_BYTES;
  const memory = yield* allocate(cx, { kind: 'fprobe_hlist', bytes }); // CC-S9.1
  if (memory === undefined) return undefined;
  return cx.make(() => {
    const { cells } = k.machine;
    const { mutex } = tablesOf(k);
    const made: FprobeHlist = {
      memory,
      generation: cells.cell(`hlist_generation/${fp.name}`, 0),
      hook,
      fp: cells.cell<Fprobe | undefined>(`hlist_fp/${fp.name}`, fp),
      nodes: cells.cell<readonly FprobeNode[]>(`hlist_array/${fp.name}`, [], mutex),
    };
    const nodes = ips.map((addr) => ({
      addr,
      fp: cells.cell<Fprobe | undefined>(`node_fp/${fp.name}`, fp),
      next: cells.cell<FprobeNode | undefined>(`node_next/${fp.name}`, undefined),
      array: made,
    }));
    made.nodes.set(nodes);
    return made;
  });
}

/** The ip table grows with its nodes; asked only where such allocations may fail. */
function* isOutOfMemory(cx: Context, k: Kernel): Path<boolean> {
  if (!k.machine.slab.failing.has('fprobe_ip_table')) return false;
  const made = yield* allocate(cx, { kind: 'fprobe_ip_table', bytes: NODE_BYTES }); // CC-S9.5
  if (made === undefined) return true;
  yield* release(cx, made);
  return false;
}

/** The hook may have been hit, but nobody has found a node of `hlist`. */
function* undoHook(cx: Context, k: Kernel, hlist: FprobeHlist): Path<void> {
  const ips = cx.read(hlist.nodes).map(({ addr }) => addr);
  yield* removeFprobeIps(cx, k, hlist.hook, { ips, fprobes: 1 });
  yield* k.fn.fprobeSynchronizeRcu(cx);
  yield* freeHlist(cx, hlist);
}

/** `fprobe_fail_cleanup` (FP-59): hits may be at the nodes already, so they go the way that unregistering goes. */
export function* fprobeUndoRegister(cx: Context, k: Kernel, hlist: FprobeHlist): Path<void> {
  yield* removeFromTables(cx, k, hlist);
  yield* k.fn.fprobeSynchronizeRcu(cx);
  yield* freeHlist(cx, hlist);
}

/** CC-S9.2 to .4 of unregister. */
function* removeFromTables(cx: Context, k: Kernel, hlist: FprobeHlist): Path<void> {
  const nodes = cx.read(hlist.nodes);
  for (const node of nodes) yield* deleteNode(cx, k, node); // FP-55.2
  yield* removeFromExistence(cx, k, hlist); // FP-55.3
  yield* removeFprobeIps(cx, k, hlist.hook, { ips: nodes.map(({ addr }) => addr), fprobes: 1 });
}

/**
 * `unregister_fprobe` (FP-55). Guarantee `unregister` (FP-6, CC-G8): no later lookup finds the fprobe, and the wait
 * outlasts the earlier ones, which are made with preemption off. Task context; sleeps.
 */
export function* unregisterFprobe(cx: Context, k: Kernel, fp: Fprobe): Path<Errno> {
  const result = yield* k.fn.unregisterFprobeAsync(cx, k, fp);
  if (result === 0) yield* k.fn.fprobeUnregisterWait(cx, k);
  return result;
}

/** FP-55.6. */
export function* fprobeUnregisterWait(cx: Context, k: Kernel): Path<void> {
  yield* k.fn.fprobeSynchronizeRcu(cx);
}

export function* fprobeSynchronizeRcu(cx: Context): Path<void> {
  yield* synchronize(cx, 'synchronize_rcu'); // CC-S9.7
}

/** `unregister_fprobe_async` (FP-57): FP-55.1 to FP-55.5; handlers may still run when it returns. */
export function* unregisterFprobeAsync(cx: Context, k: Kernel, fp: Fprobe): Path<Errno> {
  const { arrays, mutex } = cx.make(() => tablesOf(k));
  yield* mutexLock(cx, mutex);
  const exists = yield* fprobeExists(cx, k, fp); // FP-55.1
  const hlist = exists ? cx.read(arrays).get(fp.address) : undefined;
  if (hlist !== undefined) {
    yield* removeFromTables(cx, k, hlist);
    yield* k.fn.fprobeFreeHlist(cx, hlist);
    setArray(cx, k, fp, undefined);
  }
  yield* mutexUnlock(cx, mutex); // CC-S9.6
  return hlist === undefined ? -EINVAL : 0;
}

/** FP-55.5: walkers may still stand on its nodes. */
export function* fprobeFreeHlist(cx: Context, hlist: FprobeHlist): Path<void> {
  yield* callRcu(cx, (softirq) => freeHlist(softirq, hlist)); // CC-S9.5
}

/** `kfree` of the nodes. Freed twice, they are an oops. */
export function* freeHlist(cx: Context, { memory }: FprobeHlist): Path<void> {
  const { slab, slabCell } = cx.cpu.machine;
  yield* act(slabCell, () => {
    if (memory.live) slab.destroy(cx, memory);
    else useObject(cx, memory, NO_ADDRESS);
  }); // CC-S9.5
}

/** `fprobe_is_registered`. */
export function* fprobeIsRegistered(cx: Context, k: Kernel, fp: Fprobe): Path<boolean> {
  const { existence } = cx.make(() => tablesOf(k));
  const all = yield* readOnce(existence);
  return cx.make(() => all.some((hlist) => hlist.fp.value?.address === fp.address));
}

export function fprobeState(k: Kernel, fp: Fprobe): FprobeState {
  const { fprobeTables: tables } = k;
  if (tables === undefined) return { registered: false, free: 0, nodes: 0, entries: 0 };
  const nodes = [...tables.byIp.keys()].flatMap((ip) => nodesOf(k, ip));
  const registered = tables.existence.value.some(({ fp: { value } }) => value === fp);
  return {
    registered,
    free: 0,
    nodes: 0,
    entries: nodes.filter(({ fp: { value } }) => value === fp).length + (registered ? 1 : 0),
  };
}
