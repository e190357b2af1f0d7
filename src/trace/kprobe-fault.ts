// Layer trace. Guest code faults where a kprobe has to do with it (KP-48): in the copy of the probed instruction, or in a
// handler. Today the first is a fault of the probed instruction, and the second nobody's business but the handler's; in
// 2.6.31 a fault_handler may mend either.
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import { type Context, LEVEL } from '../emu/context.ts';
import type { Cpu } from '../emu/cpu.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import { enterFault } from '../emu/interrupt.ts';
import type { Path } from '../emu/path.ts';
import { FRAME_PC, type FaultReason } from '../emu/regs.ts';
import type { Kernel } from './kernel.ts';
import { setCurrentKprobe } from './kprobe-busy.ts';
import { callKprobe } from './kprobe-callback.ts';
import { popPtRegs, pushPtRegs } from './kprobe-regs.ts';
import { KPROBE, loadKprobeHandler } from './kprobe-struct.ts';
import { currentKprobe } from './kprobe-table.ts';
import { type CurrentKprobe, KPROBE_HIT, type Kprobe, type KprobeNode } from './kprobe.ts';

/** What handlers are told: a page fault, or else a general protection fault, as x86 numbers them. */
const TRAPNR = { page: 14, protection: 13 } as const;
const PAGE_FAULTS: ReadonlySet<FaultReason> = new Set(['unmapped', 'stack', 'readonly', 'freed']);

/** `kprobe_fault_handler`: true when a handler looks after it. Part of the step that faulted. */
export function kprobeFaultHandler(k: Kernel, cpu: Cpu, reason: FaultReason): boolean {
  const current = k.kprobes?.current[cpu.id]?.value;
  const { node } = current ?? {};
  if (current === undefined || node === undefined) return false;
  const trapnr = PAGE_FAULTS.has(reason) ? TRAPNR.page : TRAPNR.protection;
  if (cpu.hart.pc === node.slot.value?.address) {
    rewind(k, cpu, current);
    return k.fn.faultHandlerOnStep(k, cpu, { current, node, reason, trapnr });
  }
  if (cpu.top.level !== LEVEL.trap) return false;
  return k.fn.faultHandlerOfHandler(k, cpu, { current, node, reason, trapnr });
}

/** The instruction has not been executed: the fault is one of the place where it stands. */
function rewind(k: Kernel, cpu: Cpu, { node, previous, savedIrqs }: CurrentKprobe): void {
  cpu.hart.pc = node?.addr ?? cpu.hart.pc;
  cpu.hart.irqsOn = savedIrqs;
  cpu.machine.report(cpu, EMU_EVENTS.irqs.id, savedIrqs ? 1 : 0, 0);
  currentKprobe(k, cpu).set(previous);
  cpu.settle();
}

export interface KprobeFault {
  readonly current: CurrentKprobe;
  readonly node: KprobeNode;
  readonly reason: FaultReason;
  readonly trapnr: number;
}

/** Today there is no fault_handler. */
export function noFaultHandler(_k: Kernel, _cpu: Cpu, _fault: KprobeFault): boolean {
  return false;
}

/** 2.6.31, as the document has it: the fault_handler is called for a fault of the step, too. */
export function callFaultHandlerOnStep(k: Kernel, cpu: Cpu, fault: KprobeFault): boolean {
  const p = faultedProbe(fault);
  if (p === undefined || faultHandlerOf(k, p) === NO_ADDRESS) return false;
  enterFault(cpu, fault.reason, (cx) => callFault(cx, k, p, fault));
  return true;
}

/** 2.6.31: the hit counts as missed, whether the fault_handler mends it or not. */
export function callFaultHandlerOfHandler(k: Kernel, cpu: Cpu, fault: KprobeFault): boolean {
  const p = faultedProbe(fault);
  const { active, ssdone } = KPROBE_HIT;
  const { status } = fault.current;
  if (p === undefined || (status !== active && status !== ssdone)) return false;
  enterFault(cpu, fault.reason, function* (cx) {
    yield* k.fn.kprobeIncNmissed(cx, k, p);
    const hasHandler = cx.make(() => faultHandlerOf(k, p) !== NO_ADDRESS);
    return hasHandler ? yield* callFault(cx, k, p, fault) : undefined;
  });
  return true;
}

/** Whose handler ran: of an aggregate the sibling that it had come to. */
function faultedProbe({ current, node }: KprobeFault): Kprobe | undefined {
  return current.instance ?? node.first.value;
}

function faultHandlerOf(k: Kernel, p: Kprobe): Address {
  return loadKprobeHandler(k, p, KPROBE.faultHandler);
}

/** `fault_handler(p, regs, trapnr)`: 1 is handled, and `regs` say where to go on. */
function* callFault(
  cx: Context,
  k: Kernel,
  p: Kprobe,
  { node, trapnr, current }: KprobeFault,
): Path<Address | undefined> {
  const pc = cx.make(() => cx.frame[FRAME_PC] as Address);
  const regs = pushPtRegs(cx, k, pc);
  if (regs === undefined) return undefined;
  const call = cx.make(() => ({ handler: faultHandlerOf(k, p), ip: node.addr, regs }));
  const handled = yield* callKprobe(cx, p, call, {
    which: 'fault',
    first: p.address,
    third: trapnr,
  });
  const to = popPtRegs(cx, k, regs);
  if (handled === 0) yield* setCurrentKprobe(cx, k, current);
  return handled === 0 ? undefined : to;
}
