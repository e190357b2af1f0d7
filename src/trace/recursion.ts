// Layer trace. Recursion protection: `current->trace_recursion` and its trylock (FT-50..FT-52, FT-56,
// CC-H5), as include/linux/trace_recursion.h has it.
//
// The word belongs to the task; interrupts use that of the task they interrupted. A bit that is taken
// again lets one more level through, by TRANSITION: an interrupt is traced before its own level shows.
import type { Cell } from '../emu/cell.ts';
import { type Context, LEVEL, type Level } from '../emu/context.ts';
import { type Path, update } from '../emu/path.ts';
import { preemptDisable, preemptEnable } from '../emu/preempt.ts';
import { TRACE_EVENTS } from './event.ts';
import type { Kernel } from './kernel.ts';
import { taskTrace } from './task-trace.ts';

/** First bit of each group of five. */
export const TRACE_FTRACE_START = 0;
export const TRACE_LIST_START = 5;
export type RecursionGroup = typeof TRACE_FTRACE_START | typeof TRACE_LIST_START;

/** Bits within a group. */
export const TRACE_CTX = { nmi: 0, irq: 1, softirq: 2, normal: 3, transition: 4 } as const;

/** A breakpoint trap in kernel mode counts as an NMI (FT-56). */
const CONTEXT_BIT: Readonly<Record<Level, number>> = {
  [LEVEL.task]: TRACE_CTX.normal,
  [LEVEL.softirq]: TRACE_CTX.softirq,
  [LEVEL.hardirq]: TRACE_CTX.irq,
  [LEVEL.nmi]: TRACE_CTX.nmi,
  [LEVEL.trap]: TRACE_CTX.nmi,
};

/** `trace_get_context_bit` (CC-H5.1). */
export function traceGetContextBit(cx: Context): number {
  return CONTEXT_BIT[cx.shown];
}

/** The word of the task that `cx` runs on top of. */
function traceRecursion(cx: Context, k: Kernel): Cell<number> {
  return taskTrace(k, cx.task).recursion;
}

/** Which bit a trylock takes in `word` (CC-H5.2): the context's, else TRANSITION, else none (-1). */
export function traceRecursionBit(word: number, group: RecursionGroup, contextBit: number): number {
  const own = group + contextBit;
  if ((word & (1 << own)) === 0) return own;
  const spare = group + TRACE_CTX.transition;
  return (word & (1 << spare)) === 0 ? spare : -1;
}

/** `trace_test_and_set_recursion` (CC-H5.2): the bit, to give back to unlock, with preemption disabled; or -1. */
export function* traceTestAndSetRecursion(
  cx: Context,
  k: Kernel,
  group: RecursionGroup,
): Path<number> {
  const contextBit = cx.make(() => k.fn.traceGetContextBit(cx));
  const taken = (word: number): number => k.fn.traceRecursionBit(word, group, contextBit);
  const before = yield* update(traceRecursion(cx, k), (word) => {
    const bit = taken(word);
    return bit < 0 ? word : word | (1 << bit);
  });
  const bit = taken(before);
  if (bit < 0) return bit;
  cx.emit(TRACE_EVENTS.recursion_set.id, bit);
  yield* k.fn.recursionPreemptDisable(cx); // CC-H5.3
  cx.emit(TRACE_EVENTS.recursion_lock.id, bit);
  return bit;
}

/** `trace_clear_recursion` (CC-H5, unlock). */
export function* traceClearRecursion(cx: Context, k: Kernel, bit: number): Path<void> {
  cx.emit(TRACE_EVENTS.recursion_unlock.id, bit);
  yield* k.fn.recursionPreemptEnable(cx);
  yield* update(traceRecursion(cx, k), (word) => word & ~(1 << bit));
  cx.emit(TRACE_EVENTS.recursion_clear.id, bit);
}

/** Guarantee `context` (FT-53): from here to the unlock the task is not switched away. */
export function recursionPreemptDisable(cx: Context): Path<void> {
  return preemptDisable(cx);
}

/** Before the bit is cleared (FT-51). */
export function recursionPreemptEnable(cx: Context): Path<void> {
  return preemptEnable(cx);
}
