// What holds in every era.
import { expect, test } from 'vitest';
import { perform, REGISTER, smallKernel, UNREGISTER } from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import { CHOICE } from '../emu/choose.ts';
import { sleepFor } from '../emu/timer.ts';
import { PROFILES } from './profile.ts';

/**
 * The idle task of CPU 1, where RCU does not watch, stops in a callback while CPU 0 unregisters its ops: which
 * waits there are, and whether the callback is over when unregister returns.
 */
function unregistered(
  profile: string,
  variants: readonly string[] = [],
): { readonly waits: readonly string[]; readonly isOver: boolean } {
  let prefers = 0;
  const m = smallKernel({
    functions: { a1: [{ op: 'work', count: 2 }] },
    callbacks: { cb: [{ op: 'work', count: 9 }] },
    profile: known(PROFILES.get(profile), 'the era exists'),
    variants,
    chooser: {
      choose: ({ kind, options }, count) => {
        if (kind !== CHOICE.schedule) return 0;
        if (m.events('cb_begin').length > 0) prefers = 0;
        return Math.max(0, options.subarray(0, count).indexOf(prefers));
      },
    },
  });
  const ops = m.ops('A', 'cb');
  const other = known(m.machine.cpus[1], 'there is a second CPU');
  m.thread('control', 0, function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    other.idleRuns = { func: m.fn('a1').address, left: 1 };
    m.machine.touchCpu(other);
    prefers = 1;
    yield* sleepFor(cx, 1);
    yield* perform(cx, m.k, ops, UNREGISTER);
  });
  m.machine.run(); // Without the wait it goes on in freed memory.
  const over = known(m.events('cb_end')[0], 'the idle task is in its callback').index;
  const [, returned] = m.events('ctl_end');
  return {
    waits: m.events('wait_begin').map(({ kind }) => kind),
    isOver: over < known(returned, 'unregister returns').index,
  };
}

test.each([...PROFILES.keys()])(
  'CC-M16: in %s too unregister makes the rude wait, and waits by it for code where RCU does not watch (CC-M11)',
  (profile) => {
    const waits = ['synchronize_rcu_tasks_rude', 'synchronize_rcu_tasks'];
    expect(unregistered(profile)).toEqual({ waits, isOver: true });
    expect(unregistered(profile, ['M-01'])).toEqual({ waits: waits.slice(1), isOver: false });
  },
);
