// Layer trace. One fprobe's entry handler (FP-70.5), whichever of the two shared hooks the hit came through; and hits of
// fprobes without exit handler, which have a plain ftrace_ops (FP-54) and leave the shadow stack alone.
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { fgraphTrueReturn, type GraphHit } from './fgraph.ts';
import { callFprobeEntry } from './fprobe-callback.ts';
import { missFprobe, skipHit } from './fprobe-miss.ts';
import {
  FPROBE_FL_DISABLED,
  FPROBE_FL_KPROBE_SHARED,
  type FprobeStruct,
  readFprobeFlags,
  readFprobeStruct,
} from './fprobe-struct.ts';
import { firstNode, type FprobeNode, generationOf, nextNode, nodeFprobe } from './fprobe-table.ts';
import type { Fprobe } from './fprobe.ts';
import { NOBODY, skip } from './ftrace-caller.ts';
import type { Kernel } from './kernel.ts';
import { kprobeBusyBegin, kprobeBusyEnd, kprobeRunning } from './kprobe-busy.ts';
import { TRACE_FTRACE_START } from './recursion.ts';

/** A hit of one fprobe. */
export interface EntryCall {
  /** The registration whose node was found. */
  readonly generation: number;
  readonly flags: number;
  readonly struct: FprobeStruct;
  readonly entryIp: Address;
  readonly retIp: Address;
  readonly regs: Address;
  readonly entryData: Address;
}

/**
 * FP-70.5: is the exit handler to be called? Yes without an entry handler, and, as the kernel has it, for one that was
 * skipped because a kprobe is running (FP-76).
 */
export function* runEntryHandler(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  call: EntryCall,
): Path<boolean> {
  if (yield* missesForKprobe(cx, k, fp, call)) return !k.fprobeOptions.sharedStrict;
  return (yield* callEntryHandler(cx, k, fp, call)) === 0;
}

/** FP-70.5: a kprobe runs where the handler of an fprobe that is shared with kprobes would have to; that counts. */
export function* missesForKprobe(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { flags, generation, entryIp: ip }: EntryCall,
): Path<boolean> {
  if (!isShared(flags) || (yield* kprobeRunning(cx, k)) === NO_ADDRESS) return false;
  yield* missFprobe(cx, k, fp, { reason: 'kprobe_running', ip, generation });
  return true;
}

function isShared(flags: number): boolean {
  return (flags & FPROBE_FL_KPROBE_SHARED) !== 0;
}

/** What it returned; 0 without one. */
export function* callEntryHandler(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  call: EntryCall,
): Path<number> {
  const { entryIp: ip, flags, generation, struct } = call;
  if (isShared(flags)) yield* kprobeBusyBegin(cx, k);
  const result = struct.entryHandler === NO_ADDRESS ? 0 : yield* callHandler(cx, fp, call);
  if (isShared(flags)) yield* kprobeBusyEnd(cx, k);
  if (result !== 0 && struct.exitHandler !== NO_ADDRESS)
    skipHit(cx, fp, { reason: 'rejected', ip, generation });
  return result;
}

function callHandler(
  cx: Context,
  fp: Fprobe,
  { generation, struct, entryIp, retIp, regs, entryData }: EntryCall,
): Path<number> {
  const handler = struct.entryHandler;
  return callFprobeEntry(cx, fp, { handler, generation, entryIp, retIp, regs, entryData });
}

/** `fprobe_ftrace_entry` (FP-54). Any context. */
export function* fprobeFtraceEntry(cx: Context, k: Kernel, hit: GraphHit): Path<void> {
  const bit = yield* k.fn.traceTestAndSetRecursion(cx, k, TRACE_FTRACE_START);
  if (bit < 0) {
    yield* fprobeRefused(cx, k, hit, 'ftrace');
    return;
  }
  const { ip, regs } = hit;
  const parentIp = cx.make(() => fgraphTrueReturn(cx, k, hit.parentIp));
  let node = yield* firstNode(cx, k, ip);
  if (node !== undefined && isExcluded(cx, k, ip)) node = undefined;
  while (node !== undefined) {
    const fp: Fprobe | undefined = yield* nodeFprobe(cx, node);
    const generation = generationOf(cx, node);
    if (fp !== undefined) yield* enterPlain(cx, k, fp, { ip, parentIp, regs, generation });
    node = yield* nextNode(cx, node);
  }
  yield* k.fn.traceClearRecursion(cx, k, bit);
}

/**
 * CC-G8: what runs where RCU does not watch has no fprobes, unless `fprobeNonWatching` is set: no wait would cover it.
 */
export function isExcluded(cx: Context, k: Kernel, ip: Address): boolean {
  const isIn = k.fprobeOptions.fprobeNonWatching || cx.make(() => cx.cpu.watching);
  if (!isIn) skip(cx, { object: NOBODY, generation: 0, reason: 'not_watching', ip });
  return !isIn;
}

function* enterPlain(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { ip, parentIp, regs, generation }: GraphHit & { readonly generation: number },
): Path<void> {
  const flags = yield* readFprobeFlags(cx, k, fp);
  const struct = readFprobeStruct(cx, k, fp);
  if (k.fn.fprobeHookType(struct) !== 'ftrace') return; // The graph hook's.
  if ((flags & FPROBE_FL_DISABLED) !== 0) {
    skipHit(cx, fp, { reason: 'disabled', ip, generation });
    return;
  }
  const where = { entryIp: ip, retIp: parentIp, regs, entryData: NO_ADDRESS };
  const call = { generation, flags, struct, ...where };
  yield* runEntryHandler(cx, k, fp, call);
}

/** A graph hit was refused: nobody knows yet whom it concerns. */
export function fgraphEntryRefused(cx: Context, k: Kernel, hit: GraphHit): Path<void> {
  return fprobeRefused(cx, k, hit, 'fgraph');
}

/** FP-70.1: the trylock has failed; nothing is counted, unless `countRecursion` has it as the document does. */
function* fprobeRefused(
  cx: Context,
  k: Kernel,
  hit: GraphHit,
  hook: 'fgraph' | 'ftrace',
): Path<void> {
  const { ip } = hit;
  const missed = k.fprobeOptions.countRecursion ? yield* countRefused(cx, k, ip, hook) : 0;
  if (missed === 0) skip(cx, { object: NOBODY, generation: 0, reason: 'recursion', ip });
  yield* k.fn.ftraceRecordRecursion(cx, k, hit);
}

/** How many fprobes that are enabled have missed the hit. */
function* countRefused(
  cx: Context,
  k: Kernel,
  ip: Address,
  hook: 'fgraph' | 'ftrace',
): Path<number> {
  let missed = 0;
  let node: FprobeNode | undefined = yield* firstNode(cx, k, ip);
  while (node !== undefined) {
    const fp: Fprobe | undefined = yield* nodeFprobe(cx, node);
    if (fp !== undefined && (yield* isConcerned(cx, k, fp, hook))) {
      const generation = generationOf(cx, node);
      yield* missFprobe(cx, k, fp, { reason: 'recursion', ip, generation });
      missed++;
    }
    node = yield* nextNode(cx, node);
  }
  return missed;
}

function* isConcerned(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  hook: 'fgraph' | 'ftrace',
): Path<boolean> {
  const flags = yield* readFprobeFlags(cx, k, fp);
  const isOurs = k.fn.fprobeHookType(readFprobeStruct(cx, k, fp)) === hook;
  return isOurs && (flags & FPROBE_FL_DISABLED) === 0;
}
