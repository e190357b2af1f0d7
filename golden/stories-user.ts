// What the stories of the goldens about user mode and CPU hotplug claim, as checks of the recorded runs.
import { type Claim, isWatched } from './moments.ts';
import { isIn, isWithin, like, ofKind } from './told.ts';

const UNREGISTER = 'unregister_ftrace_function';
const RUDE = 'synchronize_rcu_tasks_rude';

/** By the golden's name. */
export const USER_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'unregister-user': [
    {
      says: 'the callback runs in the program of CPU 1, where RCU does not watch',
      holds: (told) =>
        like(told.callbacks, { cpu: 1, pid: told.pid('program'), level: 0 }).some(
          (hit) => !isWatched(told, hit),
        ),
    },
    {
      says: 'it runs from before unregister until after the rude wait began, which waits for its end',
      holds: (told) =>
        like(told.operations, { op: UNREGISTER }).some((operation) =>
          like(told.callbacks, { cpu: 1, probe: 'ops0' }).some(
            (hit) =>
              isIn(operation.begin, hit) &&
              like(told.waits, { kind: RUDE }).some(
                (wait) => isIn(wait.begin, hit) && wait.end > hit.end && isWithin(wait, operation),
              ),
          ),
        ),
    },
    {
      says: 'the program enters user mode after unregister has returned, and only ops1 is called then',
      holds: (told) =>
        like(told.operations, { op: UNREGISTER }).some(
          ({ end }) =>
            ofKind(told.events, 'user_mode').some(({ index, on }) => on && index > end) &&
            like(told.callbacks, { probe: 'ops0' }).every((hit) => hit.begin < end) &&
            like(told.callbacks, { probe: 'ops1' }).some((hit) => hit.begin > end),
        ),
    },
  ],
  'unregister-hotplug': [
    {
      says: 'reader goes to another CPU while the machine is stopped',
      holds: (told) =>
        ofKind(told.events, 'task_migrate').some(
          ({ index, moved }) =>
            moved === told.pid('reader') &&
            ofKind(told.events, 'stop_begin').some((stop) => stop.index < index) &&
            ofKind(told.events, 'stop_leave').every((left) => left.index > index),
        ),
    },
    {
      says: 'the callback runs in the idle task of CPU 1, and the rude wait of unregister sees it out',
      holds: (told) =>
        like(told.callbacks, { cpu: 1, pid: 0, probe: 'ops0' }).some(
          (hit) =>
            !isWatched(told, hit) &&
            like(told.operations, { op: UNREGISTER }).some(
              (operation) =>
                isIn(operation.begin, hit) &&
                like(told.waits, { kind: RUDE }).some(
                  (wait) =>
                    isIn(wait.begin, hit) && wait.end > hit.end && isWithin(wait, operation),
                ),
            ),
        ),
    },
    {
      says: 'CPU 1 says nothing while it is gone, and is hooked again when it comes up',
      holds: (told) => {
        const [off, on] = ofKind(told.events, 'cpu_online').map(({ index }) => index);
        if (off === undefined || on === undefined) return false;
        const between = told.events.slice(off, on).filter(({ cpu }) => cpu === 1);
        const later = like(told.callbacks, { cpu: 1, pid: 0, probe: 'ops1' });
        return between.length === 0 && later.some(({ begin }) => begin > on);
      },
    },
  ],
};
