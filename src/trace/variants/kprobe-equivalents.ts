// Layer trace. Changes of kprobes that break nothing (docs/spec/mutants.md, E-4, E-5, E-8).
import { known } from '../../assert.ts';
import type { Context } from '../../emu/context.ts';
import { mutexLock, mutexUnlock } from '../../emu/lock.ts';
import { act, type Path, writeOnce } from '../../emu/path.ts';
import { C_EBREAK, writeHalf } from '../../emu/text.ts';
import type { Kernel } from '../kernel.ts';
import { isOnFtrace } from '../kprobe-arm.ts';
import { disarmAllKprobes } from '../kprobe-switch.ts';
import { disableKprobe } from '../kprobe-unregister.ts';
import type { Kprobe, KprobeNode } from '../kprobe.ts';
import type { Variant } from './variant.ts';

/** Handlers are lost a little earlier. */
const E_4: Variant = {
  id: 'E-4',
  about: 'unregister_kretprobe stops returns before it disarms the entry',
  links: { unregisterKretprobes: stopFirst },
};

/** The sync of the disarm has outlasted every trap at the address (CC-G6), and there is no other way to the probe. */
const E_5: Variant = {
  id: 'E-5',
  about: 'unregister_kprobe does not wait for probes that were alone at their breakpoints',
  links: { unregisterKprobes: waitForCompany },
};

/**
 * As v2.6.31 does it: whoever traps too late finds no breakpoint, and goes on with the instruction. The wait is that of
 * unregister; what only disarms waits, too, as here it promises what unregister does.
 */
const E_8: Variant = {
  id: 'E-8',
  about:
    "a breakpoint is lifted without a sync, and a trap that is no probe's looks at the text again",
  links: {
    *archDisarmKprobe(cx, _k, { addr, insn }) {
      yield* writeHalf(cx, addr, 0, known(insn, 'a breakpoint stands for an instruction').low);
    },
    *kprobeNotOurs(_cx, k, pc) {
      const half = yield* act(k.machine.textCell, () => k.machine.memory.load16(pc));
      return half === C_EBREAK ? undefined : pc;
    },
    *disableKprobe(cx, k, p) {
      const result = yield* disableKprobe(cx, k, p);
      yield* k.fn.kprobeSynchronizeRcu(cx);
      return result;
    },
    *disarmAllKprobes(cx, k) {
      yield* disarmAllKprobes(cx, k);
      yield* k.fn.kprobeSynchronizeRcu(cx);
    },
  },
};

/** As E-4 says. */
function* stopFirst(cx: Context, k: Kernel, ps: readonly Kprobe[]): Path<void> {
  if (ps.length === 0) return;
  const { mutex } = known(k.kprobes, 'there are kprobes');
  const left: KprobeNode[] = [];
  yield* mutexLock(cx, mutex);
  for (const p of ps) {
    const rethook = cx.make(() => p.rethook.value);
    if (rethook !== undefined) yield* writeOnce(rethook.handler, undefined);
    const node = yield* k.fn.unregisterKprobeTop(cx, k, p);
    if (node === undefined) yield* k.fn.clearKprobeAddr(cx, k, p);
    else if (node !== 'shared') left.push(node);
    yield* k.fn.kretprobeFree(cx, k, p);
  }
  yield* mutexUnlock(cx, mutex);
  yield* k.fn.kretprobeSynchronizeRcu(cx);
  for (const node of left) yield* k.fn.unregisterKprobeBottom(cx, k, node);
}

/** As E-5 says. */
function* waitForCompany(cx: Context, k: Kernel, ps: readonly Kprobe[]): Path<void> {
  if (ps.length === 0) return;
  const { mutex } = known(k.kprobes, 'there are kprobes');
  const left: KprobeNode[] = [];
  let hasCompany = false;
  yield* mutexLock(cx, mutex);
  for (const p of ps) {
    const before = cx.read(p.node);
    if (before === undefined || before.isAggregate || isOnFtrace(cx, before)) hasCompany = true;
    const node = yield* k.fn.unregisterKprobeTop(cx, k, p);
    if (node === undefined) yield* k.fn.clearKprobeAddr(cx, k, p);
    else if (node !== 'shared') left.push(node);
  }
  yield* mutexUnlock(cx, mutex);
  if (hasCompany) yield* k.fn.kprobeSynchronizeRcu(cx);
  for (const node of left) yield* k.fn.unregisterKprobeBottom(cx, k, node);
}

export const KPROBE_EQUIVALENTS: readonly Variant[] = [E_4, E_5, E_8];
