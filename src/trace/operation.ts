// Layer trace. The public calls of the tracing subsystem, as workloads, timelines and guest code make them:
// the path of the call between its `ctl_begin` and its `ctl_end`.
import type { Address } from '../emu/address.ts';
import { hexAddress, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { Errno } from './errno.ts';
import { TRACE_EVENTS } from './event.ts';
import { NOBODY } from './ftrace-caller.ts';
import { FTRACE_OPS_FL_ENABLED } from './ftrace-ops-flags.ts';
import { flagNames, type FtraceOps } from './ftrace-ops.ts';
import type { PidWrite } from './ftrace-pid.ts';
import type { Kernel } from './kernel.ts';
import { strictCall, strictUnregister } from './strict.ts';

/** A call on an ops, by the kernel's name and with the kernel's arguments. */
export type OperationRequest =
  | {
      readonly op: 'register_ftrace_function' | 'unregister_ftrace_function' | 'ftrace_free_filter';
    }
  | PatternRequest
  | {
      readonly op: 'ftrace_set_filter_ip';
      readonly ip: Address;
      readonly remove: boolean;
      readonly reset: boolean;
    }
  | {
      readonly op: 'ftrace_set_filter_ips';
      readonly ips: readonly Address[];
      readonly remove: boolean;
      readonly reset: boolean;
    };

/** A write to a file that is about no ops. */
export type FileRequest =
  | { readonly op: 'ftrace_enabled'; readonly text: string }
  | ({ readonly op: 'set_ftrace_pid' } & PidWrite);

export interface PatternRequest {
  readonly op: 'ftrace_set_filter' | 'ftrace_set_notrace';
  /** Undefined: NULL. */
  readonly text: string | undefined;
  /** The `len` argument; that of `text` by default. */
  readonly length?: number;
  readonly reset: boolean;
}

/** Bits of `flags` in `ctl_begin`. */
const CTL_RESET = 1;
export const CTL_NULL = 2;
const CTL_REMOVE = 4;

/** Performs `request` on `ops`; what the call returns. Task context; sleeps. */
export function* operation(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  request: OperationRequest,
): Path<Errno> {
  const { strings } = k.machine;
  const op = strings.id(request.op);
  const text = cx.make(() => textOf(k, ops, request));
  const words = [strings.id(text), ipOf(request), flagsOf(request)] as const;
  cx.emit(TRACE_EVENTS.ctl_begin.id, op, ops.object, ...words);
  strictCall(cx, k, ops);
  if (request.op === 'unregister_ftrace_function') strictUnregister(cx, k, ops);
  const result = yield* perform(cx, k, ops, request);
  const generation = cx.make(() => ops.generation.value);
  if (result < 0) cx.emit(TRACE_EVENTS.ops_state.id, ...cx.make(() => opsState(k, ops)));
  cx.emit(TRACE_EVENTS.ctl_end.id, op, ops.object, generation, result);
  return result;
}

type Words = readonly [number, number, number, number, number, number, number, number];

/** What the kernel keeps about `ops`, for judges of calls that fail (CC-O13). */
function opsState(k: Kernel, ops: FtraceOps): Words {
  const enabled = (ops.flags.value & FTRACE_OPS_FL_ENABLED) !== 0;
  let listed = k.ftrace.opsList.value;
  while (listed !== undefined && listed !== ops) listed = listed.next.value;
  const served = k.records.filter(({ users }) => users.value.includes(ops)).length;
  const state = [ops.object, enabled ? 1 : 0, listed === undefined ? 0 : 1, served] as const;
  const [filter, notrace] = [ops.filterHash.value.ips.value, ops.notraceHash.value.ips.value];
  return [...state, filter.size, sumOf(filter), notrace.size, sumOf(notrace)];
}

function sumOf(ips: ReadonlySet<Address>): number {
  let sum = 0;
  for (const ip of ips) sum = (sum + ip) | 0;
  return sum;
}

/** Performs a write; 0 where the kernel gives the number of bytes. Task context; sleeps. */
export function* fileOperation(cx: Context, k: Kernel, request: FileRequest): Path<Errno> {
  const { strings } = k.machine;
  const op = strings.id(request.op);
  const [text, flags] =
    request.op === 'ftrace_enabled'
      ? [request.text, 0]
      : [request.pids.join(' '), request.reset ? CTL_RESET : 0];
  cx.emit(TRACE_EVENTS.ctl_begin.id, op, NOBODY, strings.id(text), NO_ADDRESS, flags);
  const result = yield* request.op === 'ftrace_enabled'
    ? k.fn.ftraceEnableSysctl(cx, k, request.text)
    : k.fn.setFtracePid(cx, k, request);
  cx.emit(TRACE_EVENTS.ctl_end.id, op, NOBODY, 0, result);
  return result;
}

function perform(cx: Context, k: Kernel, ops: FtraceOps, request: OperationRequest): Path<Errno> {
  switch (request.op) {
    case 'register_ftrace_function':
      return k.fn.registerFtraceFunction(cx, k, ops);
    case 'unregister_ftrace_function':
      return k.fn.unregisterFtraceFunction(cx, k, ops);
    case 'ftrace_set_filter':
      return k.fn.ftraceSetHash(cx, k, ops, { ...request, which: 'filterHash' });
    case 'ftrace_set_notrace':
      return k.fn.ftraceSetHash(cx, k, ops, { ...request, which: 'notraceHash' });
    case 'ftrace_set_filter_ip': {
      const { ip, remove, reset } = request;
      return k.fn.ftraceSetHash(cx, k, ops, { which: 'filterHash', ips: [ip], remove, reset });
    }
    case 'ftrace_set_filter_ips':
      return k.fn.ftraceSetHash(cx, k, ops, { ...request, which: 'filterHash' });
    case 'ftrace_free_filter':
      return k.fn.ftraceFreeFilter(cx, k, ops);
  }
}

/** The pattern, or the addresses of an array; of register, the flags that the user has set. */
function textOf(k: Kernel, ops: FtraceOps, request: OperationRequest): string {
  if (request.op === 'register_ftrace_function') return flagNames(k, ops);
  if ('ips' in request) return request.ips.map(hexAddress).join(' ');
  return 'text' in request ? (request.text ?? '') : '';
}

function ipOf(request: OperationRequest): Address {
  return 'ip' in request ? request.ip : NO_ADDRESS;
}

function flagsOf(request: OperationRequest): number {
  const reset = 'reset' in request && request.reset ? CTL_RESET : 0;
  const isNull = 'text' in request && request.text === undefined ? CTL_NULL : 0;
  const remove = 'remove' in request && request.remove ? CTL_REMOVE : 0;
  return reset | isNull | remove;
}
