// Layer emu. The step loop: one boundary and one step at a time. At a boundary the timeline and the timers
// come first, then the choice of a CPU, then what is pending on it, then injections, then preemption.
import { known } from '../assert.ts';
import { CHOICE, type ChoiceKind } from './choose.ts';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { attendGuest, stepGuest } from './guest.ts';
import { takePending } from './interrupt.ts';
import type { Machine } from './machine.ts';
import { STOP_ATTENTION } from './riscv/stop.ts';
import { givesWayAnywhere, leaveIdle, offerPreemption, urgentTask } from './schedule.ts';
import { schedulingOptions } from './scheduling-options.ts';
import { stepPath } from './step-path.ts';
import type { Task } from './task.ts';

/** Guest code comes back to the loop after so many steps at the latest. */
const BURST_MAX = 1 << 20;

const NOTHING_ASKED: readonly ChoiceKind[] = [];
/** Kinds of questions in the order in which a boundary asks them; bits: schedule, inject, preempt. */
const QUESTIONS: readonly (readonly ChoiceKind[])[] = Array.from({ length: 8 }, (_, bits) =>
  [CHOICE.schedule, CHOICE.inject, CHOICE.preempt].filter((_kind, i) => ((bits >> i) & 1) === 1),
);

/** One boundary and one step (or a jump over idle time, or the end). */
export function tick(machine: Machine): void {
  if (machine.due <= machine.step) fireDue(machine);
  const cpu = pickCpu(machine);
  if (cpu === undefined) {
    idle(machine);
    return;
  }
  machine.running = cpu;
  if (machine.due <= machine.step) fireOn(machine, cpu);
  stepCpu(machine, cpu);
  machine.touchCpu(cpu);
  machine.step++;
  if (machine.step >= machine.options.stepsMax && machine.ending === undefined) {
    endWithoutProgress(machine, cpu);
  }
}

function endWithoutProgress(machine: Machine, cpu: Cpu): void {
  machine.report(cpu, EMU_EVENTS.no_progress.id, machine.step);
  machine.ending = 'no_progress';
}

/** Fires what is due at this boundary, wherever it is. */
function fireDue(machine: Machine): void {
  const { agenda, step, timers } = machine;
  if (agenda !== undefined && agenda.next <= step) agenda.fire(step);
  if (timers.next() <= step) timers.fireDue(step);
  // A CPU that does nothing is always at a boundary.
  for (const cpu of machine.cpus) if (!machine.isReady(cpu)) fireOn(machine, cpu);
  machine.plan();
}

/** Fires what is due at the first boundary of `cpu`. */
function fireOn(machine: Machine, cpu: Cpu): void {
  const { agenda, step } = machine;
  if (agenda === undefined || agenda.nextOn(cpu) > step) return;
  agenda.fireOn(cpu, step);
  machine.plan();
}

function stepCpu(machine: Machine, cpu: Cpu): void {
  if (!machine.isReady(cpu)) {
    machine.injector.strikeIdle(cpu);
    return;
  }
  if ((cpu.ipis.length > 0 || cpu.pending.length > 0) && takePending(cpu)) return;
  if (machine.injector.left > 0 && machine.injector.offer(cpu)) return;
  if (cpu.runQueue.length > 0 && offerPreemption(cpu)) return;
  const cx = cpu.top;
  const activity = cx.top;
  if (activity === undefined) leaveIdle(cpu);
  else if (activity.kind === 'guest') runGuest(machine, cpu);
  else stepPath(cpu, cx, activity);
}

/** One step of guest code, and on over boundaries that are known to be calm. */
function runGuest(machine: Machine, cpu: Cpu): void {
  while (!attendGuest(cpu)) {
    const room = roomAhead(machine);
    const asked =
      room > 0 && isUndisturbed(machine, cpu) ? questionsAhead(machine, cpu) : undefined;
    if (asked === undefined) {
      stepGuest(cpu, 0, NOTHING_ASKED);
      return;
    }
    const stop = stepGuest(cpu, machine.calmAhead(asked, room), asked);
    // Before the core stopped there nothing else happened: what was ahead is, but for what was passed.
    if (stop !== STOP_ATTENTION || cpu.hart.steps > room || !passBoundary(machine, asked)) return;
  }
}

/** How many boundaries behind this one have nothing that is due. */
function roomAhead({ due, options, step }: Machine): number {
  const limit = due < options.stepsMax ? due : options.stepsMax;
  const room = limit - step - 1;
  return room < BURST_MAX ? room : BURST_MAX - 1;
}

/**
 * Nothing wants `cpu`: a trigger may just have handed the run to another CPU, or raised something here. And whoever was
 * told of the instruction may have ended the run.
 */
function isUndisturbed(machine: Machine, cpu: Cpu): boolean {
  if (machine.running !== cpu || machine.pauses() || machine.ending !== undefined) return false;
  return cpu.ipis.length === 0 && cpu.pending.length === 0;
}

/** The step is over; true when the next boundary is calm too, and passed. */
function passBoundary(machine: Machine, asked: readonly ChoiceKind[]): boolean {
  if (machine.pauses()) return false;
  if (asked.length > 0) {
    if (machine.calmAhead(asked, 1) === 0) return false;
    machine.passCalm(asked, 1);
  }
  machine.step++;
  return true;
}

/**
 * What each further boundary asks while only guest code on `cpu` runs: nothing else can change meanwhile,
 * since whatever could (a call into the kernel, a change of the IRQ state) ends the run. Undefined: not known.
 */
function questionsAhead(machine: Machine, cpu: Cpu): readonly ChoiceKind[] | undefined {
  const { injector } = machine;
  const others = machine.readyMask !== cpu.bit || (injector.left > 0 && injector.strikesOther(cpu));
  const inject = injector.left > 0 && injector.hasEligible(cpu);
  const preempt = givesWayAnywhere(cpu) && cpu.runQueue.length > 0 && cpu.preemptible();
  if (preempt && (cpu.current.kind !== 'task' || urgentTask(cpu) !== undefined)) return undefined;
  return QUESTIONS[(others ? 1 : 0) + (inject ? 2 : 0) + (preempt ? 4 : 0)];
}

/** The CPU that takes the next step: the running one goes on unless the chooser says otherwise. */
function pickCpu(machine: Machine): Cpu | undefined {
  const { cpus, injector, readyMask, running } = machine;
  if (readyMask === running.bit && injector.left === 0) return running;
  const ready = schedulingOptions(cpus.length, running.id, readyMask);
  if (injector.left > 0 && ready.length > 0) return pickWithIdle(machine, ready);
  if (ready.length === 0) return undefined;
  const { length } = ready;
  const chosen = length === 1 ? 0 : machine.choose(running, CHOICE.schedule, length, ready);
  return cpus[ready[chosen] as number];
}

/** As `pickCpu` where idle CPUs can be struck by an injection: they come after those with work. */
function pickWithIdle(machine: Machine, ready: Int32Array): Cpu | undefined {
  const { cpus, injector, options32, running } = machine;
  options32.set(ready);
  const count = injector.idleOptions(options32, ready.length);
  const chosen = count === 1 ? 0 : machine.choose(running, CHOICE.schedule, count);
  return cpus[options32[chosen] as number];
}

/** Nobody can run: on to the next timer or trigger, to the timeline's end, or the run is over. */
function idle(machine: Machine): void {
  const { due } = machine;
  if (due !== Number.POSITIVE_INFINITY) {
    machine.step = Math.max(machine.step, Math.min(due, machine.options.stepsMax));
    if (machine.step >= machine.options.stepsMax) {
      endWithoutProgress(machine, machine.running);
      return;
    }
    fireDue(machine);
    for (const cpu of machine.cpus) fireOn(machine, cpu);
    return;
  }
  if (machine.agenda?.quiet() === true) return;
  end(machine);
}

function end(machine: Machine): void {
  const waiting = machine.tasks.filter((task) => task.state === 'sleeping' && !servesQueue(task));
  const stuck = machine.cpus.filter((cpu) => cpu.top.top !== undefined);
  for (const task of waiting) reportWaiting(machine, task.cpu, task.context);
  for (const cpu of stuck) reportWaiting(machine, cpu, cpu.top);
  const over = waiting.length === 0 && stuck.length === 0;
  machine.ending = over ? 'run_end' : 'deadlock';
  if (over) close(machine);
}

/** What is left at a regular end: of the CPUs, then of the layer above. */
function close(machine: Machine): void {
  const { cpu_state: state, run_end: over } = EMU_EVENTS;
  for (const cpu of machine.cpus) {
    const { bhCount, contexts, hart, preemptCount } = cpu;
    const irqs = hart.irqsOn ? 1 : 0;
    machine.report(cpu, state.id, preemptCount.value, bhCount, irqs, contexts.length);
  }
  machine.closing?.();
  machine.report(known(machine.cpus[0], 'a first CPU'), over.id);
}

/** Is the task a kernel thread that waits for work? */
function servesQueue(task: Task): boolean {
  const top = task.context.top;
  return task.work !== undefined && top?.kind === 'path' && top.pending?.cell === task.work;
}

function reportWaiting(machine: Machine, cpu: Cpu, cx: Context): void {
  const top = cx.top;
  const on = top?.kind === 'path' ? (top.pending?.cell.name ?? 'nothing') : 'nothing';
  machine.report(cpu, EMU_EVENTS.deadlock.id, cx.task.pid, machine.strings.id(on));
}
