// Layer cli. A `Shell` in memory, for tests: what a command printed, without a process or a terminal.
import { recordHere } from './recorder.ts';
import type { Output, Running, Shell } from './shell.ts';

export interface Captured {
  readonly shell: Shell;
  readonly out: () => string;
  readonly err: () => string;
}

export interface CaptureOptions {
  readonly cwd?: string;
  readonly tty?: boolean;
  readonly env?: Shell['env'];
  readonly record?: Shell['record'];
  /** Writing fails, as when `head` has read enough. */
  readonly closed?: boolean;
}

export function capture(options: CaptureOptions = {}): Captured {
  const { cwd = process.cwd(), tty = false, env = {}, closed = false } = options;
  const out: string[] = [];
  const err: string[] = [];
  const outputTo = (texts: string[]): Output => ({
    isTTY: tty,
    columns: 80,
    write: (text) => {
      if (closed) return Promise.reject(Object.assign(new Error('EPIPE'), { code: 'EPIPE' }));
      texts.push(text);
      return Promise.resolve();
    },
  });
  const shell: Shell = {
    out: outputTo(out),
    err: outputTo(err),
    env,
    cwd,
    self: 'reprobe',
    record: options.record ?? recordNow,
    onInterrupt: () => () => undefined,
  };
  return { shell, out: () => out.join(''), err: () => err.join('') };
}

/** Records in this thread: cannot be stopped. */
const recordNow: Shell['record'] = (job, listener): Running => ({
  done: recordHere(job, listener),
  stop: () => undefined,
});
