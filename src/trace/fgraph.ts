// Layer trace. The function-graph hook: a traced function's return address is kept on its task's shadow stack and
// replaced (CC-H14), and where it returns to instead, hooks are told before it goes on in its caller (CC-H15, FP-70,
// FP-71), after `function_graph_enter` and `ftrace_return_to_handler` of kernel/trace/fgraph.c. Left out: a graph that
// is dead, tasks that are paused.
import { type Address, addressHi, addressLo, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { act, enter, fetchAdd, type Path, readOnce, writeOnce } from '../emu/path.ts';
import { unhookFrom } from './fgraph-hook.ts';
import {
  frameBelow,
  hasRoomForData,
  hasRoomForFrame,
  loadDescriptor,
  loadFrame,
  type RetFrame,
  type RetStack,
  storeDescriptor,
  storeFrame,
  storeRet,
} from './fgraph-stack.ts';
import {
  type Fgraph,
  type FgraphOps,
  fgraphOf,
  type TaskStack,
  taskStack,
  wordsOf,
} from './fgraph-state.ts';
import { NOBODY, skip } from './ftrace-caller.ts';
import { FTRACE_REGS, FTRACE_REGS_BYTES, isFull, PT_REGS_SP } from './ftrace-regs.ts';
import type { Kernel } from './kernel.ts';
import { TRACE_FTRACE_START } from './recursion.ts';
import { rethookReplaced } from './rethook-return.ts';
import { RETHOOK_TRAMPOLINE } from './rethook-trampoline.ts';
import { RETURN_TO_HANDLER } from './return-to-handler.ts';

/** A hit, as the trampoline hands it over. */
export interface GraphHit {
  readonly ip: Address;
  /** What was in ra when the site was hit. */
  readonly parentIp: Address;
  /** `struct ftrace_regs` on the stack. */
  readonly regs: Address;
}

/** A call that is being entered; its frame is on the shadow stack. */
export interface GraphCall {
  readonly ip: Address;
  /** Where it returns to, whoever has taken that return (FP-1). */
  readonly ret: Address;
  readonly regs: Address;
  /** The stack pointer of the call. */
  readonly sp: Address;
  readonly task: TaskStack;
  /** First word of its frame. */
  readonly start: number;
  /** First word behind what the frame and the hooks so far have taken: `curr_ret_stack`. */
  end: number;
}

/** A call that is over, with its frame still there. */
export interface GraphReturn {
  readonly ip: Address;
  readonly ret: Address;
  /** `struct ftrace_regs` of the return: a0 is the return value. */
  readonly regs: Address;
  readonly sp: Address;
  readonly task: TaskStack;
  readonly start: number;
  readonly end: number;
  /** One bit for each hook that wanted this. */
  readonly bitmap: number;
  /** Where to go on: the trampoline once more after a tail call whose caller's return was taken, too. */
  readonly next: Address;
}

/** `ftrace_graph_func` and `function_graph_enter` (CC-H14). Any context. */
export function* functionGraphEnter(cx: Context, k: Kernel, hit: GraphHit): Path<void> {
  const bit = yield* k.fn.traceTestAndSetRecursion(cx, k, TRACE_FTRACE_START); // CC-H14.1
  if (bit < 0) {
    yield* k.fn.fgraphEntryRefused(cx, k, hit);
    return;
  }
  const call = yield* enter(k.fn.ftracePushReturnTrace(cx, k, hit));
  if (call !== undefined) {
    const bitmap = yield* enter(callEntryFuncs(cx, k, call));
    if (bitmap === 0) yield* writeOnce(call.task.curr, call.start); // CC-H14.7
    else yield* takeReturn(cx, k, call, bitmap);
  }
  yield* k.fn.traceClearRecursion(cx, k, bit); // CC-H14.8
}

/**
 * `ftrace_push_return_trace` (CC-H14.2-5): undefined without a frame (FP-70.2). Guarantee CC-G22: an interrupt before
 * the advance uses the same words, so they are written once more behind it; an unwinder that comes right behind it finds
 * a descriptor, which was therefore written before.
 */
export function* ftracePushReturnTrace(
  cx: Context,
  k: Kernel,
  hit: GraphHit,
): Path<GraphCall | undefined> {
  const { ip, regs } = hit;
  const { frameWords, overrun } = fgraphOf(k);
  const task = taskStack(k, cx.task);
  const start = yield* readOnce(task.curr); // CC-H14.2
  const isThere = cx.make(() => task.memory.value !== undefined);
  const hasRoom = hasRoomForFrame(frameWords, start);
  if (isThere && !hasRoom) yield* fetchAdd(overrun, 1); // CC-H14.2
  if (!isThere || !hasRoom) {
    yield* enter(k.fn.fgraphNoFrame(cx, k, hit));
    return undefined;
  }
  const sp = cx.make(() => stackPointer(k, regs));
  // A kretprobe of this call may have come first: the call is to return to its trampoline, behind this one.
  const parentIp = cx.make(() => returnAddress(k, regs));
  const fresh: FreshFrame = {
    task,
    start,
    frame: { ret: parentIp, func: ip, fp: sp, retp: regs + FTRACE_REGS.ra },
  };
  yield* k.fn.fgraphReserveFrame(cx, k, fresh);
  const end = start + frameWords + 1;
  yield* writeOnce(task.curr, end); // CC-H14.4
  yield* k.fn.fgraphWriteFrame(cx, k, fresh);
  const ret = cx.make(() => trueReturn(cx, k, { stack: wordsOf(cx, k, task), start }, parentIp));
  return { ip, ret, regs, sp, task, start, end };
}

/** A frame that is about to be. */
export interface FreshFrame {
  readonly task: TaskStack;
  readonly start: number;
  readonly frame: RetFrame;
}

/** CC-H14.3: an unwinder that comes after the advance finds its way over these words (CC-G22). */
export function fgraphReserveFrame(
  cx: Context,
  k: Kernel,
  { task, start, frame }: FreshFrame,
): Path<void> {
  return act(task.words, () => {
    const stack = wordsOf(cx, k, task);
    storeReserved(stack, start);
    storeRet(stack, start, frame.ret);
  }); // CC-H14.3
}

/** CC-H14.5: an interrupt between the read of `curr` and its advance has used these words, too (CC-G22). */
export function fgraphWriteFrame(
  cx: Context,
  k: Kernel,
  { task, start, frame }: FreshFrame,
): Path<void> {
  return act(task.words, () => {
    const stack = wordsOf(cx, k, task);
    storeReserved(stack, start);
    storeFrame(stack, start, frame);
  }); // CC-H14.5
}

function storeReserved(stack: RetStack, start: number): void {
  const offset = stack.frameWords;
  storeDescriptor(stack, start + offset, { type: 'reserved', offset });
}

/** `ftrace_regs_get_stack_pointer`: what sp was at the site. */
function stackPointer(k: Kernel, regs: Address): Address {
  const { memory } = k.machine;
  if (!isFull(memory, regs)) return regs + FTRACE_REGS_BYTES;
  return toAddress(memory.loadLo(regs + PT_REGS_SP), memory.loadHi(regs + PT_REGS_SP));
}

/** What ra is now, whoever has changed it since the hit. */
function returnAddress({ machine: { memory } }: Kernel, regs: Address): Address {
  return toAddress(memory.loadLo(regs + FTRACE_REGS.ra), memory.loadHi(regs + FTRACE_REGS.ra));
}

/**
 * `ftrace_graph_ret_addr`: after a tail call the frames below know where the caller would have returned to (FP-1), and
 * nodes of kretprobes what they have replaced.
 */
function trueReturn(
  cx: Context,
  k: Kernel,
  { stack, start }: { readonly stack: RetStack; readonly start: number },
  ret: Address,
): Address {
  const replaced =
    ret === RETURN_TO_HANDLER || ret === RETHOOK_TRAMPOLINE ? rethookReplaced(cx, k) : [];
  let [found, at, nodes] = [ret, start, 0];
  while (found === RETURN_TO_HANDLER || found === RETHOOK_TRAMPOLINE) {
    if (found === RETHOOK_TRAMPOLINE) {
      found = replaced[nodes++] ?? NO_ADDRESS;
      continue;
    }
    const below = frameBelow(stack, at);
    if (below === undefined) return NO_ADDRESS;
    at = below;
    found = loadFrame(stack, at).ret;
  }
  return found;
}

/** As `trueReturn`, for a call that has no frame of its own. */
export function fgraphTrueReturn(cx: Context, k: Kernel, ret: Address): Address {
  if (k.fgraph === undefined || ret !== RETURN_TO_HANDLER) return ret;
  const task = taskStack(k, cx.task);
  return trueReturn(cx, k, { stack: wordsOf(cx, k, task), start: task.curr.value }, ret);
}

/** CC-H14.6: which hooks want the return, one bit for each. One that does not keeps no data. */
function* callEntryFuncs(cx: Context, k: Kernel, call: GraphCall): Path<number> {
  const { array, bitmask, direct } = fgraphOf(k);
  const only = yield* readOnce(direct); // CC-H14.6
  if (only !== undefined) return yield* callEntryFunc(cx, k, only, call);
  const slots = yield* readOnce(bitmask); // CC-H14.6
  let bitmap = 0;
  for (const slot of slotsIn(array, slots)) {
    const gops = yield* readOnce(slot); // CC-H14.6
    if (gops === undefined || (yield* k.fn.ftraceOpsTest(cx, gops.ops, call.ip)) !== undefined)
      continue;
    bitmap |= yield* callEntryFunc(cx, k, gops, call);
  }
  return bitmap;
}

/** Those that have a bit in `bitmap`. */
function slotsIn(array: Fgraph['array'], bitmap: number): Fgraph['array'] {
  return array.filter((_slot, i) => (bitmap & (1 << i)) !== 0);
}

/** The hook's bit, or 0. */
function* callEntryFunc(cx: Context, k: Kernel, gops: FgraphOps, call: GraphCall): Path<number> {
  const idx = cx.make(() => gops.idx.value);
  const before = call.end;
  if (idx >= 0 && (yield* enter(gops.entryfunc(cx, k, gops, call)))) return 1 << idx;
  if (call.end > before) yield* writeOnce(call.task.curr, before); // CC-H14.6
  call.end = before;
  return 0;
}

/**
 * `fgraph_reserve_data` (CC-H14.6): the first of `words` words on the frame of `call`; undefined without room (FP-70.4).
 * Written twice, like the frame, for the same two reasons.
 */
export function* fgraphReserveData(
  cx: Context,
  k: Kernel,
  call: GraphCall,
  { idx, words }: { readonly idx: number; readonly words: number },
): Path<number | undefined> {
  const { frameWords } = fgraphOf(k);
  const first = call.end;
  if (!hasRoomForData(frameWords, first, words)) return undefined;
  const { task, start } = call;
  const at = first + words;
  const storeTrailer = (): void => {
    const trailer = { type: 'data', offset: at - start, words, owner: idx } as const;
    storeDescriptor(wordsOf(cx, k, task), at, trailer);
  };
  yield* act(task.words, storeTrailer); // CC-H14.6
  yield* writeOnce(task.curr, at + 1); // CC-H14.6
  yield* act(task.words, storeTrailer); // CC-H14.6
  call.end = at + 1;
  return first;
}

/** CC-H14.7: from here on the function returns to `return_to_handler`. */
function* takeReturn(cx: Context, k: Kernel, call: GraphCall, bitmap: number): Path<void> {
  const { task, start, regs } = call;
  yield* act(task.words, () => {
    const stack = wordsOf(cx, k, task);
    const offset = stack.frameWords;
    storeDescriptor(stack, start + offset, { type: 'bitmap', offset, bitmap });
  }); // CC-H14.7
  yield* act(task.words, () => {
    const [lo, hi] = [addressLo(RETURN_TO_HANDLER), addressHi(RETURN_TO_HANDLER)];
    k.machine.memory.store64(regs + FTRACE_REGS.ra, lo, hi);
  }); // CC-H14.7
}

/**
 * `ftrace_return_to_handler` (CC-H15): where the function that has just returned goes on. The frame goes last, so that
 * nobody uses its words while a hook still reads them (CC-G22). Any context.
 */
export function* ftraceReturnToHandler(cx: Context, k: Kernel, regs: Address): Path<Address> {
  const call = yield* k.fn.ftracePopReturnTrace(cx, k, regs);
  yield* enter(k.fn.fgraphCallReturn(cx, k, call));
  yield* k.fn.fgraphDropFrame(call);
  return call.next;
}

/** `ftrace_pop_return_trace` (CC-H15.1): the topmost frame. The kernel dies when it is not that of this call (FP-71.1). */
export function* ftracePopReturnTrace(cx: Context, k: Kernel, regs: Address): Path<GraphReturn> {
  const task = taskStack(k, cx.task);
  const end = yield* readOnce(task.curr); // CC-H15.1
  return yield* act(task.words, () => returningCall(cx, k, { regs, task, end })); // CC-H15.1
}

function returningCall(
  cx: Context,
  k: Kernel,
  { regs, task, end }: { readonly regs: Address; readonly task: TaskStack; readonly end: number },
): GraphReturn {
  const sp = regs + FTRACE_REGS_BYTES;
  const found = task.memory.value === undefined ? undefined : topFrame(cx, k, { task, end, sp });
  if (found === undefined) {
    cx.cpu.machine.oops(cx.cpu, 'return without its frame', cx.cpu.hart.pc, sp);
    return { ip: 0, ret: 0, regs, sp, task, start: 0, end, bitmap: 0, next: NO_ADDRESS };
  }
  const { stack, start, frame } = found;
  const descriptor = loadDescriptor(stack, start + stack.frameWords);
  const bitmap = descriptor.type === 'bitmap' ? descriptor.bitmap : 0;
  const ret = trueReturn(cx, k, { stack, start }, frame.ret);
  const { memory } = k.machine;
  memory.store64(regs + FTRACE_REGS.t0, addressLo(ret), addressHi(ret));
  memory.store64(regs + FTRACE_REGS.ra, addressLo(ret), addressHi(ret));
  return { ip: frame.func, ret, regs, sp, task, start, end, bitmap, next: frame.ret };
}

/** The frame that ends before word `end`, if it is one of a call with this stack pointer. */
function topFrame(
  cx: Context,
  k: Kernel,
  { task, end, sp }: { readonly task: TaskStack; readonly end: number; readonly sp: Address },
): { readonly stack: RetStack; readonly start: number; readonly frame: RetFrame } | undefined {
  const stack = wordsOf(cx, k, task);
  const start = frameBelow(stack, end);
  if (start === undefined) return undefined;
  const frame = loadFrame(stack, start);
  const isIts = frame.fp === sp || frame.fp === NO_ADDRESS;
  return isIts ? { stack, start, frame } : undefined;
}

/** CC-H15.2-4: hooks run under the lock that entries take, so that what they call cannot come back here (H-25). */
export function* fgraphCallReturn(cx: Context, k: Kernel, call: GraphReturn): Path<void> {
  const bit = yield* k.fn.traceTestAndSetRecursion(cx, k, TRACE_FTRACE_START); // CC-H15.2
  if (bit < 0) {
    skip(cx, { object: NOBODY, generation: 0, reason: 'exit_recursion', ip: call.ip });
    unhookFrom(cx, k, call);
    return;
  }
  yield* k.fn.fgraphCallRetFuncs(cx, k, call);
  yield* k.fn.traceClearRecursion(cx, k, bit); // CC-H15.4
}

/** CC-H15.3: every hook that wanted the return, if it is still there. */
export function* fgraphCallRetFuncs(cx: Context, k: Kernel, call: GraphReturn): Path<void> {
  const { array } = fgraphOf(k);
  for (const slot of slotsIn(array, call.bitmap)) {
    const gops = yield* readOnce(slot); // CC-H15.3
    if (gops !== undefined) yield* enter(gops.retfunc(cx, k, gops, call));
  }
  unhookFrom(cx, k, call, 'removed');
}

/** CC-H15.5. */
export function fgraphDropFrame({ task, start }: GraphReturn): Path<void> {
  return writeOnce(task.curr, start); // CC-H15.5
}
