// Layer emu. The step loop: one boundary and one step at a time. At a boundary the timeline and the timers
// come first, then the choice of a CPU, then what is pending on it, then injections, then preemption.
import { known } from '../assert.ts';
import { CHOICE } from './choose.ts';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { stepGuest } from './guest.ts';
import { takePending } from './interrupt.ts';
import type { Machine } from './machine.ts';
import { leaveIdle, offerPreemption } from './schedule.ts';
import { stepPath } from './step-path.ts';
import type { Task } from './task.ts';

/** One boundary and one step (or a jump over idle time, or the end). */
export function tick(machine: Machine): void {
  const { agenda } = machine;
  if (agenda !== undefined && agenda.next <= machine.step) agenda.fire(machine.step);
  if (machine.timers.next() <= machine.step) machine.timers.fireDue(machine.step);
  const cpu = pickCpu(machine);
  if (cpu === undefined) {
    idle(machine);
    return;
  }
  machine.running = cpu;
  if (agenda !== undefined && agenda.nextOn(cpu) <= machine.step) agenda.fireOn(cpu, machine.step);
  stepCpu(machine, cpu);
  machine.touchCpu(cpu);
  machine.step++;
  if (machine.step >= machine.options.stepsMax && machine.ending === undefined) {
    machine.report(cpu, EMU_EVENTS.no_progress.id, machine.step);
    machine.ending = 'no_progress';
  }
}

function stepCpu(machine: Machine, cpu: Cpu): void {
  if (!machine.isReady(cpu)) {
    machine.injector.strikeIdle(cpu);
    return;
  }
  if ((cpu.ipis.length > 0 || cpu.pending.length > 0) && takePending(cpu)) return;
  if (machine.injector.left > 0 && machine.injector.offer(cpu)) return;
  if (cpu.runQueue.length > 0 && offerPreemption(cpu)) return;
  const cx = cpu.top();
  const activity = cx.top();
  if (activity === undefined) leaveIdle(cpu);
  else if (activity.kind === 'guest') stepGuest(cpu, budget(machine, cpu));
  else stepPath(cpu, cx, activity);
}

/** How many steps guest code on `cpu` may take before anything else could happen: 1 when in doubt. */
function budget(machine: Machine, cpu: Cpu): number {
  for (const other of machine.cpus) if (other !== cpu && machine.isReady(other)) return 1;
  if (cpu.runQueue.length > 0 || cpu.ipis.length > 0 || cpu.pending.length > 0) return 1;
  if (machine.injector.left > 0) return 1;
  const until = Math.min(nextMoment(machine), machine.options.stepsMax);
  return Math.max(1, until - machine.step);
}

/** The next step at which a timer or the timeline does something. */
function nextMoment(machine: Machine): number {
  const { agenda, timers } = machine;
  if (agenda === undefined) return timers.next();
  return Math.min(timers.next(), agenda.next, agenda.nextOnAny);
}

/** The CPU that takes the next step: the running one goes on unless the chooser says otherwise. */
function pickCpu(machine: Machine): Cpu | undefined {
  const { cpus, injector, running } = machine;
  const { options } = machine.point;
  let count = 0;
  for (let i = 0, id = running.id; i < cpus.length; i++) {
    const cpu = cpus[id];
    if (cpu !== undefined && machine.isReady(cpu)) options[count++] = id;
    id = id + 1 === cpus.length ? 0 : id + 1;
  }
  if (injector.left > 0) count = injector.idleOptions(options, count);
  if (count === 0) return undefined;
  const chosen = count === 1 ? 0 : machine.choose(running, CHOICE.schedule, count);
  return cpus[options[chosen] as number];
}

/** Nobody can run: on to the next timer or trigger, to the timeline's end, or the run is over. */
function idle(machine: Machine): void {
  const next = nextMoment(machine);
  if (next !== Number.POSITIVE_INFINITY && next < machine.options.stepsMax) {
    machine.step = Math.max(machine.step, next);
    for (const cpu of machine.cpus) {
      if ((machine.agenda?.nextOn(cpu) ?? next + 1) <= machine.step) {
        machine.agenda?.fireOn(cpu, machine.step);
      }
    }
    return;
  }
  if (machine.agenda?.quiet() === true) return;
  end(machine);
}

function end(machine: Machine): void {
  const waiting = machine.tasks.filter((task) => task.state === 'sleeping' && !servesQueue(task));
  const stuck = machine.cpus.filter((cpu) => cpu.top().top() !== undefined);
  for (const task of waiting) reportWaiting(machine, task.cpu, task.context);
  for (const cpu of stuck) reportWaiting(machine, cpu, cpu.top());
  const over = waiting.length === 0 && stuck.length === 0;
  machine.ending = over ? 'run_end' : 'deadlock';
  if (over) machine.report(known(machine.cpus[0], 'a first CPU'), EMU_EVENTS.run_end.id);
}

/** Is the task a kernel thread that waits for work? */
function servesQueue(task: Task): boolean {
  const top = task.context.top();
  return task.work !== undefined && top?.kind === 'path' && top.pending?.cell === task.work;
}

function reportWaiting(machine: Machine, cpu: Cpu, cx: Context): void {
  const top = cx.top();
  const on = top?.kind === 'path' ? (top.pending?.cell.name ?? 'nothing') : 'nothing';
  machine.report(cpu, EMU_EVENTS.deadlock.id, cx.task.pid, machine.strings.id(on));
}
