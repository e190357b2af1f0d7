// Layer trace. Variants of kprobes (docs/spec/mutants.md, "kprobes"), up to M-75. Each is the smallest replacement that
// makes the change. Left out: M-76, which the disarm of KP-56 does not have.
import { known } from '../../assert.ts';
import type { Address } from '../../emu/address.ts';
import type { Context } from '../../emu/context.ts';
import { mutexLock, mutexUnlock } from '../../emu/lock.ts';
import { act, enter, type Path, update } from '../../emu/path.ts';
import { preemptDisable, preemptEnable } from '../../emu/preempt.ts';
import { C_EBREAK, writeHalf } from '../../emu/text.ts';
import { skip } from '../ftrace-caller.ts';
import type { Kernel } from '../kernel.ts';
import { isOnFtrace } from '../kprobe-arm.ts';
import { hitBy, setCurrentKprobe } from '../kprobe-busy.ts';
import { kprobeFtraceLocked } from '../kprobe-ftrace.ts';
import { kprobeIncNmissed } from '../kprobe-handlers.ts';
import { linkNode, plantKprobe, unlinkNode } from '../kprobe-register.ts';
import { popPtRegs, pushPtRegs } from '../kprobe-regs.ts';
import { freeInsnSlot } from '../kprobe-slot.ts';
import { kprobePostProcess, setupSinglestep } from '../kprobe-step.ts';
import { isDisabled } from '../kprobe-struct.ts';
import { currentKprobe, kprobeBucket, kprobeState } from '../kprobe-table.ts';
import { reenterKprobe } from '../kprobe-trap.ts';
import { unlinkKprobe, unregisterKprobeTop } from '../kprobe-unregister.ts';
import { KPROBE_HIT, type Kprobe, type KprobeNode } from '../kprobe.ts';
import type { Variant } from './variant.ts';

function* nothing(): Path<void> {
  // No step.
}

/** Breaks CC-G18: a hit between the two finds nobody. Needs a second CPU or an interrupt. */
const M_60: Variant = {
  id: 'M-60',
  about: 'the breakpoint is in the text before its probe is in the table',
  links: {
    *plantKprobe(cx, k, p, node) {
      const isOff = cx.make(() => kprobeState(k).allDisarmed.value || isDisabled(node.flags.value));
      if (isOff || isOnFtrace(cx, node)) return yield* plantKprobe(cx, k, p, node);
      const armed = yield* k.fn.armKprobe(cx, k, node);
      if (armed < 0) return armed;
      yield* linkNode(cx, k, node);
      cx.write(p.node, node);
      return 0;
    },
  },
};

/** Breaks CC-G6. Needs a second CPU that fetches old text. */
const M_61: Variant = {
  id: 'M-61',
  about: 'a breakpoint is lifted without a sync',
  links: {
    *archDisarmKprobe(cx, _k, { addr, insn }) {
      yield* writeHalf(cx, addr, 0, known(insn, 'a breakpoint stands for an instruction').low);
    },
  },
};

/** Breaks CC-G6: a hit between the two finds nobody. Needs a second CPU or an interrupt. */
const M_62: Variant = {
  id: 'M-62',
  about: 'a probe leaves the table before its breakpoint leaves the text',
  links: {
    *unregisterKprobeTop(cx, k, p) {
      const node = cx.read(p.node);
      if (node === undefined || node.isAggregate) return yield* unregisterKprobeTop(cx, k, p);
      yield* unlinkNode(cx, k, node);
      return yield* unregisterKprobeTop(cx, k, p);
    },
  },
};

/** Breaks CC-G5. Needs a second CPU, and a sibling or a probe on an ftrace site: a lone breakpoint's sync is enough (E-5). */
const M_63: Variant = {
  id: 'M-63',
  about: 'unregister_kprobe does not wait',
  links: { kprobeSynchronizeRcu: nothing },
};

/** Breaks CC-G5. Needs a boosted probe, which a kernel without preemption has. */
const M_64: Variant = {
  id: 'M-64',
  about: 'a slot is freed before the wait, and at once',
  links: {
    *unlinkKprobe(cx, k, p, node) {
      const isOver = yield* unlinkKprobe(cx, k, p, node);
      if (isOver) yield* k.fn.archRemoveKprobe(cx, k, node);
      return isOver;
    },
    *releaseSlot(cx, k, { memory }) {
      const { slots } = known(k.kprobes, 'there are kprobes');
      yield* freeInsnSlot(cx, slots, memory, false);
    },
  },
};

/** Breaks CC-G5. Needs a batch whose last probe has a sibling. */
const M_65: Variant = {
  id: 'M-65',
  about: 'a batch is waited for before its last probe is unlinked',
  links: { unregisterKprobes: unregisterLastBehindWait },
};

/** Breaks CC-G18. Needs a second CPU or an interrupt. */
const M_66: Variant = {
  id: 'M-66',
  about: 'an aggregate takes its place in the table in two stores',
  links: {
    *replaceKprobeNode(_cx, k, old, made) {
      const bucket = kprobeBucket(k, old.addr);
      yield* update(bucket, (nodes) => nodes.filter((node) => node !== old));
      yield* update(bucket, (nodes) => [made, ...nodes]);
    },
  },
};

/** Breaks CC-G10. Needs two siblings and a nested hit. */
const M_67: Variant = {
  id: 'M-67',
  about: 'a nested hit counts for the first probe of the address only',
  links: {
    *kprobesIncNmissedCount(cx, k, node, reason) {
      const p = cx.make(() => node.first.value);
      if (p === undefined) return;
      const generation = cx.make(() => p.generation.value);
      skip(cx, { object: p.object, generation, reason, ip: node.addr });
      yield* kprobeIncNmissed(cx, k, p);
    },
  },
};

/** Breaks CC-G12. Needs a handler that leads to a probe. */
const M_68: Variant = {
  id: 'M-68',
  about: 'a nested hit runs handlers',
  links: {
    *reenterKprobe(cx, k, node, current) {
      if (current.status === KPROBE_HIT.reenter) return yield* reenterKprobe(cx, k, node, current);
      const nested = cx.make(() => hitBy(cx, node));
      const status = KPROBE_HIT.reenter;
      yield* setCurrentKprobe(cx, k, { ...nested, status, previous: current });
      const regs = pushPtRegs(cx, k, node.addr);
      if (regs === undefined) return undefined;
      yield* k.fn.kprobePreHandler(cx, k, node, regs);
      popPtRegs(cx, k, regs);
      return yield* k.fn.setupSinglestep(cx, k, node, current);
    },
  },
};

/** Breaks CC-G12: the outer hit takes itself for a nested one. Needs a nested hit in a pre_handler, and a post_handler. */
const M_69: Variant = {
  id: 'M-69',
  about: 'a nested hit leaves its status behind',
  links: {
    restorePreviousKprobe: nothing,
    setupSinglestep(cx, k, node, interrupted) {
      const left = cx.make(() => currentKprobe(k, cx.cpu).value);
      const nested = left?.status === KPROBE_HIT.reenter ? left : undefined;
      return setupSinglestep(cx, k, node, interrupted ?? nested);
    },
  },
};

/** Breaks CC-G13. Needs a second CPU. */
const M_70: Variant = {
  id: 'M-70',
  about: 'the breakpoint is lifted while its instruction is stepped',
  links: {
    *setupSinglestep(cx, k, node, interrupted) {
      const { insn } = node;
      if (insn !== undefined) yield* writeUnlocked(cx, node.addr, insn.low);
      return yield* setupSinglestep(cx, k, node, interrupted);
    },
    *kprobePostProcess(cx, k, current, to) {
      const { node } = current;
      if (node?.insn !== undefined) yield* writeUnlocked(cx, node.addr, C_EBREAK);
      return yield* kprobePostProcess(cx, k, current, to);
    },
  },
};

/** A hit cannot take text_mutex. */
function writeUnlocked(cx: Context, ip: Address, half: number): Path<void> {
  const { machine } = cx.cpu;
  return act(machine.textCell, () => {
    machine.text.store(cx.cpu, ip, 0, half);
  });
}

/** Breaks KP-40.3. */
const M_71: Variant = {
  id: 'M-71',
  about: 'post_handlers run although a pre_handler refused',
  links: {
    *kprobeHit(cx, k, node) {
      yield* setCurrentKprobe(
        cx,
        k,
        cx.make(() => hitBy(cx, node)),
      );
      const regs = pushPtRegs(cx, k, node.addr);
      if (regs === undefined) return undefined;
      yield* k.fn.kprobePreHandler(cx, k, node, regs);
      popPtRegs(cx, k, regs);
      return yield* k.fn.setupSinglestep(cx, k, node, undefined);
    },
  },
};

/** Breaks KP-33. Needs two siblings. */
const M_72: Variant = {
  id: 'M-72',
  about: 'disabling one probe of an address disarms it for all',
  links: { allDisabled: () => true },
};

/** Breaks KP-25 (H-20). Needs an arm that fails. */
const M_73: Variant = {
  id: 'M-73',
  about: 'enable_kprobe that fails leaves the probe marked enabled',
  links: { enableFailed: nothing },
};

/** Breaks CC-G3: an empty filter is all functions (FT-44). */
const M_74: Variant = {
  id: 'M-74',
  about: 'the last site leaves the filter before the ftrace_ops is unregistered',
  links: {
    *disarmInHook(cx, k, addr, { ops, isLast }) {
      const removed = yield* k.fn.removeKprobeSite(cx, k, ops, addr);
      if (removed < 0 || !isLast) return removed;
      return yield* enter(k.fn.unregisterFtraceFunction(cx, k, ops));
    },
  },
};

/** Breaks CC-G11. Needs a handler that leads to a probe on an ftrace site. */
const M_75: Variant = {
  id: 'M-75',
  about: 'a hit on an ftrace site takes no recursion bit',
  links: {
    *kprobeFtraceHandler(cx, k, hit) {
      yield* preemptDisable(cx);
      yield* kprobeFtraceLocked(cx, k, hit);
      yield* preemptEnable(cx);
    },
  },
};

/** As M-65 says. */
function* unregisterLastBehindWait(cx: Context, k: Kernel, ps: readonly Kprobe[]): Path<void> {
  const last = ps.at(-1);
  const { mutex } = known(k.kprobes, 'there are kprobes');
  const left: KprobeNode[] = [];
  yield* mutexLock(cx, mutex);
  for (const p of ps) {
    if (p === last) yield* k.fn.kprobeSynchronizeRcu(cx);
    const node = yield* k.fn.unregisterKprobeTop(cx, k, p);
    if (node === undefined) yield* k.fn.clearKprobeAddr(cx, k, p);
    else if (node !== 'shared') left.push(node);
  }
  yield* mutexUnlock(cx, mutex);
  for (const node of left) yield* k.fn.unregisterKprobeBottom(cx, k, node);
}

export const KPROBE_VARIANTS: readonly Variant[] = [
  M_60,
  M_61,
  M_62,
  M_63,
  M_64,
  M_65,
  M_66,
  M_67,
  M_68,
  M_69,
  M_70,
  M_71,
  M_72,
  M_73,
  M_74,
  M_75,
];
