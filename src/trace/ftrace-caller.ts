// Layer trace. What the generic caller's inner call reaches (FT-21, FT-22, CC-H4), after
// `__ftrace_ops_list_func` of kernel/trace/ftrace.c. Left out: STUB and RCU ops, the assist function.
import { type Address, addressHi, addressLo } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { callGuest, type Path, readOnce } from '../emu/path.ts';
import { TRACE_EVENTS } from './event.ts';
import { hashIps } from './ftrace-hash.ts';
import { touchOps, useOps } from './ftrace-ops-memory.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';
import { TRACE_LIST_START } from './recursion.ts';

/** A hit, as a trampoline hands it over. */
export interface FtraceHit {
  readonly ip: Address;
  readonly parentIp: Address;
  /** `struct ftrace_regs` on the stack. */
  readonly regs: Address;
}

/** Why a hit did not run a callback: the closed list of `skip` events (CC-G10). */
export type SkipReason = 'filter' | 'notrace' | 'recursion';

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
    return;
  }
  let ops = yield* readOnce(k.ftrace.opsList); // CC-H4.4
  while (ops !== undefined) {
    const { object, generation, func } = found(cx, ops);
    const reason = yield* k.fn.ftraceOpsTest(cx, ops, hit.ip);
    if (reason === undefined) yield* callOps(cx, { func, ops, generation }, hit);
    else skip(cx, { object, generation, reason, ip: hit.ip });
    const next: FtraceOps | undefined = yield* readOnce(ops.next); // CC-H4.5
    useOps(cx, ops);
    ops = next;
  }
  yield* k.fn.traceClearRecursion(cx, k, bit);
}

interface Found {
  readonly object: number;
  readonly generation: number;
  readonly func: Address;
}

/** What the walker knows once it stands on `ops`: part of the step that loaded the pointer. */
function found(cx: Context, ops: FtraceOps): Found {
  touchOps(cx, ops);
  return cx.make(() => ({
    object: ops.object,
    generation: ops.generation.value,
    func: ops.func.value,
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
  { func, ops, generation }: { func: Address; ops: FtraceOps; generation: number },
  { ip, parentIp, regs }: FtraceHit,
): Path<void> {
  const pointers = [ip, parentIp, ops.address, regs].flatMap((at) => [
    addressLo(at),
    addressHi(at),
  ]);
  yield* callGuest(cx.cpu.state, func, [...pointers, generation, 0]);
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
