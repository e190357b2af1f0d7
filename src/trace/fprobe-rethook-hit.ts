// Layer trace. What a hit of an fprobe does in the eras of rethook (FP-30, FP-31.3, CC-H11), after kernel/trace/fprobe.c
// of Linux v6.12; what older ones do otherwise is in `fprobe-rethook-eras.ts`. Entry: the callback of the fprobe's own
// ftrace_ops. Exit: the handler of its rethook.
import { NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { andThen, enter, type Path } from '../emu/path.ts';
import type { StubArguments } from '../emu/stubs.ts';
import { callFprobeEntry, callFprobeExit, type FprobeCall } from './fprobe-callback.ts';
import { type FprobeMiss, missFprobe, skipFprobe } from './fprobe-miss.ts';
import { FPROBE_FL_DISABLED, readFprobeFlags, readFprobeStruct } from './fprobe-struct.ts';
import type { Fprobe } from './fprobe.ts';
import type { SkipReason } from './ftrace-caller.ts';
import type { Kernel } from './kernel.ts';
import { kprobeBusyBegin, kprobeBusyEnd, kprobeRunning } from './kprobe-busy.ts';
import { TRACE_FTRACE_START } from './recursion.ts';
import { rethookRetAddr, type TakenReturn } from './rethook-return.ts';
import { fprobeOf, hookedCall, type HookRequest, type RethookNode } from './rethook.ts';

/** The callback of the ftrace_ops, with the arguments of one; which of the two it is was settled at registration (FP-3). */
export function* fprobeFtraceFunc(cx: Context, k: Kernel, args: StubArguments): Path<number> {
  const [ip, parentIp, regs] = [args.address(0), args.address(1), args.address(3)];
  const fp = k.fprobes.byAddress.get(args.address(2));
  const own = fp === undefined ? undefined : k.rethook.fprobes.get(fp);
  if (fp === undefined || own === undefined) {
    cx.make(() => {
      cx.cpu.machine.oops(cx.cpu, 'unmapped', cx.cpu.hart.pc, args.address(2));
    });
    return 0;
  }
  const retIp = rethookRetAddr(cx, k, parentIp);
  const generation = cx.make(() => fp.generation.value);
  const hit: HookRequest = { ip, parentIp, retIp, regs, generation };
  const isShared = cx.make(() => own.shared.value);
  const handler = isShared ? k.fn.fprobeKprobeHandler : k.fn.fprobeHandler;
  yield* enter(handler(cx, k, fp, hit));
  return 0;
}

/** `fprobe_handler` (FP-30.1-2, FP-30.8). Any context. */
export function* fprobeHandler(cx: Context, k: Kernel, fp: Fprobe, hit: HookRequest): Path<void> {
  const bit = yield* k.fn.fprobeLock(cx, k, fp, hit);
  if (bit < 0) return;
  yield* enter(k.fn.fprobeEnter(cx, k, fp, hit));
  yield* k.fn.traceClearRecursion(cx, k, bit); // CC-H11.8
}

/**
 * `fprobe_kprobe_handler`, for FPROBE_FL_KPROBE_SHARED (FP-30.3): its entry handler is not called where a kprobe runs,
 * and no kprobe runs in it. The exit handler is on its own (FP-33).
 */
export function* fprobeKprobeHandler(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  hit: HookRequest,
): Path<void> {
  const bit = yield* k.fn.fprobeLock(cx, k, fp, hit);
  if (bit < 0) return;
  const running = yield* kprobeRunning(cx, k);
  if (running === NO_ADDRESS) {
    yield* kprobeBusyBegin(cx, k);
    yield* k.fn.fprobeEnter(cx, k, fp, hit);
    yield* kprobeBusyEnd(cx, k);
  } else yield* missFprobe(cx, k, fp, { reason: 'kprobe_running', ip: hit.ip });
  yield* k.fn.traceClearRecursion(cx, k, bit); // CC-H11.8
}

/** FP-30.1-2: the bit of the recursion lock, or -1 when the hit is over. Whoever is disabled is not counted (FP-9). */
export function* fprobeLock(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { ip, parentIp }: HookRequest,
): Path<number> {
  if (yield* isDisabled(cx, k, fp)) {
    skipFprobe(cx, fp, 'disabled', ip);
    return -1;
  }
  return yield* lockOrMiss(cx, k, fp, { ip, parentIp, reason: 'recursion' });
}

function isDisabled(cx: Context, k: Kernel, fp: Fprobe): Path<boolean> {
  return andThen(readFprobeFlags(cx, k, fp), (flags) => (flags & FPROBE_FL_DISABLED) !== 0); // CC-H11.1
}

/** CC-H11.2, CC-H12.3: the bit; -1, and one more miss, where it is taken (FP-32). */
function* lockOrMiss(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  at: Pick<HookRequest, 'ip' | 'parentIp'> & { readonly reason: SkipReason },
): Path<number> {
  const bit = yield* k.fn.traceTestAndSetRecursion(cx, k, TRACE_FTRACE_START);
  if (bit >= 0) return bit;
  yield* missFprobe(cx, k, fp, at);
  yield* k.fn.ftraceRecordRecursion(cx, k, at);
  return bit;
}

/**
 * `__fprobe_handler` (FP-30.4-7): without a node neither handler runs, unless the option says that only the exit
 * handler is skipped. Preemption is off.
 */
export function* fprobeEnter(cx: Context, k: Kernel, fp: Fprobe, hit: HookRequest): Path<void> {
  const { exitHandler } = readFprobeStruct(cx, k, fp);
  const node = exitHandler === NO_ADDRESS ? undefined : yield* k.fn.fprobeTakeNode(cx, k, fp, hit);
  if (node !== 'missed') {
    const result = yield* k.fn.fprobeCallEntry(cx, k, fp, { hit, node });
    if (node !== undefined) yield* k.fn.fprobeSettle(cx, k, node, { hit, result });
  } else if (k.fprobeOptions.missPolicy === 'exitOnly') {
    yield* k.fn.fprobeCallEntry(cx, k, fp, { hit, node: undefined });
  }
}

/** FP-30.4-5 (CC-H11.4-5): a node for this call. */
export function* fprobeTakeNode(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { ip }: HookRequest,
): Path<RethookNode | 'missed'> {
  const rethook = cx.make(() => k.rethook.fprobes.get(fp)?.rethook.value);
  if (rethook === undefined) {
    // A registration on top of the one that is in force has failed, and taken the pool away (X04).
    cx.make(() => {
      cx.cpu.machine.oops(cx.cpu, 'NULL rethook', cx.cpu.hart.pc, fp.address);
    });
    return 'missed';
  }
  const node = yield* k.fn.rethookTryGet(cx, k, rethook);
  if (typeof node !== 'string') return node;
  yield* k.fn.fprobeNoNode(cx, k, fp, { reason: node, ip });
  return 'missed';
}

/** FP-32: one more miss. */
export function fprobeNoNode(cx: Context, k: Kernel, fp: Fprobe, miss: FprobeMiss): Path<void> {
  return missFprobe(cx, k, fp, miss);
}

/** A call that a handler is called for, and its node if it has one. */
export interface FprobeEntry {
  readonly hit: HookRequest;
  readonly node: RethookNode | undefined;
}

/** FP-30.6: what the entry handler returned; 0 without one. */
export function* fprobeCallEntry(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  entry: FprobeEntry,
): Path<number> {
  const call = entryCall(cx, k, fp, entry);
  return call.handler === NO_ADDRESS ? 0 : yield* callFprobeEntry(cx, fp, call); // CC-H11.6
}

export function entryCall(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { hit, node }: FprobeEntry,
): FprobeCall {
  const { entryHandler: handler } = readFprobeStruct(cx, k, fp);
  const { generation, ip: entryIp, regs, retIp } = hit;
  return { handler, generation, entryIp, retIp, regs, entryData: node?.data ?? NO_ADDRESS };
}

/** FP-30.7: the return is taken unless the entry handler refused (FP-7); then the node goes back, and nothing counts. */
export function* fprobeSettle(
  cx: Context,
  k: Kernel,
  node: RethookNode,
  { hit, result }: { readonly hit: HookRequest; readonly result: number },
): Path<void> {
  if (result === 0) {
    yield* k.fn.rethookHook(cx, k, node, hit);
    return;
  }
  skipFprobe(cx, fprobeOf(node), 'rejected', hit.ip);
  yield* k.fn.rethookRecycle(cx, k, node);
}

/**
 * `fprobe_exit_handler` (FP-31.3): of a call that has a node, on its way back. The lock keeps an exit handler that
 * calls a probed function from nesting without end.
 */
export function* fprobeExitHandler(
  cx: Context,
  k: Kernel,
  node: RethookNode,
  taken: TakenReturn,
): Path<void> {
  const fp = fprobeOf(node);
  const call = cx.make(() => hookedCall(node));
  if (yield* k.fn.fprobeExitDisabled(cx, k, fp)) {
    skipFprobe(cx, fp, 'exit_disabled', call.ip);
    return;
  }
  const { ip, parentIp } = call;
  const bit = yield* lockOrMiss(cx, k, fp, { ip, parentIp, reason: 'exit_recursion' });
  if (bit < 0) return;
  yield* callExit(cx, k, node, taken); // CC-H12.3
  yield* k.fn.traceClearRecursion(cx, k, bit); // CC-H12.3
}

/** FP-9: a call entered while it was enabled is silenced, too. */
export function fprobeExitDisabled(cx: Context, k: Kernel, fp: Fprobe): Path<boolean> {
  return isDisabled(cx, k, fp);
}

/** Calls `exit_handler` of the call that `node` belongs to. */
export function* callExit(
  cx: Context,
  k: Kernel,
  node: RethookNode,
  { retIp, regs }: TakenReturn,
): Path<void> {
  const fp = fprobeOf(node);
  const { exitHandler: handler } = readFprobeStruct(cx, k, fp);
  const { generation, ip: entryIp } = cx.make(() => hookedCall(node));
  if (handler === NO_ADDRESS) return; // The user took it out of the struct.
  const call = { handler, generation, entryIp, retIp, regs, entryData: node.data };
  yield* callFprobeExit(cx, fp, call);
}
