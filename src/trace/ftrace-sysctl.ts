// Layer trace. The sysctl `ftrace_enabled` (FT-48, CC-S7), after `ftrace_enable_sysctl` of kernel/trace/ftrace.c: at
// 0 every call site is a nop, and all ops stay registered. Nobody waits in either direction.
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { enter, type Path } from '../emu/path.ts';
import { EBUSY, EINVAL, ENODEV, type Errno } from './errno.ts';
import { FTRACE_OPS_FL_PERMANENT, opsHas } from './ftrace-ops-flags.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import { whileTextRests } from './ftrace-stop.ts';
import type { Kernel } from './kernel.ts';

/** `ftrace_enable_sysctl` (CC-S7): a write. Task context; sleeps. */
export function* ftraceEnableSysctl(cx: Context, k: Kernel, text: string): Path<Errno> {
  yield* mutexLock(cx, k.ftrace.ftraceLock); // CC-S7
  const result = yield* enter(k.fn.ftraceSetEnabled(cx, k, text));
  yield* mutexUnlock(cx, k.ftrace.ftraceLock); // CC-S7
  return result;
}

/**
 * What the write does. Guarantee (CC-G17): with a PERMANENT ops registered `ftrace_enabled` never becomes 0, and
 * while it is 0 none is registered: both checks are made under `ftrace_lock`, which the caller holds.
 */
export function* ftraceSetEnabled(cx: Context, k: Kernel, text: string): Path<Errno> {
  const { ftrace } = k;
  if (cx.read(ftrace.disabled)) return -ENODEV;
  const value = procDointvec(text);
  if (value === undefined) return -EINVAL;
  const enabled = value !== 0;
  if (cx.read(ftrace.enabled) === enabled) return 0;
  if (!enabled && k.fn.isPermanentOpsRegistered(cx, k)) return -EBUSY;
  cx.write(ftrace.enabled, enabled);
  k.fn.updateFtraceFunction(cx, k);
  if (enabled) yield* k.fn.ftraceStartupSysctl(cx, k);
  else yield* k.fn.ftraceShutdownSysctl(cx, k);
  return cx.read(ftrace.disabled) ? -ENODEV : 0;
}

const INT_MAX = 0x7fffffff;

/** `proc_dointvec`: the number that was written, in any base that C knows, blanks around it; undefined: none. */
function procDointvec(text: string): number | undefined {
  const found = /^\s*(-?)(0x[\da-f]+|0[0-7]*|[1-9]\d*)\s*$/iu.exec(text);
  if (found === null) return undefined;
  const [, sign = '', digits = ''] = found;
  const isOctal = /^0\d/u.test(digits);
  const value = Number(isOctal ? `0o${digits.slice(1)}` : digits);
  if (value > INT_MAX) return undefined;
  return sign === '-' ? -value : value;
}

/** `is_permanent_ops_registered`. Caller holds `ftrace_lock`. */
export function isPermanentOpsRegistered(cx: Context, k: Kernel): boolean {
  let ops = cx.read(k.ftrace.opsList);
  while (ops !== undefined) {
    if (opsHas(cx, ops, FTRACE_OPS_FL_PERMANENT)) return true;
    ops = nextOf(cx, ops);
  }
  return false;
}

function nextOf(cx: Context, ops: FtraceOps): FtraceOps | undefined {
  useOps(cx, ops);
  return cx.read(ops.next);
}

/** The other half of CC-G17 (FT-25.6): may `ops` not be registered now? Caller holds `ftrace_lock`. */
export function isPermanentRefused(cx: Context, k: Kernel, ops: FtraceOps): boolean {
  return opsHas(cx, ops, FTRACE_OPS_FL_PERMANENT) && !cx.read(k.ftrace.enabled);
}

/**
 * `ftrace_startup_sysctl` (CC-S7): CC-S3 with every record and with the inner call, which goes to the list function
 * whatever it was: who came and went meanwhile has left it alone.
 */
export function* ftraceStartupSysctl(cx: Context, k: Kernel): Path<void> {
  if (cx.read(k.ftrace.startUp) === 0) return;
  yield* mutexLock(cx, k.textMutex); // CC-S7
  yield* whileTextRests(cx, k, function* (own) {
    yield* k.fn.ftraceInnerToListFunc(own, k);
    if (!own.read(k.ftrace.disabled)) yield* k.fn.ftraceModifyAllCode(own, k);
  });
  yield* mutexUnlock(cx, k.textMutex); // CC-S7
}

/** `ftrace_shutdown_sysctl` (CC-S7): CC-S3.2 alone; a caller on its way still reaches whom it would have reached. */
export function* ftraceShutdownSysctl(cx: Context, k: Kernel): Path<void> {
  if (cx.read(k.ftrace.startUp) === 0) return;
  yield* mutexLock(cx, k.textMutex); // CC-S7
  yield* whileTextRests(cx, k, (own) => k.fn.ftraceReplaceCode(own, k));
  yield* mutexUnlock(cx, k.textMutex); // CC-S7
}
