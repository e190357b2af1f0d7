// Layer trace. The two hooks that fprobes share on the function-graph machine: the graph hook, and a plain ftrace_ops for
// those without exit handler (FP-54). Their filters follow what fprobes want; neither is registered with an empty one,
// which would be all functions (FP-58). All of it under `fprobe_mutex`.
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { type Path, writeOnce } from '../emu/path.ts';
import type { Errno } from './errno.ts';
import {
  deleteNode,
  type FprobeHlist,
  type FprobeTables,
  type HookType,
  nodesOf,
  tablesOf,
} from './fprobe-table.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';
import type { Module } from './module.ts';

/** `fprobe_graph_add_ips` and its twin (CC-S9.2-3). `hooking` is called before anything is hooked. */
export function* addFprobeIps(
  cx: Context,
  k: Kernel,
  { hook, nodes }: FprobeHlist,
  hooking: () => void,
): Path<Errno> {
  const tables = cx.make(() => tablesOf(k));
  const ops = cx.make(() => opsOf(tables, hook));
  const ips = cx.read(nodes).map(({ addr }) => addr);
  hooking();
  const which = 'filterHash';
  const added = yield* k.fn.ftraceSetHash(cx, k, ops, { which, ips, reset: false }); // CC-S9.2
  if (added < 0) return added;
  if (!cx.read(tables.registered[hook])) {
    const started = yield* startHook(cx, k, hook); // CC-S9.3
    if (started < 0) {
      yield* emptyFilter(cx, k, ops);
      return started;
    }
  }
  cx.write(tables.active[hook], cx.read(tables.active[hook]) + 1);
  return 0;
}

function opsOf(tables: FprobeTables, hook: HookType): FtraceOps {
  return hook === 'fgraph' ? tables.graph.ops : tables.ftrace();
}

function* startHook(cx: Context, k: Kernel, hook: HookType): Path<Errno> {
  const { graph, ftrace, registered } = cx.make(() => tablesOf(k));
  const result =
    hook === 'fgraph'
      ? yield* k.fn.registerFtraceGraph(cx, k, graph)
      : yield* k.fn.registerFtraceFunction(cx, k, cx.make(ftrace));
  cx.write(registered[hook], result === 0);
  return result;
}

function* stopHook(cx: Context, k: Kernel, hook: HookType): Path<void> {
  const { graph, ftrace, registered } = cx.make(() => tablesOf(k));
  cx.write(registered[hook], false);
  if (hook === 'fgraph') yield* k.fn.unregisterFtraceGraph(cx, k, graph);
  else yield* k.fn.unregisterFtraceFunction(cx, k, cx.make(ftrace));
}

/** What leaves a hook. */
export interface LeavingIps {
  /** Sites of nodes that are unlinked already. */
  readonly ips: readonly Address[];
  /** How many fprobes leave with them. */
  readonly fprobes: number;
}

/** `fprobe_graph_remove_ips` and its twin (CC-S9.4, FP-55.4): the hook goes before its last site (FP-58). */
export function* removeFprobeIps(
  cx: Context,
  k: Kernel,
  hook: HookType,
  { ips, fprobes }: LeavingIps,
): Path<void> {
  const { active, registered } = cx.make(() => tablesOf(k));
  const users = cx.read(active[hook]) - fprobes;
  cx.write(active[hook], users);
  const leftover = cx.make(() => ips.filter((ip) => !k.fn.fprobeIpIsUsed(k, ip, hook)));
  const sites = cx.make(() => sitesBut(k, hook, leftover));
  const isOver = k.fn.fprobeHookIsOver({ users, sites });
  if (!isOver) {
    yield* k.fn.fprobeFilterOut(cx, k, hook, leftover);
    return;
  }
  if (cx.read(registered[hook])) yield* stopHook(cx, k, hook); // CC-S9.4
  yield* emptyFilter(
    cx,
    k,
    cx.make(() => opsOf(tablesOf(k), hook)),
  );
}

/** The next one to use a hook that is not registered begins with no sites. It takes no memory, so it cannot fail. */
function* emptyFilter(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  const { ftraceLock, emptyHash } = k.ftrace;
  yield* mutexLock(cx, ops.regexLock); // CC-S9.4
  yield* mutexLock(cx, ftraceLock); // CC-S9.4
  const retired = cx.read(ops.filterHash);
  yield* writeOnce(ops.filterHash, emptyHash); // CC-S9.4
  yield* k.fn.freeFtraceHashRcu(cx, k, retired);
  yield* mutexUnlock(cx, ftraceLock); // CC-S9.4
  yield* mutexUnlock(cx, ops.regexLock); // CC-S9.4
}

/** How many sites the filter of a hook has besides these. Its writers hold `fprobe_mutex`. */
function sitesBut(k: Kernel, hook: HookType, leaving: readonly Address[]): number {
  const ops = opsOf(tablesOf(k), hook);
  const gone = new Set(leaving);
  return [...ops.filterHash.value.ips.value].filter((ip) => !gone.has(ip)).length;
}

/** What a hook is left with. */
export interface HookUse {
  /** Fprobes. */
  readonly users: number;
  readonly sites: number;
}

/** FP-58: an empty filter would be all functions. A module that went may have left fprobes without any site (H-23). */
export function fprobeHookIsOver({ users, sites }: HookUse): boolean {
  return users === 0 || sites === 0;
}

/** Takes sites out of the filter of a hook. */
export function* fprobeFilterOut(
  cx: Context,
  k: Kernel,
  hook: HookType,
  ips: readonly Address[],
): Path<void> {
  const ops = cx.make(() => opsOf(tablesOf(k), hook));
  const change = { which: 'filterHash', ips, reset: false, remove: true } as const;
  if (ips.length > 0) yield* k.fn.ftraceSetHash(cx, k, ops, change); // CC-S9.4
}

/** Does an fprobe of this hook type still want the site (H-06)? */
export function fprobeIpIsUsed(k: Kernel, ip: Address, hook: HookType): boolean {
  return nodesOf(k, ip).some(({ fp, array }) => fp.value !== undefined && array.hook === hook);
}

/**
 * `fprobe_module_callback` (FP-60, CC-S20.3): a module goes. Its nodes leave the table; the fprobes stay registered,
 * with what is left to them.
 */
export function* fprobeModuleCallback(cx: Context, k: Kernel, module: Module): Path<void> {
  const tables = cx.make(() => k.fprobeTables);
  if (tables === undefined) return;
  yield* mutexLock(cx, tables.mutex);
  const sites = new Set(module.image.functions.map(({ site }) => site));
  const gone: Record<HookType, Address[]> = { fgraph: [], ftrace: [] };
  for (const { nodes, hook } of cx.make(() => tables.existence.value)) {
    const all = cx.read(nodes);
    const leaving = all.filter(({ addr }) => sites.has(addr));
    for (const node of leaving) {
      yield* deleteNode(cx, k, node); // CC-S20.3
      gone[hook].push(node.addr);
    }
    cx.write(
      nodes,
      all.filter(({ addr }) => !sites.has(addr)),
    );
  }
  for (const hook of ['fgraph', 'ftrace'] as const) {
    const ips = [...new Set(gone[hook])];
    if (ips.length > 0) yield* removeFprobeIps(cx, k, hook, { ips, fprobes: 0 });
  }
  yield* mutexUnlock(cx, tables.mutex);
}
