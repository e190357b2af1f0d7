// Layer trace. `register_ftrace_graph` and `unregister_ftrace_graph` (CC-S18), and shadow stacks of tasks, which come
// with the first hook and stay until their task is over, after kernel/trace/fgraph.c. Neither call waits for anybody.
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { act, type Path, writeOnce } from '../emu/path.ts';
import { allocate, type KObject, release } from '../emu/slab.ts';
import type { Task } from '../emu/task.ts';
import { EINVAL, ENOMEM, ENOSPC, type Errno } from './errno.ts';
import { flushHooks } from './fgraph-hook.ts';
import { RET_STACK_BYTES } from './fgraph-stack.ts';
import { type FgraphOps, fgraphOf, taskStack } from './fgraph-state.ts';
import type { Kernel } from './kernel.ts';

const RET_STACK = { kind: 'ret_stack', bytes: RET_STACK_BYTES, shown: true } as const;

/** `register_ftrace_graph`. Its hashes are set before, or it gets all functions. Task context; sleeps. */
export function* registerFtraceGraph(cx: Context, k: Kernel, gops: FgraphOps): Path<Errno> {
  yield* mutexLock(cx, k.ftrace.ftraceLock); // CC-S18.1
  const result = yield* startGraph(cx, k, gops);
  yield* mutexUnlock(cx, k.ftrace.ftraceLock);
  return result;
}

function* startGraph(cx: Context, k: Kernel, gops: FgraphOps): Path<Errno> {
  const { active, array, direct, freeSlots } = cx.make(() => fgraphOf(k));
  const [idx, ...others] = cx.read(freeSlots);
  const slot = idx === undefined ? undefined : array[idx];
  if (idx === undefined || slot === undefined) return -ENOSPC;
  cx.write(freeSlots, others);
  cx.write(gops.idx, idx);
  const count = cx.read(active) + 1;
  cx.write(active, count);
  if (count === 2) yield* writeOnce(direct, undefined);
  let result = count === 1 ? yield* k.fn.startGraphTracing(cx, k) : 0;
  if (result === 0) result = yield* k.fn.ftraceStartupSubops(cx, k, gops);
  if (result < 0) {
    cx.write(active, count - 1);
    releaseSlot(cx, k, gops);
    return result;
  }
  yield* writeOnce(slot, gops); // CC-S18.4
  yield* changeBits(cx, k, (bits) => bits | (1 << idx));
  if (count === 1) yield* writeOnce(direct, gops); // CC-S18.4
  return 0;
}

function* changeBits(cx: Context, k: Kernel, change: (bits: number) => number): Path<void> {
  const { bitmask } = cx.make(() => fgraphOf(k));
  yield* act(bitmask, () => {
    bitmask.set(change(bitmask.value));
  }); // CC-S18.4
}

/** `fgraph_lru_release_index`: behind all others that are free. */
function releaseSlot(cx: Context, k: Kernel, gops: FgraphOps): void {
  const { freeSlots } = cx.make(() => fgraphOf(k));
  cx.write(freeSlots, [...cx.read(freeSlots), cx.read(gops.idx)]);
  cx.write(gops.idx, -1);
}

/**
 * `unregister_ftrace_graph`: frames of calls in flight keep their bit and find the stub when they return. Nobody waits,
 * so a hit may still be in the hook (FT-31). Task context; sleeps.
 */
export function* unregisterFtraceGraph(cx: Context, k: Kernel, gops: FgraphOps): Path<Errno> {
  yield* mutexLock(cx, k.ftrace.ftraceLock); // CC-S18.1
  const result = yield* stopGraph(cx, k, gops);
  yield* mutexUnlock(cx, k.ftrace.ftraceLock);
  return result;
}

function* stopGraph(cx: Context, k: Kernel, gops: FgraphOps): Path<Errno> {
  const { active, array, direct, subops } = cx.make(() => fgraphOf(k));
  const idx = cx.read(gops.idx);
  const slot = array[idx];
  if (slot === undefined) return -EINVAL;
  if (cx.read(active) === 1) yield* writeOnce(direct, undefined); // CC-S18.1
  yield* writeOnce(slot, undefined); // CC-S18.1
  yield* changeBits(cx, k, (bits) => bits & ~(1 << idx));
  releaseSlot(cx, k, gops);
  const result = yield* k.fn.ftraceShutdownSubops(cx, k, gops);
  const count = cx.read(active) - 1;
  cx.write(active, count);
  const [only] = cx.read(subops);
  if (count === 1 && only !== undefined) yield* writeOnce(direct, only);
  return result;
}

/**
 * `start_graph_tracing` (CC-S18.2): a shadow stack for every task that has none. An idle task may go without; if another
 * has to, all of this call's are given back. Tasks that are made meanwhile have to get theirs, too.
 */
export function* startGraphTracing(cx: Context, k: Kernel): Path<Errno> {
  watchTasks(cx, k);
  for (const task of cx.make(() => k.machine.cpus.map(({ idle }) => idle))) {
    if (hasStack(cx, k, task)) continue;
    const made = yield* allocate(cx, RET_STACK); // CC-S18.2
    if (made !== undefined) yield* giveStacks(cx, k, [[task, made]]);
  }
  for (;;) {
    const without = cx.make(() => k.machine.tasks.filter((task) => needsStack(k, task)));
    if (without.length === 0) return 0;
    const pairs: [Task, KObject][] = [];
    for (const task of without) {
      const made = yield* allocate(cx, RET_STACK); // CC-S18.2
      if (made === undefined) {
        for (const [, unused] of pairs) yield* release(cx, unused); // CC-S18.2
        return -ENOMEM;
      }
      pairs.push([task, made]);
    }
    yield* giveStacks(cx, k, pairs);
  }
}

function hasStack(cx: Context, k: Kernel, task: Task): boolean {
  return cx.make(() => taskStack(k, task).memory.value !== undefined);
}

function needsStack(k: Kernel, task: Task): boolean {
  return task.state !== 'dead' && taskStack(k, task).memory.value === undefined;
}

/** One step, under `tasklist_lock`; whose task is over meanwhile is not needed. */
function* giveStacks(
  cx: Context,
  k: Kernel,
  pairs: readonly (readonly [Task, KObject])[],
): Path<void> {
  const { slab, slabCell } = k.machine;
  yield* act(slabCell, () => {
    for (const [task, made] of pairs) {
      if (task.kind === 'idle' || needsStack(k, task)) taskStack(k, task).memory.set(made);
      else slab.destroy(cx, made);
    }
  }); // CC-S18.2
}

/** From now on tasks come with a shadow stack while there is a hook, and take it with them when they go. */
function watchTasks(cx: Context, k: Kernel): void {
  cx.make(() => {
    const { machine } = k;
    machine.taskMade = (task) => {
      graphInitTask(k, task);
    };
    machine.taskGone = (_cpu, task) => {
      graphExitTask(k, task);
    };
  });
}

/** `ftrace_graph_init_task`: one that gets no memory goes without (FP-70.2). */
function graphInitTask(k: Kernel, task: Task): void {
  if (fgraphOf(k).active.value === 0) return;
  const made = k.machine.slab.create(task.cpu.top, RET_STACK);
  if (made !== undefined) taskStack(k, task).memory.set(made);
}

/** `ftrace_graph_exit_task` (CC-H18): nobody is told of the calls that it was in. */
function graphExitTask(k: Kernel, task: Task): void {
  const { context } = task;
  const stack = taskStack(k, task);
  const { memory, curr } = stack;
  flushHooks(context, k, stack);
  curr.set(0);
  if (memory.value === undefined) return;
  k.machine.slab.destroy(context, memory.value);
  memory.set(undefined);
}
