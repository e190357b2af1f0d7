// The stories of goldens about fprobes.
import type { Claim } from './moments.ts';
import { isIn, isWithin, like, ofKind } from './told.ts';

const ENOMEM = 12;

/** By the golden's name. */
export const FPROBE_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'unregister-fprobe': [
    {
      says: 'unregister_fprobe waits for a grace period, and a handler that was running ends within the wait',
      holds: (told) =>
        like(told.operations, { op: 'unregister_fprobe', probe: 'fp0' }).some((operation) =>
          told.waits.some(
            (wait) =>
              wait.kind === 'synchronize_rcu' &&
              isWithin(wait, operation) &&
              like(told.callbacks, { probe: 'fp0' }).some(
                (hit) => hit.begin < wait.begin && isIn(hit.end, wait),
              ),
          ),
        ),
    },
    {
      says: 'no site is patched meanwhile, for fp1 goes on',
      holds: (told) => {
        const [operation] = like(told.operations, { op: 'unregister_fprobe', probe: 'fp0' });
        if (operation === undefined) return false;
        const patched = ofKind(told.events, 'text_write').some(({ index }) =>
          isIn(index, operation),
        );
        const later = like(told.callbacks, { probe: 'fp1' });
        return !patched && later.some(({ begin }) => begin > operation.end);
      },
    },
  ],
  'pairing-fprobe-no-memory': [
    {
      says: 'the first attempt runs out of memory, waits, and frees its nodes; the second one succeeds',
      holds: (told) => {
        const [first, second] = like(told.operations, { op: 'register_fprobe', probe: 'fp0' });
        const [failed] = ofKind(told.events, 'alloc_failed');
        if (first === undefined || second === undefined || failed === undefined) return false;
        return (
          first.result === -ENOMEM &&
          second.result === 0 &&
          isIn(failed.index, first) &&
          told.waits.some((wait) => isWithin(wait, first) && wait.begin > failed.index)
        );
      },
    },
    {
      says: 'hits look into the table all the time, and none uses what was freed',
      holds: (told) => {
        const [nodes] = like(ofKind(told.events, 'alloc'), { kind: 'fprobe_hlist' }).slice(1);
        if (nodes === undefined) return false;
        const { object, generation } = nodes;
        const [freed] = like(ofKind(told.events, 'free'), { object, generation });
        const touches = like(ofKind(told.events, 'touch'), { object, generation });
        const late = touches.filter(({ index }) => index > (freed?.index ?? 0));
        return touches.length > 0 && late.length === 0;
      },
    },
  ],
};
