// Layer trace. `current_kprobe` (KP-4): which kprobe runs on a CPU, and the dummy that says that one is running while none
// is: what fprobes with FPROBE_FL_KPROBE_SHARED, kretprobes and kprobes keep out of each other's handlers with (KP-46).
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { act, type Path, readOnce } from '../emu/path.ts';
import { preemptDisable, preemptEnable } from '../emu/preempt.ts';
import { TRACE_EVENTS } from './event.ts';
import type { Kernel } from './kernel.ts';
import { currentKprobe } from './kprobe-table.ts';
import { type CurrentKprobe, KPROBE_HIT, type KprobeNode } from './kprobe.ts';

/** `kprobe_busy`, the dummy: a place that no segment covers, for it has nothing to say. */
export const KPROBE_BUSY: Address = 0x00250000;

const BUSY: CurrentKprobe = {
  address: KPROBE_BUSY,
  node: undefined,
  instance: undefined,
  status: KPROBE_HIT.active,
  savedIrqs: true,
  previous: undefined,
};

/** `kprobe_running`: the kprobe that runs on this CPU, or the dummy; NO_ADDRESS when none. Preemption is off. */
export function* kprobeRunning(cx: Context, k: Kernel): Path<Address> {
  const current = cx.make(() => currentKprobe(k, cx.cpu));
  return (yield* readOnce(current))?.address ?? NO_ADDRESS; // CC-H11.3
}

/** Sets what runs on this CPU, in one step (CC-H6.5). Preemption is off. */
export function* setCurrentKprobe(
  cx: Context,
  k: Kernel,
  value: CurrentKprobe | undefined,
): Path<void> {
  const current = cx.make(() => currentKprobe(k, cx.cpu));
  yield* act(current, () => {
    current.set(value);
    const words = [value?.address ?? NO_ADDRESS, value?.node?.addr ?? NO_ADDRESS] as const;
    cx.emit(TRACE_EVENTS.current_kprobe.id, ...words, value?.status ?? 0);
  });
}

/** What runs on this CPU once `node` is hit. */
export function hitBy(cx: Context, node: KprobeNode): CurrentKprobe {
  const { instance, address } = soleProbe(node);
  const savedIrqs = cx.irqsAfter ?? cx.irqsBefore;
  return { address, node, instance, status: KPROBE_HIT.active, savedIrqs, previous: undefined };
}

/** What `kprobe_running` answers while `node` runs: the struct of its probe, or for an aggregate, whose own has no place, of its newest. */
function soleProbe(node: KprobeNode): Pick<CurrentKprobe, 'address' | 'instance'> {
  const newest = node.first.value;
  return {
    address: newest?.address ?? node.addr,
    instance: node.isAggregate ? undefined : newest,
  };
}

/** `kprobe_busy_begin`. */
export function* kprobeBusyBegin(cx: Context, k: Kernel): Path<void> {
  yield* preemptDisable(cx);
  yield* setCurrentKprobe(cx, k, BUSY); // CC-H11.3
}

/** `kprobe_busy_end`. Whoever was busy before on this CPU is no longer either: it is no count. */
export function* kprobeBusyEnd(cx: Context, k: Kernel): Path<void> {
  yield* setCurrentKprobe(cx, k, undefined);
  yield* preemptEnable(cx);
}
