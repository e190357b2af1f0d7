// Layer replay. Where RCU does not watch (CC-M3), for all judges: idle tasks, and code on the way into the kernel and out.
import type { Listeners } from './listen.ts';
import type { Story } from './story.ts';

/** Keeps `story.unwatched`. */
export function watchingListeners({ unwatched }: Story): Listeners {
  return {
    rcu_watching: ({ cpu, watching }) => {
      if (watching) unwatched.delete(cpu);
      else unwatched.add(cpu);
    },
  };
}
