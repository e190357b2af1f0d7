// Layer trace. What a run leaves behind of probes at an instruction, told in its last events: for judges of quiescence
// (CC-O11), and for those who compare counters with what was missed.
import { known } from '../assert.ts';
import { TRACE_EVENTS } from './event.ts';
import type { Kernel } from './kernel.ts';
import { KRETPROBE } from './kprobe-struct.ts';
import type { Kprobe } from './kprobe.ts';
import { countNodes } from './rethook.ts';

/** `kprobe_state` of each probe that the kernel has heard of; of a guest's struct the newest at its address. */
export function reportKprobes(k: Kernel): void {
  for (const p of k.kprobes?.byAddress.values() ?? []) reportKprobe(k, p);
}

function reportKprobe(k: Kernel, p: Kprobe): void {
  const { machine } = k;
  const first = known(machine.cpus[0], 'there is a first CPU');
  const planted = p.node.value === undefined ? 0 : 1;
  const [free, nodes] = instancesOf(p);
  const words = [p.flags.value, p.nmissed.value, kretprobeNmissed(k, p), free, nodes] as const;
  machine.emitFrom(first.top, TRACE_EVENTS.kprobe_state.id, p.object, planted, ...words);
}

/** `rp->nmissed` (KR-4); 0 of other probes. */
function kretprobeNmissed(k: Kernel, p: Kprobe): number {
  if (p.kind !== 'kretprobe' || p.memory?.live === false) return 0;
  return k.machine.memory.load32(p.address + KRETPROBE.nmissed);
}

/** Free ones and all; of one that was unregistered, only what calls under way hold. */
function instancesOf({ rethook: { value: rethook } }: Kprobe): readonly [number, number] {
  if (rethook === undefined) return [0, 0];
  const { handler, nodes, pool, refs } = rethook;
  return handler.value === undefined ? [0, refs.value] : [countNodes(pool.value), nodes];
}
