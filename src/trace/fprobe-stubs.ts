// Layer trace. Kernel symbols of fprobe that guest code calls: the same paths as the workload's operations. Misuse that
// crashes a real kernel is an oops event here, never an assertion.
import { type Address, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mayUse, readString } from '../emu/kernel-access.ts';
import type { Path } from '../emu/path.ts';
import type { Stub, StubArguments } from '../emu/stubs.ts';
import { EINVAL } from './errno.ts';
import { fprobeOperation, type FprobeRequest, symbolsCmp } from './fprobe-operation.ts';
import { fprobeFtraceFunc } from './fprobe-rethook-hit.ts';
import { layoutOf } from './fprobe-struct.ts';
import { bindFprobe, presentFprobe } from './fprobe.ts';
import { ftraceLocation } from './ftrace-record.ts';
import type { Kernel } from './kernel.ts';
import type { TraceStub } from './stub-table.ts';

/** What a guest asks for; undefined after an oops over an argument, or for what is refused right away. */
type Reader = (cx: Context, args: StubArguments) => FprobeRequest | undefined;

/** Longer arrays are refused: what a recording says of a call has to stay short. */
const ARRAY_MAX = 4096;
const POINTER_BYTES = 8;

/** The public calls. */
export function fprobeStubs(k: Kernel): Partial<Record<TraceStub, Stub>> {
  const sleeps = (read: Reader): Stub => ({ path: (cx, args) => call(cx, k, args, read) });
  const writes = (op: 'disable_fprobe' | 'enable_fprobe'): Stub => ({
    path: (cx, args) => perform(cx, k, args, () => ({ op })),
  });
  return {
    register_fprobe: sleeps((cx, args) => filters(cx, args)),
    register_fprobe_ips: sleeps((cx, args) => addresses(cx, k, args)),
    register_fprobe_syms: sleeps((cx, args) => symbols(cx, args)),
    unregister_fprobe: sleeps(() => ({ op: 'unregister_fprobe' })),
    unregister_fprobe_async: sleeps(() => ({ op: 'unregister_fprobe_async' })),
    disable_fprobe: writes('disable_fprobe'),
    enable_fprobe: writes('enable_fprobe'),
    fprobe_handler: { path: (cx, args) => fprobeFtraceFunc(cx, k, args) },
    fprobe_is_registered: { path: (cx, args) => isRegistered(cx, k, args) },
  };
}

/** A call that may sleep, on the `struct fprobe` in a0. */
function* call(cx: Context, k: Kernel, args: StubArguments, read: Reader): Path<number> {
  const may = cx.make(() => cx.cpu.preemptible());
  if (may) return yield* perform(cx, k, args, read);
  cx.make(() => {
    cx.cpu.machine.oops(cx.cpu, 'scheduling while atomic', cx.cpu.hart.pc, args.address(0));
  });
  return -EINVAL;
}

function* perform(cx: Context, k: Kernel, args: StubArguments, read: Reader): Path<number> {
  const request = cx.make(() => (mayUseFprobe(cx, k, args) ? read(cx, args) : undefined));
  if (request === undefined) return -EINVAL;
  const fp = args.isNull(0) ? undefined : bindFprobe(cx, k, args.address(0));
  return yield* fprobeOperation(cx, k, fp, request);
}

/** The kernel writes into the struct, if there is one. */
function mayUseFprobe(cx: Context, k: Kernel, args: StubArguments): boolean {
  const { bytes } = layoutOf(k);
  return args.isNull(0) || mayUse(cx, { at: args.address(0), bytes, writes: true });
}

/** filter and notfilter, in a1 and a2. */
function filters(cx: Context, args: StubArguments): FprobeRequest | undefined {
  if (args.isNull(0) || args.isNull(1)) {
    return { op: 'register_fprobe', filter: undefined, notfilter: undefined };
  }
  const filter = readString(cx, args.address(1));
  if (filter === undefined) return undefined;
  if (args.isNull(2)) return { op: 'register_fprobe', filter, notfilter: undefined };
  const notfilter = readString(cx, args.address(2));
  return notfilter === undefined ? undefined : { op: 'register_fprobe', filter, notfilter };
}

/** Places of the array in a1, whose length is in a2; none for NULL, undefined for one that is too long. */
function places(args: StubArguments): readonly Address[] | undefined {
  const count = args.isNull(0) || args.isNull(1) ? 0 : Math.max(0, args.lo(2));
  if (count > ARRAY_MAX) return undefined;
  return Array.from({ length: count }, (_, i) => args.address(1) + POINTER_BYTES * i);
}

/** addrs and num. Nothing behind the first address that is refused is read. */
function addresses(cx: Context, k: Kernel, args: StubArguments): FprobeRequest | undefined {
  const op = 'register_fprobe_ips';
  if (args.isNull(1)) return { op, ips: undefined };
  const found = places(args);
  if (found === undefined) return undefined;
  const ips: Address[] = [];
  for (const at of found) {
    if (!mayUse(cx, { at, bytes: POINTER_BYTES, writes: false })) return undefined;
    const ip = loadPointer(k, at);
    ips.push(ip);
    if (ftraceLocation(k, ip) === undefined) break;
  }
  return { op, ips };
}

/** syms and num; the array is sorted where it lies (fprobe.md 1). */
function symbols(cx: Context, args: StubArguments): FprobeRequest | undefined {
  const op = 'register_fprobe_syms';
  if (args.isNull(1)) return { op, syms: undefined };
  const found = places(args);
  if (found === undefined) return undefined;
  const { memory } = cx.cpu.machine;
  const entries: { readonly lo: number; readonly hi: number; readonly sym: string }[] = [];
  for (const at of found) {
    if (!mayUse(cx, { at, bytes: POINTER_BYTES, writes: true })) return undefined;
    const [lo, hi] = [memory.loadLo(at), memory.loadHi(at)];
    const sym = readString(cx, toAddress(lo, hi));
    if (sym === undefined) return undefined;
    entries.push({ lo, hi, sym });
  }
  const sorted = entries.toSorted((a, b) => symbolsCmp(a.sym, b.sym));
  found.forEach((at, i) => {
    const entry = sorted[i];
    if (entry !== undefined) memory.store64(at, entry.lo, entry.hi);
  });
  return { op, syms: entries.map(({ sym }) => sym) };
}

function loadPointer(k: Kernel, at: Address): Address {
  const { memory } = k.machine;
  return toAddress(memory.loadLo(at), memory.loadHi(at));
}

/** `fprobe_is_registered`; NULL is not. */
function* isRegistered(cx: Context, k: Kernel, args: StubArguments): Path<number> {
  const fp = cx.make(() =>
    !args.isNull(0) && mayUseFprobe(cx, k, args) ? presentFprobe(k, args.address(0)) : undefined,
  );
  if (fp === undefined) return 0;
  return (yield* k.fn.fprobeIsRegistered(cx, k, fp)) ? 1 : 0;
}
