// Layer cli. One line on a terminal that says how far a long work is. Nothing in pipes, files and CI logs.
import type { Shell } from './shell.ts';

const DELAY_MS = 300;
const INTERVAL_MS = 100;
const CLEAR = '\r\u001B[K';

export interface Progress {
  update(steps: number): void;
  /** Removes the line. */
  end(): void;
}

export function startProgress(shell: Shell, doing: string): Progress {
  const { err } = shell;
  if (!err.isTTY) return { update: () => undefined, end: () => undefined };
  let next = performance.now() + DELAY_MS; // Short work shows nothing.
  let shown = false;
  return {
    update(steps) {
      const now = performance.now();
      if (now < next) return;
      next = now + INTERVAL_MS;
      shown = true;
      void err.write(`${CLEAR}${`${doing}: step ${steps}`.slice(0, err.columns - 1)}`);
    },
    end() {
      if (shown) void err.write(CLEAR);
      shown = false;
    },
  };
}
