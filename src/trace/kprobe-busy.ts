// Layer trace. `current_kprobe`, and the dummy kprobe that says that one is running while none is: what fprobes with
// FPROBE_FL_KPROBE_SHARED and kprobes keep out of each other's handlers with (CC-H11.3).
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import type { Cpu } from '../emu/cpu.ts';
import { type Path, readOnce, writeOnce } from '../emu/path.ts';
import { preemptDisable, preemptEnable } from '../emu/preempt.ts';
import { TRACE_EVENTS } from './event.ts';
import type { Kernel } from './kernel.ts';

/** `kprobe_busy`, the dummy: a place that no segment covers, for it has nothing to say. */
export const KPROBE_BUSY: Address = 0x00250000;

/** `current_kprobe` of `cpu`; NO_ADDRESS is NULL. Made when somebody first asks. */
function currentKprobe(k: Kernel, { id }: Cpu): Cell<Address> {
  const present = k.currentKprobes[id];
  if (present !== undefined) return present;
  const made = k.machine.cells.cell<Address>(`current_kprobe/${id}`, NO_ADDRESS);
  k.currentKprobes[id] = made;
  return made;
}

/** `kprobe_running`: the kprobe that runs on this CPU, or the dummy; NO_ADDRESS when none. Preemption is off. */
export function* kprobeRunning(cx: Context, k: Kernel): Path<Address> {
  const running = cx.make(() => currentKprobe(k, cx.cpu));
  return yield* readOnce(running); // CC-H11.3
}

/** `kprobe_busy_begin`. */
export function* kprobeBusyBegin(cx: Context, k: Kernel): Path<void> {
  yield* preemptDisable(cx);
  const running = cx.make(() => currentKprobe(k, cx.cpu));
  yield* writeOnce(running, KPROBE_BUSY); // CC-H11.3
  cx.emit(TRACE_EVENTS.current_kprobe.id, KPROBE_BUSY);
}

/** `kprobe_busy_end`. Whoever was busy before on this CPU is no longer either: it is no count. */
export function* kprobeBusyEnd(cx: Context, k: Kernel): Path<void> {
  const running = cx.make(() => currentKprobe(k, cx.cpu));
  yield* writeOnce(running, NO_ADDRESS);
  cx.emit(TRACE_EVENTS.current_kprobe.id, NO_ADDRESS);
  yield* preemptEnable(cx);
}
