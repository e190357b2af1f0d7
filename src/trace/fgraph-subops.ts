// Layer trace. Sub-ops and their manager (FT-58..FT-60, CC-S18): one ops is on the list for all graph hooks; its hashes
// are made of theirs, after `ftrace_startup_subops` and below of kernel/trace/ftrace.c. They are always made anew from
// all hooks: a manager without any has empty hashes, which would count as "all functions" (H-28).
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { ENOMEM, type Errno } from './errno.ts';
import { type FgraphOps, fgraphOf } from './fgraph-state.ts';
import type { HashMove } from './ftrace-filter.ts';
import { ftraceSelection, type FtraceHash, type Selection } from './ftrace-hash.ts';
import { FTRACE_OPS_FL_ENABLED, opsHas } from './ftrace-ops-flags.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';

type Ips = ReadonlySet<Address>;

/** `ftrace_startup_subops` (CC-S18.3): the manager hooks what `gops` selects, too. Caller holds `ftrace_lock`. */
export function* ftraceStartupSubops(cx: Context, k: Kernel, gops: FgraphOps): Path<Errno> {
  const { manager, subops } = cx.make(() => fgraphOf(k));
  const all = [...cx.read(subops), gops];
  const moved = yield* k.fn.ftraceUpdateManager(cx, k, selectionsOf(cx, all));
  if (moved < 0) return moved;
  cx.write(subops, all);
  const started = opsHas(cx, manager, FTRACE_OPS_FL_ENABLED)
    ? 0
    : yield* k.fn.ftraceStartup(cx, k, manager);
  if (started < 0) {
    cx.write(subops, []);
    yield* k.fn.ftraceUpdateManager(cx, k, []);
  }
  return started;
}

/**
 * `ftrace_shutdown_subops` (CC-S18): the last one takes the manager off the list, without a wait (FT-60). Without memory
 * for the new hashes the manager hooks more than it has to; the hooks' own tests see to that. Caller holds `ftrace_lock`.
 */
export function* ftraceShutdownSubops(cx: Context, k: Kernel, gops: FgraphOps): Path<Errno> {
  const { manager, subops } = cx.make(() => fgraphOf(k));
  const left = cx.read(subops).filter((one) => one !== gops);
  cx.write(subops, left);
  if (left.length === 0) {
    const result = yield* k.fn.ftraceShutdown(cx, k, manager);
    if (result < 0) return result;
  }
  return yield* k.fn.ftraceUpdateManager(cx, k, selectionsOf(cx, left));
}

/**
 * `ftrace_hash_move_and_update_subops`: a filter call on a sub-ops. Everything that may fail comes before the hash is
 * published. Caller holds `regex_lock` and `ftrace_lock`.
 */
export function* ftraceHashMoveAndUpdateSubops(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  move: HashMove,
): Path<Errno> {
  const { subops } = cx.make(() => fgraphOf(k));
  const ips = cx.make(() => move.next.ips.value);
  const selections = cx.read(subops).map(({ ops: sub }) => {
    const selection = ftraceSelection(cx, sub);
    if (sub !== ops) return selection;
    const isFilter = move.which === 'filterHash';
    return {
      filter: isFilter ? ips : selection.filter,
      notrace: isFilter ? selection.notrace : ips,
    };
  });
  const moved = yield* k.fn.ftraceUpdateManager(cx, k, selections);
  if (moved < 0) return moved;
  const retired = yield* k.fn.ftraceHashMove(cx, k, ops, move);
  yield* k.fn.freeFtraceHashRcu(cx, k, retired);
  return 0;
}

/** Is `ops` one whose filter calls change the manager? Caller holds `ftrace_lock`. */
export function isSubops(cx: Context, k: Kernel, ops: FtraceOps): boolean {
  if (ops.kind !== 'graph_ops') return false;
  const { subops } = cx.make(() => fgraphOf(k));
  return cx.read(subops).some((gops) => gops.ops === ops);
}

function selectionsOf(cx: Context, all: readonly FgraphOps[]): readonly Selection[] {
  return all.map(({ ops }) => ftraceSelection(cx, ops));
}

/**
 * `ftrace_update_ops` (FT-58): the manager gets the union of all filters, then the intersection of all notrace sets, in
 * two swaps, each only if it changes anything. Between them a hit may find a selection that is neither the old nor the
 * new one (CC-G3). Caller holds `ftrace_lock`.
 */
export function* ftraceUpdateManager(
  cx: Context,
  k: Kernel,
  selections: readonly Selection[],
): Path<Errno> {
  const { manager } = cx.make(() => fgraphOf(k));
  const now = ftraceSelection(cx, manager);
  const filter = k.fn.subopsFilter(selections);
  const notrace = subopsNotrace(selections);
  const moves: HashMove[] = [];
  for (const [which, ips, present] of [
    ['filterHash', filter, now.filter],
    ['notraceHash', notrace, now.notrace],
  ] as const) {
    if (isSame(ips, present)) continue;
    const next = yield* hashOf(cx, k, ips);
    if (next === undefined) {
      for (const { next: unused } of moves) yield* k.fn.freeFtraceHash(cx, k, unused);
      return -ENOMEM;
    }
    moves.push({ which, next });
  }
  for (const move of moves) yield* k.fn.ftraceHashMoveAndUpdateOps(cx, k, manager, move);
  return 0;
}

/** A hash with these addresses that nobody can see yet. */
function* hashOf(cx: Context, k: Kernel, ips: Ips): Path<FtraceHash | undefined> {
  if (ips.size === 0) return k.ftrace.emptyHash;
  const hash = yield* k.fn.allocFtraceHash(cx, k);
  cx.make(() => {
    hash?.ips.set(ips);
  });
  return hash;
}

/** A hook without a filter wants all functions. */
export function subopsFilter(selections: readonly Selection[]): Ips {
  if (selections.some(({ filter }) => filter.size === 0)) return new Set();
  return new Set(selections.flatMap(({ filter }) => [...filter]));
}

function subopsNotrace(selections: readonly Selection[]): Ips {
  const [first, ...others] = selections;
  return new Set(
    [...(first?.notrace ?? [])].filter((ip) => others.every(({ notrace }) => notrace.has(ip))),
  );
}

function isSame(one: Ips, other: Ips): boolean {
  return one.size === other.size && [...one].every((ip) => other.has(ip));
}
