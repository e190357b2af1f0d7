// Layer trace. Machine option `strict`: misuse that a real kernel does not notice ends the run with an oops, which
// says what was done. Without it the run goes on as on a real kernel. Misuse that any kernel notices is not here.
import type { Context } from '../emu/context.ts';
import type { Cpu } from '../emu/cpu.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';
import { type OpenCallback, taskTrace } from './task-trace.ts';

/** What each misuse is called in the oops event. */
const MISUSE = {
  changed: 'strict: ops changed while registered',
  unregister: 'strict: unregister from its own callback',
  sleep: 'strict: callback sleeps',
} as const;

/** A hit of `ops` finds func and flags as they were registered (FT-17). */
export function strictHit(cpu: Cpu, k: Kernel, ops: FtraceOps): void {
  if (k.strict && k.fn.isStructChanged(k, ops)) oops(cpu, MISUSE.changed, ops);
}

/** As `strictHit`, for a call on `ops`. */
export function strictCall(cx: Context, k: Kernel, ops: FtraceOps): void {
  cx.make(() => {
    strictHit(cx.cpu, k, ops);
  });
}

/** unregister of a probe is not called from a callback of it: it would wait for itself (FT-35). */
export function strictUnregister(
  cx: Context,
  k: Kernel,
  probe: Pick<FtraceOps, 'object' | 'address'>,
): void {
  if (!k.strict) return;
  cx.make(() => {
    if (openCallbacks(cx, k).some(({ object }) => object === probe.object)) {
      oops(cx.cpu, MISUSE.unregister, probe);
    }
  });
}

/** The wait of unregister takes a task that sleeps in a callback for one that has left it (FT-34). */
export function strictSleep(k: Kernel, cpu: Cpu): void {
  const [open] = openCallbacks(cpu.current.context, k);
  if (open !== undefined) cpu.machine.oops(cpu, MISUSE.sleep, cpu.hart.pc);
}

/** Callbacks of hooks that have begun in the task and not ended, innermost first. */
function openCallbacks(cx: Context, k: Kernel): readonly OpenCallback[] {
  const found: OpenCallback[] = [];
  let open = taskTrace(k, cx.task).callback.value;
  for (; open !== undefined; open = open.below) if (open.isHook) found.push(open);
  return found;
}

function oops(cpu: Cpu, misuse: string, { address }: Pick<FtraceOps, 'address'>): void {
  cpu.machine.oops(cpu, misuse, cpu.hart.pc, address);
}
