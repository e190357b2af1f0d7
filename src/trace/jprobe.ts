// Layer trace. Jprobes (JP-1..JP-9, CC-H16), after kernel/kprobes.c and arch/x86/kernel/kprobes.c of Linux 2.6.31: a kprobe
// at the entry of a function that makes the CPU run another function with the same arguments, as if it had been called
// instead, and come back by a breakpoint in `jprobe_return`.
import { assert } from '../assert.ts';
import { type Address, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import type { Cpu } from '../emu/cpu.ts';
import type { Machine } from '../emu/machine.ts';
import { enter, type Path } from '../emu/path.ts';
import { changePreemptCount } from '../emu/preempt.ts';
import { FRAME_HI, REG } from '../emu/regs.ts';
import { C_EBREAK } from '../emu/text.ts';
import { abandonCalls } from '../emu/true-call.ts';
import { EINVAL, type Errno } from './errno.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { Kernel } from './kernel.ts';
import { functionCovering } from './kprobe-address.ts';
import { JPROBE, loadPointer } from './kprobe-struct.ts';
import { currentKprobe } from './kprobe-table.ts';
import type { CurrentKprobe, Kprobe } from './kprobe.ts';
import { traceStub } from './stub-table.ts';

/** `kind` of events. */
export const JPROBE_KIND = 'jprobe';

/** MAX_STACK_SIZE: so much of the stack is as it was when the function goes on (JP-3, JP-6). */
const MAX_STACK_SIZE = 64;

/** What `setjmp_pre_handler` keeps of the call (JP-3): part of `kprobe_ctlblk`. */
export interface SavedCall {
  readonly p: Kprobe;
  /** A frame's words (regs.ts). */
  readonly regs: Int32Array;
  readonly sp: Address;
  readonly stack: Uint8Array;
  readonly irqsOn: boolean;
  /** True calls below the handler. */
  readonly calls: number;
}

/** `register_jprobes` (JP-1): all of them or none. */
export function* registerJprobes(cx: Context, k: Kernel, ps: readonly Kprobe[]): Path<Errno> {
  if (ps.length === 0) return -EINVAL;
  for (const [i, p] of ps.entries()) {
    const result = yield* registerJprobe(cx, k, p);
    if (result < 0) {
      if (i > 0) yield* enter(k.fn.unregisterKprobes(cx, k, ps.slice(0, i)));
      return result;
    }
  }
  return 0;
}

function* registerJprobe(cx: Context, k: Kernel, p: Kprobe): Path<Errno> {
  useOps(cx, p);
  const isText = cx.make(() => functionCovering(k, entryOf(k, p)) !== undefined);
  return isText ? yield* enter(k.fn.registerKprobe(cx, k, p)) : -EINVAL;
}

function entryOf(k: Kernel, { address }: Kprobe): Address {
  return loadPointer(k, address + JPROBE.entry);
}

/** The text of `jprobe_return`: a breakpoint. For boot. */
export function writeJprobeReturn(machine: Machine): void {
  machine.core.writeText(traceStub('jprobe_return'), new Uint16Array([C_EBREAK]));
}

/** `setjmp_pre_handler` (CC-H16.2-3): the trap returns to the handler, IRQs off and not preemptible. */
export function setjmpPreHandler(cx: Context, k: Kernel, p: Kprobe): void {
  cx.make(() => {
    const saved = k.fn.saveCall(cx, k, p);
    const cell = currentKprobe(k, cx.cpu);
    assert(cell.value !== undefined, 'a jprobe runs from its hit on');
    cell.set({ ...cell.value, instance: p, call: saved });
    cx.irqsAfter = false;
    keepsPreemption(cx, 1);
  });
}

/** JP-3: registers, and at most 64 bytes of what is left of the stack. */
export function saveCall(cx: Context, k: Kernel, p: Kprobe): SavedCall {
  const { frame, cpu } = cx;
  const sp = toAddress(frame[REG.sp] as number, frame[FRAME_HI + REG.sp] as number);
  const { memory } = k.machine;
  const segment = sp === NO_ADDRESS ? undefined : memory.segmentAt(sp);
  const left = segment === undefined ? 0 : segment.base + segment.size - sp;
  const stack = new Uint8Array(Math.min(MAX_STACK_SIZE, left));
  for (let i = 0; i < stack.length; i++) stack[i] = memory.load8(sp + i);
  const below = cpu.contexts[cpu.contexts.indexOf(cx) - 1];
  const calls = below?.calls.length ?? 0;
  return { p, regs: frame.slice(), sp, stack, irqsOn: cx.irqsAfter ?? cx.irqsBefore, calls };
}

/** The trap is over with one more, or one less, cause that nobody is preempted. */
function keepsPreemption(cx: Context, delta: 1 | -1): void {
  changePreemptCount(cx, delta);
  cx.preemptFloor += delta;
}

/**
 * `longjmp_break_handler` (CC-H16.5, JP-5): no probe is planted at `pc`. Is it `jprobe_return`, and does a jprobe run?
 * Then the function is as it was, and its first instruction is next.
 */
export function* longjmpBreakHandler(
  cx: Context,
  k: Kernel,
  pc: Address,
  current: CurrentKprobe,
): Path<Address | undefined> {
  const { call, node } = current;
  if (call === undefined || node === undefined || pc !== traceStub('jprobe_return'))
    return undefined;
  cx.make(() => {
    currentKprobe(k, cx.cpu).set({ ...current, call: undefined });
    endCall(cx, k, call);
  });
  return yield* k.fn.setupSinglestep(cx, k, node, undefined);
}

/** The handler's frames are left, and what it has made of registers and stack is undone (JP-6). */
function endCall(cx: Context, k: Kernel, call: SavedCall): void {
  const { cpu } = cx;
  const below = cpu.contexts[cpu.contexts.indexOf(cx) - 1];
  if (below !== undefined) abandonCalls(cpu, below, call.calls);
  cx.frame.set(call.regs);
  k.fn.restoreStack(k, call);
  cx.irqsAfter = k.fn.jprobeIrqs(call);
  keepsPreemption(cx, -1);
}

/** The interrupts are as they were before the handler (JP-6). */
export function jprobeIrqs({ irqsOn }: SavedCall): boolean {
  return irqsOn;
}

/** JP-5. */
export function restoreStack(k: Kernel, { sp, stack }: SavedCall): void {
  for (const [i, byte] of stack.entries()) k.machine.memory.store8(sp + i, byte);
}

/** The jprobe whose handler `cpu` is about to enter, if it is one: for events. */
export function calledJprobe(
  { cpu }: Context,
  k: Kernel,
): { readonly p: Kprobe; readonly ip: Address; readonly generation: number } | undefined {
  const current = k.kprobes?.current[cpu.id]?.value;
  const { call, node } = current ?? {};
  if (call === undefined || node === undefined || cpu.hart.pc !== entryOf(k, call.p))
    return undefined;
  return { p: call.p, ip: node.addr, generation: call.p.generation.value };
}

/** JP-7: a handler of a jprobe has returned, where it had to end with jprobe_return. */
export function jprobeReturned({ cpu }: Context, k: Kernel): void {
  if (jprobeEntry(k, cpu) !== undefined)
    cpu.machine.oops(cpu, 'jprobe handler returned', cpu.hart.pc);
}

/** Where the trap returns to when a jprobe has taken the call over; undefined: none has. */
export function jprobeEntry(k: Kernel, { id }: Cpu): Address | undefined {
  const call = k.kprobes?.current[id]?.value?.call;
  return call === undefined ? undefined : entryOf(k, call.p);
}
