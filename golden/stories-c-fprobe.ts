// What the stories of the goldens with fprobe handlers in C claim; see `stories.ts`. Both eras tell the same.
import { type Claim, ends, HARDIRQ, isQuietAfter } from './moments.ts';
import { isWithin, like, ofKind, type Told } from './told.ts';

/** How often handlers of one kind ran. */
function ran(told: Told, kind: 'fprobe_entry' | 'fprobe_exit'): number {
  return like(ofKind(told.events, 'cb_begin'), { kind }).length;
}

function refused(told: Told): number {
  return ofKind(told.events, 'entry_result').filter(({ value }) => value !== 0).length;
}

function missed(told: Told): number {
  return like(ofKind(told.events, 'skip'), { reason: 'recursion' }).length;
}

const C_FPROBE_STORY: readonly Claim[] = [
  {
    says: 'the first init_module finds nothing to probe, the second one probes',
    holds: (told) => {
      const [first, second] = like(told.operations, { op: 'init_module' });
      return (first?.result ?? 0) < 0 && second?.result === 0;
    },
  },
  {
    says: 'calls that are let in have both handlers, the refused ones an entry only',
    holds: (told) =>
      refused(told) > 0 &&
      ran(told, 'fprobe_exit') > 0 &&
      ran(told, 'fprobe_entry') === ran(told, 'fprobe_exit') + refused(told),
  },
  {
    says: 'the module prints what ran, and that nothing was wrong',
    holds: (told) => {
      const [entries, exits] = [ran(told, 'fprobe_entry'), ran(told, 'fprobe_exit')];
      const counts = `${entries} entries, ${exits} exits, ${refused(told)} refused`;
      return (
        told.log.some((line) => line.includes(`${counts}, ${missed(told)} missed`)) &&
        told.log.some((line) => line.endsWith(' returned in sum, 0 wrong'))
      );
    },
  },
  {
    says: 'an interrupt arrives inside the entry handler, and what it calls has both handlers',
    holds: (told) =>
      like(told.interrupts, { handler: 'timer_tick', interrupted: 'sample_entry' }).some(
        (tick) =>
          like(told.callbacks, { level: HARDIRQ, func: 'vfs_read' }).filter((hit) =>
            isWithin(hit, tick),
          ).length === 2,
      ),
  },
  {
    says: 'vfs_open is called, and does not fire, when delete_module has returned',
    holds: (told) => isQuietAfter(told, ends(told, 'delete_module', 'sample')[0], 'vfs_open'),
  },
];

/** By the golden's name. */
export const C_FPROBE_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'pairing-c-module': C_FPROBE_STORY,
  'pairing-c-module-rethook': C_FPROBE_STORY,
};
