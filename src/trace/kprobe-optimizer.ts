// Layer trace. The worker that turns breakpoints into jumps and back (CC-S13, KP-61), after `kprobe_optimizer` of
// kernel/kprobes.c of Linux v6.12. It holds `kprobe_mutex` and `text_mutex` throughout, waits included.
import { known } from '../assert.ts';
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { act, enter, fetchAdd, type Path, sleepUntil, update, writeOnce } from '../emu/path.ts';
import { start } from '../emu/schedule.ts';
import { release } from '../emu/slab.ts';
import { C_EBREAK, writeHalf } from '../emu/text.ts';
import type { Kernel } from './kernel.ts';
import type { KprobeOptimizer, OptimizedKprobe } from './kprobe-optimizer-state.ts';
import { unlinkNode } from './kprobe-register.ts';
import { isDisabled, KPROBE_FLAG_OPTIMIZED } from './kprobe-struct.ts';
import { kprobeState } from './kprobe-table.ts';
import type { KprobeNode } from './kprobe.ts';
import type { TextPokeLoc } from './text-poke.ts';

/** OPTIMIZE_DELAY: 5 jiffies of a millisecond. */
export const OPTIMIZE_DELAY_US = 5000;
const HALF_BYTES = 2;

/** Starts the kernel thread that does the work. For boot. */
export function startOptimizer(k: Kernel, optimizer: KprobeOptimizer): void {
  const cpu = known(k.machine.cpus[0], 'there is a first CPU');
  const task = k.machine.newTask('kworker/0:1', 'kthread', cpu);
  task.work = optimizer.work;
  start(task, () => worker(task.context, k, optimizer));
}

function* worker(cx: Context, k: Kernel, { work }: KprobeOptimizer): Path<void> {
  for (;;) {
    yield* sleepUntil(work, (state) => state === 'due');
    yield* writeOnce(work, 'none');
    yield* enter(k.fn.kprobeOptimizer(cx, k));
  }
}

/** `kick_kprobe_optimizer`: the work is done 5 jiffies from now, unless it is queued already. */
export function* kickKprobeOptimizer(
  _cx: Context,
  { machine }: Kernel,
  optimizer: KprobeOptimizer,
): Path<void> {
  const { work } = optimizer;
  yield* act(work, () => {
    if (work.value !== 'none') return;
    work.set('delayed');
    const kick = ++optimizer.kicks;
    machine.timers.add({
      due: machine.step + OPTIMIZE_DELAY_US,
      fire: () => {
        if (work.value === 'delayed' && optimizer.kicks === kick) work.set('due');
      },
    });
  });
}

/** `kprobe_optimizer`. */
export function* kprobeOptimizer(cx: Context, k: Kernel): Path<void> {
  const { mutex, optimizer: made } = cx.make(() => kprobeState(k));
  const optimizer = known(made, 'who works has been made');
  yield* mutexLock(cx, mutex);
  yield* mutexLock(cx, k.textMutex);
  yield* k.fn.doUnoptimizeKprobes(cx, k, optimizer); // CC-S13.1
  yield* k.fn.optimizerSynchronize(cx, k); // CC-S13.2
  yield* k.fn.doOptimizeKprobes(cx, k, optimizer); // CC-S13.3
  yield* k.fn.doFreeCleanedKprobes(cx, k, optimizer); // CC-S13.4
  const isOver = isQuiet(cx, optimizer);
  yield* fetchAdd(optimizer.runs, 1);
  yield* mutexUnlock(cx, k.textMutex);
  yield* mutexUnlock(cx, mutex);
  if (!isOver) yield* kickKprobeOptimizer(cx, k, optimizer);
}

/** Nobody waits to be a jump, or to be none. Caller holds `kprobe_mutex`. */
function isQuiet(cx: Context, { optimizing, unoptimizing }: KprobeOptimizer): boolean {
  return cx.read(optimizing).length + cx.read(unoptimizing).length === 0;
}

/** CC-S13.2: whoever was parked between two instructions of a region has left it. */
export function* optimizerSynchronize(cx: Context, k: Kernel): Path<void> {
  yield* k.fn.synchronizeRcuTasks(cx);
}

/** `do_unoptimize_kprobes` (CC-S13.1). Caller holds both mutexes. */
export function* doUnoptimizeKprobes(
  cx: Context,
  k: Kernel,
  { unoptimizing, freeing }: KprobeOptimizer,
): Path<void> {
  for (const node of cx.read(unoptimizing)) yield* k.fn.archUnoptimizeKprobe(cx, k, node);
  const cleaned = [...cx.read(unoptimizing), ...cx.read(freeing)];
  cx.write(unoptimizing, []);
  cx.write(freeing, cleaned);
  for (const node of cleaned) {
    yield* update(node.flags, (flags) => flags & ~KPROBE_FLAG_OPTIMIZED); // CC-S13.1
    if (hasText(cx, node) && isOff(cx, node)) yield* k.fn.archDisarmKprobe(cx, k, node); // CC-S13.1
    if (isUnused(cx, node)) yield* unlinkNode(cx, k, node); // CC-S13.1
  }
  cx.write(
    freeing,
    cleaned.filter((node) => isUnused(cx, node)),
  );
}

/** Its text has not gone with a module. */
function hasText(cx: Context, node: KprobeNode): boolean {
  return cx.make(() => node.optimized?.detour.value !== undefined);
}

function isOff(cx: Context, node: KprobeNode): boolean {
  return cx.make(() => isDisabled(node.flags.value));
}

/** `kprobe_unused` (KP-36): its last probe has left, and its jump has not. Caller holds `kprobe_mutex`. */
export function isUnused(cx: Context, node: KprobeNode): boolean {
  return node.isAggregate && isOff(cx, node) && cx.make(() => node.first.value) === undefined;
}

/**
 * `arch_unoptimize_kprobe` (CC-S13.1): a breakpoint again. Whoever traps takes the region from the detour as long as the
 * flag says so. Caller holds both mutexes.
 */
export function* archUnoptimizeKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  const { region } = known(node.optimized, 'there is a jump');
  const [low = 0, tail = 0] = region;
  const { addr } = node;
  cx.make(() => {
    k.machine.text.beginPatch(addr, low | (tail << 16));
  });
  yield* writeHalf(cx, addr, 0, C_EBREAK);
  yield* k.fn.kprobeSyncText(cx);
  yield* writeHalf(cx, addr, 1, tail);
  yield* k.fn.kprobeSyncText(cx);
  cx.make(() => {
    k.machine.text.tails.uncover(addr + HALF_BYTES);
  });
}

/** `do_optimize_kprobes` (CC-S13.3). Caller holds both mutexes. */
export function* doOptimizeKprobes(
  cx: Context,
  k: Kernel,
  { optimizing, allowed }: KprobeOptimizer,
): Path<void> {
  const nodes = cx.read(optimizing);
  const allDisarmed = cx.make(() => kprobeState(k).allDisarmed.value);
  if (nodes.length === 0 || allDisarmed || !cx.read(allowed)) return;
  cx.write(optimizing, []);
  const locs = nodes.map((node) => jumpOf(cx, k, node));
  yield* k.fn.textPoke(cx, k, locs);
}

/** The jump, which covers more than one instruction where the first one is short. */
function jumpOf(cx: Context, k: Kernel, { addr, insn, optimized }: KprobeNode): TextPokeLoc {
  const detour = known(
    cx.make(() => optimized?.detour.value),
    'who is queued has a detour',
  );
  const target: Address = detour.memory.address;
  cx.make(() => {
    if (insn?.bytes === HALF_BYTES) k.machine.text.tails.cover(addr + HALF_BYTES);
  });
  return { ip: addr, target, link: 0 };
}

/** `do_free_cleaned_kprobes` (CC-S13.4). */
export function* doFreeCleanedKprobes(
  cx: Context,
  k: Kernel,
  { freeing }: KprobeOptimizer,
): Path<void> {
  const nodes = cx.read(freeing);
  cx.write(freeing, []);
  for (const node of nodes) yield* k.fn.freeAggrKprobe(cx, k, node);
}

/** `free_aggr_kprobe`: whoever could have found it is gone. */
export function* freeAggrKprobe(cx: Context, k: Kernel, node: KprobeNode): Path<void> {
  if (node.optimized !== undefined) yield* removeDetour(cx, k, node.optimized);
  yield* k.fn.archRemoveKprobe(cx, k, node);
  if (node.memory !== undefined) yield* release(cx, node.memory);
}

/** `arch_remove_optimized_kprobe`, if that was not done. */
export function* removeDetour(cx: Context, k: Kernel, { detour }: OptimizedKprobe): Path<void> {
  const { optimizer } = cx.make(() => kprobeState(k));
  const gone = yield* update(detour, () => undefined);
  if (optimizer === undefined || gone === undefined) return;
  yield* k.fn.archRemoveOptimizedKprobe(cx, k, optimizer, gone);
}

/** `wait_for_kprobe_optimizer`: what is queued is done now, and over. Task context; sleeps. */
export function* waitForKprobeOptimizer(cx: Context, k: Kernel): Path<void> {
  const { mutex, optimizer } = cx.make(() => kprobeState(k));
  if (optimizer === undefined) return;
  const { runs, work } = optimizer;
  for (;;) {
    yield* mutexLock(cx, mutex);
    const isOver = isQuiet(cx, optimizer);
    const before = cx.make(() => runs.value);
    yield* mutexUnlock(cx, mutex);
    if (isOver) return;
    yield* act(work, () => {
      if (work.value === 'delayed') work.set('due');
    });
    yield* sleepUntil(runs, (count) => count > before);
  }
}
