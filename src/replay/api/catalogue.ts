// Layer replay, public face. What a run can be told to use, by name.
import { PROFILES } from '../../trace/profile.ts';
import { VARIANTS } from '../../trace/variants/variants.ts';

/**
 * Something that is chosen by name.
 *
 * @example
 * import { type Choice, variants } from 'reprobe';
 * const found: Choice | undefined = variants().find(({ name }) => name === 'M-02');
 * console.log(found?.about); // → unregister does not wait for RCU tasks
 */
export interface Choice {
  readonly name: string;
  /** One sentence. */
  readonly about: string;
}

/**
 * The kernel eras that can be emulated: `record(..., { profile })`.
 *
 * @example
 * import { profiles } from 'reprobe';
 * console.log(profiles()[0]?.name); // → today
 */
export function profiles(): readonly Choice[] {
  return [...PROFILES.values()].map(choiceOf);
}

/**
 * Kernels with a planted fault, a harmless change or a historical bug: `record(..., { variants })`.
 *
 * @example
 * import { variants } from 'reprobe';
 * console.log(variants().some(({ name }) => name === 'M-13')); // → true
 */
export function variants(): readonly Choice[] {
  return [...VARIANTS.values()].map(choiceOf);
}

function choiceOf({ id, about }: { readonly id: string; readonly about: string }): Choice {
  return { name: id, about };
}
