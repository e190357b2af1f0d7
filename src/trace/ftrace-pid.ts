// Layer trace. `set_ftrace_pid` (FT-18, CC-S21), after `ftrace_pid_func`, `pid_write` and `ftrace_pid_reset` of
// kernel/trace/ftrace.c. While there is a list of pids, the func of a PID ops is a wrapper that compares what the
// last task switch of its CPU has left with the current task. Left out: set_ftrace_notrace_pid, following forks.
import { known } from '../assert.ts';
import type { Address } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import type { Cpu } from '../emu/cpu.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import type { Machine } from '../emu/machine.ts';
import { act, callGuest, enter, type Path, readOnce, writeOnce } from '../emu/path.ts';
import { synchronize } from '../emu/rcu.ts';
import { allocate, type KObject, release, touch } from '../emu/slab.ts';
import type { StubArguments } from '../emu/stubs.ts';
import type { Task } from '../emu/task.ts';
import { onEachCpu } from '../emu/text.ts';
import { ENOMEM, type Errno } from './errno.ts';
import { calledGeneration } from './ftrace-callback.ts';
import { skip } from './ftrace-caller.ts';
import { FTRACE_OPS_FL_PID, opsHas } from './ftrace-ops-flags.ts';
import { touchOps, useOps } from './ftrace-ops-memory.ts';
import { type FtraceOps, readOpsFunc, writeOpsFunc } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';

/** `struct trace_pid_list`: complete before it is published, and never changed after. */
interface PidList {
  readonly memory: KObject;
  readonly pids: ReadonlySet<number>;
}

export interface FtracePids {
  /** `tr->function_pids`; undefined: every task is traced. */
  readonly list: Cell<PidList | undefined>;
  /** `ftrace_ignore_pid` of each CPU: the pid of the task it runs, or one of the two values below. */
  readonly ignore: readonly Cell<number>[];
  /** `ftrace_pid_func`: the wrapper, as code can call it. */
  readonly wrapper: Address;
}

const FTRACE_PID_IGNORE = -1;
const FTRACE_PID_TRACE = -2;
/** A `struct trace_pid_list` with its first chunks. */
const PID_LIST_BYTES = 512;

export function newFtracePids(machine: Machine, wrapper: Address): FtracePids {
  const { cells, cpus } = machine;
  return {
    list: cells.cell<PidList | undefined>('function_pids', undefined),
    ignore: cpus.map(({ id }) => cells.cell(`ftrace_ignore_pid/${id}`, FTRACE_PID_TRACE)),
    wrapper,
  };
}

/** A write to `set_ftrace_pid`. */
export interface PidWrite {
  readonly pids: readonly number[];
  /** The file was opened with O_TRUNC: the list is gone before the write. */
  readonly reset: boolean;
}

/** Opens, writes and closes `set_ftrace_pid`. Task context; sleeps. */
export function* setFtracePid(cx: Context, k: Kernel, { pids, reset }: PidWrite): Path<Errno> {
  if (reset) yield* enter(k.fn.ftracePidReset(cx, k));
  return pids.length === 0 ? 0 : yield* enter(k.fn.ftracePidWrite(cx, k, pids));
}

/** `ftrace_pid_write` (CC-S21.1-6): those who were on the list stay on it. */
export function* ftracePidWrite(cx: Context, k: Kernel, pids: readonly number[]): Path<Errno> {
  yield* mutexLock(cx, k.ftrace.ftraceLock); // CC-S21.1
  const memory = yield* allocate(cx, { kind: 'heap', bytes: PID_LIST_BYTES }); // CC-S21.1
  if (memory !== undefined) {
    const old = cx.make(() => k.pids.list.value);
    const list = { memory, pids: new Set([...(old?.pids ?? []), ...pids]) };
    yield* writeOnce(k.pids.list, list); // CC-S21.2
    if (old === undefined) yield* attachSwitchHook(k);
    else yield* freePidList(cx, old);
    yield* onEachCpu(cx, (cpu) => ignoreTask(k, cpu, cpu.current)); // CC-S21.4
    yield* k.fn.ftraceUpdatePidFunc(cx, k);
  }
  yield* mutexUnlock(cx, k.ftrace.ftraceLock); // CC-S21.6
  return memory === undefined ? -ENOMEM : 0;
}

/** `ftrace_pid_reset`: every CPU traces again before the list goes, so no hit is lost for one that is gone. */
export function* ftracePidReset(cx: Context, k: Kernel): Path<void> {
  yield* mutexLock(cx, k.ftrace.ftraceLock); // CC-S21.1
  const old = cx.make(() => k.pids.list.value);
  if (old !== undefined) {
    yield* detachSwitchHook(k);
    for (const ignore of k.pids.ignore) yield* writeOnce(ignore, FTRACE_PID_TRACE); // CC-S21.4
    yield* writeOnce<PidList | undefined>(k.pids.list, undefined); // CC-S21.2
    yield* freePidList(cx, old);
    yield* k.fn.ftraceUpdatePidFunc(cx, k);
  }
  yield* mutexUnlock(cx, k.ftrace.ftraceLock); // CC-S21.6
}

/** Task switches may still look at it until the grace period is over. */
function* freePidList(cx: Context, { memory }: PidList): Path<void> {
  yield* synchronize(cx, 'synchronize_rcu'); // CC-S21.3
  yield* release(cx, memory); // CC-S21.3
}

/** `register_trace_sched_switch` for the first list. */
function* attachSwitchHook(k: Kernel): Path<void> {
  yield* act(k.pids.list, () => {
    k.machine.switching = (cpu, next) => {
      ignoreTask(k, cpu, next);
    };
  }); // CC-S21.3
}

function* detachSwitchHook(k: Kernel): Path<void> {
  yield* act(k.pids.list, () => {
    k.machine.switching = undefined;
  }); // CC-S21.3
}

/** `ftrace_filter_pid_sched_switch_probe`, `ignore_task_cpu`: part of the step in which `cpu` turns to `task`. */
function ignoreTask(k: Kernel, cpu: Cpu, task: Task): void {
  const list = k.pids.list.value;
  const ignore = known(k.pids.ignore[cpu.id], 'each CPU has its value');
  if (list === undefined) return;
  touch(cpu.top, list.memory);
  ignore.set(list.pids.has(task.pid) ? task.pid : FTRACE_PID_IGNORE);
}

/** `ftrace_pids_enabled`: is the func of `ops` to be the wrapper? Caller holds `ftrace_lock`. */
function ftracePidsEnabled(cx: Context, k: Kernel, ops: FtraceOps): boolean {
  return opsHas(cx, ops, FTRACE_OPS_FL_PID) && cx.make(() => k.pids.list.value !== undefined);
}

/**
 * CC-S4.4: ops->saved_func keeps whom the user wants to be called. Who walks the list already may have called him
 * without the check (CC-S4.3). Caller holds `ftrace_lock`.
 */
export function* ftraceSaveFunc(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  cx.write(ops.savedFunc, readOpsFunc(cx, ops));
  if (ftracePidsEnabled(cx, k, ops)) yield* writeOpsFunc(cx, k, ops, k.pids.wrapper); // CC-S4.4
}

/** CC-S5.3: the struct is the user's again, as he filled it in. Caller holds `ftrace_lock`. */
export function* ftraceRestoreFunc(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  const saved = cx.read(ops.savedFunc);
  if (readOpsFunc(cx, ops) !== saved) yield* writeOpsFunc(cx, k, ops, saved); // CC-S5.3
}

/** `ftrace_update_pid_func` and `ftrace_startup_all` (CC-S21.5-6). Caller holds `ftrace_lock`. */
export function* ftraceUpdatePidFunc(cx: Context, k: Kernel): Path<void> {
  let ops = cx.read(k.ftrace.opsList);
  while (ops !== undefined) {
    if (opsHas(cx, ops, FTRACE_OPS_FL_PID)) yield* updateFunc(cx, k, ops);
    useOps(cx, ops);
    ops = cx.read(ops.next);
  }
  k.fn.updateFtraceFunction(cx, k);
  if (k.fn.ftraceMustUpdate(cx, k, false)) yield* k.fn.ftraceRunUpdateCode(cx, k);
}

function* updateFunc(cx: Context, k: Kernel, ops: FtraceOps): Path<void> {
  const func = ftracePidsEnabled(cx, k, ops) ? k.pids.wrapper : cx.read(ops.savedFunc);
  if (readOpsFunc(cx, ops) === func) return;
  yield* writeOpsFunc(cx, k, ops, func); // CC-S21.5
  yield* k.fn.ftraceRefreshTrampoline(cx, k, ops);
}

/** `ftrace_pid_func`, called in place of an ops' own func with the arguments of a callback. Any context. */
export function* ftracePidFunc(cx: Context, k: Kernel, args: StubArguments): Path<number> {
  const ops = k.ops.byAddress.get(args.address(2));
  if (ops === undefined) return 0;
  const generation = cx.make(() => calledGeneration(cx, k, ops));
  const pid = yield* readOnce(known(k.pids.ignore[cx.cpu.id], 'each CPU has its value')); // CC-S21.4
  if (pid !== FTRACE_PID_TRACE && pid !== cx.task.pid) {
    const { object } = ops;
    skip(cx, { object, generation, reason: 'pid', ip: args.address(0) });
    return 0;
  }
  const func = yield* readOnce(ops.savedFunc); // CC-S21.5
  touchOps(cx, ops);
  const words = [0, 1, 2, 3].flatMap((i) => [args.lo(i), args.hi(i)]);
  yield* callGuest(cx.cpu.state, func, [...words, generation, 0]);
  return 0;
}
