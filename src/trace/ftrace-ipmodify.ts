// Layer trace. IPMODIFY: at most one ops may redirect a function (FT-45, CC-G15), after `ftrace_hash_ipmodify_enable`
// and below of kernel/trace/ftrace.c. Claims are taken under `ftrace_lock` before any text changes, and given back
// in a call that fails. A claim goes with the module of its function; a filter may hold the address for longer, so what
// an ops has claimed is read off the records. Left out: ops that share a function with direct calls.
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { EBUSY, EINVAL, type Errno } from './errno.ts';
import { TRACE_EVENTS } from './event.ts';
import type { HashMove } from './ftrace-filter.ts';
import { hashIps } from './ftrace-hash.ts';
import { FTRACE_OPS_FL_ENABLED, FTRACE_OPS_FL_IPMODIFY, opsHas } from './ftrace-ops-flags.ts';
import { type FtraceOps, structFlags } from './ftrace-ops.ts';
import type { DynFtrace } from './ftrace-record.ts';
import type { Kernel } from './kernel.ts';

type Ips = ReadonlySet<Address>;

/** Which functions an ops has claimed, and which it is to have. */
export interface ClaimMove {
  readonly from: Ips;
  readonly to: Ips;
}

const NONE: Ips = new Set();

/** `ftrace_hash_ipmodify_enable` (CC-S4.6). Caller holds `ftrace_lock`. */
export function ftraceHashIpmodifyEnable(cx: Context, k: Kernel, ops: FtraceOps): Errno {
  if (!opsHas(cx, ops, FTRACE_OPS_FL_IPMODIFY)) return 0;
  const to = hashIps(cx, cx.read(ops.filterHash));
  return k.fn.ftraceHashUpdateIpmodify(cx, k, ops, { from: NONE, to });
}

/** What of its filter a registered ops has claimed. */
function claimedBy(cx: Context, k: Kernel, ops: FtraceOps): Ips {
  const filter = hashIps(cx, cx.read(ops.filterHash));
  const claimed = k.records.filter(
    (record) => filter.has(record.ip) && isClaimedBy(cx, record, ops),
  );
  return new Set(claimed.map(({ ip }) => ip));
}

function isClaimedBy(cx: Context, record: DynFtrace, ops: FtraceOps): boolean {
  return cx.read(record.ipmodify) === ops;
}

/** May `ops` hook the function? One that may redirect hooks what it has claimed only. Caller holds `ftrace_lock`. */
export function ipmodifyAllows(cx: Context, record: DynFtrace, ops: FtraceOps): boolean {
  return !opsHas(cx, ops, FTRACE_OPS_FL_IPMODIFY) || isClaimedBy(cx, record, ops);
}

/** `ftrace_hash_ipmodify_disable` (CC-S5.4). Caller holds `ftrace_lock`. */
export function ftraceHashIpmodifyDisable(cx: Context, k: Kernel, ops: FtraceOps): void {
  if (!opsHas(cx, ops, FTRACE_OPS_FL_IPMODIFY)) return;
  const from = claimedBy(cx, k, ops);
  for (const record of k.records) if (from.has(record.ip)) release(cx, record);
}

/**
 * `ftrace_hash_ipmodify_update` (CC-S6.2): claims follow the filter of a registered ops. An ops that may redirect
 * takes no notrace set, registered or not: it could dodge a conflict (FT-45). Caller holds `ftrace_lock`.
 */
export function ftraceHashIpmodifyUpdate(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  { which, next }: HashMove,
): Errno {
  if ((structFlags(cx, k, ops) & FTRACE_OPS_FL_IPMODIFY) === 0) return 0;
  if (which === 'notraceHash') return -EINVAL;
  if (!opsHas(cx, ops, FTRACE_OPS_FL_ENABLED)) return 0;
  const to = cx.make(() => next.ips.value);
  return k.fn.ftraceHashUpdateIpmodify(cx, k, ops, { from: claimedBy(cx, k, ops), to });
}

/** `__ftrace_hash_update_ipmodify`: all of it or nothing. An empty filter would be all functions. */
export function ftraceHashUpdateIpmodify(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  move: ClaimMove,
): Errno {
  const { from, to } = move;
  if (to.size === 0) return -EINVAL;
  for (const [index, record] of k.records.entries()) {
    const [was, is] = [from.has(record.ip), to.has(record.ip)];
    if (was === is) continue;
    if (!is) {
      release(cx, record);
      continue;
    }
    if (cx.read(record.ipmodify) !== undefined) {
      k.fn.ftraceRollBackIpmodify(cx, k, ops, { move, conflict: index });
      return -EBUSY;
    }
    claim(cx, record, ops);
  }
  return 0;
}

export interface RollBack {
  readonly move: ClaimMove;
  /** Index of the record that was somebody else's: nothing behind it has changed. */
  readonly conflict: number;
}

/** Undoes what this call has claimed and released before the conflict (CC-G16). */
export function ftraceRollBackIpmodify(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  { move: { from, to }, conflict }: RollBack,
): void {
  for (const record of k.records.slice(0, conflict)) {
    const [was, is] = [from.has(record.ip), to.has(record.ip)];
    if (was === is) continue;
    if (is) release(cx, record);
    else claim(cx, record, ops);
  }
}

function claim(cx: Context, record: DynFtrace, ops: FtraceOps): void {
  cx.write(record.ipmodify, ops);
  cx.emit(TRACE_EVENTS.ipmodify.id, ops.object, record.ip, 1);
}

/** Clears the bit, whoever had it. */
function release(cx: Context, record: DynFtrace): void {
  const owner = cx.read(record.ipmodify);
  cx.write(record.ipmodify, undefined);
  if (owner !== undefined) cx.emit(TRACE_EVENTS.ipmodify.id, owner.object, record.ip, 0);
}
