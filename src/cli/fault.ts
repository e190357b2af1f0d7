// Layer cli. Our own faults (exit status 70): a failed assertion, or anything that nobody expected. The user
// gets what is needed to show it to us: the seed and the command.
import { InputError } from '../assert.ts';

/** Wraps what went wrong in a run with the way to see it again. */
class Fault extends Error {
  readonly seed: number;
  readonly command: string;

  constructor(cause: unknown, seed: number, command: string) {
    super(messageOf(cause), { cause });
    this.seed = seed;
    this.command = command;
  }
}

/** Does `work`; a failure that is not the user's becomes a `Fault`. */
export async function withSeed<T>(
  seed: number,
  command: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof InputError ? error : new Fault(error, seed, command);
  }
}

const STACK_LINES_MAX = 6;

/** What stderr says. `command` is what was called, for faults that know no better one. */
export function faultLines(error: unknown, command: string): readonly string[] {
  const cause = error instanceof Fault ? error.cause : error;
  const stack = cause instanceof Error ? (cause.stack ?? '').split('\n') : [];
  const places = stack.filter((line) => line.startsWith('    at ')).slice(0, STACK_LINES_MAX);
  return [
    `reprobe: this is a fault of reprobe, not yours: ${messageOf(cause)}`,
    ...places,
    ...(error instanceof Fault ? [`seed ${error.seed}`] : []),
    `reproduce it with: ${error instanceof Fault ? error.command : command}`,
  ];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
