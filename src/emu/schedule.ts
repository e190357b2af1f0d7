// Layer emu. Which task a CPU runs: switching, sleeping, waking, preemption, exit, and idle work.
import { assert } from '../assert.ts';
import { CHOICE } from './choose.ts';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { hotplugBody, standIn } from './hotplug-idle.ts';
import { ACCESS, act, callGuest, type Path, type PathStart } from './path.ts';
import { changePreemptCount } from './preempt.ts';
import { spinsInVain } from './ready.ts';
import { restoreFrame, saveFrame } from './regs.ts';
import { moveTask, type Task } from './task.ts';
import { abandonCalls } from './true-call.ts';

/** Makes a new task ready; it begins `program` when it first runs. */
export function start(task: Task, program: PathStart<unknown>): void {
  assert(task.state === 'new', 'a task starts once');
  if (!task.cpu.active) moveTask(task, standIn(task.cpu));
  task.program = program;
  task.state = 'ready';
  task.cpu.runQueue.push(task);
  task.cpu.machine.touchCpu(task.cpu);
}

/** A sleeping task may go on. */
export function wake(task: Task): void {
  if (task.state !== 'sleeping') return;
  task.state = 'ready';
  const { cpu } = task;
  cpu.runQueue.push(task);
  cpu.machine.report(cpu, EMU_EVENTS.task_wake.id, task.pid);
  cpu.machine.touchCpu(cpu);
}

/** The running task sleeps of its own accord. */
export function sleepNow(cpu: Cpu): void {
  assert(cpu.preemptible(), 'only preemptible task context sleeps');
  const task = cpu.current;
  cpu.machine.sleeping?.(cpu);
  task.state = 'sleeping';
  cpu.machine.rcu.slept(task);
  switchTo(cpu, pickNext(cpu), 'sleeping');
}

/** A task ends in preemptible context and outside of read sections; whatever it held would be lost. */
export function mayExit(cpu: Cpu): boolean {
  return cpu.preemptible() && cpu.current.rcuDepth === 0;
}

/** The running task is over. */
export function exitTask(cpu: Cpu): void {
  const task = cpu.current;
  abandonCalls(cpu, task.context, 0);
  task.state = 'dead';
  task.context.abandon();
  cpu.machine.report(cpu, EMU_EVENTS.task_exit.id);
  task.exited?.set(1);
  cpu.machine.rcu.slept(task);
  switchTo(cpu, pickNext(cpu), 'dead');
  cpu.machine.taskGone?.(cpu, task);
}

/** Takes the CPU from the running task, which stays ready. */
export function preempt(cpu: Cpu, next: Task): void {
  assert(cpu.preemptible(), 'only preemptible context is preempted');
  const task = cpu.current;
  removeFromQueue(cpu, next);
  if (task.kind !== 'idle') {
    task.state = 'ready';
    cpu.runQueue.push(task);
  }
  switchTo(cpu, next, 'preempted');
}

/** Offers preemption of the running task at this boundary; true when it was taken. */
export function offerPreemption(cpu: Cpu): boolean {
  const machine = cpu.machine;
  if (cpu.runQueue.length === 0 || !cpu.preemptible() || cpu.current.kind === 'idle') return false;
  if (cpu.current === cpu.stopper) return false;
  if (!givesWay(cpu)) return false;
  const stopper = dueStopper(cpu);
  if (stopper !== undefined) {
    if (machine.chooseAt(cpu, CHOICE.deliver, 2) !== 0) return false;
    preempt(cpu, stopper);
    return true;
  }
  const urgent = urgentTask(cpu);
  if (urgent !== undefined && cpu.current.kind === 'task') {
    if (machine.chooseAt(cpu, CHOICE.deliver, 2) !== 0) return false;
    preempt(cpu, urgent);
    return true;
  }
  const options = machine.options32;
  options[0] = 0;
  for (let i = 0; i < cpu.runQueue.length; i++) options[i + 1] = (cpu.runQueue[i] as Task).pid;
  const chosen = machine.choose(cpu, CHOICE.preempt, cpu.runQueue.length + 1);
  const next = chosen === 0 ? undefined : cpu.runQueue[chosen - 1];
  if (next === undefined) return false;
  preempt(cpu, next);
  return true;
}

/** The stopper thread of `cpu`, if it is due: it comes before every other task. */
function dueStopper({ runQueue, stopper }: Cpu): Task | undefined {
  return stopper !== undefined && runQueue.includes(stopper) ? stopper : undefined;
}

/** Is the running task preempted wherever it is: by a kernel that does so, or in user mode? */
export function givesWayAnywhere({ current, machine }: Cpu): boolean {
  return machine.preemption === 'full' || current.mode === 'user';
}

/** May the running task be switched away here? Without preemption: where it is about to make its next call. */
function givesWay(cpu: Cpu): boolean {
  const { preemption } = cpu.machine;
  if (givesWayAnywhere(cpu)) return true;
  if (preemption === 'none') return false;
  const { activities, top } = cpu.top;
  return activities.length === 1 && top?.kind === 'path' && top.pending?.kind === ACCESS.call;
}

/** A ready kernel thread is preferred to tasks; but one that only waits for another CPU would take turns with them for ever. */
export function urgentTask({ runQueue }: Cpu): Task | undefined {
  for (const task of runQueue)
    if (task.kind === 'kthread' && !spinsInVain(task.context)) return task;
  return undefined;
}

/** An idle CPU takes a ready task, or does idle work. */
export function leaveIdle(cpu: Cpu): void {
  assert(cpu.current.kind === 'idle', 'only an idle CPU leaves idle');
  if (cpu.runQueue.length > 0) {
    switchTo(cpu, pickNext(cpu), 'idle');
    return;
  }
  const { hotplug } = cpu;
  if (hotplug !== undefined) {
    cpu.hotplug = undefined;
    const { context } = cpu.idle;
    context.begin(() => hotplugBody(context, hotplug));
    return;
  }
  const work = cpu.idleRuns;
  assert(work !== undefined && work.left > 0, 'an idle CPU steps only when it has something to do');
  work.left--;
  const cx = cpu.current.context;
  cx.begin(() => idleBody(cx, work.func));
}

/** One round of the idle loop: preemption off, RCU not watching (CC-M3). */
function* idleBody(cx: Context, func: number): Path<void> {
  const { cpu } = cx;
  yield* act(cpu.preemptCount, () => {
    cpu.idleWork = true;
    changePreemptCount(cx, 1);
  });
  yield* callGuest(cpu.state, func, []);
  yield* act(cpu.preemptCount, () => {
    cpu.idleWork = false;
    changePreemptCount(cx, -1);
  });
}

function pickNext(cpu: Cpu): Task {
  const count = cpu.runQueue.length;
  if (count === 0) return cpu.idle;
  const stopper = dueStopper(cpu);
  if (stopper !== undefined) {
    removeFromQueue(cpu, stopper);
    return stopper;
  }
  let chosen = 0;
  if (count > 1) {
    cpu.runQueue.forEach((task, i) => (cpu.machine.options32[i] = task.pid));
    chosen = cpu.machine.choose(cpu, CHOICE.pick, count);
  }
  const next = cpu.runQueue[chosen];
  assert(next !== undefined, 'a picked task is ready');
  removeFromQueue(cpu, next);
  return next;
}

function removeFromQueue(cpu: Cpu, task: Task): void {
  const index = cpu.runQueue.indexOf(task);
  assert(index >= 0, 'a ready task is queued');
  cpu.runQueue.splice(index, 1);
}

function switchTo(cpu: Cpu, next: Task, state: string): void {
  const prev = cpu.current;
  const { machine, hart } = cpu;
  machine.report(cpu, EMU_EVENTS.sched_switch.id, prev.pid, next.pid, machine.strings.id(state));
  machine.switching?.(cpu, next);
  saveFrame(hart, prev.context.frame);
  machine.memory.unreserve(hart);
  cpu.replaceTask(next);
  cpu.settle();
  restoreFrame(hart, next.context.frame);
  hart.stackBase = next.stackBase;
  const program = next.program;
  if (program !== undefined) {
    next.program = undefined;
    next.context.begin(program);
  }
}
