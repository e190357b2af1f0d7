// Layer replay. Interrupt sources and timers of a plan, handed to the machine.
import { known } from '../assert.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import { LEVEL, type Level } from '../emu/context.ts';
import type { Cpu } from '../emu/cpu.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import { standIn } from '../emu/hotplug-idle.ts';
import { guestHandler } from '../emu/interrupt.ts';
import type { Machine } from '../emu/machine.ts';
import type { InterruptName } from './workload/model.ts';
import type { Plan, PlanSource, PlanTimer } from './workload/plan.ts';

export function levelOf(kind: InterruptName): Level {
  switch (kind) {
    case 'irq':
      return LEVEL.hardirq;
    case 'softirq':
      return LEVEL.softirq;
    case 'nmi':
      return LEVEL.nmi;
  }
}

/** What the chooser may inject; softirqs can also be raised by number, in the order of the plan. */
export function addSources(machine: Machine, plan: Plan, address: (name: string) => number): void {
  for (const source of plan.sources) {
    const level = levelOf(source.kind);
    const handler = address(source.run);
    const entry = entryOf(source, address);
    const { name, cpu, inject } = source;
    machine.injector.add({ name, level, handler, entry, cpu, left: inject });
    if (level === LEVEL.softirq) {
      machine.softirqs.push({ level, handler, body: guestHandler(handler, entry) });
    }
  }
}

/** What runs in the interrupt before it counts itself; NO_ADDRESS for nothing. */
export function entryOf({ entry }: PlanSource, address: (name: string) => number): number {
  return entry === undefined ? NO_ADDRESS : address(entry);
}

/** Timer interrupts in virtual time, counted from now. */
export function addTimers(machine: Machine, plan: Plan, address: (name: string) => number): void {
  for (const timer of plan.timers) {
    const cpu = known(machine.cpus[timer.cpu], 'the CPU was checked');
    arm(
      { machine, cpu, timer, handler: address(timer.run) },
      machine.step + timer.first,
      timer.times,
    );
  }
}

interface Armed {
  readonly machine: Machine;
  readonly cpu: Cpu;
  readonly timer: PlanTimer;
  readonly handler: number;
}

function arm(armed: Armed, due: number, left: number): void {
  if (left === 0) return;
  const { machine, cpu, timer, handler } = armed;
  machine.timers.add({
    due,
    fire: () => {
      const taker = standIn(cpu);
      machine.report(taker, EMU_EVENTS.timer.id, handler);
      taker.pending.push({ level: LEVEL.hardirq, handler, body: guestHandler(handler) });
      machine.touchCpu(taker);
      arm(armed, due + timer.every, left - 1);
    },
  });
}
