// Layer replay. Which results of a call on an ops the documents allow (FT-43, FT-44, FT-49, section 9 of
// docs/spec/ftrace.md), from what the events tell about the ops and the arguments. What they do not tell cannot be
// held against anybody: a conflict with another ops over redirection, registers that cannot be saved, a length that
// does not fit the pattern.
import { asksFor, type Control, FLAG_IPMODIFY } from './ops.ts';

export const ENOENT = -2;
export const ENOMEM = -12;
export const EBUSY = -16;
export const ENODEV = -19;
export const EINVAL = -22;

const NAMES: ReadonlyMap<number, string> = new Map([
  [0, '0'],
  [ENOENT, '-ENOENT'],
  [-7, '-E2BIG'],
  [ENOMEM, '-ENOMEM'],
  [EBUSY, '-EBUSY'],
  [-17, '-EEXIST'],
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
  /** What `ftrace_enabled` was from its begin to its end; undefined: that is not known. */
  readonly enabled: boolean | undefined;
  /** Of register: the ops has attributes, and passed the check of them in this call (FT-25.5). */
  readonly accepted: boolean;
}

/** May an ops not be registered for as long as this call lasted, because it is PERMANENT and `ftrace_enabled` is 0 (FT-48)? */
export function isForbidden({ op, begin }: Control, { enabled }: Circumstances): boolean {
  return op === 'register_ftrace_function' && enabled === false && asksFor('PERMANENT', begin);
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
      if (isForbidden(control, circumstances)) {
        return circumstances.accepted ? [EBUSY] : [EBUSY, EINVAL];
      }
      if (!circumstances.alone) return [0, EBUSY, EINVAL, ...starved];
      if (control.registered) return [EBUSY];
      return [0, ...(mayBeBusy(control, circumstances) ? [EBUSY] : []), EINVAL, ...starved];
    case 'unregister_ftrace_function':
      if (!circumstances.alone) return [0, EBUSY];
      return control.registered ? [0] : [EBUSY];
    default:
      return [...filterResults(control), ...starved];
  }
}

/** Of an ops that is not registered: somebody else redirects what it selects, or it is PERMANENT and 0 was written. */
function mayBeBusy({ begin, ops }: Control, { accepted, enabled }: Circumstances): boolean {
  const redirects = accepted && (ops.flags & FLAG_IPMODIFY) !== 0;
  return redirects || (enabled !== true && asksFor('PERMANENT', begin));
}

function filterResults({ before, change, history, overtaken }: Control): readonly number[] {
  if (change === undefined) return [0, EINVAL];
  if (overtaken) return [0, EBUSY, EINVAL, ENOENT];
  const { possible, removed, reset, strict } = change;
  if (!possible) return [EINVAL];
  if (!strict) return [0, EBUSY, EINVAL];
  // Nothing is known of what is in.
  if (history?.lost === true) return [0, EBUSY, EINVAL, ENOENT];
  // Who is named twice is gone at the second time.
  const isTwice = new Set(removed).size < removed.length;
  const isIn = before.map((hash) => !reset && !isTwice && removed.every((site) => hash.has(site)));
  const absent = isIn.some((one) => !one) ? [ENOENT] : [];
  return isIn.some((one) => one) ? [0, EBUSY, EINVAL, ...absent] : [EINVAL, ...absent];
}
