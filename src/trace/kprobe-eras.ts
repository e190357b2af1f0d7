// Layer trace. What the profile `v2.6.31` does otherwise (docs/spec/kprobes.md): no SYNC but a second look at the byte and
// a wait for the scheduler (CC-S11, CC-H6.6), no check of instruction boundaries (KP-15), jprobes, fault handlers.
import { known } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import { act, type Path } from '../emu/path.ts';
import { synchronize } from '../emu/rcu.ts';
import { C_EBREAK } from '../emu/text.ts';
import { unwindTakenReturn } from './dump-stack.ts';
import { EEXIST, EINVAL, type Errno } from './errno.ts';
import type { Kernel } from './kernel.ts';
import {
  checkKprobeAddressSafe,
  functionCovering,
  kprobeAddr,
  type KprobeTarget,
  type ProbedModule,
} from './kprobe-address.ts';
import { addNewKprobe } from './kprobe-aggregate.ts';
import { setCurrentKprobe } from './kprobe-busy.ts';
import { callFaultHandlerOfHandler, callFaultHandlerOnStep } from './kprobe-fault.ts';
import { type KprobeInsn, type ProbedText, riscvProbeDecodeInsn } from './kprobe-insn.ts';
import {
  KPROBE,
  KPROBE_FLAG_DISABLED,
  KPROBE_FLAG_GONE,
  writeKprobeFlags,
} from './kprobe-struct.ts';
import { kprobeState, probesOf } from './kprobe-table.ts';
import { reenterKprobe } from './kprobe-trap.ts';
import { writeNodeFlags } from './kprobe-unregister.ts';
import { type CurrentKprobe, KPROBE_HIT, type Kprobe, type KprobeNode } from './kprobe.ts';
import type { LinkTable } from './link.ts';

/** KP-10.2: there is one error number. */
function kprobeAddrOrEinval(k: Kernel, p: Kprobe): KprobeTarget | Errno {
  const found = kprobeAddr(k, p);
  return typeof found === 'number' ? -EINVAL : found;
}

/** KP-10.3, KP-10.6: an address is where it is, and call sites are not for kprobes. */
function targetInPlace(k: Kernel, addr: Address): KprobeTarget | Errno {
  const func = functionCovering(k, addr);
  if (func === undefined || addr === func.site) return -EINVAL;
  return { addr, func, isEntry: addr === func.address, site: NO_ADDRESS };
}

/** KP-10.8. */
function safeOrEinval(k: Kernel, target: KprobeTarget): Errno | ProbedModule {
  const found = checkKprobeAddressSafe(k, target);
  return typeof found === 'number' ? -EINVAL : found;
}

/** KP-15: nobody looks whether an instruction begins there. */
function insnUnchecked({ func, read }: ProbedText, addr: Address): KprobeInsn {
  const end = func.address + func.size;
  return riscvProbeDecodeInsn(read(addr), addr + 2 < end ? read(addr + 2) : undefined);
}

/** CC-S11.3 without its SYNC. */
function* noSync(): Path<void> {
  yield* [];
}

/** KP-63: there are none yet. */
function* noJumps(): Path<void> {
  yield* [];
}

/** CC-M14. */
function* synchronizeSched(cx: Context): Path<void> {
  yield* synchronize(cx, 'synchronize_sched');
}

/** CC-H6.6: the breakpoint is gone meanwhile, and the instruction is executed anew. */
function* readAgain(_cx: Context, k: Kernel, pc: Address): Path<Address | undefined> {
  const half = yield* act(k.machine.textCell, () => k.machine.memory.load16(pc)); // CC-H6.6
  return half === C_EBREAK ? undefined : pc;
}

/** KP-42: a hit in a post_handler disarms the probe and is not counted; one in a step is nobody's, or a warning. */
function* reenterOfOld(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  current: CurrentKprobe,
): Path<Address | undefined> {
  if (current.status === KPROBE_HIT.active) return yield* reenterKprobe(cx, k, node, current);
  if (current.status === KPROBE_HIT.ssdone) {
    const { low } = known(node.insn, 'a breakpoint stands for an instruction');
    yield* act(k.machine.textCell, () => {
      k.machine.text.store(cx.cpu, node.addr, 0, low);
    });
    yield* setCurrentKprobe(cx, k, undefined);
    return node.addr;
  }
  if (current.status === KPROBE_HIT.ss && current.node === node) return undefined;
  cx.emit(EMU_EVENTS.printk.id, cx.cpu.machine.strings.id('WARNING: reenter_kprobe'));
  return yield* k.fn.setupSinglestep(cx, k, node, current);
}

/** KP-24: flags are cleared while all are disarmed, too. */
function* enableAlways(cx: Context, k: Kernel, p: Kprobe, node: KprobeNode): Path<Errno> {
  const flags = cx.make(() => k.machine.memory.load32(p.address + KPROBE.flags));
  if ((flags & KPROBE_FLAG_GONE) !== 0) return -EINVAL;
  const wasOff = cx.make(() => (node.flags.value & KPROBE_FLAG_DISABLED) !== 0);
  if (node.isAggregate) yield* writeKprobeFlags(cx, k, p, enabled);
  yield* writeNodeFlags(cx, k, node, enabled);
  if (!wasOff || cx.make(() => kprobeState(k).allDisarmed.value)) return 0;
  return yield* k.fn.armKprobe(cx, k, node);
}

function enabled(flags: number): number {
  return flags & ~KPROBE_FLAG_DISABLED;
}

/** KP-27: what it does not know it takes no notice of. */
function firstCharacter(text: string): 'on' | 'off' | 'ignored' {
  const first = text.charAt(0);
  if (first === '1' || first === 'y' || first === 'Y') return 'on';
  return first === '0' || first === 'n' || first === 'N' ? 'off' : 'ignored';
}

/** JP-2, KP-31: one jprobe for an address, and it comes last. */
function* addWithJprobe(cx: Context, k: Kernel, node: KprobeNode, p: Kprobe): Path<Errno> {
  if (p.kind !== 'jprobe') return yield* addNewKprobe(cx, k, node, p);
  if (cx.make(() => probesOf(node).some(({ kind }) => kind === 'jprobe'))) return -EEXIST;
  yield* act(node.first, () => {
    p.next.set(undefined);
    const last = probesOf(node).at(-1);
    if (last === undefined) node.first.set(p);
    else last.next.set(p);
  }); // CC-S19.4
  cx.write(p.node, node);
  return 0;
}

/** KR-3: with preemption as today, else one for each CPU. */
function maxactiveOfOld({ machine }: Kernel): number {
  const { length } = machine.cpus;
  return machine.preemption === 'full' ? Math.max(10, 2 * length) : length;
}

/** KP-73. */
function noBlacklist(): boolean {
  return false;
}

export const KPROBE_V2_6_31: Partial<LinkTable> = {
  unwindSeesTrampoline: unwindTakenReturn,
  hasKprobeBlacklist: noBlacklist,
  kprobeAddr: kprobeAddrOrEinval,
  kprobeTargetAt: targetInPlace,
  checkKprobeAddressSafe: safeOrEinval,
  kprobeInsnAt: insnUnchecked,
  kprobeSyncText: noSync,
  kprobeSynchronizeRcu: synchronizeSched,
  kretprobeSynchronizeRcu: synchronizeSched,
  waitForKprobeOptimizer: synchronizeSched,
  tryToOptimizeKprobe: noJumps,
  kprobeNotOurs: readAgain,
  reenterKprobe: reenterOfOld,
  enableValidKprobe: enableAlways,
  parseEnabled: firstCharacter,
  addNewKprobe: addWithJprobe,
  defaultMaxactive: maxactiveOfOld,
  faultHandlerOnStep: callFaultHandlerOnStep,
  faultHandlerOfHandler: callFaultHandlerOfHandler,
};
