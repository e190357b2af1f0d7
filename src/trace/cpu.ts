// Layer trace. `cpu_down` and `cpu_up` as control operations: what events say about them.
import { type Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { cpuDown, cpuUp } from '../emu/hotplug.ts';
import type { Path } from '../emu/path.ts';
import { TRACE_EVENTS } from './event.ts';
import type { Kernel } from './kernel.ts';

export interface CpuRequest {
  readonly op: 'cpu_down' | 'cpu_up';
  readonly which: number;
  /** The last or first function that the CPU runs, or NO_ADDRESS. */
  readonly func: Address;
}

/** Performs one; 0, -EBUSY for the last CPU that is online, -EINVAL for one that is there or gone already. */
export function* cpuOperation(
  cx: Context,
  k: Kernel,
  { op, which, func }: CpuRequest,
): Path<number> {
  const { strings } = k.machine;
  const { ctl_begin: begin, ctl_end: end } = TRACE_EVENTS;
  cx.emit(begin.id, strings.id(op), 0, strings.id(`CPU ${which}`), func, 0);
  const result = yield* (op === 'cpu_down' ? cpuDown : cpuUp)(cx, which, func);
  cx.emit(end.id, strings.id(op), 0, 0, result);
  return result;
}
