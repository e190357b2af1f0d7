// Layer emu. The part of CPU hotplug that scheduling needs (hotplug.ts): what the idle task of a CPU does that goes
// or comes, and who takes work in its place.
import { known } from '../assert.ts';
import { type Address, NO_ADDRESS } from './address.ts';
import type { Cell } from './cell.ts';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { act, callGuest, type Path } from './path.ts';
import { changePreemptCount } from './preempt.ts';

/** The CPU itself, or, where it takes no more work, the first one that does. */
export function standIn(cpu: Cpu): Cpu {
  if (cpu.active) return cpu;
  return known(
    cpu.machine.cpus.find(({ active }) => active),
    'one CPU is active',
  );
}

/** What the idle task of a CPU does that goes or comes: `cpuhp_report_idle_dead`, `notify_cpu_starting`. */
export function* hotplugBody(
  cx: Context,
  { func, up }: { func: Address; up: boolean },
): Path<void> {
  const { cpu } = cx;
  yield* act(cpu.preemptCount, () => {
    cpu.idleWork = true;
    changePreemptCount(cx, 1);
  });
  if (func !== NO_ADDRESS) yield* callGuest(cpu.state, func, []);
  yield* act(cpu.preemptCount, () => {
    cpu.idleWork = false;
    changePreemptCount(cx, -1);
    if (!up) goOffline(cpu);
    movingOf(cpu).set(0);
  });
}

/** Questions of others are answered, and what is pending goes elsewhere. */
function goOffline(cpu: Cpu): void {
  const { ipis, machine, pending } = cpu;
  while (ipis.length > 0) machine.text.acknowledge(cpu);
  const to = standIn(cpu);
  to.pending.push(...pending.splice(0));
  machine.touchCpu(to);
  cpu.online = false;
  reportOnline(cpu, false);
}

/** 1 while `cpu` goes or comes. */
export function movingOf({ id, machine }: Cpu): Cell<number> {
  return known(machine.stoppers?.moving[id], 'the machine has stopper threads');
}

/** Reports that `cpu` is there, or gone: who is gone says nothing. */
export function reportOnline(cpu: Cpu, on: boolean): void {
  cpu.machine.report(standIn(cpu), EMU_EVENTS.cpu_online.id, cpu.id, on ? 1 : 0);
}
