// A recording of several frames, by a random chooser: for tests that damage it.
import { joinBytes } from '../src/replay/recording.ts';
import { recordRun } from '../src/replay/run.ts';
import { longWorkload } from './determinism-long.ts';

export function recordLong({
  rounds,
  seed,
}: {
  readonly rounds: number;
  readonly seed: number;
}): Uint8Array {
  const parts: Uint8Array[] = [];
  recordRun(
    { file: 'long.yaml', text: longWorkload(rounds), image: undefined },
    { seed, chooser: 'random', profile: 'today', variants: [] },
    (bytes) => {
      parts.push(bytes.slice());
    },
  );
  return joinBytes(parts);
}
