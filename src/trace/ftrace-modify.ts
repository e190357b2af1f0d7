// Layer trace. From bookkeeping to text: `ftrace_run_update_code` and below (CC-S3, FT-11, FT-24, FT-27).
// Left out: direct calls, and the wish of static ops to be called without the list function.
import { known } from '../assert.ts';
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { type Path, writeOnce } from '../emu/path.ts';
import { REG } from '../emu/regs.ts';
import { sync } from '../emu/text.ts';
import { TRACE_EVENTS } from './event.ts';
import { callWord } from './ftrace-insn.ts';
import type { Kernel } from './kernel.ts';

/** `update_ftrace_function` (FT-24, CC-S4.4, CC-S5.3): whom the generic caller ought to call. */
export function updateFtraceFunction(cx: Context, k: Kernel): void {
  const { ftrace, caller } = k;
  const idle = cx.read(ftrace.opsList) === undefined || !cx.read(ftrace.enabled);
  cx.write(ftrace.traceFunction, idle ? caller.stub : caller.listFunc);
}

/** Is there anything to patch (CC-S4.8, CC-S5.5), and may it be? `stale`: some text is not as it should. */
export function ftraceMustUpdate(cx: Context, k: Kernel, stale: boolean): boolean {
  const { traceFunction, innerCalls, enabled } = k.ftrace;
  return (stale || cx.read(traceFunction) !== cx.read(innerCalls)) && cx.read(enabled);
}

/** `ftrace_run_update_code` (CC-S3). Caller holds `ftrace_lock`. */
export function* ftraceRunUpdateCode(cx: Context, k: Kernel): Path<void> {
  yield* mutexLock(cx, k.textMutex);
  yield* k.fn.ftraceModifyAllCode(cx, k);
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
  if (innerChanges) yield* k.fn.ftraceUpdateFtraceFunc(cx, k, caller.listFunc);
  if (cx.read(ftrace.disabled)) return;
  yield* k.fn.ftraceReplaceCode(cx, k);
  if (!innerChanges || final === caller.listFunc) return;
  yield* writeOnce(ftrace.functionTraceOp, undefined); // CC-S3.3
  yield* sync(cx); // CC-S3.4
  yield* k.fn.ftraceUpdateFtraceFunc(cx, k, final);
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
  if (!holds(cx, k, ip, callWord(ip, believed, REG.ra))) {
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
    if (holds(cx, k, ip, callWord(ip, cx.read(calls), REG.t0))) continue;
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

/** `ftrace_verify_code`: is that the word at `ip`? */
function holds(cx: Context, k: Kernel, ip: Address, word: number): boolean {
  return cx.make(() => k.machine.text.word(ip)) === word;
}

/** `ftrace_bug` and `ftrace_kill` (FT-11): the text is not what it must be; nothing works from here on. */
export function ftraceBug(cx: Context, k: Kernel, ip: Address): void {
  cx.write(k.ftrace.disabled, true);
  cx.write(k.ftrace.enabled, false);
  cx.write(k.ftrace.traceFunction, k.caller.stub);
  cx.emit(TRACE_EVENTS.kill.id, ip);
}
