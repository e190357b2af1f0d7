// Layer trace. Registering and unregistering an fprobe in the eras of rethook (FP-20..FP-23, FP-40..FP-44, CC-S8), after
// kernel/trace/fprobe.c of Linux v6.12. Each fprobe has an ftrace_ops of its own, the first member of its struct, and a
// pool of nodes if it has an exit handler.
import { NO_ADDRESS } from '../emu/address.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import { enter, type Path, readOnce, writeOnce } from '../emu/path.ts';
import { EINVAL, ENOENT, ENOMEM, type Errno } from './errno.ts';
import { setNmissed } from './fprobe-miss.ts';
import type { FprobeState, FprobeTarget } from './fprobe-operation.ts';
import { FPROBE_FL_KPROBE_SHARED, readFprobeStruct } from './fprobe-struct.ts';
import { beginRegistration, type Fprobe } from './fprobe.ts';
import { useHash } from './ftrace-hash.ts';
import { FTRACE_OPS_FL_ENABLED, FTRACE_OPS_FL_SAVE_REGS } from './ftrace-ops-flags.ts';
import {
  bindInnerOps,
  FTRACE_OPS_BYTES,
  type FtraceOps,
  presentOps,
  storeOpsFlags,
} from './ftrace-ops.ts';
import { ftraceLookupSymbols } from './ftrace-record.ts';
import type { Kernel } from './kernel.ts';
import { countNodes, type Rethook } from './rethook.ts';

/** What the kernel keeps about an fprobe from its first registration on, until its ops is zeroed for the next. */
export interface FprobeRethook {
  /** `fp->ops`. */
  readonly ops: FtraceOps;
  /** `fp->rethook`; undefined is NULL. */
  readonly rethook: Cell<Rethook | undefined>;
  /** Is the callback of the ops `fprobe_kprobe_handler` (FP-3)? */
  readonly shared: Cell<boolean>;
  /** It is unregistered, or was refused late, and the ops points to hashes that are gone (FP-21). */
  readonly over: Cell<boolean>;
}

/** `register_fprobe`, `_ips` and `_syms`. Task context; sleeps. */
export function* registerFprobe(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  target: FprobeTarget,
): Path<Errno> {
  if (!('syms' in target)) return yield* registerFound(cx, k, fp, target);
  const ips = cx.make(() => ftraceLookupSymbols(k, target.syms)?.map(({ ip }) => ip));
  return ips === undefined ? -ENOENT : yield* registerFound(cx, k, fp, { ips });
}

type Found = Exclude<FprobeTarget, { readonly syms: readonly string[] }>;

function* registerFound(cx: Context, k: Kernel, fp: Fprobe, target: Found): Path<Errno> {
  const own = yield* fprobeInit(cx, k, fp);
  const { ops } = own;
  const change =
    'ips' in target ? { ips: target.ips, reset: false } : { text: target.filter, reset: false };
  const set = yield* enter(k.fn.ftraceSetHash(cx, k, ops, { which: 'filterHash', ...change })); // CC-S8.1
  if (set < 0) return set; // What the hash holds from before stays (FP-21).
  const result = yield* registerFiltered(cx, k, fp, { own, target });
  if (result < 0) yield* fprobeFailCleanup(cx, k, own);
  cx.make(() => {
    own.over.set(result < 0 && !isInForce(own));
  });
  return result;
}

function isInForce({ ops }: FprobeRethook): boolean {
  return (ops.flags.value & FTRACE_OPS_FL_ENABLED) !== 0;
}

/** What follows once the filter is set: whatever fails frees it. */
function* registerFiltered(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { own, target }: { readonly own: FprobeRethook; readonly target: Found },
): Path<Errno> {
  const { ops } = own;
  if ('filter' in target && target.notfilter !== undefined) {
    const change = { which: 'notraceHash', text: target.notfilter, reset: false } as const;
    const excluded = yield* enter(k.fn.ftraceSetHash(cx, k, ops, change)); // CC-S8.1
    if (excluded < 0) return excluded;
  }
  // Notrace is not looked at (FP-21).
  const count = 'ips' in target ? target.ips.length : filterCount(cx, ops);
  const made = yield* fprobeInitRethook(cx, k, fp, { own, count });
  if (made < 0) return made;
  return yield* enter(k.fn.registerFtraceFunction(cx, k, ops)); // CC-S8.3
}

function filterCount(cx: Context, ops: FtraceOps): number {
  const hash = cx.make(() => ops.filterHash.value);
  useHash(cx, hash);
  return cx.make(() => hash.ips.value.size);
}

/** `fprobe_init` (FP-4, FP-20): flags that the user has put into the ops stay. */
function* fprobeInit(cx: Context, k: Kernel, fp: Fprobe): Path<FprobeRethook> {
  const own = cx.make(() => bindFprobeRethook(cx, k, fp));
  const { ops } = own;
  // On top of a registration that is in force no new one begins; it ends with -EBUSY (FP-21).
  const isNew = cx.make(() => !isInForce(own));
  const { flags } = isNew
    ? beginRegistration(cx, k, fp, { hook: 'rethook', ops: ops.object })
    : readFprobeStruct(cx, k, fp);
  yield* setNmissed(cx, k, fp, 0);
  cx.make(() => {
    own.shared.set((flags & FPROBE_FL_KPROBE_SHARED) !== 0);
  });
  return own;
}

function bindFprobeRethook(cx: Context, k: Kernel, fp: Fprobe): FprobeRethook {
  const { func } = k.rethook;
  const inner = {
    kind: 'fprobe_ops',
    name: fp.name,
    func,
    flags: FTRACE_OPS_FL_SAVE_REGS,
  } as const;
  const ops = bindInnerOps(cx, k, fp.address, inner);
  const present = k.rethook.fprobes.get(fp);
  if (present?.ops === ops) return present;
  const { cells } = k.machine;
  const made: FprobeRethook = {
    ops,
    rethook: cells.cell<Rethook | undefined>(`rethook/${fp.name}`, undefined),
    shared: cells.cell(`shared/${fp.name}`, false),
    over: cells.cell(`over/${fp.name}`, false),
  };
  k.rethook.fprobes.set(fp, made);
  return made;
}

interface Counted {
  readonly own: FprobeRethook;
  /** How many functions are hooked, as far as anybody counts. */
  readonly count: number;
}

/** `fprobe_init_rethook` (FP-22, CC-S8.2). */
function* fprobeInitRethook(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { own, count }: Counted,
): Path<Errno> {
  const { entryDataSize, exitHandler, nrMaxactive } = readFprobeStruct(cx, k, fp);
  if (exitHandler === NO_ADDRESS) {
    yield* writeOnce(own.rethook, undefined); // CC-S8.2
    return 0;
  }
  const nodes = nrMaxactive === 0 ? count * k.machine.cpus.length * 2 : nrMaxactive;
  if (nodes <= 0) return -EINVAL;
  const dataBytes = k.fn.fprobeDataBytes(entryDataSize);
  const request = { data: fp, handler: 'fprobeExitHandler', nodes, dataBytes } as const;
  const rethook = yield* k.fn.rethookAlloc(cx, k, request);
  yield* writeOnce(own.rethook, rethook); // CC-S8.2
  return rethook === undefined ? -ENOMEM : 0;
}

/** How many bytes of data a node has (FP-22). */
export function fprobeDataBytes(entryDataSize: number): number {
  return entryDataSize;
}

/** `fprobe_fail_cleanup`: of a registration that is in force it takes away what that needs (X04). */
function* fprobeFailCleanup(cx: Context, k: Kernel, { ops, rethook }: FprobeRethook): Path<void> {
  const made = cx.make(() => rethook.value);
  if (made !== undefined) yield* k.fn.rethookFree(cx, k, made);
  yield* writeOnce(rethook, undefined); // FP-21
  yield* k.fn.ftraceFreeFilter(cx, k, ops);
}

/**
 * `unregister_fprobe` (FP-40). Guarantee `unregister` (FP-6, FP-41): after it returns 0 no handler of the fprobe runs or
 * will run. Entry handlers are outlasted by the waits of the ftrace_ops; exit handlers too, because none starts
 * once the rethook is stopped. Task context; sleeps.
 */
export function* unregisterFprobe(cx: Context, k: Kernel, fp: Fprobe): Path<Errno> {
  const own = cx.make(() => k.fn.fprobeRegistration(k, fp));
  if (own === undefined) return -EINVAL; // CC-S8.1
  const result = yield* k.fn.fprobeUnhook(cx, k, own);
  if (result === 0)
    cx.make(() => {
      own.over.set(true);
    });
  return result;
}

/**
 * What a careful user does before he registers a struct again that was unregistered, or that was refused: he zeroes its
 * ops, which makes it a new one (FP-21), and fills in its flags. One that is in force he leaves alone. Part of the
 * present step.
 */
export function zeroUsedOps(k: Kernel, fp: Fprobe, flags = 0): void {
  const { address } = fp;
  if (k.rethook.fprobes.get(fp)?.over.value !== true) return;
  for (let at = address; at < address + FTRACE_OPS_BYTES; at += 8)
    k.machine.memory.store64(at, 0, 0);
  storeOpsFlags(k, address, flags);
}

/** FP-40.2-5. */
export function* fprobeUnhook(cx: Context, k: Kernel, own: FprobeRethook): Path<Errno> {
  const rethook = cx.make(() => ownRethook(own));
  if (rethook !== undefined) yield* k.fn.rethookStop(cx, rethook);
  const result = yield* enter(k.fn.unregisterFtraceFunction(cx, k, own.ops)); // CC-S8.3
  if (result < 0) return result; // Stopped, but still hooked (FP-44).
  if (rethook !== undefined) yield* k.fn.rethookFree(cx, k, rethook);
  yield* k.fn.ftraceFreeFilter(cx, k, own.ops); // CC-S8.5
  return 0;
}

/** `fp->ops` with what belongs to it; undefined when it was never registered, or is zeroed since. */
function presentRethook(k: Kernel, fp: Fprobe): FprobeRethook | undefined {
  const own = k.rethook.fprobes.get(fp);
  return own !== undefined && presentOps(k, fp.address) === own.ops ? own : undefined;
}

/** What a call on a registered fprobe finds; undefined when it never was (FP-40.1). After unregister it still is. */
export function fprobeRegistration(k: Kernel, fp: Fprobe): FprobeRethook | undefined {
  const own = presentRethook(k, fp);
  return own?.ops.savedFunc.value === NO_ADDRESS ? undefined : own;
}

/** `fp->rethook`. A second unregister (P12) writes to one that may be gone; nothing comes of it there. */
export function ownRethook({ rethook }: FprobeRethook): Rethook | undefined {
  const { value } = rethook;
  return value?.memory.live === true ? value : undefined;
}

/** `fprobe_is_registered`: also after unregister, as long as the ops is not zeroed. */
export function* fprobeIsRegistered(cx: Context, k: Kernel, fp: Fprobe): Path<boolean> {
  const own = cx.make(() => presentRethook(k, fp));
  return own !== undefined && (yield* readOnce(own.ops.savedFunc)) !== NO_ADDRESS; // FP-40.1
}

/** For the end of a run. Of a pool that is on its way out no node is free, and those count that are not given up yet. */
export function fprobeState(k: Kernel, fp: Fprobe): FprobeState {
  const own = k.rethook.fprobes.get(fp);
  const registered = own !== undefined && isInForce(own);
  const rethook = own === undefined ? undefined : ownRethook(own);
  if (rethook === undefined) return { registered, free: 0, nodes: 0, entries: 0 };
  const { handler, nodes, pool, refs } = rethook;
  const [free, all] =
    handler.value === undefined ? [0, refs.value] : [countNodes(pool.value), nodes];
  return { registered, free, nodes: all, entries: 0 };
}
