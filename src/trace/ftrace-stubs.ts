// Layer trace. Kernel symbols that guest code calls: the same paths as the workload's operations. Misuse
// that crashes a real kernel is an oops event here, never an assertion.
import { type Address, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mayUse, readString } from '../emu/kernel-access.ts';
import type { Path } from '../emu/path.ts';
import type { Stub, StubArguments } from '../emu/stubs.ts';
import { dumpStack } from './dump-stack.ts';
import { EINVAL } from './errno.ts';
import { TRACE_EVENTS } from './event.ts';
import { fgraphStubs } from './fgraph-stubs.ts';
import { fprobeStubs } from './fprobe-stubs.ts';
import { innermostCallback } from './ftrace-callback.ts';
import { NOBODY, skip } from './ftrace-caller.ts';
import { ftraceKill } from './ftrace-modify.ts';
import { bindFtraceOps, FTRACE_OPS_BYTES } from './ftrace-ops.ts';
import { ftraceLocation, ftraceLocationRcu } from './ftrace-record.ts';
import type { Kernel } from './kernel.ts';
import { kprobeStubs } from './kprobe-stubs.ts';
import { operation, type OperationRequest, type PatternRequest } from './operation.ts';
import { recordStubs } from './record-stubs.ts';
import { TRACE_FTRACE_START } from './recursion.ts';
import { isPublished, TRACE_STUBS, type TraceStub } from './stub-table.ts';

/** Gives the symbols of the tracing layer their meaning. */
export function defineStubs(k: Kernel): void {
  const stubs: Partial<Record<TraceStub, Stub>> = {
    ftrace_ops_list_func: { path: (cx, args) => listFunc(cx, k, args, false) },
    ftrace_ops_list_func_regs: { path: (cx, args) => listFunc(cx, k, args, true) },
    ftrace_ops_assist_func: { path: (cx, args) => assistFunc(cx, k, args) },
    ftrace_pid_func: { path: (cx, args) => k.fn.ftracePidFunc(cx, k, args) },
    register_ftrace_function: control(k, () => ({ op: 'register_ftrace_function' })),
    unregister_ftrace_function: control(k, () => ({ op: 'unregister_ftrace_function' })),
    ftrace_set_filter: control(k, (cx, args) => pattern(cx, 'ftrace_set_filter', args)),
    ftrace_set_notrace: control(k, (cx, args) => pattern(cx, 'ftrace_set_notrace', args)),
    ftrace_set_filter_ip: control(k, (_cx, args) => ({
      op: 'ftrace_set_filter_ip',
      ip: args.address(1),
      remove: args.lo(2) !== 0,
      reset: args.lo(3) !== 0,
    })),
    ftrace_set_filter_ips: control(k, (cx, args) => addresses(cx, k, args)),
    ftrace_free_filter: control(k, () => ({ op: 'ftrace_free_filter' })),
    ftrace_test_recursion_trylock: { path: (cx, args) => trylock(cx, k, args) },
    ftrace_test_recursion_unlock: { path: (cx, args) => unlock(cx, k, args.lo(0)) },
    ftrace_location: {
      path: (cx, args) => ftraceLocationRcu(cx, k, args.address(0)),
      pointer: true,
    },
    dump_stack: { now: (cx) => dumpStack(cx, k) },
    ftrace_kill: { path: (cx) => kill(cx, k) },
  };
  const all: Partial<Record<TraceStub, Stub>> = {
    ...stubs,
    ...fprobeStubs(k),
    ...kprobeStubs(k),
    ...recordStubs(k),
    ...fgraphStubs(k),
  };
  for (const name of TRACE_STUBS) {
    const stub = all[name];
    if (stub !== undefined && isPublished(name, k.fprobes.era)) k.machine.stubs.define(name, stub);
  }
}

function* listFunc(cx: Context, k: Kernel, args: StubArguments, full: boolean): Path<number> {
  const [ip, parentIp, regs] = [args.address(0), args.address(1), args.address(3)];
  yield* k.fn.ftraceOpsListFunc(cx, k, { ip, parentIp, regs, full });
  return 0;
}

function* assistFunc(cx: Context, k: Kernel, args: StubArguments): Path<number> {
  const [ip, parentIp, regs] = [args.address(0), args.address(1), args.address(3)];
  const ops = k.ops.byAddress.get(args.address(2));
  if (ops === undefined) cx.make(() => oops(cx, 'unmapped', args.address(2)));
  else yield* k.fn.ftraceOpsAssistFunc(cx, k, ops, { ip, parentIp, regs });
  return 0;
}

function* kill(cx: Context, k: Kernel): Path<number> {
  yield* ftraceKill(cx, k);
  return 0;
}

/** What a guest asks for; undefined after an oops over an argument, or for what is refused right away. */
type Reader = (cx: Context, args: StubArguments) => OperationRequest | undefined;

/** A call on the `struct ftrace_ops` in a0. */
function control(k: Kernel, read: Reader): Stub {
  return { path: (cx, args) => controlCall(cx, k, args, read) };
}

function* controlCall(cx: Context, k: Kernel, args: StubArguments, read: Reader): Path<number> {
  const at = args.address(0);
  const request = cx.make(() => {
    // The kernel writes its flags into the struct.
    if (!mayUse(cx, { at, bytes: FTRACE_OPS_BYTES, writes: true })) return undefined;
    const asked = read(cx, args);
    return cx.cpu.preemptible() ? asked : oops(cx, 'scheduling while atomic', at);
  });
  if (request === undefined) return -EINVAL;
  return yield* operation(cx, k, bindFtraceOps(cx, k, at), request);
}

/** buf, len and reset of set_filter and set_notrace, in a1..a3. */
function pattern(
  cx: Context,
  op: PatternRequest['op'],
  args: StubArguments,
): PatternRequest | undefined {
  const reset = args.lo(3) !== 0;
  if (args.isNull(1)) return { op, text: undefined, reset };
  const text = readString(cx, args.address(1));
  return text === undefined ? undefined : { op, text, length: args.lo(2), reset };
}

/** Longer arrays are refused: what a recording says of a call has to stay short. */
const IPS_MAX = 4096;

/**
 * ips, cnt, remove and reset of set_filter_ips, in a1..a4. Like the kernel, which goes from one entry to the next, it
 * reads nothing behind the first one that is refused.
 */
function addresses(cx: Context, k: Kernel, args: StubArguments): OperationRequest | undefined {
  const count = args.isNull(1) ? 0 : args.lo(2) >>> 0;
  if (count > IPS_MAX) return undefined;
  const ips: Address[] = [];
  for (let i = 0; i < count; i++) {
    const at = args.address(1) + 8 * i;
    if (!mayUse(cx, { at, bytes: 8, writes: false })) return undefined;
    const { memory } = k.machine;
    const ip = toAddress(memory.loadLo(at), memory.loadHi(at));
    ips.push(ip);
    if (ftraceLocation(k, ip) === undefined) break;
  }
  return {
    op: 'ftrace_set_filter_ips',
    ips,
    remove: args.lo(3) !== 0,
    reset: args.lo(4) !== 0,
  };
}

/** The emulated kernel dies of what the guest did. */
function oops(cx: Context, reason: string, address: Address): undefined {
  cx.cpu.machine.oops(cx.cpu, reason, cx.cpu.hart.pc, address);
}

/** `ftrace_test_recursion_trylock` (FT-51): a callback that is refused has run, but does nothing. */
function* trylock(cx: Context, k: Kernel, args: StubArguments): Path<number> {
  const ip = args.address(0);
  const bit = yield* k.fn.traceTestAndSetRecursion(cx, k, TRACE_FTRACE_START);
  if (bit < 0) {
    const refused = cx.make(() => innermostCallback(cx, k));
    const { object, generation } = refused ?? { object: NOBODY, generation: 0 };
    skip(cx, { object, generation, reason: 'recursion', ip });
    yield* k.fn.ftraceRecordRecursion(cx, k, { ip, parentIp: args.address(1) });
    return bit;
  }
  cx.emit(TRACE_EVENTS.trylock.id, bit);
  return bit;
}

/** `ftrace_test_recursion_unlock`. */
function* unlock(cx: Context, k: Kernel, bit: number): Path<number> {
  const balanced = cx.make(() => cx.cpu.preemptCount.value > 0);
  if (!balanced) cx.make(() => oops(cx, 'preempt imbalance', NO_ADDRESS));
  else yield* k.fn.traceClearRecursion(cx, k, bit);
  return 0;
}
