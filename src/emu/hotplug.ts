// Layer emu. CPU hotplug, after kernel/cpu.c: `cpu_down` and `cpu_up`. A CPU that is taken down gives its tasks and what
// is pending on it to another one, while the machine is stopped; then its idle task runs the last of its code, where
// RCU does not watch, and so is the first code of a CPU that comes up (FT-55). Left out: notifiers with states of
// their own, roll-back, and tasks that go back to their CPU when it is there again.
//
// A CPU counts as online while such code runs: nothing else would cover a hook there (CC-M11).
import { known } from '../assert.ts';
import type { Address } from './address.ts';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { EMU_EVENTS } from './event.ts';
import { movingOf, reportOnline, standIn } from './hotplug-idle.ts';
import { mutexLock, mutexUnlock } from './lock.ts';
import type { Machine } from './machine.ts';
import { act, type Path, sleepUntil } from './path.ts';
import { stopCpus } from './stop-machine.ts';
import { moveTask, type Task } from './task.ts';

/** As include/linux/errno.h has them. */
const EBUSY = 16;
const EINVAL = 22;

/** `cpu_down`: `func` is the last that CPU `number` runs, or NO_ADDRESS. */
export function* cpuDown(cx: Context, number: number, func: Address): Path<number> {
  const { machine } = cx.cpu;
  const { hotplug } = known(machine.stoppers, 'the machine has stopper threads');
  yield* mutexLock(cx, hotplug);
  const cpu = cx.make(() => known(machine.cpus[number], 'the CPU was checked'));
  const refused = cx.make(() => (cpu.online ? lastOnline(machine) : -EINVAL));
  if (refused === 0) {
    yield* stopCpus(cx, (own) => takeCpuDown(own, cpu, func));
    yield* sleepUntil(movingOf(cpu), (moving) => moving === 0);
  }
  yield* mutexUnlock(cx, hotplug);
  return refused;
}

/** -EBUSY: there has to be one CPU. */
function lastOnline({ cpus }: Machine): number {
  return cpus.filter(({ online }) => online).length > 1 ? 0 : -EBUSY;
}

/** `cpu_up`: `func` is the first that CPU `number` runs, or NO_ADDRESS. */
export function* cpuUp(cx: Context, number: number, func: Address): Path<number> {
  const { machine } = cx.cpu;
  const { hotplug } = known(machine.stoppers, 'the machine has stopper threads');
  yield* mutexLock(cx, hotplug);
  const cpu = cx.make(() => known(machine.cpus[number], 'the CPU was checked'));
  const refused = cx.make(() => (cpu.online ? -EINVAL : 0));
  if (refused === 0) {
    yield* act(cpu.state, () => {
      cpu.online = true;
      cpu.active = true;
      machine.text.see(cpu);
      reportOnline(cpu, true);
      move(cpu, { func, up: true });
    });
    yield* sleepUntil(movingOf(cpu), (moving) => moving === 0);
  }
  yield* mutexUnlock(cx, hotplug);
  return refused;
}

function move(cpu: Cpu, to: Cpu['hotplug']): void {
  cpu.hotplug = to;
  movingOf(cpu).set(1);
  cpu.machine.touchCpu(cpu);
}

/** `take_cpu_down`: runs on every CPU, interrupts off; what is to be done is done on the one that goes. */
function* takeCpuDown(cx: Context, cpu: Cpu, func: Address): Path<void> {
  if (cx.cpu !== cpu) return;
  yield* act(cpu.state, () => {
    cpu.active = false;
    const { machine } = cpu;
    for (const task of machine.tasks) if (task.cpu === cpu && isMovable(task)) leave(task);
    move(cpu, { func, up: false });
  });
}

function isMovable(task: Task): boolean {
  return task !== task.cpu.stopper && task.state !== 'dead';
}

/** `task` goes to another CPU. */
function leave(task: Task): void {
  const { cpu } = task;
  const queued = cpu.runQueue.indexOf(task);
  if (queued >= 0) cpu.runQueue.splice(queued, 1);
  const to = standIn(cpu);
  moveTask(task, to);
  cpu.machine.report(cpu, EMU_EVENTS.task_migrate.id, task.pid, to.id);
  if (queued < 0) return;
  to.runQueue.push(task);
  cpu.machine.touchCpu(to);
}
