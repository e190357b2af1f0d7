// The stories of goldens about kprobes and kretprobes.
import type { Claim } from './moments.ts';
import { isIn, like, ofKind, type Told } from './told.ts';

/** Misses of a probe for this reason. */
function misses(told: Told, probe: string, reason: string): readonly { readonly index: number }[] {
  return ofKind(told.events, 'skip').filter(
    (skip) => told.probe(skip.object) === probe && skip.reason === reason,
  );
}

/** By the golden's name. */
export const KPROBE_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'nmissed-kprobe-nested': [
    {
      says: 'what the NMI hits while the handler of p0 runs is missed by both probes',
      holds: (told) => {
        const nmi = told.interrupts.find(({ level }) => level === 3);
        if (nmi === undefined) return false;
        return ['p0', 'p1'].every(
          (probe) =>
            misses(told, probe, 'kprobe_running').length === 3 &&
            misses(told, probe, 'kprobe_running').every(({ index }) => isIn(index, nmi)),
        );
      },
    },
    {
      says: 'each hit is stepped, missed or not, and one wait is enough for all three probes',
      holds: (told) => {
        const [operation] = like(told.operations, { op: 'unregister_kprobes' });
        if (operation === undefined) return false;
        const hits = ofKind(told.events, 'kprobe_step').filter(
          ({ ip }) => told.func(ip) === 'vfs_read',
        );
        const waits = like(told.waits, { kind: 'synchronize_rcu' });
        return (
          hits.length === 9 && waits.filter(({ begin }) => isIn(begin, operation)).length === 1
        );
      },
    },
  ],
  'nmissed-kretprobe-recursion': [
    {
      says: 'r0 takes the return of the outermost call and misses the three inside, in each round',
      holds: (told) =>
        misses(told, 'r0', 'no_node').length === 6 &&
        ofKind(told.events, 'hook').filter(({ object }) => told.probe(object) === 'r0').length ===
          2,
    },
    {
      says: 'all instances are free in the end, but for pools that nobody owns any more',
      holds: (told) => {
        const states = ofKind(told.events, 'kprobe_state');
        return states.length === 2 && states.every(({ free, nodes }) => free === nodes);
      },
    },
  ],
  'recursion-kprobe-on-site': [
    {
      says: 'both kprobes are hooks: no breakpoint is hit',
      holds: (told) =>
        ofKind(told.events, 'kprobe').length > 0 &&
        ofKind(told.events, 'kprobe').every(({ how }) => how === 'ftrace') &&
        ofKind(told.events, 'trap_enter').length === 0,
    },
    {
      says: 'p1 is missed within the handler of p0',
      holds: (told) =>
        misses(told, 'p1', 'kprobe_running').every(({ index }) =>
          like(told.callbacks, { probe: 'p0' }).some((hit) => isIn(index, hit)),
        ) && misses(told, 'p1', 'kprobe_running').length > 0,
    },
    {
      says: 'what the recursion lock refuses counts for nobody',
      holds: (told) =>
        ofKind(told.events, 'skip').some(
          ({ object, reason }) => object === 0 && reason === 'recursion',
        ),
    },
  ],
};
