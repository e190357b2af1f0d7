// One step of a scenario that was played, and how its answer is held against the real one: as it is, or mapped for a reason of
// the closed list.
import { compare, type Difference, type Reason } from './outcome.ts';
import { type Command, play, type Rig } from './rig.ts';
import type { Seen } from './seen.ts';

/** What the events of all commands so far show; the last ones are the step's own. */
export interface Shown {
  readonly own: readonly Seen[];
  readonly all: readonly Seen[];
}

/** How an answer there is one here. */
export interface Mapping {
  readonly reason: Reason;
  /** What of the answer there is to be the same. */
  readonly there: (answer: unknown) => unknown;
  /** The same of the answer here. */
  readonly here: (answer: unknown) => unknown;
}

export interface Move {
  readonly what: string;
  readonly commands: readonly Command[];
  readonly there: unknown;
  readonly here: (shown: Shown) => unknown;
  readonly mapped?: Mapping | undefined;
}

/** Plays `moves` one after the other on one machine. */
export function compareMoves(rig: Rig, moves: readonly Move[]): readonly Difference[] {
  const { seen, ending } = play(
    rig,
    moves.flatMap(({ commands }) => commands),
  );
  let at = 0;
  const differences: Difference[] = [];
  for (const { what, commands, there, here, mapped } of moves) {
    const own = seen.slice(at, at + commands.length);
    at += commands.length;
    const found = here({ own, all: seen.slice(0, at) });
    if (mapped === undefined) differences.push(...compare(what, there, found));
    else {
      differences.push(
        ...compare(what, there, found, mapped.reason),
        ...compare(`${what}, mapped`, mapped.there(there), mapped.here(found)),
      );
    }
  }
  return [...differences, ...compare('it ends', 'run_end', ending)];
}
