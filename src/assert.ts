/** A fact about this program turned out false: our own fault, never caught in `src`, exit code 70. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** The user's input is wrong. `where` is `file:line:column`, `frame 3`, or a path; exit code 2. */
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
