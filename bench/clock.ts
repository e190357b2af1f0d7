// How long something took. The processor time of this process, collector and compiler threads included, is what it
// costs whatever else the host does; wall time is what a user waits for.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { assert, known } from '../src/assert.ts';

/** Runs `work` once; the seconds that it took. */
export type Clock = (work: () => void) => number;

type Collector = (options: { readonly type: 'minor' }) => void;

function isCollector(value: unknown): value is Collector {
  return typeof value === 'function';
}

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

/**
 * What was done before leaves its garbage to whoever comes next: the young of it goes first. Twice, because what lives is
 * copied by two of these collections before it is old: a run that begins with much that is young would pay for what made
 * it. A full collection would throw optimised code away, too.
 */
function collectGarbage(): void {
  assert(isCollector(collect), 'V8 has a collector');
  collect({ type: 'minor' });
  collect({ type: 'minor' });
}

export const wallClock: Clock = (work) => {
  collectGarbage();
  const start = performance.now();
  work();
  return (performance.now() - start) / 1e3;
};

export const cpuClock: Clock = (work) => {
  collectGarbage();
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
};

export interface Timed {
  readonly seconds: number;
  /** Of what was computed. */
  readonly digest: string;
}

/** Measures several things in turn, so often, and gives each with the least of its times: disturbances only add. */
export function inTurn<T extends Timed>(
  passes: number,
  measures: readonly (() => T)[],
): readonly T[] {
  const found = measures.map((): T[] => []);
  for (let pass = 0; pass < passes; pass++) {
    for (const [index, measure] of measures.entries()) found[index]?.push(measure());
  }
  return found.map((all) => {
    const first = known(all[0], 'everything was measured');
    const same = all.every(({ digest }) => digest === first.digest);
    assert(same, 'what is measured computes the same each time');
    const seconds = Math.min(...all.map((one) => one.seconds));
    return Object.assign({}, first, { seconds });
  });
}

export function median(values: readonly number[]): number {
  assert(values.length > 0, 'nothing has no median');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = known(sorted[middle], 'there is a middle');
  if (sorted.length % 2 === 1) return upper;
  return (upper + known(sorted[middle - 1], 'there are two')) / 2;
}
