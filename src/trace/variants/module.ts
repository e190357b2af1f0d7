// Layer trace. Variants of modules that go (docs/spec/mutants.md, H-34, H-35).
import { type Path, readOnce } from '../../emu/path.ts';
import { ftraceReleaseMod } from '../ftrace-module.ts';
import type { Variant } from './variant.ts';

function* noWait(): Path<void> {
  // Nobody is waited for.
}

/** Who found the module before its records went may still be in it. Needs a caller in a read section or a region. */
const H_34: Variant = {
  id: 'H-34',
  about: 'what belongs to a module is freed without a grace period (CC-S20.4-6)',
  links: { moduleSynchronizeRcu: noWait },
};

/** Who looks an address up finds what is long free. Needs a dead ftrace, a module that goes, and a lookup behind it. */
const H_35: Variant = {
  id: 'H-35',
  about: 'a dead ftrace keeps the records of a module that goes',
  links: {
    *ftraceReleaseMod(cx, k, module) {
      if (!(yield* readOnce(k.ftrace.disabled))) yield* ftraceReleaseMod(cx, k, module);
    },
  },
};

export const MODULE_VARIANTS: readonly Variant[] = [H_34, H_35];
