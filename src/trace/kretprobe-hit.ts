// Layer trace. What a hit of a kretprobe does (KR-4..KR-7, CC-H13): its kprobe's pre_handler takes an instance and the
// call's return; its side of the return that rethook took (CC-H12). The instance that handlers see is the node's memory.
import { assert } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { act, type Path } from '../emu/path.ts';
import { TRACE_EVENTS } from './event.ts';
import { type SkipReason, skip } from './ftrace-caller.ts';
import { touchOps, useOps } from './ftrace-ops-memory.ts';
import { FTRACE_REGS } from './ftrace-regs.ts';
import type { Kernel } from './kernel.ts';
import { setCurrentKprobe } from './kprobe-busy.ts';
import { callKprobe } from './kprobe-callback.ts';
import type { KprobeCallSite } from './kprobe-handlers.ts';
import { KRETPROBE, loadPointer, storePointer } from './kprobe-struct.ts';
import { type CurrentKprobe, KPROBE_HIT, type Kprobe } from './kprobe.ts';
import { rethookRetAddr, type TakenReturn } from './rethook-return.ts';
import { hookedCall, RETHOOK_NODE_BYTES, type RethookNode } from './rethook.ts';

/** `struct kretprobe_instance`; include/linux/kprobes.h repeats it. `data` is behind the node. */
export const INSTANCE = { rp: 0, retAddr: 8, task: 16, data: RETHOOK_NODE_BYTES } as const;

/** `pre_handler_kretprobe` (CC-H13). It never keeps the function from going on. */
export function* preHandlerKretprobe(
  cx: Context,
  k: Kernel,
  { p, node: { addr }, regs }: KprobeCallSite,
): Path<void> {
  const rethook = cx.make(() => p.rethook.value);
  if (rethook === undefined) return;
  const node = yield* k.fn.rethookTryGet(cx, k, rethook); // CC-H13.1
  if (typeof node === 'string') {
    yield* k.fn.kretprobeNoInstance(cx, k, p, { reason: node, ip: addr, regs });
    return;
  }
  if ((yield* callEntry(cx, k, node, { ip: addr, regs })) !== 0) {
    skipKretprobe(cx, p, 'rejected', addr);
    yield* k.fn.kretprobeRejected(cx, k, node); // CC-H13.2
    return;
  }
  const parentIp = cx.make(() => loadPointer(k, regs + FTRACE_REGS.ra));
  const retIp = rethookRetAddr(cx, k, parentIp);
  const generation = cx.make(() => p.generation.value);
  yield* k.fn.rethookHook(cx, k, node, { ip: addr, parentIp, retIp, regs, generation }); // CC-H13.3-5
  cx.make(() => {
    storePointer(k, instanceOf(node) + INSTANCE.retAddr, retIp);
  });
}

/** A call that misses for want of an instance. */
export interface KretprobeMiss {
  readonly reason: SkipReason;
  readonly ip: Address;
  readonly regs: Address;
}

/** KR-4: neither handler runs. */
export function* kretprobeNoInstance(
  cx: Context,
  k: Kernel,
  p: Kprobe,
  { reason, ip }: KretprobeMiss,
): Path<void> {
  skipKretprobe(cx, p, reason, ip);
  yield* act(p.nmissed, () => {
    if (p.memory?.live === false) return;
    const at = p.address + KRETPROBE.nmissed;
    const before = k.machine.memory.load32(at);
    k.machine.memory.store32(at, before + 1);
    const counter = k.machine.strings.id('rp_nmissed');
    cx.emit(TRACE_EVENTS.count.id, p.object, counter, before, before + 1);
  });
  touchOps(cx, p);
}

/** KR-4: the instance goes back, and the return address is as it was. */
export function* kretprobeRejected(cx: Context, k: Kernel, node: RethookNode): Path<void> {
  yield* k.fn.rethookRecycle(cx, k, node);
}

function skipKretprobe(cx: Context, p: Kprobe, reason: SkipReason, ip: Address): void {
  const generation = cx.make(() => p.generation.value);
  skip(cx, { object: p.object, generation, reason, ip });
}

/** `entry_handler(ri, regs)`; 0 without one. The instance has no return address yet (R01). */
function* callEntry(
  cx: Context,
  k: Kernel,
  node: RethookNode,
  { ip, regs }: { readonly ip: Address; readonly regs: Address },
): Path<number> {
  const p = kretprobeOf(node);
  useOps(cx, p);
  const instance = instanceOf(node);
  const handler = cx.make(() => {
    storePointer(k, instance + INSTANCE.rp, p.address);
    storePointer(k, instance + INSTANCE.retAddr, NO_ADDRESS);
    storePointer(k, instance + INSTANCE.task, cx.task.structAddress);
    return loadPointer(k, p.address + KRETPROBE.entryHandler);
  });
  if (handler === NO_ADDRESS) return 0;
  const call = { handler, ip, regs };
  const given = { first: instance, third: 0, data: node.data } as const;
  const result = yield* callKprobe(cx, p, call, { which: 'entry', ...given });
  const generation = cx.make(() => p.generation.value);
  cx.emit(TRACE_EVENTS.entry_result.id, p.object, generation, result);
  return result;
}

/** `kretprobe_rethook_handler` (CC-H12.3): kprobes that are hit in the handler are missed (KR-6). */
export function* kretprobeRethookHandler(
  cx: Context,
  k: Kernel,
  node: RethookNode,
  { regs }: TakenReturn,
): Path<void> {
  const p = kretprobeOf(node);
  useOps(cx, p);
  const handler = cx.make(() => loadPointer(k, p.address + KRETPROBE.handler));
  if (handler === NO_ADDRESS) return;
  const { ip } = cx.make(() => hookedCall(node));
  yield* k.fn.kretprobeBusy(cx, k, p);
  const call = { handler, ip, regs };
  const given = { first: instanceOf(node), third: 0, data: node.data } as const;
  yield* callKprobe(cx, p, call, { which: 'ret', ...given });
  yield* setCurrentKprobe(cx, k, undefined);
}

/** KR-6. */
export function* kretprobeBusy(cx: Context, k: Kernel, p: Kprobe): Path<void> {
  const current: CurrentKprobe = {
    address: p.address,
    node: undefined,
    instance: p,
    status: KPROBE_HIT.active,
    savedIrqs: true,
    previous: undefined,
  };
  yield* setCurrentKprobe(cx, k, current);
}

function kretprobeOf({ rethook: { data } }: RethookNode): Kprobe {
  assert(data.kind === 'kretprobe', 'a kretprobe has its own pool');
  return data;
}

/** Where handlers see the instance. */
function instanceOf({ data }: RethookNode): Address {
  return data - INSTANCE.data;
}
