// Layer trace. `register_ftrace_function` and `unregister_ftrace_function` (FT-25, FT-29, CC-S4, CC-S5),
// after kernel/trace/ftrace.c. Left out: direct and sub-ops. Every ops is DYNAMIC but those that a workload calls static.
import type { Context } from '../emu/context.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { enter, type Path, writeOnce } from '../emu/path.ts';
import { synchronize } from '../emu/rcu.ts';
import { EBUSY, EINVAL, ENODEV, type Errno } from './errno.ts';
import { ftraceSelection } from './ftrace-hash.ts';
import {
  FTRACE_OPS_FL_ADDING,
  FTRACE_OPS_FL_DELETED,
  FTRACE_OPS_FL_DYNAMIC,
  FTRACE_OPS_FL_ENABLED,
  FTRACE_OPS_FL_IPMODIFY,
  FTRACE_OPS_FL_REMOVING,
  opsHas,
} from './ftrace-ops-flags.ts';
import { useOps } from './ftrace-ops-memory.ts';
import { type FtraceOps, readOpsStruct, structFlags, writeOpsFlags } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';

/** `register_ftrace_function`. Task context; sleeps. */
export function* registerFtraceFunction(cx: Context, k: Kernel, ops: FtraceOps): Path<Errno> {
  yield* mutexLock(cx, k.directMutex); // CC-S4.1
  prepareForIpmodify(cx, k, ops);
  yield* mutexLock(cx, k.ftrace.ftraceLock); // CC-S4.1
  const result = yield* enter(k.fn.ftraceStartup(cx, k, ops));
  yield* mutexUnlock(cx, k.ftrace.ftraceLock); // CC-S4.9
  yield* mutexUnlock(cx, k.directMutex); // CC-S4.9
  return result;
}

/** FT-25.4 of an ops that is registered: that it is about to be deleted is seen first. */
function refuseSecond(cx: Context, k: Kernel, ops: FtraceOps): Errno {
  if ((structFlags(cx, k, ops) & FTRACE_OPS_FL_DELETED) !== 0) return -EINVAL;
  return warnOf(cx, '__register_ftrace_function');
}

/**
 * `prepare_direct_functions_for_ipmodify` (FT-25.1) looks at the hash before anybody has made one: an IPMODIFY ops that
 * never had a filter call kills the kernel (X03).
 */
function prepareForIpmodify(cx: Context, k: Kernel, ops: FtraceOps): void {
  const isReady =
    (structFlags(cx, k, ops) & FTRACE_OPS_FL_IPMODIFY) === 0 || cx.make(() => ops.hasHashes.value);
  cx.make(() => {
    const { cpu } = cx;
    if (!isReady) cpu.machine.oops(cpu, 'NULL filter hash', cpu.hart.pc, ops.address);
    ops.hasHashes.set(true);
  });
}

/** `unregister_ftrace_function`. Task context; sleeps, and waits under `ftrace_lock` (CC-S5). */
export function* unregisterFtraceFunction(cx: Context, k: Kernel, ops: FtraceOps): Path<Errno> {
  yield* mutexLock(cx, k.ftrace.ftraceLock); // CC-S5.1
  const result = yield* enter(k.fn.ftraceShutdown(cx, k, ops));
  yield* mutexUnlock(cx, k.ftrace.ftraceLock); // CC-S5.9
  return result;
}

/**
 * `ftrace_startup` (CC-S4.1-9). Guarantee `start` (FT-26): the callback may run from the publishing on, and
 * by the return every selected site runs it. Caller holds `ftrace_lock`.
 */
export function* ftraceStartup(cx: Context, k: Kernel, ops: FtraceOps): Path<Errno> {
  const { ftrace } = k;
  if (cx.read(ftrace.disabled)) return -ENODEV;
  if (opsHas(cx, ops, FTRACE_OPS_FL_ENABLED)) return refuseSecond(cx, k, ops);
  readOpsStruct(cx, k, ops);
  if (opsHas(cx, ops, FTRACE_OPS_FL_DELETED)) return -EINVAL;
  const regs = k.fn.ftraceRegsCheck(cx, k, ops);
  if (regs < 0) return regs;
  if (k.fn.isPermanentRefused(cx, k, ops)) return -EBUSY;
  if (!ops.isStatic) writeOpsFlags(cx, k, ops, cx.read(ops.flags) | FTRACE_OPS_FL_DYNAMIC);
  cx.write(ops.generation, cx.read(ops.generation) + 1);

  yield* k.fn.addFtraceOps(cx, k, ops);
  yield* k.fn.ftraceSaveFunc(cx, k, ops);
  yield* k.fn.ftraceUpdateTrampoline(cx, k, ops);
  k.fn.updateFtraceFunction(cx, k);
  cx.write(ftrace.startUp, cx.read(ftrace.startUp) + 1);
  setFlags(cx, k, ops, FTRACE_OPS_FL_ENABLED | FTRACE_OPS_FL_ADDING);
  const claimed = k.fn.ftraceHashIpmodifyEnable(cx, k, ops); // CC-S4.6
  if (claimed < 0) {
    yield* k.fn.ftraceStartupUndo(cx, k, ops);
    return claimed;
  }
  const stale = k.fn.ftraceHashRecEnable(cx, k, ops, ftraceSelection(cx, ops));
  if (k.fn.ftraceMustUpdate(cx, k, stale)) yield* k.fn.ftraceRunUpdateCode(cx, k);
  if (cx.read(ftrace.disabled)) {
    // Undefined state: only the list forgets the ops, anything more could do further damage.
    yield* k.fn.removeFtraceOps(cx, k, ops);
    return -ENODEV;
  }
  clearFlags(cx, k, ops, FTRACE_OPS_FL_ADDING);
  return 0;
}

/** CC-S4.6 of a call that fails: undoes CC-S4.3-5 (CC-G16). No site was patched, so nobody is in the trampoline. */
export function* ftraceStartupUndo(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  yield* k.fn.removeFtraceOps(cx, k, ops);
  yield* k.fn.ftraceRestoreFunc(cx, k, ops);
  k.fn.updateFtraceFunction(cx, k);
  cx.write(k.ftrace.startUp, cx.read(k.ftrace.startUp) - 1);
  clearFlags(cx, k, ops, FTRACE_OPS_FL_ENABLED | FTRACE_OPS_FL_ADDING);
  yield* k.fn.ftraceTrampolineFree(cx, k, ops);
}

/**
 * `ftrace_shutdown` (CC-S5.1-8). Guarantee `unregister` (FT-30): after it returns 0 the callback runs nowhere
 * and will not start. No new execution can begin after the unlinking and the patch; the waits outlast the
 * old ones (CC-G1). For an ops in core kernel data nobody waits, and nothing is promised (FT-31). Caller holds
 * `ftrace_lock`.
 */
export function* ftraceShutdown(cx: Context, k: Kernel, ops: FtraceOps): Path<Errno> {
  const refused = k.fn.ftraceShutdownCheck(cx, k, ops);
  if (refused < 0) return refused;
  const removed = yield* k.fn.removeFtraceOps(cx, k, ops);
  if (removed < 0) return removed;
  yield* k.fn.ftraceRestoreFunc(cx, k, ops);
  const stale = k.fn.ftraceShutdownRecords(cx, k, ops);
  if (k.fn.ftraceMustUpdate(cx, k, stale)) yield* k.fn.ftraceShutdownUpdate(cx, k, ops);
  if (!opsHas(cx, ops, FTRACE_OPS_FL_DYNAMIC)) return 0;
  yield* k.fn.ftraceShutdownWait(cx, k);
  yield* k.fn.ftraceTrampolineFree(cx, k, ops);
  return 0;
}

/** CC-S5.1. */
export function ftraceShutdownCheck(cx: Context, k: Kernel, ops: FtraceOps): Errno {
  if (cx.read(k.ftrace.disabled)) return -ENODEV;
  return opsHas(cx, ops, FTRACE_OPS_FL_ENABLED) ? 0 : warnOf(cx, '__unregister_ftrace_function');
}

/** `WARN_ON` and -EBUSY: a line of the kernel log, and everything goes on (FT-25.4, FT-29.1). */
function warnOf(cx: Context, func: string): Errno {
  cx.emit(EMU_EVENTS.printk.id, cx.cpu.machine.strings.id(`WARNING: ${func}`));
  return -EBUSY;
}

/** CC-S5.3-4: who is called, and whom the records serve; true when some text has to follow. */
export function ftraceShutdownRecords(cx: Context, k: Kernel, ops: FtraceOps): boolean {
  k.fn.updateFtraceFunction(cx, k);
  cx.write(k.ftrace.startUp, cx.read(k.ftrace.startUp) - 1);
  k.fn.ftraceHashIpmodifyDisable(cx, k, ops);
  const stale = k.fn.ftraceHashRecDisable(cx, k, ops, ftraceSelection(cx, ops));
  clearFlags(cx, k, ops, FTRACE_OPS_FL_ENABLED | FTRACE_OPS_FL_ADDING);
  return stale;
}

/** CC-S5.5. */
export function* ftraceShutdownUpdate(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  setFlags(cx, k, ops, FTRACE_OPS_FL_REMOVING);
  yield* k.fn.ftraceRunUpdateCode(cx, k);
  clearFlags(cx, k, ops, FTRACE_OPS_FL_REMOVING);
}

/**
 * CC-S5.6-7. Both are needed (FT-33): the first outlasts whatever is non-preemptible, RCU watching or not; the
 * second outlasts tasks that were preempted in the trampoline or in the callback.
 */
export function* ftraceShutdownWait(cx: Context, k: Kernel): Path<void> {
  yield* k.fn.synchronizeRcuTasksRude(cx);
  yield* k.fn.synchronizeRcuTasks(cx);
}

/** `synchronize_rcu_tasks_rude` (CC-M11). */
export function* synchronizeRcuTasksRude(cx: Context): Path<void> {
  yield* synchronize(cx, 'synchronize_rcu_tasks_rude'); // CC-S5.6
}

/** `synchronize_rcu_tasks` (CC-M12). */
export function* synchronizeRcuTasks(cx: Context): Path<void> {
  yield* synchronize(cx, 'synchronize_rcu_tasks'); // CC-S5.7
}

/** `add_ftrace_ops` (CC-S4.2-3): in front of the list; complete before it can be found. */
export function* addFtraceOps(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  const head = cx.read(k.ftrace.opsList);
  yield* writeOnce(ops.next, head); // CC-S4.2
  useOps(cx, ops);
  yield* writeOnce(k.ftrace.opsList, ops); // CC-S4.3
}

/** `remove_ftrace_ops` (CC-S5.2): one store. ops->next stays: a walker that stands on ops goes on. */
export function* removeFtraceOps(cx: Context, k: Kernel, ops: FtraceOps): Path<Errno> {
  let link = k.ftrace.opsList;
  for (let found = cx.read(link); found !== ops; found = cx.read(link)) {
    if (found === undefined) return -1;
    useOps(cx, found);
    link = found.next;
  }
  yield* writeOnce(link, cx.read(ops.next));
  return 0;
}

function setFlags(cx: Context, k: Kernel, ops: FtraceOps, bits: number): void {
  writeOpsFlags(cx, k, ops, cx.read(ops.flags) | bits);
}

function clearFlags(cx: Context, k: Kernel, ops: FtraceOps, bits: number): void {
  writeOpsFlags(cx, k, ops, cx.read(ops.flags) & ~bits);
}
