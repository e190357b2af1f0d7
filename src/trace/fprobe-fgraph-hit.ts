// Layer trace. Hits of fprobes on the function-graph machine (FP-70.3 to FP-70.7, FP-71.3 to FP-71.5), after
// `fprobe_fgraph_entry` and `fprobe_return` of kernel/trace/fprobe.c. All fprobes of a site share one reservation on the
// shadow stack (FP-74).
import { NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { act, andThen, enter, type Path } from '../emu/path.ts';
import { preemptDisable, preemptEnable } from '../emu/preempt.ts';
import { hookReturn, unhookData } from './fgraph-hook.ts';
import { findData, wordAt } from './fgraph-stack.ts';
import { type FgraphOps, wordsOf } from './fgraph-state.ts';
import type { GraphCall, GraphReturn } from './fgraph.ts';
import { callFprobeExit } from './fprobe-callback.ts';
import { isExcluded, runEntryHandler } from './fprobe-entry.ts';
import { decodeHeader, encodeHeader, type FprobeHeader } from './fprobe-header.ts';
import { skipHit } from './fprobe-miss.ts';
import { missExit } from './fprobe-shortage.ts';
import {
  FPROBE_FL_DISABLED,
  type FprobeStruct,
  readFprobeFlags,
  readFprobeStruct,
} from './fprobe-struct.ts';
import {
  dataWords,
  type Existing,
  firstNode,
  type FprobeNode,
  generationOf,
  nextNode,
  nodeFprobe,
} from './fprobe-table.ts';
import type { Fprobe } from './fprobe.ts';
import type { Kernel } from './kernel.ts';

/** `fprobe_fgraph_entry` (CC-H14.6): is there any exit handler to be called? Preemption is off. */
export function* fprobeFgraphEntry(
  cx: Context,
  k: Kernel,
  { idx }: FgraphOps,
  call: GraphCall,
): Path<boolean> {
  const first = yield* firstNode(cx, k, call.ip);
  if (first === undefined) return false; // Not linked yet, or not any more (FP-52).
  if (isExcluded(cx, k, call.ip)) return false;
  const reserved = yield* reservedWords(cx, k, first);
  let data = call.end;
  if (reserved > 0) {
    const room = { idx: cx.make(() => idx.value), words: reserved };
    const found = yield* k.fn.fgraphReserveData(cx, k, call, room);
    if (found === undefined) {
      yield* enter(k.fn.fprobeNoData(cx, k, first, call));
      return false;
    }
    data = found;
  }
  const used = yield* enter(runEntryHandlers(cx, k, { call, data, reserved }));
  if (used < reserved) yield* k.fn.fprobeClearTail(cx, k, { call, data, used, reserved });
  return used > 0;
}

/** Walk 1 (FP-70.3): who is disabled now may be enabled by the second one, so all count. */
function* reservedWords(cx: Context, k: Kernel, first: FprobeNode): Path<number> {
  let sum = 0;
  let node: FprobeNode | undefined = first;
  while (node !== undefined) {
    const fp: Fprobe | undefined = yield* nodeFprobe(cx, node);
    if (fp !== undefined) sum += dataWords(readFprobeStruct(cx, k, fp));
    node = yield* nextNode(cx, node);
  }
  return sum;
}

/** What one hit has reserved. */
interface Reservation {
  readonly call: GraphCall;
  /** Its first word. */
  readonly data: number;
  readonly reserved: number;
}

/**
 * Walk 2 (FP-70.5, FP-70.6), newest first (FP-75): how many words are used. It looks the site up anew, so it may find
 * more than the first one.
 */
function* runEntryHandlers(
  cx: Context,
  k: Kernel,
  { call, data, reserved }: Reservation,
): Path<number> {
  let used = 0;
  let node = yield* firstNode(cx, k, call.ip);
  while (node !== undefined) {
    const fp: Fprobe | undefined = yield* nodeFprobe(cx, node);
    if (fp !== undefined) {
      const generation = generationOf(cx, node);
      used += yield* enter(enterFprobe(cx, k, fp, { call, data, reserved, used, generation }));
    }
    node = yield* nextNode(cx, node);
  }
  return used;
}

/** A reservation, how much of it is used so far, and the registration whose node was found. */
interface Walked extends Reservation {
  readonly used: number;
  readonly generation: number;
}

/** How many words `fp` takes: it has an exit handler, and its entry handler did not reject the call. */
function* enterFprobe(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { call, data, reserved, used, generation }: Walked,
): Path<number> {
  const flags = yield* readFprobeFlags(cx, k, fp); // FP-70.5
  const struct = readFprobeStruct(cx, k, fp);
  if (k.fn.fprobeHookType(struct) !== 'fgraph') return 0; // It has a hook of its own (FP-54).
  if ((flags & FPROBE_FL_DISABLED) !== 0) {
    skipHit(cx, fp, { reason: 'disabled', ip: call.ip, generation });
    return 0;
  }
  const words = dataWords(struct);
  const { ip, ret, regs } = call;
  const where = { entryIp: ip, retIp: ret, regs, entryData: NO_ADDRESS };
  const bare = { generation, flags, struct, ...where };
  if (k.fn.fprobeHasGrown(used + words, reserved)) {
    yield* missExit(cx, k, fp, { at: bare, reason: 'grew' }); // FP-70.7
    return 0;
  }
  const entryData =
    words > 1 ? cx.make(() => wordAt(wordsOf(cx, k, call.task), data + used + 1)) : NO_ADDRESS;
  const at = { ...bare, entryData };
  const wants = yield* runEntryHandler(cx, k, fp, at);
  if (!wants || words === 0) return 0;
  yield* writeHeader(cx, k, fp, { call, at: data + used, words: words - 1, generation });
  return words;
}

interface FreshHeader {
  readonly call: GraphCall;
  readonly at: number;
  readonly words: number;
  readonly generation: number;
}

/** FP-70.6 (CC-H14.6). */
function writeHeader(
  cx: Context,
  k: Kernel,
  fp: Fprobe,
  { call, at, words, generation }: FreshHeader,
): Path<void> {
  const { task, ip, sp, start } = call;
  const store = (): void => {
    const stack = wordsOf(cx, k, task);
    const [lo, hi] = encodeHeader({ address: fp.address, words });
    stack.memory.store64(wordAt(stack, at), lo, hi);
  };
  return andThen(act(task.words, store), () => {
    hookReturn(cx, call, { object: fp.object, generation, ip, frame: sp, start, data: at });
  });
}

/** The part of a reservation that nobody uses. */
export interface UnusedTail extends Reservation {
  readonly used: number;
}

/** FP-79: what is not used is zero, so that the return finds no headers there. */
export function fprobeClearTail(
  cx: Context,
  k: Kernel,
  { call, data, used, reserved }: UnusedTail,
): Path<void> {
  return act(call.task.words, () => {
    const stack = wordsOf(cx, k, call.task);
    for (let at = data + used; at < data + reserved; at++) {
      stack.memory.store64(wordAt(stack, at), 0, 0);
    }
  }); // CC-H14.6
}

/** FP-70.7: a probe has come between the two walks, and there is no room for it. */
export function fprobeHasGrown(needed: number, reserved: number): boolean {
  return needed > reserved;
}

/** `fprobe_return` (CC-H15.3): exit handlers, in the order of the entries (FP-75). */
export function* fprobeReturn(
  cx: Context,
  k: Kernel,
  { idx }: FgraphOps,
  call: GraphReturn,
): Path<void> {
  const { task } = call;
  const found = yield* act(task.words, () => findData(wordsOf(cx, k, task), call.end, idx.value)); // CC-H15.3
  if (found === undefined) return;
  yield* preemptDisable(cx); // CC-H15.3
  const end = found.first + found.words;
  for (let at = found.first; at < end;) {
    const header = yield* readHeader(cx, k, call, at);
    if (header === undefined) break;
    yield* enter(leaveFprobe(cx, k, call, { header, at }));
    at += 1 + header.words;
  }
  yield* preemptEnable(cx); // CC-H15.3
}

function readHeader(
  cx: Context,
  k: Kernel,
  { task }: GraphReturn,
  at: number,
): Path<FprobeHeader | undefined> {
  return act(task.words, () => {
    const stack = wordsOf(cx, k, task);
    const address = wordAt(stack, at);
    return decodeHeader(stack.memory.loadLo(address), stack.memory.loadHi(address));
  }); // CC-H15.3
}

/** FP-71.4. */
function* leaveFprobe(
  cx: Context,
  k: Kernel,
  call: GraphReturn,
  { header, at }: { readonly header: FprobeHeader; readonly at: number },
): Path<void> {
  const found = yield* k.fn.fprobeStillExists(cx, k, header.address);
  if (found === undefined) {
    unhookData(cx, k, { task: call.task, data: at }, 'removed');
    return;
  }
  const { fp, generation } = found;
  const flags = yield* readFprobeFlags(cx, k, fp); // CC-H15.3
  if ((flags & FPROBE_FL_DISABLED) !== 0)
    skipHit(cx, fp, { reason: 'exit_disabled', ip: call.ip, generation });
  else yield* callExit(cx, k, found, { call, header, at });
  unhookData(cx, k, { task: call.task, data: at });
}

interface ExitCall {
  readonly call: GraphReturn;
  readonly header: FprobeHeader;
  readonly at: number;
}

function callExit(
  cx: Context,
  k: Kernel,
  { fp, generation }: Existing,
  { call: { ip, ret, regs, task }, header, at }: ExitCall,
): Path<unknown> {
  const { exitHandler: handler }: FprobeStruct = readFprobeStruct(cx, k, fp);
  const entryData =
    header.words > 0 ? cx.make(() => wordAt(wordsOf(cx, k, task), at + 1)) : NO_ADDRESS;
  return callFprobeExit(cx, fp, { handler, generation, entryIp: ip, retIp: ret, regs, entryData });
}
