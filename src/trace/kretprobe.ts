// Layer trace. `register_kretprobe` and its like (KR-1..KR-3, KR-8, CC-S15), after kernel/kprobes.c of Linux v6.12 with
// kretprobes on rethook: a kprobe at the entry of the function, and a pool of instances for calls whose return is taken.
import { assert } from '../assert.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { act, enter, type Path, writeOnce } from '../emu/path.ts';
import { synchronize } from '../emu/rcu.ts';
import { E2BIG, EINVAL, ENOMEM, type Errno } from './errno.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { Kernel } from './kernel.ts';
import { warnKprobeRereg } from './kprobe-register.ts';
import { KPROBE, KRETPROBE, loadPointer, storePointer } from './kprobe-struct.ts';
import { kprobeState } from './kprobe-table.ts';
import type { Kprobe, KprobeNode } from './kprobe.ts';
import { bootRethook } from './rethook-boot.ts';
import type { Rethook } from './rethook.ts';
import { traceStub } from './stub-table.ts';

/** KRETPROBE_MAX_DATA_SIZE. */
const DATA_SIZE_MAX = 4096;
/** The fewest instances that a user gets who asks for none (KR-3). */
const MAXACTIVE_MIN = 10;
/** `data` is there even where nobody asks for any (KR-4). */
const DATA_BYTES_MIN = 8;

/** `register_kretprobe` (CC-S15). Task context; sleeps. */
export function* registerKretprobe(cx: Context, k: Kernel, p: Kprobe): Path<Errno> {
  useOps(cx, p);
  const refused = yield* k.fn.kretprobeRefused(cx, k, p);
  if (refused < 0) return refused; // CC-S15.1
  yield* initKretprobe(cx, k, p);
  const rethook = yield* k.fn.kretprobeAlloc(cx, k, p); // CC-S15.2
  if (rethook === undefined) return -ENOMEM;
  yield* setNmissed(cx, k, p);
  const result = yield* enter(k.fn.registerKprobe(cx, k, p)); // CC-S15.3
  if (result < 0) yield* k.fn.kretprobeFree(cx, k, p);
  return result;
}

/** KR-2: nothing of the probe is touched before it is known that it is not registered (H-29). */
export function* kretprobeRefused(cx: Context, k: Kernel, p: Kprobe): Path<Errno> {
  const target = cx.make(() => k.fn.kprobeAddr(k, p));
  if (typeof target === 'number') return target;
  if (!target.isEntry) return -EINVAL;
  const byAddr = cx.make(() => loadPointer(k, p.address + KPROBE.addr) !== NO_ADDRESS);
  if (byAddr) {
    const again = yield* warnKprobeRereg(cx, k, p);
    if (again < 0) return again;
  }
  if (k.fn.isKretprobeBlacklisted(k, target)) return -EINVAL;
  return cx.make(() => dataSize(k, p)) > DATA_SIZE_MAX ? -E2BIG : 0;
}

/** `kretprobe_blacklist`: `__switch_to`, which the moved address never equals where functions have a landing pad (KR-2). */
export function isKretprobeBlacklisted(
  k: Kernel,
  {
    addr,
    func,
  }: {
    readonly addr: number;
    readonly func: { readonly name: string; readonly address: number } | undefined;
  },
): boolean {
  if (func?.name !== '__switch_to') return false;
  return k.strict || addr === func.address;
}

function dataSize(k: Kernel, { address }: Kprobe): number {
  const { memory } = k.machine;
  const [lo, hi] = [
    memory.loadLo(address + KRETPROBE.dataSize),
    memory.loadHi(address + KRETPROBE.dataSize),
  ];
  return hi === 0 ? lo >>> 0 : Number.MAX_SAFE_INTEGER;
}

/** A user's post_handler is not called, and his maxactive is written back (KR-3). */
export function* initKretprobe(_cx: Context, k: Kernel, p: Kprobe): Path<void> {
  yield* act(p.flags, () => {
    if (p.memory?.live === false) return;
    const { memory } = k.machine;
    storePointer(k, p.address + KPROBE.postHandler, NO_ADDRESS);
    const asked = memory.load32(p.address + KRETPROBE.maxactive) | 0;
    memory.store32(p.address + KRETPROBE.maxactive, asked > 0 ? asked : k.fn.defaultMaxactive(k));
  });
}

/** KR-3. */
export function defaultMaxactive(k: Kernel): number {
  return Math.max(MAXACTIVE_MIN, 2 * k.machine.cpus.length);
}

/** The pool of instances (CC-S15.2); undefined without memory. */
export function* kretprobeAlloc(cx: Context, k: Kernel, p: Kprobe): Path<Rethook | undefined> {
  cx.make(() => {
    bootKretprobes(k);
  });
  const nodes = cx.make(() => k.machine.memory.load32(p.address + KRETPROBE.maxactive) | 0);
  const dataBytes = Math.max(
    DATA_BYTES_MIN,
    cx.make(() => dataSize(k, p)),
  );
  const request = { data: p, handler: 'kretprobeRethookHandler', nodes, dataBytes } as const;
  const rethook = yield* k.fn.rethookAlloc(cx, k, request); // CC-S15.2
  yield* writeOnce(p.rethook, rethook);
  return rethook;
}

/** Eras whose fprobes are on fgraph have no rethook before there is a kretprobe. */
function bootKretprobes(k: Kernel): void {
  if (!k.rethook.booted) bootRethook(k, traceStub('rethook_trampoline_handler'));
}

function* setNmissed(_cx: Context, k: Kernel, p: Kprobe): Path<void> {
  yield* act(p.nmissed, () => {
    if (p.memory?.live !== false) k.machine.memory.store32(p.address + KRETPROBE.nmissed, 0);
  });
}

/** `rethook_free` of a kretprobe: no handler starts from here on, and the pool goes with its last instance (KR-8). */
export function* kretprobeFree(cx: Context, k: Kernel, p: Kprobe): Path<void> {
  const rethook = cx.make(() => p.rethook.value);
  if (rethook !== undefined) yield* k.fn.rethookFree(cx, k, rethook);
}

/** `register_kretprobes` (KP-13). */
export function* registerKretprobes(cx: Context, k: Kernel, ps: readonly Kprobe[]): Path<Errno> {
  if (ps.length === 0) return -EINVAL;
  for (const [i, p] of ps.entries()) {
    const result = yield* enter(k.fn.registerKretprobe(cx, k, p));
    if (result < 0) {
      if (i > 0) yield* enter(k.fn.unregisterKretprobes(cx, k, ps.slice(0, i)));
      return result;
    }
  }
  return 0;
}

/**
 * `unregister_kretprobes` (KR-8, CC-S15). Guarantee (CC-G14): the entry is unplanted and the pool stopped before the wait,
 * so after it nobody calls a handler. Calls under way return to a pool that nobody owns. One wait for all.
 */
export function* unregisterKretprobes(cx: Context, k: Kernel, ps: readonly Kprobe[]): Path<void> {
  if (ps.length === 0) return;
  const { mutex } = cx.make(() => kprobeState(k));
  yield* mutexLock(cx, mutex);
  const left: KprobeNode[] = [];
  for (const p of ps) {
    assert(p.kind === 'kretprobe', 'the calls are kretprobes');
    useOps(cx, p);
    const node = yield* k.fn.unregisterKprobeTop(cx, k, p); // CC-S15.1
    if (node === undefined) yield* k.fn.clearKprobeAddr(cx, k, p); // KP-20.2
    else if (node !== 'shared') left.push(node);
    yield* k.fn.kretprobeFree(cx, k, p); // CC-S15.2
  }
  yield* mutexUnlock(cx, mutex);
  yield* k.fn.kretprobeSynchronizeRcu(cx); // CC-S15.3
  for (const node of left) yield* k.fn.unregisterKprobeBottom(cx, k, node); // CC-S15.4
}

/** CC-S15.3. */
export function* kretprobeSynchronizeRcu(cx: Context): Path<void> {
  yield* synchronize(cx, 'synchronize_rcu');
}
