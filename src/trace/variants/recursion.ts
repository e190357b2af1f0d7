// Layer trace. Variants of recursion protection (docs/spec/mutants.md, M-22..M-25).
import { LEVEL } from '../../emu/context.ts';
import { type Path, readOnce } from '../../emu/path.ts';
import {
  TRACE_CTX,
  TRACE_FTRACE_START,
  TRACE_LIST_START,
  traceClearRecursion,
  traceGetContextBit,
  traceTestAndSetRecursion,
} from '../recursion.ts';
import { taskTrace } from '../task-trace.ts';
import type { Variant } from './variant.ts';

/** A change of the preempt count that is left out. */
function* noChange(): Path<void> {
  // Nothing.
}

/**
 * Breaks CC-G11: an interrupt that is hit before its level shows loses the hit when what it interrupted holds the bit
 * (H-10). Needs a hit in the entry code of an interrupt.
 */
const M_22: Variant = {
  id: 'M-22',
  about: 'there is no TRANSITION bit: a bit that is set is recursion',
  links: {
    traceRecursionBit(word, group, contextBit) {
      const own = group + contextBit;
      return (word & (1 << own)) === 0 ? own : -1;
    },
  },
};

/** Breaks CC-G11: the second hit of an NMI in an interrupt that is hit is lost (H-11). Needs an NMI that is hit. */
const M_23: Variant = {
  id: 'M-23',
  about: 'an NMI uses the recursion bit of interrupts',
  links: {
    traceGetContextBit: (cx) =>
      traceGetContextBit(cx) === TRACE_CTX.nmi ? TRACE_CTX.irq : traceGetContextBit(cx),
  },
};

/**
 * Breaks FT-53: what relies on the CPU staying the same, or on an RCU wait, is interrupted by other tasks (H-13).
 * Needs a hit in a task, on the list path or under trylock.
 */
const M_24: Variant = {
  id: 'M-24',
  about: 'the recursion trylock does not disable preemption',
  links: { recursionPreemptDisable: noChange, recursionPreemptEnable: noChange },
};

/**
 * Breaks CC-G11: the next hit at that level takes the spare bit, and later ones are lost (as H-08). Needs a hit in
 * an interrupt, on the list path or under trylock.
 */
const M_25: Variant = {
  id: 'M-25',
  about: 'the unlock of a hit in an interrupt returns before it clears its bit',
  links: {
    *traceClearRecursion(cx, k, bit) {
      if (cx.level === LEVEL.task) yield* traceClearRecursion(cx, k, bit);
      else yield* k.fn.recursionPreemptEnable(cx);
    },
  },
};

/** A bit of no group: there is nothing to give back. */
const COVERED = 15;
const LIST_BITS = 0x1f << TRACE_LIST_START;

/**
 * Breaks CC-G11: behind the list function nothing bounds callbacks that sites call directly, which lead back to each
 * other. Needs trylock on the list path.
 */
const H_12: Variant = {
  id: 'H-12',
  about: 'a trylock takes no bit where the list function holds one: that is to cover it',
  links: {
    *traceTestAndSetRecursion(cx, k, group) {
      if (group === TRACE_FTRACE_START) {
        const word = yield* readOnce(taskTrace(k, cx.task).recursion);
        if ((word & LIST_BITS) !== 0) return COVERED;
      }
      return yield* traceTestAndSetRecursion(cx, k, group);
    },
    *traceClearRecursion(cx, k, bit) {
      if (bit !== COVERED) yield* traceClearRecursion(cx, k, bit);
    },
  },
};

export const RECURSION_VARIANTS: readonly Variant[] = [M_22, M_23, M_24, M_25, H_12];
