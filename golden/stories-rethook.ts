// What the story of the golden about fprobe on rethook claims, as checks of the recorded run.
import type { EventOf } from '../src/replay/schema.ts';
import type { Claim } from './moments.ts';
import { like, ofKind, type Told } from './told.ts';

/** By the golden's name. */
export const RETHOOK_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'memory-rethook-pool': [
    {
      says: 'where fp0 finds no node, it counts, and neither handler runs',
      holds: (told) => {
        const missed = skips(told, 'fp0', 'no_node');
        const counted = ofKind(told.events, 'count').filter((e) => told.probe(e.object) === 'fp0');
        return missed.length > 0 && missed.length === counted.length;
      },
    },
    {
      says: 'unregister of fp0 returns while its call is under way: that goes back to its caller, without exit handler',
      holds: (told) => {
        const [{ end } = { end: Infinity }] = unregisters(told, 'fp0');
        const [removed] = skips(told, 'fp0', 'removed');
        return removed !== undefined && removed.index > end;
      },
    },
    {
      says: 'the pool of fp0 is freed when that call has returned, and no earlier',
      holds: (told) => {
        const [removed] = skips(told, 'fp0', 'removed');
        const pool = ofKind(told.events, 'alloc').find(({ kind }) => kind === 'rethook_node');
        const freed = ofKind(told.events, 'free').find(({ object }) => object === pool?.object);
        return removed !== undefined && freed !== undefined && freed.index > removed.index;
      },
    },
    {
      says: 'a call of fp1 that began before it was disabled has no exit, nor have those while it is',
      holds: (told) =>
        skips(told, 'fp1', 'exit_disabled').length > 0 && skips(told, 'fp1', 'disabled').length > 0,
    },
    {
      says: 'an interrupt has handlers of its own',
      holds: (told) =>
        ofKind(told.events, 'hook').some((e) => e.level > 1 && told.probe(e.object) === 'fp1'),
    },
    {
      says: 'both handlers of each call of fp1 are given the same data',
      holds: (told) => {
        const calls = ofKind(told.events, 'cb_begin').filter(
          (e) => e.kind === 'fprobe_exit' && told.probe(e.object) === 'fp1',
        );
        return calls.length > 0 && calls.every((exit) => hasOwnData(told, exit));
      },
    },
  ],
};

function skips(told: Told, probe: string, reason: string): readonly EventOf<'skip'>[] {
  return ofKind(told.events, 'skip').filter(
    (e) => e.reason === reason && told.probe(e.object) === probe,
  );
}

function unregisters(told: Told, probe: string): Told['operations'] {
  return like(told.operations, { op: 'unregister_fprobe', probe });
}

/** Is the exit handler that begins given what the entry handler of its call was? */
function hasOwnData(told: Told, exit: EventOf<'cb_begin'>): boolean {
  const isOwn = (e: EventOf<'hook'>): boolean =>
    e.index < exit.index && e.object === exit.object && e.ip === exit.ip && isBeside(e, exit);
  const taken = ofKind(told.events, 'hook').findLast(isOwn);
  if (taken === undefined) return false;
  const given = ofKind(told.events, 'fprobe_data').filter(
    (e) => e.object === exit.object && isBeside(e, exit),
  );
  const atEntry = given.findLast(({ index }) => index < taken.index);
  const atExit = given.find(({ index }) => index > exit.index);
  return atEntry?.entry_data === atExit?.entry_data;
}

interface Place {
  readonly cpu: number;
  readonly level: number;
  readonly pid: number;
}

function isBeside(a: Place, b: Place): boolean {
  return a.cpu === b.cpu && a.level === b.level && a.pid === b.pid;
}
