// Layer replay. Runs a path in TypeScript as a kernel path: what it yields becomes marked accesses and calls of guest
// code, so others come between its steps as they do between those of the kernel's own paths (CC-M1). It is
// fed nothing but the results, hence it is rewound and replayed as they are.
//
// Two kinds of mistake. A path that throws is code under test that failed: an oops event, and the run ends there,
// recorded and replayable. A path that misuses its context (a name that does not exist, a step that was never
// taken) says nothing about the run: an InputError that names the path.
import { InputError, InvariantError } from '../assert.ts';
import type { Context } from '../emu/context.ts';
import { act, type Path } from '../emu/path.ts';
import type { StubArguments } from '../emu/stubs.ts';
import { Call } from './handler-call.ts';
import type { PathHost } from './handler-host.ts';
import type { DefinedPath } from './handler.ts';

/** What an oops says of an exception. */
const REASON_LENGTH = 200;

/** One call of `who`; what it returns. */
export function* runPath(
  cx: Context,
  args: StubArguments,
  who: DefinedPath,
  host: PathHost,
): Path<number> {
  const call = new Call(cx, args, who, host);
  const program = attempt(() => call.start());
  if ('error' in program) return yield* threw(cx, host, who, program.error);
  let given: unknown;
  for (;;) {
    const next = attempt(() => program.value.next(given));
    if ('error' in next) return yield* threw(cx, host, who, next.error);
    if (next.value.done === true) return call.result(next.value.value);
    given = yield* call.taken(next.value.value).perform();
  }
}

type Attempt<T> = { readonly value: T } | { readonly error: unknown };

/** Runs the user's code up to its next step. A mistake that is told to the user as such is not the run's. */
function attempt<T>(run: () => T): Attempt<T> {
  try {
    return { value: run() };
  } catch (error) {
    if (error instanceof InputError || error instanceof InvariantError) throw error;
    return { error };
  }
}

/** What is thrown is the user's own object: asking it what it says can throw, too. */
function wordsOf(error: unknown): string {
  const said = attempt(() =>
    error instanceof Error ? `${error.name}: ${error.message}` : String(error),
  );
  return 'error' in said ? 'something that cannot say what it is' : said.value;
}

/** The run ends with what `who` threw; the host's own places (files, lines) stay out of the event. */
function* threw(cx: Context, host: PathHost, who: DefinedPath, error: unknown): Path<number> {
  const [line = ''] = wordsOf(error).split('\n', 1);
  return yield* act(cx.cpu.state, () => {
    host.threw(who, error);
    const reason = `${who.kind} ${who.name} threw ${line.slice(0, REASON_LENGTH)}`;
    host.machine.oops(cx.cpu, reason, cx.cpu.hart.pc);
    return 0;
  });
}
