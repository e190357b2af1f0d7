// Layer emu. Kernel threads that guest code makes, after kernel/kthread.c: a guest function that runs in a task of
// its own until it returns or is told to stop. Left out: parking, binding to another CPU after creation, workers.
// A thread's struct is kept for the whole run, so that stopping one that is over already is no use after free.
import type { Address } from './address.ts';
import type { Cell } from './cell.ts';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { readString } from './kernel-access.ts';
import { LIMITS } from './limits.ts';
import type { Machine } from './machine.ts';
import { misuse, resultWhenSleepable } from './misuse.ts';
import { act, callGuest, type Path, readOnce, sleepUntil } from './path.ts';
import { formatText } from './printk.ts';
import { start } from './schedule.ts';
import type { EmuStub } from './stub-table.ts';
import type { Stub, StubArguments } from './stubs.ts';
import type { Task } from './task.ts';

/** As include/linux/errno.h has them. */
const EINTR = 4;
const EAGAIN = 11;
const EINVAL = 22;

/** What the kernel keeps about a thread beside its task (`struct kthread`). */
interface Kthread {
  readonly task: Task;
  readonly threadfn: Address;
  /** `data`: two words. */
  readonly data: readonly [number, number];
  readonly shouldStop: Cell<number>;
  /** 1 when it is over. */
  readonly exited: Cell<number>;
}

type KthreadStub = Extract<EmuStub, `kthread_${string}` | 'wake_up_process'>;

/** The symbols of linux/kthread.h, with the threads of one machine. */
export function kthreadServices(machine: Machine): Pick<Record<EmuStub, Stub>, KthreadStub> {
  const threads = new Map<Address, Kthread>();
  return {
    kthread_create_on_node: {
      // threadfn, data, node, namefmt, ...
      path: (cx, args) => create(cx, threads, { args, cpu: () => cx.cpu, name: 3, values: 4 }),
      pointer: true,
    },
    kthread_create_on_cpu: {
      // threadfn, data, cpu, namefmt, which may hold one %u for the CPU.
      path: (cx, args) =>
        create(cx, threads, { args, cpu: () => machine.cpus[args.lo(2)], name: 3, values: 2 }),
      pointer: true,
    },
    wake_up_process: { path: (cx, args) => wakeUp(cx, threads, args.address(0)) },
    kthread_should_stop: { path: (cx) => shouldStop(cx, threads) },
    kthread_stop: { path: (cx, args) => stop(cx, threads, args.address(0)) },
  };
}

interface Creation {
  readonly args: StubArguments;
  readonly cpu: () => Cpu | undefined;
  /** Index of the argument that is the name's format, and of the first that it uses. */
  readonly name: number;
  readonly values: number;
}

/** `kthread_create_on_node`: the new task's struct, or an error as a pointer. It does not run yet. */
function create(cx: Context, threads: Map<Address, Kthread>, creation: Creation): Path<number> {
  return resultWhenSleepable(cx, function* () {
    return yield* act(cx.cpu.state, () => make(cx, threads, creation));
  });
}

function make(cx: Context, threads: Map<Address, Kthread>, creation: Creation): number {
  const { args, name, values } = creation;
  const { machine } = cx.cpu;
  const cpu = creation.cpu();
  if (cpu === undefined) return errorPointer(EINVAL);
  if (!machine.hasRoomForTask()) return errorPointer(EAGAIN);
  const format = readString(cx, args.address(name));
  if (format === undefined) return 0;
  const comm = formatText(cx, format, { args, next: values });
  const task = machine.newTask(comm.slice(0, LIMITS.commMax), 'kthread', cpu);
  task.exited = machine.cells.cell(`kthread_exited/${comm}`, 0);
  threads.set(task.structAddress, {
    task,
    exited: task.exited,
    threadfn: args.address(0),
    data: [args.lo(1), args.hi(1)],
    shouldStop: machine.cells.cell(`kthread_stop/${comm}`, 0),
  });
  return task.structAddress;
}

/** `ERR_PTR`: the last page of the address space holds no object. */
function errorPointer(errno: number): Address {
  return -errno ^ -0x80000000;
}

/** `wake_up_process`: starts a thread that never ran. 1 when it did. */
function* wakeUp(cx: Context, threads: Map<Address, Kthread>, at: Address): Path<number> {
  return yield* act(cx.cpu.state, () => {
    const thread = threads.get(at);
    if (thread === undefined) return misuse(cx, 'no such kthread');
    if (thread.task.state !== 'new') return 0;
    start(thread.task, () => body(thread));
    return 1;
  });
}

/** `kthread`: what the task runs. Its function's result is what `kthread_stop` returns. */
function* body({ task, threadfn, data }: Kthread): Path<void> {
  const { state } = task.cpu;
  const result = yield* callGuest(state, threadfn, data);
  yield* act(state, () => {
    task.exitCode = result;
  });
}

function* shouldStop(cx: Context, threads: Map<Address, Kthread>): Path<number> {
  const thread = threads.get(cx.task.structAddress);
  if (thread !== undefined) return yield* readOnce(thread.shouldStop);
  return yield* act(cx.cpu.state, () => misuse(cx, 'not a kthread'));
}

/** `kthread_stop`: tells it, and sleeps until it is over. -EINTR when it never ran. */
function stop(cx: Context, threads: Map<Address, Kthread>, at: Address): Path<number> {
  return resultWhenSleepable(cx, function* () {
    const thread = threads.get(at);
    if (thread === undefined) return yield* act(cx.cpu.state, () => misuse(cx, 'no such kthread'));
    const { task, shouldStop: told, exited } = thread;
    const neverRan = yield* act(told, () => {
      told.set(1);
      if (task.state !== 'new') return false;
      task.state = 'dead';
      cx.cpu.machine.taskGone?.(task.cpu, task);
      return true;
    });
    if (neverRan) return -EINTR;
    yield* sleepUntil(exited, (over) => over === 1);
    return cx.make(() => task.exitCode);
  });
}
