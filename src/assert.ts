/**
 * A fact about this program turned out false: our own fault, never caught in `src`, exit code 70.
 *
 * @example
 * import { InputError, InvariantError } from 'reprobe';
 * function whose(error: unknown): string {
 *   if (error instanceof InputError) return 'yours';
 *   return error instanceof InvariantError ? 'ours: please report it' : 'somebody else’s';
 * }
 * console.log(whose(new InvariantError('two and two is four'))); // → ours: please report it
 */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/**
 * The user's input is wrong. `where` is `file:line:column`, `frame 3`, or a path; exit code 2.
 *
 * @example
 * import { InputError, replay } from 'reprobe';
 * try {
 *   replay(new Uint8Array(0));
 * } catch (error) {
 *   if (error instanceof InputError) console.log(error.message);
 *   // → expected a recording (.trace), the file is empty
 * }
 */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly where: string | undefined;
  constructor(message: string, where?: string) {
    super(printable(where === undefined ? message : `${where}: ${message}`));
    this.where = where;
  }
}

/** Control characters, and those that change the direction or the end of a line on somebody's screen. */
const UNSEEN = /[^\P{Cc}\n\t]|[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** A text that may quote anybody's file, for a screen: `\u001b` for what would act on it. */
export function printable(text: string): string {
  return text.replaceAll(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** States a fact. Always on: a wrong verdict is worse than a crash. */
export function assert(fact: boolean, what: string): asserts fact {
  if (!fact) throw new InvariantError(what);
}

/** The value, which is known to exist. */
export function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new InvariantError(what);
  return value;
}
