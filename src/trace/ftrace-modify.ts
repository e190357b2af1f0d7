// Layer trace. From bookkeeping to text: `ftrace_run_update_code` and below (CC-S3, FT-11, FT-24, FT-27).
// Left out: direct calls.
import { known } from '../assert.ts';
import { type Address, addressHi, addressLo, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { HALF_BYTES } from '../emu/pair.ts';
import { act, type Path, writeOnce } from '../emu/path.ts';
import { REG } from '../emu/regs.ts';
import { sync } from '../emu/text.ts';
import { TRACE_EVENTS } from './event.ts';
import { callWords } from './ftrace-insn.ts';
import { FTRACE_OPS_FL_RCU, FTRACE_OPS_FL_RECURSION, opsHas } from './ftrace-ops-flags.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import { FUNCTION_TRACE_OP, isReachable } from './ftrace-trampoline.ts';
import type { Kernel } from './kernel.ts';
import type { TextPokeLoc } from './text-poke.ts';

/** `update_ftrace_function` (FT-24, CC-S4.4, CC-S5.3): whom the generic caller ought to call. */
export function updateFtraceFunction(cx: Context, k: Kernel): void {
  const { ftrace, caller } = k;
  const first = cx.read(ftrace.opsList);
  if (first === undefined || !cx.read(ftrace.enabled)) cx.write(ftrace.traceFunction, caller.stub);
  else cx.write(ftrace.traceFunction, directFunc(cx, k, first) ?? caller.listFunc);
}

/**
 * The function of the only ops, unless it may go at any time: then the list function calls it. So it does for one with
 * RECURSION or RCU, which the list function sees to as well.
 */
function directFunc(cx: Context, k: Kernel, only: FtraceOps): Address | undefined {
  const func = cx.read(only.func);
  const isAssisted = opsHas(cx, only, FTRACE_OPS_FL_RECURSION | FTRACE_OPS_FL_RCU);
  const isAlone = cx.read(only.next) === undefined && only.isStatic && !isAssisted;
  return isAlone && isReachable(k.caller.innerCall, func) ? func : undefined;
}

/** Is there anything to patch (CC-S4.8, CC-S5.5), and may it be? `stale`: some text is not as it should. */
export function ftraceMustUpdate(cx: Context, k: Kernel, stale: boolean): boolean {
  const { traceFunction, innerCalls, enabled } = k.ftrace;
  return (stale || cx.read(traceFunction) !== cx.read(innerCalls)) && cx.read(enabled);
}

/** `ftrace_run_update_code` (CC-S3). Caller holds `ftrace_lock`. */
export function* ftraceRunUpdateCode(cx: Context, k: Kernel): Path<void> {
  yield* mutexLock(cx, k.textMutex);
  yield* k.fn.archFtraceUpdateCode(cx, k);
  yield* mutexUnlock(cx, k.textMutex);
}

/**
 * `ftrace_modify_all_code` (CC-S3). Between two functions the inner call goes to the list function, which
 * tests every hash: a site may reach a caller before or after its ops is the one that is called (FT-27).
 */
export function* ftraceModifyAllCode(cx: Context, k: Kernel): Path<void> {
  const { ftrace, caller } = k;
  const final = cx.read(ftrace.traceFunction);
  const innerChanges = final !== cx.read(ftrace.innerCalls);
  if (innerChanges) yield* k.fn.ftraceInnerToListFunc(cx, k);
  if (cx.read(ftrace.disabled)) return;
  yield* k.fn.ftraceReplaceCode(cx, k);
  if (!innerChanges) return;
  if (final !== caller.listFunc) {
    yield* setFunctionTraceOp(cx, k);
    yield* k.fn.syncFunctionTraceOp(cx);
  }
  yield* k.fn.ftraceUpdateFtraceFunc(cx, k, final);
}

/** CC-S3.1. */
export function ftraceInnerToListFunc(cx: Context, k: Kernel): Path<void> {
  return k.fn.ftraceUpdateFtraceFunc(cx, k, k.caller.listFunc);
}

/** CC-S3.3: what the generic caller passes to whom it calls without the list function. */
export function* setFunctionTraceOp(cx: Context, k: Kernel): Path<void> {
  const { functionTraceOp, opsList } = k.ftrace;
  const op = cx.read(opsList);
  yield* act(functionTraceOp, () => {
    functionTraceOp.set(op);
    // Where each ops has its trampoline, nobody reads it.
    if (k.trampolines !== undefined) return;
    const [lo, hi] = op === undefined ? [0, 0] : [addressLo(op.address), addressHi(op.address)];
    k.machine.memory.store64(FUNCTION_TRACE_OP, lo, hi);
    cx.emit(TRACE_EVENTS.function_trace_op.id, op?.object ?? 0);
  });
}

/**
 * CC-S3.4: from here on no caller passes the old one, unless it was interrupted or preempted (CC-N1). With
 * interrupts off this is stop_machine, where nobody else runs, and nobody could answer.
 */
export function* syncFunctionTraceOp(cx: Context): Path<void> {
  if (!cx.make(() => cx.cpu.hart.irqsOn)) return;
  yield* sync(cx);
}

/**
 * `ftrace_update_ftrace_func` (CC-S3.1, CC-S3.5): PATCH(inner call := target), unless it is that already. Like
 * every site it must hold what ftrace believes it holds (FT-11).
 */
export function* ftraceUpdateFtraceFunc(cx: Context, k: Kernel, target: Address): Path<void> {
  const { innerCalls } = k.ftrace;
  const ip = k.caller.innerCall;
  const believed = cx.read(innerCalls);
  if (believed === target) return;
  if (!holds(cx, k, { ip, target: believed, link: REG.ra })) {
    k.fn.ftraceBug(cx, k, ip);
    return;
  }
  yield* k.fn.textPoke(cx, k, [{ ip, target, link: REG.ra }]);
  cx.write(innerCalls, target);
}

/** `ftrace_replace_code` (CC-S3.2): every site whose text is not what its record wants, in one pass. */
export function* ftraceReplaceCode(cx: Context, k: Kernel): Path<void> {
  const stale = k.records.filter(
    (record) => k.fn.ftraceGetAddrNew(cx, k, record) !== cx.read(record.calls),
  );
  for (const { ip, calls } of stale) {
    if (holds(cx, k, { ip, target: cx.read(calls), link: REG.t0 })) continue;
    k.fn.ftraceBug(cx, k, ip);
    return;
  }
  const locs = stale.map((record) => ({
    ip: record.ip,
    target: k.fn.ftraceGetAddrNew(cx, k, record),
    link: REG.t0,
  }));
  yield* k.fn.textPoke(cx, k, locs);
  stale.forEach(({ calls }, i) => {
    cx.write(calls, known(locs[i], 'every stale record has its patch').target);
  });
}

/** `ftrace_verify_code`: is that what stands there? */
function holds(cx: Context, k: Kernel, loc: TextPokeLoc): boolean {
  const { text } = k.machine;
  return callWords(k.patching, loc).every(
    (word, i) => cx.make(() => text.word(loc.ip + i * HALF_BYTES)) === word,
  );
}

/** `ftrace_bug` and `ftrace_kill` (FT-11): the text is not what it must be; nothing works from here on. */
export function ftraceBug(cx: Context, k: Kernel, ip: Address): void {
  cx.write(k.ftrace.disabled, true);
  cx.write(k.ftrace.enabled, false);
  cx.write(k.ftrace.traceFunction, k.caller.stub);
  cx.emit(TRACE_EVENTS.kill.id, ip);
}

/**
 * `ftrace_kill` as a kernel symbol: whoever finds that nothing can be trusted any more makes ftrace dead, wherever it is.
 * So it takes no lock. Text stays as it is: who is hooked stays so.
 */
export function* ftraceKill(cx: Context, k: Kernel): Path<void> {
  const { ftrace, caller } = k;
  yield* writeOnce(ftrace.disabled, true); // FT-11
  cx.emit(TRACE_EVENTS.kill.id, NO_ADDRESS);
  yield* writeOnce(ftrace.enabled, false); // FT-11
  yield* writeOnce(ftrace.traceFunction, caller.stub); // FT-11
}
