// Layer trace. `ftrace_set_filter`, `ftrace_set_notrace`, `ftrace_set_filter_ip(s)`, `ftrace_free_filter` (FT-36..FT-44,
// FT-47, FT-49, CC-S6), after `ftrace_set_hash` and below of kernel/trace/ftrace.c. Left out: modules.
import { assert } from '../assert.ts';
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { type Path, readOnce, writeOnce } from '../emu/path.ts';
import { EINVAL, ENODEV, ENOENT, ENOMEM, type Errno } from './errno.ts';
import { isSubops } from './fgraph-subops.ts';
import {
  type FtraceHash,
  ftraceSelection,
  hashIps,
  useHash,
  type WhichHash,
} from './ftrace-hash.ts';
import { FTRACE_OPS_FL_ENABLED, opsHas } from './ftrace-ops-flags.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import { ftraceLocation } from './ftrace-record.ts';
import { filterParseRegex, regexMatch } from './glob.ts';
import type { Kernel } from './kernel.ts';

/** What a call changes in one of the two hashes. */
export interface HashChange {
  readonly which: WhichHash;
  /** Begin with an empty set instead of the current one. */
  readonly reset: boolean;
  /** One pattern; undefined for a NULL buffer. */
  readonly text?: string | undefined;
  /** How many bytes the caller says `text` has. */
  readonly length?: number | undefined;
  /** Addresses to add, or to take out. */
  readonly ips?: readonly Address[] | undefined;
  readonly remove?: boolean | undefined;
}

/** A complete hash that waits to take the place of the current one. */
export interface HashMove {
  readonly which: WhichHash;
  readonly next: FtraceHash;
}

/**
 * `ftrace_set_hash` (CC-S6). Guarantee `filter-swap` (FT-40): the new set is complete before one store
 * publishes it. A failure leaves the old set in force, `reset` or not (FT-43). Task context; sleeps.
 */
export function* ftraceSetHash(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  change: HashChange,
): Path<Errno> {
  if (yield* readOnce(k.ftrace.disabled)) return -ENODEV; // CC-S6.1
  yield* mutexLock(cx, ops.regexLock); // CC-S6.1
  useOps(cx, ops);
  const hash = yield* k.fn.allocFtraceHash(cx, k);
  cx.make(() => {
    ops.hasHashes.set(true);
  });
  const result = hash === undefined ? -ENOMEM : yield* fillAndPublish(cx, k, ops, { change, hash });
  useOps(cx, ops);
  yield* mutexUnlock(cx, ops.regexLock); // CC-S6.8
  return result;
}

/** Makes the private `hash` what `change` asks for and puts it, or `EMPTY_HASH`, in force. */
function* fillAndPublish(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  { change, hash }: { readonly change: HashChange; readonly hash: FtraceHash },
): Path<Errno> {
  const { which } = change;
  const ips = change.reset ? new Set<Address>() : currentIps(cx, ops, which);
  const matched = k.fn.ftraceMatchRecords(k, ips, change);
  let result = matched;
  if (matched === 0) {
    cx.make(() => {
      hash.ips.set(ips);
    });
    const next = ips.size === 0 ? k.ftrace.emptyHash : hash;
    yield* mutexLock(cx, k.ftrace.ftraceLock); // CC-S6.2
    result = k.fn.ftraceHashIpmodifyUpdate(cx, k, ops, { which, next });
    if (result === 0) result = yield* k.fn.ftraceHashMoveAndUpdateOps(cx, k, ops, { which, next });
    yield* mutexUnlock(cx, k.ftrace.ftraceLock); // CC-S6.8
  }
  if (result < 0 || ips.size === 0) yield* k.fn.freeFtraceHash(cx, k, hash);
  return result;
}

/** The set that is in force. Every writer holds `regex_lock`, so it stays what it is. */
function currentIps(cx: Context, ops: FtraceOps, which: WhichHash): Set<Address> {
  const hash = cx.make(() => {
    assert(ops.regexLock.holder === cx, 'hashes change under regex_lock');
    return ops[which].value;
  });
  useHash(cx, hash);
  return new Set(hashIps(cx, hash));
}

/** `match_records` and `ftrace_match_addr` (CC-S6.1): changes `ips`, which is private yet. */
export function ftraceMatchRecords(k: Kernel, ips: Set<Address>, change: HashChange): Errno {
  const { text, length } = change;
  if (text !== undefined) {
    // The buffer must hold a string of exactly that length (FT-38).
    return length === undefined || length === text.length ? matchPattern(k, ips, text) : -EINVAL;
  }
  for (const ip of change.ips ?? []) {
    const result = matchAddress(k, ips, ip, change.remove === true);
    if (result < 0) return result; // Of the array nothing takes effect (FT-49).
  }
  return 0;
}

function matchPattern(k: Kernel, ips: Set<Address>, text: string): Errno {
  const pattern = filterParseRegex(text);
  const matched = k.records.filter(
    ({ func, disabled }, i) =>
      // An index counts every record, and may mean a disabled one; names do not reach it (FT-61).
      (pattern.type === 'index' || !disabled) && regexMatch(pattern, func.name, i + 1),
  );
  for (const { ip } of matched) {
    if (pattern.negate) ips.delete(ip);
    else ips.add(ip);
  }
  return matched.length > 0 ? 0 : -EINVAL;
}

function matchAddress(k: Kernel, ips: Set<Address>, address: Address, remove: boolean): Errno {
  const record = ftraceLocation(k, address);
  if (record === undefined) return -EINVAL;
  if (!remove) ips.add(record.ip);
  else if (!ips.delete(record.ip)) return -ENOENT;
  return 0;
}

/** `ftrace_hash_move_and_update_ops` (CC-S6.2-7). Caller holds `regex_lock` and `ftrace_lock`. */
export function* ftraceHashMoveAndUpdateOps(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  move: HashMove,
): Path<Errno> {
  if (isSubops(cx, k, ops)) return yield* k.fn.ftraceHashMoveAndUpdateSubops(cx, k, ops, move);
  const retired = yield* k.fn.ftraceHashMove(cx, k, ops, move);
  yield* k.fn.ftraceOpsUpdateCode(cx, k, ops);
  yield* k.fn.freeFtraceHashRcu(cx, k, retired);
  return 0;
}

/**
 * `ftrace_hash_move` (CC-S6.3-5): the hash that is not in force any more. Records selected both before and
 * after are never un-patched: no text changes here (FT-39).
 */
export function* ftraceHashMove(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  { which, next }: HashMove,
): Path<FtraceHash> {
  const enabled = opsHas(cx, ops, FTRACE_OPS_FL_ENABLED);
  const previous = cx.read(ops[which]);
  useHash(cx, previous); // It will be freed.
  if (enabled) k.fn.ftraceHashRecDisable(cx, k, ops, ftraceSelection(cx, ops));
  yield* writeOnce(ops[which], next); // The switch (CC-S6.4).
  useOps(cx, ops);
  if (enabled) k.fn.ftraceHashRecEnable(cx, k, ops, ftraceSelection(cx, ops));
  return previous;
}

/** `ftrace_ops_update_code` (CC-S6.6): one pass over all sites that changed. */
export function* ftraceOpsUpdateCode(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  if (!opsHas(cx, ops, FTRACE_OPS_FL_ENABLED) || !cx.read(k.ftrace.enabled)) return;
  yield* k.fn.ftraceRunUpdateCode(cx, k);
}

/**
 * `ftrace_free_filter` (FT-47): frees both hashes and takes no lock. The ops goes on pointing at what was freed, so
 * only its memory may be used again: zeroed, it is a new ops.
 */
export function* ftraceFreeFilter(cx: Context, k: Kernel, ops: FtraceOps): Path<Errno> {
  for (const which of ['filterHash', 'notraceHash'] as const) {
    const hash = yield* readOnce(ops[which]); // FT-47
    useOps(cx, ops);
    yield* k.fn.freeFtraceHash(cx, k, hash);
  }
  return 0;
}
