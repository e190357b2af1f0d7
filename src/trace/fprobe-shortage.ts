// Layer trace. Hits that find no room on the shadow stack (FP-70.2, FP-70.4, FP-70.7): who misses what, and what the option
// `missPolicy` leaves (fprobe.md 9). As the kernel has it neither handler runs; with `exitOnly` the entry handlers do, without
// data, as the documents say.
import { NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { enter, type Path } from '../emu/path.ts';
import { fgraphTrueReturn, type GraphCall, type GraphHit } from './fgraph.ts';
import {
  callEntryHandler,
  type EntryCall,
  isExcluded,
  missesForKprobe,
  runEntryHandler,
} from './fprobe-entry.ts';
import { missFprobe, skipHit } from './fprobe-miss.ts';
import { FPROBE_FL_DISABLED, readFprobeFlags, readFprobeStruct } from './fprobe-struct.ts';
import { firstNode, type FprobeNode, generationOf, nextNode, nodeFprobe } from './fprobe-table.ts';
import type { Fprobe } from './fprobe.ts';
import { NOBODY, skip, type SkipReason } from './ftrace-caller.ts';
import type { Kernel } from './kernel.ts';

/** A call that finds no room: what its entry handlers are told, if they run all the same. */
type Unhooked = Pick<GraphCall, 'ip' | 'ret' | 'regs'>;

/** FP-70.4: no handler runs, or with the option `missPolicy: exitOnly` the entry handlers do. */
export function* fprobeNoData(
  cx: Context,
  k: Kernel,
  first: FprobeNode,
  call: Unhooked,
): Path<void> {
  if (k.fprobeOptions.missPolicy === 'both') yield* k.fn.fprobeShortage(cx, k, first);
  else yield* enterWithoutExits(cx, k, first, { call, reason: 'no_data' });
}

/**
 * FP-70.2: the call has no frame. The kernel asks nobody, and nothing is counted; with `missPolicy: exitOnly` that is a
 * shortage like any other.
 */
export function* fgraphNoFrame(cx: Context, k: Kernel, hit: GraphHit): Path<void> {
  const { ip, regs } = hit;
  const isAsked = k.fprobeOptions.missPolicy === 'exitOnly';
  const first = isAsked ? yield* firstNode(cx, k, ip) : undefined;
  if (first === undefined) {
    skip(cx, { object: NOBODY, generation: 0, reason: 'no_frame', ip });
    return;
  }
  if (isExcluded(cx, k, ip)) return;
  const ret = cx.make(() => fgraphTrueReturn(cx, k, hit.parentIp));
  yield* enterWithoutExits(cx, k, first, { call: { ip, ret, regs }, reason: 'no_frame' });
}

interface Shortage {
  readonly call: Unhooked;
  readonly reason: SkipReason;
}

/** `missPolicy: exitOnly`: the entry handlers of a call whose return is not taken. */
function* enterWithoutExits(
  cx: Context,
  k: Kernel,
  first: FprobeNode,
  { call: { ip, ret, regs }, reason }: Shortage,
): Path<void> {
  let node: FprobeNode | undefined = first;
  while (node !== undefined) {
    const fp: Fprobe | undefined = yield* nodeFprobe(cx, node);
    if (fp !== undefined) {
      const flags = yield* readFprobeFlags(cx, k, fp); // FP-70.5
      const struct = readFprobeStruct(cx, k, fp);
      const where = { entryIp: ip, retIp: ret, regs, entryData: NO_ADDRESS };
      const at = { generation: generationOf(cx, node), flags, struct, ...where };
      if (k.fn.fprobeHookType(struct) === 'fgraph')
        yield* enter(enterUnhooked(cx, k, fp, { at, reason }));
    }
    node = yield* nextNode(cx, node);
  }
}

/** Who has no exit handler misses nothing. */
function* enterUnhooked(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { at, reason }: { readonly at: EntryCall; readonly reason: SkipReason },
): Path<void> {
  const { entryIp: ip, generation } = at;
  if ((at.flags & FPROBE_FL_DISABLED) !== 0)
    skipHit(cx, fp, { reason: 'disabled', ip, generation });
  else if (at.struct.exitHandler === NO_ADDRESS) yield* runEntryHandler(cx, k, fp, at);
  else yield* missExit(cx, k, fp, { at, reason });
}

/** There is no room for what the exit handler needs: one miss, and the entry handler runs if the policy wants it. */
export function* missExit(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { at, reason }: { readonly at: EntryCall; readonly reason: SkipReason },
): Path<void> {
  const isEntered = k.fprobeOptions.missPolicy === 'exitOnly';
  if (isEntered && (yield* missesForKprobe(cx, k, fp, at))) return; // One call is one miss.
  const { entryIp: ip, generation } = at;
  yield* missFprobe(cx, k, fp, { reason, ip, generation });
  if (isEntered) yield* callEntryHandler(cx, k, fp, at);
}

/** FP-70.4: no handler runs, and everybody who is enabled and wanted the return is told (FP-72). */
export function* fprobeShortage(cx: Context, k: Kernel, first: FprobeNode): Path<void> {
  let node: FprobeNode | undefined = first;
  while (node !== undefined) {
    const fp: Fprobe | undefined = yield* nodeFprobe(cx, node);
    if (fp !== undefined) yield* k.fn.fprobeShortageOf(cx, k, fp, node);
    node = yield* nextNode(cx, node);
  }
}

/** One fprobe's share of `fprobeShortage`. */
export function* fprobeShortageOf(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  node: FprobeNode,
): Path<void> {
  const hit = { ip: node.addr, generation: generationOf(cx, node) };
  const flags = yield* readFprobeFlags(cx, k, fp); // FP-70.4
  if ((flags & FPROBE_FL_DISABLED) !== 0) {
    skipHit(cx, fp, { reason: 'disabled', ...hit });
    return;
  }
  const struct = readFprobeStruct(cx, k, fp);
  if (k.fn.fprobeHookType(struct) === 'fgraph') {
    yield* missFprobe(cx, k, fp, { reason: 'no_data', ...hit });
  }
}
