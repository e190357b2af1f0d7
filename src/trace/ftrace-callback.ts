// Layer trace. What events say about callbacks: `cb_begin` when the first instruction of one executes,
// `cb_end` when it returned. The machine watches the function; whether a call of it is a hook's is read off
// the registers. Nothing here is visible to the guest.
import { type Address, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { REG } from '../emu/regs.ts';
import { RETURN_STUB } from '../emu/stub-table.ts';
import { TRACE_EVENTS } from './event.ts';
import { calledFprobe } from './fprobe-callback.ts';
import { MCOUNT_INSN_SIZE } from './ftrace-insn.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import { isTrampoline } from './ftrace-trampoline.ts';
import { calledJprobe, JPROBE_KIND, jprobeReturned } from './jprobe.ts';
import type { Kernel } from './kernel.ts';
import { type CalledKprobe, calledKprobe } from './kprobe-callback.ts';
import { strictGiven, strictHit, strictReturn } from './strict.ts';
import { type OpenCallback, taskTrace } from './task-trace.ts';

/** Reports every call of `func` by a hook. */
export function watchCallback(k: Kernel, func: Address): void {
  if (k.machine.watcher(func) !== undefined || k.machine.core.regionAt(func) === undefined) return;
  k.machine.watch(func, {
    enter: (cx) => {
      callbackBegins(cx, k);
    },
    leave: (cx) => {
      callbackEnds(cx, k);
    },
  });
}

function callbackBegins(cx: Context, k: Kernel): void {
  const { callback } = taskTrace(k, cx.task);
  const below = callback.value;
  const depth = below === undefined ? 0 : below.depth + (below.isHook ? 1 : 0);
  const called = calledFprobe(cx, k);
  const kprobe = called === undefined ? calledKprobe(cx, k) : undefined;
  if (kprobe !== undefined) {
    kprobeHandlerBegins(cx, k, kprobe, { depth, below });
    return;
  }
  const jprobe = called === undefined ? calledJprobe(cx, k) : undefined;
  if (jprobe !== undefined) {
    kprobeHandlerBegins(cx, k, { ...jprobe, kind: JPROBE_KIND }, { depth, below });
    return;
  }
  if (called === undefined) {
    opsCallbackBegins(cx, k, { depth, below });
    return;
  }
  const { fp, generation, ip, parentIp, entryData, regsIp } = called;
  const kind = called.isEntry ? k.fprobeEntryKind.id : k.fprobeExitKind.id;
  callback.set({
    isHook: true,
    kind,
    object: fp.object,
    generation,
    ip,
    depth,
    given: undefined,
    below,
  });
  cx.emit(TRACE_EVENTS.cb_begin.id, kind, fp.object, generation, ip, parentIp, depth);
  cx.emit(TRACE_EVENTS.fprobe_data.id, fp.object, entryData, regsIp);
}

function kprobeHandlerBegins(
  cx: Context,
  k: Kernel,
  { p: { object }, kind: name, generation, ip }: CalledKprobe,
  { depth, below }: Pick<OpenCallback, 'depth' | 'below'>,
): void {
  const kind = k.machine.strings.id(name);
  const open = { isHook: true, kind, object, generation, ip, depth, given: undefined, below };
  taskTrace(k, cx.task).callback.set(open);
  cx.emit(TRACE_EVENTS.cb_begin.id, kind, object, generation, ip, NO_ADDRESS, depth);
}

function opsCallbackBegins(
  cx: Context,
  k: Kernel,
  { depth, below }: Pick<OpenCallback, 'depth' | 'below'>,
): void {
  const ops = k.ops.byAddress.get(register(cx, REG.a2));
  const isDirect = register(cx, REG.ra) === k.caller.innerCall + MCOUNT_INSN_SIZE[k.patching];
  const generation = ops === undefined ? 0 : calledGeneration(cx, k, ops);
  const object = ops === undefined || generation === 0 ? 0 : ops.object;
  const isHook = object !== 0 || isDirect;
  const ip = register(cx, REG.a0);
  const kind = isHook ? k.ftraceOpsKind.id : 0;
  const given = isHook && ops !== undefined ? strictGiven(cx.cpu, k, ops) : undefined;
  const open = { isHook, kind, object, generation, ip, depth, given, below };
  taskTrace(k, cx.task).callback.set(open);
  if (!isHook) return;
  if (ops !== undefined) strictHit(cx.cpu, k, ops);
  const parentIp = register(cx, REG.a1);
  cx.emit(TRACE_EVENTS.cb_begin.id, kind, object, generation, ip, parentIp, depth);
}

function callbackEnds(cx: Context, k: Kernel): void {
  const { callback } = taskTrace(k, cx.task);
  const open = callback.value;
  callback.set(open?.below);
  if (open === undefined || !open.isHook) return;
  cx.emit(TRACE_EVENTS.cb_end.id, open.kind, open.object, open.generation, open.ip);
  strictReturn(cx.cpu, k, open);
  if (k.kprobes !== undefined && open.kind === k.machine.strings.id(JPROBE_KIND)) {
    jprobeReturned(cx, k);
  }
}

/**
 * Which registration of `ops` this call is made for; 0: no hook made it. A trampoline belongs to one
 * registration and dies before the next. The generic caller that calls without the list function passes whatever
 * `function_trace_op` holds, be it no ops at all. The list function and the pid check hand the number on in a4, out of sight of
 * the callback's C prototype, because the ops may be gone and back by the time of the call.
 */
export function calledGeneration(cx: Context, k: Kernel, ops: FtraceOps): number {
  const caller = register(cx, REG.ra);
  const isDirect = caller === k.caller.innerCall + MCOUNT_INSN_SIZE[k.patching];
  if (isDirect || isTrampoline(caller)) return ops.generation.value;
  return caller === RETURN_STUB ? (cx.cpu.hart.lo[REG.a4] as number) : 0;
}

function register(cx: Context, index: number): Address {
  const { lo, hi } = cx.cpu.hart;
  return toAddress(lo[index] as number, hi[index] as number);
}

/** The innermost callback of a hook that is open in the task of `cx`: whom a refused trylock concerns. */
export function innermostCallback(cx: Context, k: Kernel): OpenCallback | undefined {
  let open = taskTrace(k, cx.task).callback.value;
  while (open !== undefined && !open.isHook) open = open.below;
  return open;
}
