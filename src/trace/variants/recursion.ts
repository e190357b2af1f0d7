// Layer trace. Variants of recursion protection (docs/spec/mutants.md, M-24, M-25).
import { LEVEL } from '../../emu/context.ts';
import type { Path } from '../../emu/path.ts';
import { traceClearRecursion } from '../recursion.ts';
import type { Variant } from './variant.ts';

/** A change of the preempt count that is left out. */
function* noChange(): Path<void> {
  // Nothing.
}

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

export const RECURSION_VARIANTS: readonly Variant[] = [M_24, M_25];
