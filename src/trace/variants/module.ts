// Layer trace. Variants of modules that go (docs/spec/mutants.md, H-34).
import type { Path } from '../../emu/path.ts';
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

export const MODULE_VARIANTS: readonly Variant[] = [H_34];
