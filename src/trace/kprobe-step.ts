// Layer trace. Passing the instruction that a breakpoint stands for (CC-H7, KP-41): its copy is stepped out of line, or
// what it does is done to the saved registers. The breakpoint stays where it is, so nobody slips past it (KP-44).
import { known } from '../assert.ts';
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { FRAME_PC } from '../emu/regs.ts';
import { TRACE_EVENTS } from './event.ts';
import type { Kernel } from './kernel.ts';
import { setCurrentKprobe } from './kprobe-busy.ts';
import { popPtRegs, pushPtRegs } from './kprobe-regs.ts';
import { simulateInsn } from './kprobe-simulate.ts';
import { type CurrentKprobe, KPROBE_HIT, type KprobeNode } from './kprobe.ts';

type Passing = 'simulate' | 'slot' | 'boost' | 'detour';

/** `setup_singlestep` (KP-41): where the trap returns to. `interrupted`: what ran here when `node` was hit, if anything did. */
export function* setupSinglestep(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  interrupted: CurrentKprobe | undefined,
): Path<Address | undefined> {
  const detour = yield* k.fn.setupDetourExecution(cx, k, node, interrupted); // KP-41.1
  if (detour !== undefined) return detour;
  const slot = cx.make(() => node.slot.value);
  if (slot?.isBoosted === true && cx.make(() => k.fn.mayBoost(k, node))) {
    if (interrupted === undefined) yield* setCurrentKprobe(cx, k, undefined); // KP-41.2
    return passes(cx, node, 'boost', slot.address);
  }
  const current = cx.make(() => stepping(cx, node, interrupted));
  yield* setCurrentKprobe(cx, k, current); // KP-41.3
  if (slot === undefined) return yield* simulate(cx, k, node, current); // KP-41.4
  cx.make(() => {
    cx.irqsAfter = false; // KP-41.5
  });
  return passes(cx, node, 'slot', slot.address);
}

export function passes(cx: Context, node: KprobeNode, how: Passing, to: Address): Address {
  cx.emit(TRACE_EVENTS.kprobe_step.id, node.addr, cx.cpu.machine.strings.id(how), to);
  return to;
}

/** `prev_kprobe` has room for one: REENTER is not interrupted again (KP-42). */
function stepping(
  cx: Context,
  node: KprobeNode,
  interrupted: CurrentKprobe | undefined,
): CurrentKprobe {
  const p = node.first.value;
  return {
    address: p?.address ?? node.addr,
    node,
    instance: node.isAggregate ? undefined : p,
    status: interrupted === undefined ? KPROBE_HIT.ss : KPROBE_HIT.reenter,
    savedIrqs: cx.irqsAfter ?? cx.irqsBefore,
    previous: interrupted,
  };
}

function* simulate(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  current: CurrentKprobe,
): Path<Address> {
  const insn = known(node.insn, 'a breakpoint stands for an instruction');
  const to = cx.make(() => {
    simulateInsn(cx.frame, node.addr, insn.low, insn.high);
    return cx.frame[FRAME_PC] as Address;
  });
  passes(cx, node, 'simulate', to);
  return yield* k.fn.kprobePostProcess(cx, k, current, to);
}

/**
 * CC-H6.3, CC-H7.3: no probe is planted at `pc`. Is it the breakpoint behind the copy of the instruction that `current`
 * has stepped? Undefined: it is nobody's.
 */
export function* endOfStep(
  cx: Context,
  k: Kernel,
  pc: Address,
  current: CurrentKprobe | undefined,
): Path<Address | undefined> {
  const node = current?.node;
  if (current === undefined || node === undefined) return undefined;
  if (current.call !== undefined) return yield* k.fn.longjmpBreakHandler(cx, k, pc, current);
  const { insn } = node;
  const slot = cx.make(() => node.slot.value);
  if (insn === undefined || slot === undefined || slot.address + insn.bytes !== pc)
    return undefined;
  if (current.status !== KPROBE_HIT.ss && current.status !== KPROBE_HIT.reenter) return undefined;
  cx.make(() => {
    cx.irqsAfter = current.savedIrqs;
  });
  return yield* k.fn.kprobePostProcess(cx, k, current, node.addr + insn.bytes);
}

/** `kprobe_post_process` (KP-41): the instruction is over, and `to` is next. */
export function* kprobePostProcess(
  cx: Context,
  k: Kernel,
  current: CurrentKprobe,
  to: Address,
): Path<Address> {
  const node = known(current.node, 'what was stepped is a probe');
  if (current.status === KPROBE_HIT.reenter) {
    yield* k.fn.restorePreviousKprobe(cx, k, current);
    return to;
  }
  if (!cx.make(() => node.hasPost.value)) {
    yield* setCurrentKprobe(cx, k, undefined);
    return to;
  }
  yield* setCurrentKprobe(cx, k, { ...current, status: KPROBE_HIT.ssdone });
  const regs = pushPtRegs(cx, k, to);
  if (regs === undefined) return to;
  yield* k.fn.kprobePostHandler(cx, k, node, regs);
  const goesOn = popPtRegs(cx, k, regs);
  yield* setCurrentKprobe(cx, k, undefined);
  return goesOn;
}

/** What was interrupted goes on as it was (KP-42). */
export function* restorePreviousKprobe(
  cx: Context,
  k: Kernel,
  { previous }: CurrentKprobe,
): Path<void> {
  yield* setCurrentKprobe(cx, k, previous);
}

/** KP-41.2: nothing could preempt who runs the copy, and nobody waits for its end. */
export function mayBoost(k: Kernel, node: KprobeNode): boolean {
  return k.machine.preemption !== 'full' && !node.hasPost.value;
}
