// Layer emu. Can a CPU take a step?
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { ACCESS } from './path.ts';

/** True when `cpu` has something to execute, to take, or to switch to. */
export function isReady(cpu: Cpu): boolean {
  return canGoOn(cpu) || hasPending(cpu);
}

/** As `isReady`, but for what is pending. */
export function canGoOn(cpu: Cpu): boolean {
  if (!cpu.online) return false;
  const activity = cpu.top.top;
  if (activity?.kind === 'guest') return true;
  if (activity === undefined) {
    return (
      cpu.runQueue.length > 0 ||
      cpu.hotplug !== undefined ||
      (cpu.idleRuns !== undefined && cpu.idleRuns.left > 0)
    );
  }
  return !spinsInVain(cpu.top) || (cpu.runQueue.length > 0 && cpu.preemptible());
}

/** It waits without sleeping for what has not come yet. */
export function spinsInVain({ top: activity }: Pick<Context, 'top'>): boolean {
  const pending = activity?.kind === 'path' ? activity.pending : undefined;
  if (pending?.kind !== ACCESS.spin) return false;
  const holds = pending.operand as (value: unknown) => boolean;
  return !holds(pending.cell.value);
}

/** An IPI, an interrupt, a softirq or an NMI could be taken now. */
function hasPending(cpu: Cpu): boolean {
  if (cpu.ipis.length > 0 && cpu.interruptible()) return true;
  return cpu.pending.some((pending) => cpu.mayEnter(pending.level));
}
