// What the stories of the goldens claim, as checks of the recorded runs. A workload's comment says what to look
// at; when a change of the product or of the workload moves that out of the picture, the claim fails.
import {
  changes,
  type Claim,
  ends,
  exclusions,
  HARDIRQ,
  isQuietAfter,
  isWatched,
  lockOf,
  ofProbe,
  REGISTER,
  strandings,
  swaps,
  waitsBegin,
} from './moments.ts';
import { CALL_STORIES } from './stories-calls.ts';
import { BY_ADDRESS } from './story-by-address.ts';
import { NO_MEMORY } from './story-no-memory.ts';
import {
  calls,
  fetches,
  isIn,
  isWithin,
  isWithinOne,
  like,
  ofKind,
  type Span,
  syncs,
} from './told.ts';

const UNREGISTER = 'unregister_ftrace_function';
const RUDE = 'synchronize_rcu_tasks_rude';
const TASKS = 'synchronize_rcu_tasks';
const NMI = 3;

/** By the golden's name. */
export const STORIES: Readonly<Record<string, readonly Claim[]>> = {
  ...CALL_STORIES,
  'filter-swap-interrupted': [
    {
      says: 'the swap begins while CPU 1 is in the callback, by the old filter',
      holds: (told) =>
        like(told.callbacks, { cpu: 1, level: 0, func: 'vfs_llseek' }).some((callback) =>
          swaps(told).some((swap) => isIn(swap.begin, callback)),
        ),
    },
    {
      says: 'three callbacks stand on one stack: old filter in task and interrupt, new one in the NMI',
      holds: (told) =>
        like(told.callbacks, { level: NMI, func: 'kmalloc', depth: 2 }).some((inner) =>
          like(told.callbacks, { level: HARDIRQ, func: 'vfs_open' }).some(
            (middle) =>
              isWithin(inner, middle) &&
              isWithinOne(middle, like(told.callbacks, { level: 0, func: 'vfs_llseek' })) &&
              isWithinOne(inner, swaps(told)),
          ),
        ),
    },
    {
      says: 'the NMI strikes in the middle of the callback and meets the breakpoint of kmalloc',
      holds: (told) =>
        like(told.interrupts, { level: NMI, interrupted: 'linger' }).some((nmi) =>
          fetches(told, 'kmalloc').some(({ does, index }) => does === 'break' && isIn(index, nmi)),
        ),
    },
    {
      says: 'the swap waits until CPU 1 has left the interrupt',
      holds: (told) =>
        swaps(told).some((swap) =>
          like(told.interrupts, { level: HARDIRQ, cpu: 1 }).some(
            ({ begin, end }) =>
              isIn(end, swap) &&
              syncs(told).some(
                (sync) =>
                  isIn(sync.begin, { begin, end }) && sync.end > end && isWithin(sync, swap),
              ),
          ),
        ),
    },
    {
      says: 'what is neither of the old filter nor of the new one never fires',
      holds: (told) =>
        ['vfs_read', 'ksys_read', 'do_sys_open', 'timer_tick'].every(
          (func) => calls(told, func).length > 0 && like(told.callbacks, { func }).length === 0,
        ),
    },
    {
      says: 'kmalloc is called, and does not fire, when unregister has returned',
      holds: (told) => isQuietAfter(told, ends(told, UNREGISTER, 'ops0')[0], 'kmalloc'),
    },
  ],
  'filter-swap-by-address': BY_ADDRESS,
  'filter-swap-no-memory': NO_MEMORY,
  'filter-swap-two-threads': [
    {
      says: 'both changes are under way at once, and the lock of the filter lets one after the other',
      holds: (told) =>
        swaps(told).some((swap) =>
          changes(told, 'ftrace_set_filter_ip').some((other) => {
            const [first, second] = [swap, other].map((span) => lockOf(told, span));
            return (
              isIn(other.begin, swap) &&
              first !== undefined &&
              second !== undefined &&
              (first.end < second.begin || second.end < first.begin)
            );
          }),
        ),
    },
    {
      says: 'a callback runs in a callback, and a third one in there is refused',
      holds: (told) =>
        ofKind(told.events, 'skip').some(
          ({ index, reason }) =>
            reason === 'recursion' &&
            like(told.callbacks, { depth: 1 }).some(
              (middle) =>
                isIn(index, middle) && isWithinOne(middle, like(told.callbacks, { depth: 0 })),
            ),
        ),
    },
    {
      says: 'the old filter fires before the swap, the new one after it, and note on both sides',
      holds: (told) => {
        const [swap] = swaps(told);
        if (swap === undefined) return false;
        const before = told.callbacks.filter(({ begin }) => begin < swap.begin);
        const after = told.callbacks.filter(({ begin }) => begin > swap.end);
        return (
          ['vfs_write', 'note'].every((func) => like(before, { func }).length > 0) &&
          ['vfs_fsync', 'note'].every((func) => like(after, { func }).length > 0) &&
          like(before, { func: 'vfs_fsync' }).length === 0
        );
      },
    },
    {
      says: 'three operations are refused, and patch nothing',
      holds: (told) => {
        const refused = told.operations.filter(({ result }) => (result ?? 0) < 0);
        return (
          refused.length === 3 &&
          refused.every(
            ({ begin, end, pid }) =>
              !ofKind(told.events, 'text_write').some(
                (write) => write.pid === pid && isIn(write.index, { begin, end }),
              ),
          )
        );
      },
    },
    {
      says: 'a timer and a softirq run the function that the new filter selects',
      holds: (told) =>
        [1, HARDIRQ].every((level) =>
          like(told.interrupts, { level, handler: 'flush' }).some((interrupt) =>
            calls(told, 'vfs_fsync').some(({ index }) => isIn(index, interrupt)),
          ),
        ),
    },
  ],
  'memory-preempted-trampoline': [
    {
      says: 'alpha is preempted in the trampoline and stands there when the tasks wait begins',
      holds: (told) => strandings(told).some((stay) => waitsBegin(told, TASKS, stay)),
    },
    {
      says: 'the rude wait is over while alpha still stands there',
      holds: (told) =>
        strandings(told).some((stay) =>
          like(told.waits, { kind: RUDE }).some((wait) => isIn(wait.end, stay)),
        ),
    },
    {
      says: 'alpha goes on, into the callback; the trampoline is freed when it has slept',
      holds: (told) => {
        const alpha = told.pid('alpha');
        return strandings(told).some((stay) => {
          const [hit] = like(told.callbacks, { begin: stay.end });
          const slept = ofKind(told.events, 'sched_switch').find(
            ({ index, prev, state }) =>
              prev === alpha && state === 'sleeping' && index > (hit?.end ?? Infinity),
          );
          const freed = ofKind(told.events, 'free').find(({ index }) => index > stay.begin);
          return slept !== undefined && freed !== undefined && freed.index > slept.index;
        });
      },
    },
  ],
  'notrace-shared': [
    {
      says: 'ops0 never fires for vfs_write, which the list function tries for it, nor for vfs_close',
      holds: (told) =>
        ['vfs_write', 'vfs_close'].every(
          (func) =>
            calls(told, func).length > 0 && like(ofProbe(told, 'ops0'), { func }).length === 0,
        ) &&
        ['ops1', 'ops2'].every(
          (probe) => like(told.callbacks, { probe, func: 'vfs_write' }).length > 0,
        ),
    },
    {
      says: 'set_notrace begins while ops0 stands in its callback for vfs_open on CPU 1',
      holds: (told) =>
        like(told.callbacks, { probe: 'ops0', func: 'vfs_open', cpu: 1 }).some((hit) =>
          exclusions(told).some((change) => isIn(change.begin, hit)),
        ),
    },
    {
      says: 'afterwards ops0 fires for vfs_read only, and ops1 for vfs_open as before',
      holds: (told) =>
        exclusions(told).some(({ end }) => {
          const after = told.callbacks.filter(({ begin }) => begin > end);
          const own = like(after, { probe: 'ops0' });
          return (
            own.length > 0 &&
            own.every(({ func }) => func === 'vfs_read') &&
            like(after, { probe: 'ops1', func: 'vfs_open' }).length > 0
          );
        }),
    },
  ],
  'unregister-idle': [
    {
      says: 'the callback runs in the idle task of CPU 1, where RCU does not watch',
      holds: (told) =>
        like(told.callbacks, { cpu: 1, pid: 0, level: 0 }).some((hit) => !isWatched(told, hit)),
    },
    {
      says: 'it runs from before unregister until after the rude wait began, which waits for its end',
      holds: (told) =>
        like(told.operations, { op: UNREGISTER }).some((operation) =>
          like(told.callbacks, { cpu: 1, pid: 0 }).some(
            (hit) =>
              isIn(operation.begin, hit) &&
              like(told.waits, { kind: RUDE }).some(
                (wait) => isIn(wait.begin, hit) && wait.end > hit.end && isWithin(wait, operation),
              ),
          ),
        ),
    },
    {
      says: 'idle_poll is called, and does not fire, when unregister has returned',
      holds: (told) => isQuietAfter(told, ends(told, UNREGISTER, 'ops0')[0], 'idle_poll'),
    },
  ],
  'unregister-shared-site': [
    {
      says: 'neither unregister of ops0 patches anything, and each of the other two does',
      holds: (told) =>
        ['ops0', 'ops1', 'ops2'].every((probe) => {
          const spans = like(told.operations, { op: UNREGISTER, probe });
          const writes = (span: Span): boolean =>
            ofKind(told.events, 'text_write').some(({ index }) => isIn(index, span));
          return (
            spans.length === (probe === 'ops0' ? 2 : 1) &&
            spans.every((span) => writes(span) === (probe !== 'ops0'))
          );
        }),
    },
    {
      says: 'the first begins while the list walk of CPU 1 stands on ops0, and its rude wait sees it out',
      holds: (told) =>
        like(told.callbacks, { probe: 'ops0', generation: 1, cpu: 1 }).some((hit) =>
          like(told.operations, { op: UNREGISTER, probe: 'ops0' }).some(
            (operation) =>
              isIn(operation.begin, hit) &&
              like(told.waits, { kind: RUDE }).some(
                (wait) => isIn(wait.begin, hit) && wait.end > hit.end && isWithin(wait, operation),
              ),
          ),
        ),
    },
    {
      says: 'ops1 and ops2 fire while ops0 is unregistered',
      holds: (told) =>
        like(told.operations, { op: UNREGISTER, probe: 'ops0' }).some((operation) =>
          ['ops1', 'ops2'].every((probe) =>
            like(told.callbacks, { probe }).some(({ begin }) => isIn(begin, operation)),
          ),
        ),
    },
    {
      says: 'ops0 comes back as a new registration, and the old one fires no more',
      holds: (told) => {
        const again = ends(told, REGISTER, 'ops0')[1] ?? -1;
        return (
          ofProbe(told, 'ops0', 2).length > 0 &&
          ofProbe(told, 'ops0', 1).every(({ end }) => end < again)
        );
      },
    },
  ],
};
