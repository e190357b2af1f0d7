// Layer replay. Which results of a call on an ops the documents allow (FT-43, FT-44, FT-49, section 9 of
// docs/spec/ftrace.md), from what the events tell about the ops and the arguments. What they do not tell cannot be
// held against anybody: a conflict with another ops over redirection, a flag that is refused, a length that
// does not fit the pattern.
import type { Control } from './ops.ts';

const ENOENT = -2;
const ENOMEM = -12;
const EBUSY = -16;
const ENODEV = -19;
const EINVAL = -22;

const NAMES: ReadonlyMap<number, string> = new Map([
  [0, '0'],
  [ENOENT, '-ENOENT'],
  [ENOMEM, '-ENOMEM'],
  [EBUSY, '-EBUSY'],
  [ENODEV, '-ENODEV'],
  [EINVAL, '-EINVAL'],
]);

/** What else the events tell about a call. */
export interface Circumstances {
  /** ftrace was dead when it began (FT-11). */
  readonly dead: boolean;
  /** An allocation failed in it. */
  readonly starved: boolean;
  /** Nobody else called anything on the ops meanwhile, so it is known whether it was registered. */
  readonly alone: boolean;
}

export function nameOfErrno(result: number): string {
  return NAMES.get(result) ?? `${result}`;
}

/** The results that are right, in the order in which they are named. */
export function allowedResults(control: Control, circumstances: Circumstances): readonly number[] {
  if (circumstances.dead) return [ENODEV];
  const starved = circumstances.starved ? [ENOMEM] : [];
  switch (control.op) {
    case 'register_ftrace_function':
      if (!circumstances.alone) return [0, EBUSY, EINVAL, ...starved];
      return control.registered ? [EBUSY] : [0, EBUSY, EINVAL, ...starved];
    case 'unregister_ftrace_function':
      if (!circumstances.alone) return [0, EBUSY];
      return control.registered ? [0] : [EBUSY];
    default:
      return [...filterResults(control), ...starved];
  }
}

function filterResults({ before, change }: Control): readonly number[] {
  if (change === undefined) return [0, EINVAL];
  const { possible, removed, reset, strict } = change;
  if (!possible) return [EINVAL];
  if (!strict) return [0, EBUSY, EINVAL];
  const isIn = before.map((hash) => !reset && removed.every((site) => hash.has(site)));
  const absent = isIn.some((one) => !one) ? [ENOENT] : [];
  return isIn.some((one) => one) ? [0, EBUSY, EINVAL, ...absent] : [EINVAL, ...absent];
}
