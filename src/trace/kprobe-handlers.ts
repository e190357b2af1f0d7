// Layer trace. Which handlers a hit runs: those of the probe that is alone at its address, or of each that is enabled,
// the newest first (KP-31, CC-H10); and whom a hit that runs none counts for (KP-35).
import type { Address } from '../emu/address.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { act, type Path, readOnce } from '../emu/path.ts';
import { TRACE_EVENTS } from './event.ts';
import { skip } from './ftrace-caller.ts';
import { touchOps, useOps } from './ftrace-ops-memory.ts';
import { setjmpPreHandler } from './jprobe.ts';
import type { Kernel } from './kernel.ts';
import { callKprobePost, callKprobePre } from './kprobe-callback.ts';
import { popPtRegs } from './kprobe-regs.ts';
import {
  isDisabled,
  KPROBE,
  loadKprobeHandler,
  loadKprobeNmissed,
  readKprobeFlags,
} from './kprobe-struct.ts';
import { currentKprobe } from './kprobe-table.ts';
import type { Kprobe, KprobeNode } from './kprobe.ts';

/** `p->pre_handler`, or `aggr_pre_handler`; true: the instruction is not passed (KP-32). */
export function* kprobePreHandler(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  regs: Address,
): Path<boolean> {
  if (!node.isAggregate) {
    const p = cx.make(() => node.first.value);
    return p !== undefined && (yield* k.fn.kprobeCallPre(cx, k, { p, node, regs }));
  }
  return yield* k.fn.aggrPreHandler(cx, k, node, regs);
}

/** A handler that is to be called. */
export interface KprobeCallSite {
  readonly p: Kprobe;
  readonly node: KprobeNode;
  readonly regs: Address;
}

/** `aggr_pre_handler` (CC-H10): a handler that returns non-zero is the last. */
export function* aggrPreHandler(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  regs: Address,
): Path<boolean> {
  let p = yield* readOnce(node.first); // CC-H10.i
  while (p !== undefined) {
    const flags = yield* readKprobeFlags(cx, k, p);
    if (isDisabled(flags)) skipSibling(cx, p, node, 'disabled');
    else {
      setInstance(cx, k, p);
      if (yield* k.fn.kprobeCallPre(cx, k, { p, node, regs })) {
        stopWalk(cx, p, node);
        return true;
      }
      setInstance(cx, k, undefined);
    }
    p = yield* readNext(cx, p.next, p); // CC-H10.i
  }
  return false;
}

/** `opt_pre_handler` (CC-H9.4): each that is enabled, whatever the others return (KP-62). */
export function* optPreHandler(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  regs: Address,
): Path<void> {
  let p = yield* readOnce(node.first); // CC-H10.i
  while (p !== undefined) {
    const flags = yield* readKprobeFlags(cx, k, p);
    if (isDisabled(flags)) skipSibling(cx, p, node, 'disabled');
    else {
      setInstance(cx, k, p);
      yield* k.fn.kprobeCallPre(cx, k, { p, node, regs });
      setInstance(cx, k, undefined);
    }
    p = yield* readNext(cx, p.next, p); // CC-H10.i
  }
}

/** Siblings behind `p` are not called, and nobody counts that (KP-32): for events only. */
function stopWalk(cx: Context, p: Kprobe, node: KprobeNode): void {
  cx.make(() => {
    for (let left = p.next.value; left !== undefined; left = left.next.value) {
      const words = { object: left.object, generation: left.generation.value };
      skip(cx, { ...words, reason: 'stopped', ip: node.addr });
    }
  });
}

function* readNext(
  cx: Context,
  next: Cell<Kprobe | undefined>,
  p: Kprobe,
): Path<Kprobe | undefined> {
  const found = yield* readOnce(next);
  touchOps(cx, p);
  return found;
}

/** `set_kprobe_instance`: private to this CPU, so part of the present step. */
function setInstance(cx: Context, k: Kernel, instance: Kprobe | undefined): void {
  cx.make(() => {
    const cell = currentKprobe(k, cx.cpu);
    if (cell.value !== undefined) cell.set({ ...cell.value, instance });
  });
}

/** `p->post_handler`, or `aggr_post_handler`. */
export function* kprobePostHandler(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  regs: Address,
): Path<void> {
  if (!node.isAggregate) {
    const p = cx.make(() => node.first.value);
    if (p !== undefined) yield* k.fn.kprobeCallPost(cx, k, { p, node, regs });
    return;
  }
  yield* k.fn.aggrPostHandler(cx, k, node, regs);
}

/** `aggr_post_handler` (CC-H10). */
export function* aggrPostHandler(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  regs: Address,
): Path<void> {
  let p = yield* readOnce(node.first); // CC-H10.i
  while (p !== undefined) {
    const flags = yield* readKprobeFlags(cx, k, p);
    if (!isDisabled(flags)) {
      setInstance(cx, k, p);
      yield* k.fn.kprobeCallPost(cx, k, { p, node, regs });
      setInstance(cx, k, undefined);
    }
    p = yield* readNext(cx, p.next, p); // CC-H10.i
  }
}

/** Calls the pre_handler of `p`, if it has one: kernel code of a kretprobe or jprobe, or the user's. */
export function* kprobeCallPre(
  cx: Context,
  k: Kernel,
  { p, node, regs }: KprobeCallSite,
): Path<boolean> {
  useOps(cx, p);
  if (p.kind === 'kretprobe') {
    yield* k.fn.preHandlerKretprobe(cx, k, { p, node, regs });
    return false;
  }
  if (p.kind === 'jprobe') {
    popPtRegs(cx, k, regs);
    setjmpPreHandler(cx, k, p);
    return true;
  }
  const handler = cx.make(() => loadKprobeHandler(k, p, KPROBE.preHandler));
  if (handler === NO_ADDRESS) return false;
  return (yield* callKprobePre(cx, p, { handler, ip: node.addr, regs })) !== 0;
}

/** As `kprobeCallPre`. */
export function* kprobeCallPost(
  cx: Context,
  k: Kernel,
  { p, node, regs }: KprobeCallSite,
): Path<void> {
  useOps(cx, p);
  const handler = cx.make(() => loadKprobeHandler(k, p, KPROBE.postHandler));
  if (handler !== NO_ADDRESS) yield* callKprobePost(cx, p, { handler, ip: node.addr, regs });
}

/** `kprobes_inc_nmissed_count` (KP-35): every probe of the address, disabled ones too. */
export function* kprobesIncNmissedCount(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  reason: 'kprobe_running',
): Path<void> {
  let p = yield* readOnce(node.first);
  while (p !== undefined) {
    skipSibling(cx, p, node, reason);
    yield* kprobeIncNmissed(cx, k, p);
    p = node.isAggregate ? yield* readNext(cx, p.next, p) : undefined;
  }
}

/** `p->nmissed++`, in one step: a CPU counts with IRQs or preemption off. */
export function* kprobeIncNmissed(cx: Context, k: Kernel, p: Kprobe): Path<void> {
  yield* act(p.nmissed, () => {
    if (p.memory?.live === false) return;
    const before = loadKprobeNmissed(k, p);
    k.machine.memory.store64(p.address + KPROBE.nmissed, before + 1, 0);
    p.nmissed.set(before + 1);
    const counter = k.machine.strings.id('nmissed');
    cx.emit(TRACE_EVENTS.count.id, p.object, counter, before, before + 1);
  });
  touchOps(cx, p);
}

function skipSibling(
  cx: Context,
  p: Kprobe,
  { addr: ip }: KprobeNode,
  reason: 'disabled' | 'kprobe_running',
): void {
  const generation = cx.make(() => p.generation.value);
  skip(cx, { object: p.object, generation, reason, ip });
}
