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
    super(where === undefined ? message : `${where}: ${message}`);
    this.where = where;
  }
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
