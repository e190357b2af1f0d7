// Layer trace. What the callers' calls reach: the list function (FT-21, FT-22, CC-H4) and the assist function
// (FT-54, CC-H3), after `__ftrace_ops_list_func` and `ftrace_ops_assist_func` of kernel/trace/ftrace.c. Left out:
// STUB ops.
import { type Address, addressHi, addressLo } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { callGuest, type Path, readOnce } from '../emu/path.ts';
import { TRACE_EVENTS } from './event.ts';
import { hashIps } from './ftrace-hash.ts';
import {
  FTRACE_OPS_FL_IPMODIFY,
  FTRACE_OPS_FL_RCU,
  FTRACE_OPS_FL_RECURSION,
  FTRACE_OPS_FL_SAVE_REGS,
  opsHas,
  redirects,
} from './ftrace-ops-flags.ts';
import { touchOps, useOps } from './ftrace-ops-memory.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import { PT_REGS_IP } from './ftrace-regs.ts';
import type { Kernel } from './kernel.ts';
import { TRACE_LIST_START } from './recursion.ts';

/** A hit, as a trampoline hands it over. */
export interface FtraceHit {
  readonly ip: Address;
  readonly parentIp: Address;
  /** `struct ftrace_regs` on the stack. */
  readonly regs: Address;
  /** It is the beginning of a whole `struct pt_regs`. */
  readonly full: boolean;
}

/** Why a hit did not run a callback: the closed list of `skip` events (CC-G10). */
export type SkipReason =
  | 'filter'
  | 'notrace'
  | 'recursion'
  | 'rcu'
  | 'regs'
  | 'pid'
  | FprobeSkipReason
  | KprobeSkipReason;

/** Of fprobes, beside `recursion`; ARCHITECTURE.md says which of them an era counts. */
type FprobeSkipReason =
  | 'disabled'
  | 'kprobe_running'
  | 'no_node'
  | 'not_watching'
  | 'no_frame'
  | 'no_data'
  | 'grew'
  | 'rejected'
  | 'removed'
  | 'exit_disabled'
  | 'exit_recursion';

/** Of kprobes, beside `disabled` and `kprobe_running`. */
type KprobeSkipReason = 'stopped';

/** Stands in `skip` events for "whoever would have been called". */
export const NOBODY = 0;

/**
 * `ftrace_ops_list_func` (CC-H4.3-6): calls every ops whose hashes select the site, the most recently
 * registered first, with preemption off. Any context.
 */
export function* ftraceOpsListFunc(cx: Context, k: Kernel, hit: FtraceHit): Path<void> {
  const bit = yield* k.fn.traceTestAndSetRecursion(cx, k, TRACE_LIST_START);
  if (bit < 0) {
    skip(cx, { object: NOBODY, generation: 0, reason: 'recursion', ip: hit.ip });
    yield* k.fn.ftraceRecordRecursion(cx, k, hit);
    return;
  }
  let ops = yield* readOnce(k.ftrace.opsList); // CC-H4.4
  while (ops !== undefined) {
    const target = found(cx, ops);
    const reason =
      k.fn.rcuRefuses(cx, target.flags) ??
      (yield* k.fn.ftraceOpsTest(cx, ops, hit.ip)) ??
      k.fn.regsRefuse(k, target.flags, hit);
    if (reason === undefined) yield* callOps(cx, target, hit);
    else skip(cx, { ...target, reason, ip: hit.ip });
    const next: FtraceOps | undefined = yield* readOnce(ops.next); // CC-H4.5
    useOps(cx, ops);
    ops = next;
  }
  yield* k.fn.traceClearRecursion(cx, k, bit);
}

/**
 * `ftrace_ops_assist_func` (CC-H3.3a-5): what the trampoline of an ops with RECURSION or RCU calls. It takes a bit of
 * the list function's group, so a callback that locks itself takes one of each (FT-54). Any context.
 */
export function* ftraceOpsAssistFunc(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  hit: Omit<FtraceHit, 'full'>,
): Path<void> {
  const target = found(cx, ops);
  const reason = k.fn.rcuRefuses(cx, target.flags); // CC-H3.3a
  const bit =
    reason === undefined ? yield* k.fn.traceTestAndSetRecursion(cx, k, TRACE_LIST_START) : -1; // CC-H3.3b
  if (bit < 0) {
    skip(cx, { ...target, reason: reason ?? 'recursion', ip: hit.ip });
    if (reason === undefined) yield* k.fn.ftraceRecordRecursion(cx, k, hit);
    return;
  }
  // The trampoline itself knows whether `ip` counts.
  yield* callOps(cx, { ...target, flags: FTRACE_OPS_FL_IPMODIFY }, { ...hit, full: false });
  yield* k.fn.traceClearRecursion(cx, k, bit); // CC-H3.5
}

/** `ftrace_ops_get_func` (FT-19): whom the trampoline of `ops` calls. Caller holds `ftrace_lock`. */
export function ftraceOpsGetFunc(cx: Context, k: Kernel, ops: FtraceOps): Address {
  const assisted = opsHas(cx, ops, FTRACE_OPS_FL_RECURSION | FTRACE_OPS_FL_RCU);
  return assisted ? k.assistFunc : cx.read(ops.func);
}

/** An ops that is to be called only where RCU watches is passed over elsewhere (FT-55). */
export function rcuRefuses(cx: Context, flags: number): SkipReason | undefined {
  if ((flags & FTRACE_OPS_FL_RCU) === 0) return undefined;
  return cx.make(() => cx.cpu.watching) ? undefined : 'rcu';
}

/** A site that is being upgraded still saves less: better no call than one without registers (FT-16). */
export function regsRefuse(k: Kernel, flags: number, hit: FtraceHit): SkipReason | undefined {
  if (hit.full || (flags & FTRACE_OPS_FL_SAVE_REGS) === 0) return undefined;
  return k.arch.regs ? 'regs' : undefined;
}

interface Found {
  readonly object: number;
  readonly generation: number;
  readonly func: Address;
  readonly flags: number;
  readonly ops: FtraceOps;
}

/** What the walker knows once it stands on `ops`: part of the step that loaded the pointer. */
function found(cx: Context, ops: FtraceOps): Found {
  touchOps(cx, ops);
  return cx.make(() => ({
    object: ops.object,
    generation: ops.generation.value,
    func: ops.func.value,
    flags: ops.flags.value,
    ops,
  }));
}

/** `ftrace_ops_test` (CC-H4.5): two pointer loads, then the lookup. Why not, or undefined. */
export function* ftraceOpsTest(
  cx: Context,
  ops: FtraceOps,
  ip: Address,
): Path<SkipReason | undefined> {
  const filterHash = yield* readOnce(ops.filterHash);
  useOps(cx, ops);
  const notraceHash = yield* readOnce(ops.notraceHash);
  useOps(cx, ops);
  const filter = hashIps(cx, filterHash);
  if (filter.size > 0 && !filter.has(ip)) return 'filter';
  return hashIps(cx, notraceHash).has(ip) ? 'notrace' : undefined;
}

/** Calls the callback (CC-H4.5) with its documented arguments; see `calledGeneration` for the last one. */
function* callOps(
  cx: Context,
  { func, ops, generation, flags }: Found,
  { ip, parentIp, regs, full }: FtraceHit,
): Path<void> {
  const keepsIp = full && !redirects(ops, flags);
  const before = keepsIp ? loadIp(cx, regs) : undefined;
  yield* callGuest(cx.cpu.state, func, [
    addressLo(ip),
    addressHi(ip),
    addressLo(parentIp),
    addressHi(parentIp),
    addressLo(ops.address),
    addressHi(ops.address),
    addressLo(regs),
    addressHi(regs),
    generation,
    0,
  ]);
  if (before !== undefined) storeIp(cx, regs, before);
}

/** Where the function goes on, as two words. */
type Ip = readonly [lo: number, hi: number];

function loadIp(cx: Context, regs: Address): Ip {
  const { memory } = cx.cpu.machine;
  const at = regs + PT_REGS_IP;
  return cx.make(() => [memory.loadLo(at), memory.loadHi(at)] as const);
}

/** Without IPMODIFY what a callback made of it is lost (FT-46). */
function storeIp(cx: Context, regs: Address, [lo, hi]: Ip): void {
  cx.make(() => {
    cx.cpu.machine.memory.store64(regs + PT_REGS_IP, lo, hi);
  });
}

/** Reports that a hit ran no callback. */
export function skip(
  cx: Context,
  why: {
    readonly object: number;
    readonly generation: number;
    readonly reason: SkipReason;
    readonly ip: Address;
  },
): void {
  const reason = cx.cpu.machine.strings.id(why.reason);
  cx.emit(TRACE_EVENTS.skip.id, why.object, why.generation, reason, why.ip);
}
