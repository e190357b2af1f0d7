// Layer cli. What the command line knows of the world around it: streams, environment, signals. `main.ts`
// fills it from the process, tests from memory. No command prints or reads argv by any other way.
import type { RecordJob, RecordListener, RecordSummary } from './recorder.ts';

/** Exit statuses; `--help` lists them. */
export const EXIT = {
  fine: 0,
  /** A divergence, a broken guarantee, an expectation that was not met. */
  broken: 1,
  /** Wrong input or usage. */
  wrong: 2,
  /** Our own fault. */
  fault: 70,
  /** Ctrl-C, as shells have it: 128 + SIGINT. */
  interrupted: 130,
  /** Whoever read our output went away: 128 + SIGPIPE. */
  pipe: 141,
} as const;

export interface Output {
  readonly isTTY: boolean;
  readonly columns: number;
  /** Resolves when the text is out; rejects with `EPIPE` when nobody reads any more. */
  write(text: string): Promise<void>;
}

export interface Shell {
  readonly out: Output;
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** How to call this program again from `cwd`, such as `reprobe` or `node dist/cli/main.js`. */
  readonly self: string;
  /** Starts a recording that can be stopped. */
  record(job: RecordJob, listener: RecordListener): Running;
  /** Calls `stop` at Ctrl-C instead of dying; the result takes that back. */
  onInterrupt(stop: () => void): () => void;
}

export interface Running {
  /** Undefined when it was stopped. */
  readonly done: Promise<RecordSummary | undefined>;
  stop(): void;
}

type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold';
export type Paint = (colour: Colour, text: string) => string;

const CODES: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 };

/** Paints for a terminal; leaves the text alone in a pipe, a file, or with NO_COLOR. */
export function paintFor(shell: Shell, output: Output): Paint {
  const plain = (shell.env['NO_COLOR'] ?? '') !== '' || shell.env['TERM'] === 'dumb';
  if (!output.isTTY || plain) return (_colour, text) => text;
  return (colour, text) => `\u001B[${CODES[colour]}m${text}\u001B[0m`;
}
