// What the stories of goldens claim about probes with flags: redirected functions, and callbacks that need RCU; the
// others are in stories.ts.
import { type Claim, isWatched, REGISTER } from './moments.ts';
import { isIn, like, ofKind, type Told } from './told.ts';

/** By the golden's name. */
export const FLAG_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'arguments-redirect': [
    {
      says: 'vfs_read_fixed is entered on the stack and with the return address of vfs_read',
      holds: (told) => {
        const entered = entries(told, 'vfs_read_fixed');
        return (
          entered.length > 3 &&
          entered.every(({ index, ra, sp }) => {
            const hit = entries(told, 'vfs_read').findLast((e) => e.index < index);
            return hit?.ra === ra && hit.sp === sp;
          })
        );
      },
    },
    {
      says: 'each callback of fix has one entry of vfs_read_fixed behind it, and there is no other',
      holds: (told) => {
        const hits = like(told.callbacks, { probe: 'fix' });
        return hits.length > 3 && hits.length === entries(told, 'vfs_read_fixed').length;
      },
    },
    {
      says: 'watch runs on the same hits, with all registers, and nobody enters elsewhere',
      holds: (told) =>
        ofKind(told.events, 'regs').some(
          ({ object, register }) => told.probe(object) === 'watch' && register === 's11',
        ) &&
        ofKind(told.events, 'regs_write').some(
          ({ object, register }) => told.probe(object) === 'watch' && register === 'ip',
        ) &&
        entries(told, 'elsewhere').length === 0,
    },
    {
      says: 'rival claims kmalloc and gives it back within the call that is refused',
      holds: (told) => {
        const refused = like(told.operations, { op: REGISTER, probe: 'rival', result: -16 });
        const claims = ofKind(told.events, 'ipmodify').filter(
          ({ object }) => told.probe(object) === 'rival',
        );
        return (
          claims.map(({ claimed }) => claimed).join() === 'true,false' &&
          claims.every(({ index, ip }) => {
            const within = refused.some((call) => isIn(index, call));
            return within && told.func(ip) === 'kmalloc';
          })
        );
      },
    },
  ],
  'context-rcu-idle': [
    {
      says: 'careful is passed over in the idle task, by its trampoline and by the list function',
      holds: (told) => {
        const skipped = ofKind(told.events, 'skip').filter(({ reason }) => reason === 'rcu');
        const plain = like(told.callbacks, { probe: 'plain', cpu: 1 });
        const listed = ({ index }: { readonly index: number }): boolean =>
          plain.some(({ end }) => end < index && index < end + 4);
        return (
          skipped.every(({ cpu, object }) => cpu === 1 && told.probe(object) === 'careful') &&
          skipped.some(listed) &&
          skipped.some((one) => !listed(one))
        );
      },
    },
    {
      says: 'it runs on CPU 0, on both ways, and always where RCU watches',
      holds: (told) => {
        const [own, listed] = [true, false].map((alone) =>
          like(told.callbacks, { probe: 'careful' }).filter(
            (hit) => alone !== isNearPlain(told, hit.begin),
          ),
        );
        return (
          own !== undefined &&
          listed !== undefined &&
          own.length > 0 &&
          listed.length > 0 &&
          [...own, ...listed].every((hit) => hit.cpu === 0 && isWatched(told, hit))
        );
      },
    },
    {
      says: 'plain runs in the idle task, where RCU does not watch',
      holds: (told) =>
        like(told.callbacks, { probe: 'plain', cpu: 1, pid: 0 }).some(
          (hit) => !isWatched(told, hit),
        ),
    },
  ],
};

function entries(
  told: Told,
  func: string,
): Extract<Told['events'][number], { event: 'func_enter' }>[] {
  return ofKind(told.events, 'func_enter').filter((e) => told.func(e.func) === func);
}

/** Did a callback of plain end right before, on the same CPU? */
function isNearPlain(told: Told, begin: number): boolean {
  return like(told.callbacks, { probe: 'plain', cpu: 0 }).some(
    ({ end }) => end < begin && begin < end + 4,
  );
}
