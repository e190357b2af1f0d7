// Layer trace. A CPU has fetched the breakpoint of a kprobe (CC-H6, KP-40, KP-42), after arch/x86/kernel/kprobes/core.c of
// Linux v6.12. All of it runs in the trap, IRQs off: no SYNC is answered meanwhile (CC-G6). How the instruction itself is
// passed is `kprobe-step.ts`, calling handlers is `kprobe-handlers.ts`.
import { type Address, USER_BASE } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { type Path, readOnce } from '../emu/path.ts';
import { FRAME_PC } from '../emu/regs.ts';
import { TRACE_EVENTS } from './event.ts';
import { jprobeEntry } from './jprobe.ts';
import type { Kernel } from './kernel.ts';
import { hitBy, setCurrentKprobe } from './kprobe-busy.ts';
import { popPtRegs, pushPtRegs } from './kprobe-regs.ts';
import { endOfStep } from './kprobe-step.ts';
import { currentKprobe } from './kprobe-table.ts';
import { type CurrentKprobe, KPROBE_HIT, type KprobeNode } from './kprobe.ts';

/** `kprobe_int3_handler`: where the trap at `pc` returns to; undefined: no probe's breakpoint. */
export function* kprobeInt3Handler(cx: Context, k: Kernel, pc: Address): Path<Address | undefined> {
  if (k.kprobes === undefined || inUserMode(pc)) return undefined; // KP-40.2
  const node = yield* k.fn.getKprobe(cx, k, pc); // CC-H6.2
  const running = cx.make(() => currentKprobe(k, cx.cpu));
  const current = yield* readOnce(running); // CC-H6.4
  if (node === undefined) {
    const ended = yield* endOfStep(cx, k, pc, current); // CC-H6.3
    return ended ?? (yield* k.fn.kprobeNotOurs(cx, k, pc));
  }
  return current === undefined
    ? yield* k.fn.kprobeHit(cx, k, node)
    : yield* k.fn.reenterKprobe(cx, k, node, current);
}

/** The user segment has the addresses below the kernel's. */
function inUserMode(pc: Address): boolean {
  return pc < 0 && pc >= USER_BASE;
}

/** KP-40.3, CC-H6.5: nothing else runs on this CPU. */
export function* kprobeHit(cx: Context, k: Kernel, node: KprobeNode): Path<Address | undefined> {
  const current = cx.make(() => hitBy(cx, node));
  yield* setCurrentKprobe(cx, k, current); // CC-H6.5
  const regs = pushPtRegs(cx, k, node.addr);
  if (regs === undefined) return undefined;
  const refused = yield* k.fn.kprobePreHandler(cx, k, node, regs);
  const ip = popPtRegs(cx, k, regs);
  const entry = cx.make(() => jprobeEntry(k, cx.cpu));
  if (entry !== undefined) return entry; // CC-H16.3
  if (!refused) return yield* k.fn.setupSinglestep(cx, k, node, undefined);
  // KP-45: the handler has said where to go on, and has made the instruction its own business.
  yield* setCurrentKprobe(cx, k, undefined);
  cx.emit(TRACE_EVENTS.kprobe_step.id, node.addr, cx.cpu.machine.strings.id('skip'), ip);
  return ip;
}

/** KP-40.6: nobody's breakpoint. */
export function* kprobeNotOurs(_cx: Context, _k: Kernel, _pc: Address): Path<Address | undefined> {
  yield* [];
  return undefined;
}

/** `reenter_kprobe` (KP-42, KP-43): a hit inside a handler or a single step counts as missed and runs no handler. */
export function* reenterKprobe(
  cx: Context,
  k: Kernel,
  node: KprobeNode,
  current: CurrentKprobe,
): Path<Address | undefined> {
  if (current.status === KPROBE_HIT.reenter) {
    cx.make(() => {
      cx.cpu.machine.oops(cx.cpu, 'unrecoverable kprobe', node.addr, cx.frame[FRAME_PC]);
    });
    return undefined;
  }
  yield* k.fn.kprobesIncNmissedCount(cx, k, node, 'kprobe_running');
  return yield* k.fn.setupSinglestep(cx, k, node, current);
}
