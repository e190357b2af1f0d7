// Layer trace. Probes on ftrace sites (KP-50..KP-56, CC-S12, CC-H8), after kernel/kprobes.c and
// arch/x86/kernel/kprobes/ftrace.c of Linux v6.12: no breakpoint, but two ftrace_ops of the kernel's own, one of them for
// probes with a post_handler. Neither is registered with an empty filter, which would be all functions.
import { type Address, addressHi, addressLo } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { enter, type Path, readOnce, writeOnce } from '../emu/path.ts';
import { type Errno } from './errno.ts';
import { NOBODY, skip } from './ftrace-caller.ts';
import { MCOUNT_INSN_SIZE } from './ftrace-insn.ts';
import { FTRACE_OPS_FL_IPMODIFY, FTRACE_OPS_FL_SAVE_REGS } from './ftrace-ops-flags.ts';
import { type FtraceOps, newFtraceOps } from './ftrace-ops.ts';
import { PT_REGS_IP } from './ftrace-regs.ts';
import type { Kernel } from './kernel.ts';
import { hitBy, setCurrentKprobe } from './kprobe-busy.ts';
import { isDisabled, loadPointer } from './kprobe-struct.ts';
import { currentKprobe, kprobeState, probesOf } from './kprobe-table.ts';
import { KPROBE_HIT, type KprobeNode } from './kprobe.ts';
import { TRACE_FTRACE_START } from './recursion.ts';
import { traceStub } from './stub-table.ts';

/** Where a site is armed: `kprobe_ftrace_ops`, or `kprobe_ipmodify_ops` for who has a post_handler (KP-50). */
export type KprobeHook = 'plain' | 'ipmodify';

/** One of the two ftrace_ops, and how many sites are armed in it. */
interface Hook {
  readonly ops: FtraceOps;
  readonly users: Cell<number>;
}

export interface KprobeHooks {
  readonly plain: Hook;
  readonly ipmodify: Hook;
}

/** Made when a probe is first armed on a site. */
function hooksOf(k: Kernel): KprobeHooks {
  const state = kprobeState(k);
  state.hooks ??= {
    plain: newHook(k, 'kprobe_ftrace_ops', FTRACE_OPS_FL_SAVE_REGS),
    ipmodify: newHook(k, 'kprobe_ipmodify_ops', FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY),
  };
  return state.hooks;
}

/** Neither is DYNAMIC: its unregister waits for nobody (CC-S12). */
function newHook(k: Kernel, name: string, flags: number): Hook {
  const func = traceStub('kprobe_ftrace_handler');
  const ops = newFtraceOps(k, { name, kind: 'kprobe_ops', isStatic: true, func, flags });
  return { ops, users: k.machine.cells.cell(`${name}/enabled`, 0, kprobeState(k).mutex) };
}

/** `arm_kprobe_ftrace` (CC-S12). Caller holds `kprobe_mutex`. */
export function* armKprobeFtrace(cx: Context, k: Kernel, node: KprobeNode): Path<Errno> {
  const hook: KprobeHook = cx.make(() => (node.hasPost.value ? 'ipmodify' : 'plain'));
  const { ops, users } = cx.make(() => hooksOf(k)[hook]);
  const ip = { which: 'filterHash', ips: [node.addr], reset: false } as const;
  const added = yield* enter(k.fn.ftraceSetHash(cx, k, ops, ip)); // CC-S12.1
  if (added < 0) return added;
  if (cx.read(users) === 0) {
    const result = yield* enter(k.fn.registerFtraceFunction(cx, k, ops)); // CC-S12.2
    if (result < 0) {
      yield* enter(k.fn.ftraceSetHash(cx, k, ops, { ...ip, remove: true }));
      return result;
    }
  }
  cx.write(users, cx.read(users) + 1);
  yield* writeOnce(node.armedIn, hook);
  return 0;
}

/** `disarm_kprobe_ftrace` (CC-S12): in the ops in which the site is armed (KP-56). Caller holds `kprobe_mutex`. */
export function* disarmKprobeFtrace(cx: Context, k: Kernel, node: KprobeNode): Path<Errno> {
  const hook = cx.make(() => k.fn.kprobeHookOf(node));
  const { ops, users } = cx.make(() => hooksOf(k)[hook]);
  const result = yield* k.fn.disarmInHook(cx, k, node.addr, {
    ops,
    isLast: cx.read(users) === 1,
  });
  if (result < 0) return result;
  cx.write(users, cx.read(users) - 1);
  yield* writeOnce(node.armedIn, undefined);
  return 0;
}

/** KP-56. */
export function kprobeHookOf({ armedIn, hasPost }: KprobeNode): KprobeHook {
  return armedIn.value ?? (hasPost.value ? 'ipmodify' : 'plain');
}

/** A site that leaves one of the two, and whether it is the last one there. */
export interface LeavingSite {
  readonly ops: FtraceOps;
  readonly isLast: boolean;
}

/** The last one unregisters the ops, and *then* removes the site: an empty filter is all functions (FT-44). */
export function* disarmInHook(
  cx: Context,
  k: Kernel,
  addr: Address,
  { ops, isLast }: LeavingSite,
): Path<Errno> {
  if (isLast) {
    const result = yield* enter(k.fn.unregisterFtraceFunction(cx, k, ops)); // CC-S12.1
    if (result < 0) return result;
  }
  return yield* k.fn.removeKprobeSite(cx, k, ops, addr); // CC-S12.2
}

/** CC-S12.2 of disarm. */
export function* removeKprobeSite(
  cx: Context,
  k: Kernel,
  ops: FtraceOps,
  addr: Address,
): Path<Errno> {
  const change = { which: 'filterHash', ips: [addr], reset: false, remove: true } as const;
  return yield* enter(k.fn.ftraceSetHash(cx, k, ops, change));
}

/** A hit of one of the two: the callback's arguments. */
export interface KprobeFtraceHit {
  readonly ip: Address;
  readonly parentIp: Address;
  readonly regs: Address;
}

/** `kprobe_ftrace_handler` (CC-H8, KP-51). Any context; a refused hit counts for nobody. */
export function* kprobeFtraceHandler(cx: Context, k: Kernel, hit: KprobeFtraceHit): Path<void> {
  const bit = yield* k.fn.traceTestAndSetRecursion(cx, k, TRACE_FTRACE_START); // CC-H8.1
  if (bit < 0) {
    skip(cx, { object: NOBODY, generation: 0, reason: 'recursion', ip: hit.ip });
    yield* k.fn.ftraceRecordRecursion(cx, k, hit);
    return;
  }
  yield* kprobeFtraceLocked(cx, k, hit);
  yield* k.fn.traceClearRecursion(cx, k, bit); // CC-H8.4
}

/** CC-H8.2-3. Preemption is off. */
export function* kprobeFtraceLocked(cx: Context, k: Kernel, hit: KprobeFtraceHit): Path<void> {
  const node = yield* k.fn.getKprobe(cx, k, hit.ip); // CC-H8.2
  if (node !== undefined && !skipsDisabled(cx, node)) yield* runOnSite(cx, k, node, hit);
}

function skipsDisabled(cx: Context, node: KprobeNode): boolean {
  const isOff = cx.make(() => isDisabled(node.flags.value));
  if (isOff) {
    for (const { object, generation } of cx.make(() => probesOf(node))) {
      const now = cx.make(() => generation.value);
      skip(cx, { object, generation: now, reason: 'disabled', ip: node.addr });
    }
  }
  return isOff;
}

/** CC-H8.3. */
function* runOnSite(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  { ip, regs }: KprobeFtraceHit,
): Path<void> {
  const running = cx.make(() => currentKprobe(k, cx.cpu));
  if ((yield* readOnce(running)) !== undefined) {
    yield* k.fn.kprobesIncNmissedCount(cx, k, node, 'kprobe_running');
    return;
  }
  const current = cx.make(() => hitBy(cx, node));
  const goesOn = cx.make(() => loadPointer(k, regs + PT_REGS_IP));
  yield* setCurrentKprobe(cx, k, current);
  showIp(cx, k, regs, ip + 2); // As behind a breakpoint: x86 shows site + 1.
  if (!(yield* k.fn.kprobePreHandler(cx, k, node, regs))) {
    showIp(cx, k, regs, ip + MCOUNT_INSN_SIZE[k.patching]);
    if (cx.make(() => node.hasPost.value)) {
      yield* setCurrentKprobe(cx, k, { ...current, status: KPROBE_HIT.ssdone });
      yield* k.fn.kprobePostHandler(cx, k, node, regs);
    }
    showIp(cx, k, regs, goesOn);
  }
  yield* setCurrentKprobe(cx, k, undefined);
}

function showIp(cx: Context, k: Kernel, regs: Address, ip: Address): void {
  cx.make(() => {
    k.machine.memory.store64(regs + PT_REGS_IP, addressLo(ip), addressHi(ip));
  });
}
