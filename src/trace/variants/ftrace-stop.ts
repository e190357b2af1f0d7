// Layer trace. Variants of patching with all CPUs stopped (docs/spec/mutants.md, H-37 and M-110). Both break CC-O9.
import type { Path } from '../../emu/path.ts';
import type { Variant } from './variant.ts';

/** A resync that is left out. */
function* noFlush(): Path<void> {
  // Nothing.
}

/** A task that is preempted between the instructions of a site comes back to the second half of another call. */
const H_37: Variant = {
  id: 'H-37',
  about: 'tasks are preempted in kernel code although call sites have two instructions',
  links: { ftraceAllowsPreemption: () => true },
};

/** A CPU that was stopped goes on with the text as it knew it. */
const M_110: Variant = {
  id: 'M-110',
  about: 'CPUs leave stop_machine without seeing the new text',
  links: { localFlushIcacheAll: noFlush },
};

export const FTRACE_STOP_VARIANTS: readonly Variant[] = [H_37, M_110];
