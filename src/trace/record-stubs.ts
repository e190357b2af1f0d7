// Layer trace. What lines of workload callbacks ask for: registers of the traced function, and an fprobe's data, as
// events; changes of registers. The probe in a0 is an ftrace_ops, an fprobe or a kprobe. Misuse is an oops event.
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mayUse } from '../emu/kernel-access.ts';
import type { Stub, StubArguments } from '../emu/stubs.ts';
import { reportArguments } from '../emu/true-call.ts';
import { EINVAL } from './errno.ts';
import { TRACE_EVENTS } from './event.ts';
import { presentFprobe } from './fprobe.ts';
import { FTRACE_REGS_BYTES, isFull, PT_REGS, PT_REGS_BYTES, PT_REGS_IP } from './ftrace-regs.ts';
import type { Kernel } from './kernel.ts';
import { presentKprobe } from './kprobe-object.ts';
import type { TraceStub } from './stub-table.ts';

/** As a register of `regs` events: the first word of an fprobe's entry_data. */
const ENTRY_DATA = 'entry_data';
const DATA_BYTES = 8;

/** Callback lines `regs`, `set_reg`, `redirect` and `show_data`. */
export function recordStubs(k: Kernel): Partial<Record<TraceStub, Stub>> {
  return {
    reprobe_record_regs: { now: (cx, args) => recordRegs(cx, k, args) },
    reprobe_write_reg: { now: (cx, args) => writeReg(cx, k, args) },
    reprobe_record_data: { now: (cx, args) => recordData(cx, k, args) },
  };
}

interface Found {
  readonly object: number;
  readonly kind: 'ftrace_ops' | 'fprobe' | 'kprobe';
}

/**
 * The probe at `address`; undefined after an oops. A `struct fprobe` may begin with the ftrace_ops that is hooked for
 * it, which no callback is given.
 */
function probeAt(cx: Context, k: Kernel, address: Address): Found | undefined {
  const fp = presentFprobe(k, address);
  if (fp !== undefined) return { object: fp.object, kind: 'fprobe' };
  const ops = k.ops.byAddress.get(address);
  if (ops !== undefined) return { object: ops.object, kind: 'ftrace_ops' };
  const p = presentKprobe(k, address);
  if (p !== undefined) return { object: p.object, kind: 'kprobe' };
  oops(cx, 'unmapped', address);
  return undefined;
}

function oops(cx: Context, reason: string, address: Address): void {
  cx.cpu.machine.oops(cx.cpu, reason, cx.cpu.hart.pc, address);
}

/** `reprobe_record_regs(op, regs)`: registers of the traced function, all that are there, as events. */
function recordRegs(cx: Context, k: Kernel, args: StubArguments): number {
  const { memory, strings } = k.machine;
  const probe = probeAt(cx, k, args.address(0));
  const regs = args.address(1);
  if (probe === undefined || !mayUse(cx, { at: regs, bytes: FTRACE_REGS_BYTES, writes: false }))
    return 0;
  const full = hasAll(k, probe, regs);
  if (full && !mayUse(cx, { at: regs, bytes: PT_REGS_BYTES, writes: false })) return 0;
  // A kprobe stands anywhere in its function: what that came with is another matter.
  if (probe.kind !== 'kprobe') reportArguments(cx.cpu, full ? PT_REGS : PT_REGS.filter(isArgument));
  for (const { name, offset } of PT_REGS) {
    if (!full && !isArgument({ name })) continue;
    const at = regs + offset;
    const [lo, hi] = [memory.loadLo(at), memory.loadHi(at)];
    cx.emit(TRACE_EVENTS.regs.id, probe.object, strings.id(name), lo, hi);
  }
  return 0;
}

/**
 * `reprobe_write_reg(op, regs, register, value)`; register 0 is `ip`. Where no full registers were saved the callback
 * has been handed nothing that it could write to (FT-15); a handler of an fprobe can change arguments, and at the exit
 * what the function returns, all the same (FP-1).
 */
function writeReg(cx: Context, k: Kernel, args: StubArguments): number {
  const { memory, strings } = k.machine;
  const probe = probeAt(cx, k, args.address(0));
  const [regs, register] = [args.address(1), args.lo(2)];
  if (probe === undefined || !mayUse(cx, { at: regs, bytes: FTRACE_REGS_BYTES, writes: true }))
    return 0;
  const shown = PT_REGS.find(({ number }) => number === register);
  const full = hasAll(k, probe, regs);
  const writable = probe.kind === 'fprobe' && shown !== undefined && isArgument(shown);
  if (!full && !writable) {
    oops(cx, 'no pt_regs', regs);
    return 0;
  }
  const offset = register === 0 ? PT_REGS_IP : shown?.offset;
  const place = { at: regs, bytes: full ? PT_REGS_BYTES : FTRACE_REGS_BYTES, writes: true };
  if (offset === undefined || !mayUse(cx, place)) return -EINVAL;
  const [lo, hi] = [args.lo(3), args.hi(3)];
  memory.store64(regs + offset, lo, hi);
  cx.emit(TRACE_EVENTS.regs_write.id, probe.object, strings.id(shown?.name ?? 'ip'), lo, hi);
  return 0;
}

/** `reprobe_record_data(fp, entry_data)`: its first word, as an event; nothing where there is none (FP-2). */
function recordData(cx: Context, k: Kernel, args: StubArguments): number {
  const { memory, strings } = k.machine;
  const probe = probeAt(cx, k, args.address(0));
  if (probe === undefined || args.isNull(1)) return 0;
  const at = args.address(1);
  if (!mayUse(cx, { at, bytes: DATA_BYTES, writes: false })) return 0;
  const [lo, hi] = [memory.loadLo(at), memory.loadHi(at)];
  cx.emit(TRACE_EVENTS.regs.id, probe.object, strings.id(ENTRY_DATA), lo, hi);
  return 0;
}

/** A kprobe gets a whole `struct pt_regs` however it is hit; that of a trap has t0 where others have a mark. */
function hasAll(k: Kernel, { kind }: Found, regs: Address): boolean {
  return kind === 'kprobe' || isFull(k.machine.memory, regs);
}

function isArgument({ name }: { readonly name: string }): boolean {
  return /^a[0-7]$/u.test(name);
}
