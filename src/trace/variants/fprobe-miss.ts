// Layer trace. Variants of the counter that all fprobes have, whatever era hooks them (docs/spec/mutants.md).
import { incInTwoSteps } from '../fprobe-miss.ts';
import type { Variant } from './variant.ts';

/** Breaks CC-G10: a count gets lost. Needs two CPUs that miss at once. */
const M_96: Variant = {
  id: 'M-96',
  about: 'nmissed is loaded and stored in two steps although it is declared atomic',
  links: { fprobeIncNmissed: incInTwoSteps },
};

export const FPROBE_MISS_VARIANTS: readonly Variant[] = [M_96];
