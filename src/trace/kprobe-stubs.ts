// Layer trace. Kernel symbols of kprobes that guest code calls: the same paths as the workload's operations. Misuse that
// crashes a real kernel is an oops event here, never an assertion.
import { type Address, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mayUse } from '../emu/kernel-access.ts';
import type { Path } from '../emu/path.ts';
import type { Stub, StubArguments } from '../emu/stubs.ts';
import { EINVAL } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { kprobeBusyBegin, kprobeBusyEnd, kprobeRunning } from './kprobe-busy.ts';
import { bindKprobe } from './kprobe-object.ts';
import { type KprobeCall, kprobeOperation } from './kprobe-operation.ts';
import { optimizedCallback } from './kprobe-opt-hit.ts';
import { JPROBE, KPROBE, KRETPROBE } from './kprobe-struct.ts';
import type { Kprobe, KprobeKind } from './kprobe.ts';
import type { TraceStub } from './stub-table.ts';

/** Longer arrays are refused: what a recording says of a call has to stay short. */
const ARRAY_MAX = 4096;
const POINTER_BYTES = 8;
const STRUCTS = { kprobe: KPROBE, kretprobe: KRETPROBE, jprobe: JPROBE } as const;

export function kprobeStubs(k: Kernel): Partial<Record<TraceStub, Stub>> {
  const one = (op: KprobeCall): Stub => ({
    path: (cx, args) => call(cx, k, op, () => oneProbe(cx, k, args, kindOf(op))),
  });
  const batch = (op: KprobeCall): Stub => ({
    path: (cx, args) => call(cx, k, op, () => arrayOfProbes(cx, k, args, kindOf(op))),
  });
  return {
    kprobe_running: { path: (cx) => kprobeRunning(cx, k), pointer: true },
    kprobe_busy_begin: { path: (cx) => done(kprobeBusyBegin(cx, k)) },
    kprobe_busy_end: { path: (cx) => busyEnd(cx, k) },
    kprobe_ftrace_handler: { path: (cx, args) => ftraceHandler(cx, k, args) },
    optimized_callback: {
      path: (cx, args) => done(optimizedCallback(cx, k, args.address(0), args.address(1))),
    },
    register_kprobe: one('register_kprobe'),
    register_kprobes: batch('register_kprobes'),
    unregister_kprobe: one('unregister_kprobe'),
    unregister_kprobes: batch('unregister_kprobes'),
    disable_kprobe: one('disable_kprobe'),
    enable_kprobe: one('enable_kprobe'),
    register_kretprobe: one('register_kretprobe'),
    register_kretprobes: batch('register_kretprobes'),
    unregister_kretprobe: one('unregister_kretprobe'),
    unregister_kretprobes: batch('unregister_kretprobes'),
    disable_kretprobe: one('disable_kretprobe'),
    enable_kretprobe: one('enable_kretprobe'),
    register_jprobe: one('register_jprobe'),
    register_jprobes: batch('register_jprobes'),
    unregister_jprobe: one('unregister_jprobe'),
    unregister_jprobes: batch('unregister_jprobes'),
    disable_jprobe: one('disable_jprobe'),
    enable_jprobe: one('enable_jprobe'),
  };
}

function kindOf(op: KprobeCall): KprobeKind {
  if (op.includes('jprobe')) return 'jprobe';
  return op.includes('kretprobe') ? 'kretprobe' : 'kprobe';
}

/** The callback of an ftrace_ops, with the arguments of one. */
function* ftraceHandler(cx: Context, k: Kernel, args: StubArguments): Path<number> {
  const [ip, parentIp, regs] = [args.address(0), args.address(1), args.address(3)];
  yield* k.fn.kprobeFtraceHandler(cx, k, { ip, parentIp, regs });
  return 0;
}

/** Every one of them may sleep. `read`: the probes that are meant; undefined after an oops. */
function* call(
  cx: Context,
  k: Kernel,
  op: KprobeCall,
  read: () => readonly Kprobe[] | undefined,
): Path<number> {
  if (!cx.make(() => cx.cpu.preemptible())) {
    cx.make(() => {
      cx.cpu.machine.oops(cx.cpu, 'scheduling while atomic', cx.cpu.hart.pc);
    });
    return -EINVAL;
  }
  const probes = read();
  return probes === undefined ? -EINVAL : yield* kprobeOperation(cx, k, { op, probes });
}

/** The `struct kprobe` in a0. */
function oneProbe(
  cx: Context,
  k: Kernel,
  args: StubArguments,
  kind: KprobeKind,
): readonly Kprobe[] | undefined {
  const p = probeAt(cx, k, args.address(0), kind);
  return p === undefined ? undefined : [p];
}

/** The array of pointers in a0, whose length is in a1. */
function arrayOfProbes(
  cx: Context,
  k: Kernel,
  args: StubArguments,
  kind: KprobeKind,
): readonly Kprobe[] | undefined {
  const count = Math.max(0, args.lo(1));
  if (count > ARRAY_MAX) return [];
  const found: Kprobe[] = [];
  for (let i = 0; i < count; i++) {
    const at = args.address(0) + POINTER_BYTES * i;
    const address = cx.make(() => loadPointerOfGuest(cx, k, at));
    const p = address === undefined ? undefined : probeAt(cx, k, address, kind);
    if (p === undefined) return undefined;
    found.push(p);
  }
  return found;
}

function loadPointerOfGuest(cx: Context, k: Kernel, at: Address): Address | undefined {
  if (!mayUse(cx, { at, bytes: POINTER_BYTES, writes: false })) return undefined;
  const { memory } = k.machine;
  return toAddress(memory.loadLo(at), memory.loadHi(at));
}

/** The kernel writes into the struct. */
function probeAt(cx: Context, k: Kernel, address: Address, kind: KprobeKind): Kprobe | undefined {
  const { bytes } = STRUCTS[kind];
  const may = cx.make(() => mayUse(cx, { at: address, bytes, writes: true }));
  return may ? bindKprobe(cx, k, address, kind) : undefined;
}

function* done(path: Path<void>): Path<number> {
  yield* path;
  return 0;
}

function* busyEnd(cx: Context, k: Kernel): Path<number> {
  const balanced = cx.make(() => cx.cpu.preemptCount.value > 0);
  if (balanced) yield* kprobeBusyEnd(cx, k);
  else {
    cx.make(() => {
      cx.cpu.machine.oops(cx.cpu, 'preempt imbalance', cx.cpu.hart.pc, NO_ADDRESS);
    });
  }
  return 0;
}
