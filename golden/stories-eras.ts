// What the stories of the goldens about older eras of fprobe claim, as checks of the recorded runs.
import type { Event, EventOf } from '../src/replay/schema.ts';
import type { Claim } from './moments.ts';
import { ofKind, type Told } from './told.ts';

/** By the golden's name. */
export const ERA_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'pairing-void-entry': [
    {
      says: 'each call that has an entry handler has an exit handler, although the first leaves 1 behind',
      holds: (told) => {
        const [entries, exits] = [handlers(told, 'fprobe_entry'), handlers(told, 'fprobe_exit')];
        const answers = ofKind(told.events, 'entry_result');
        const isVoid = answers.length === entries.length && answers.every((e) => e.value === 0);
        return entries.length > 0 && exits.length === entries.length && isVoid;
      },
    },
    {
      says: 'no handler is given data, although the struct asks for some',
      holds: (told) => {
        const data = ofKind(told.events, 'fprobe_data');
        const asked = ofKind(told.events, 'fprobe').some((e) => e.data_size === 8);
        return asked && data.length > 0 && data.every((e) => e.entry_data === -1);
      },
    },
  ],
  'nmissed-exit-only': [
    {
      says: 'each hit that finds no node has had its entry handler before, and is counted',
      holds: (told) => {
        const missed = ofKind(told.events, 'skip').filter(({ reason }) => reason === 'no_node');
        const counts = ofKind(told.events, 'count').filter((e) => e.counter === 'nmissed');
        return missed.length > 0 && counts.length === missed.length && missed.every(ran(told));
      },
    },
    {
      says: 'and no exit handler: there are as many exits as nodes that were taken',
      holds: (told) => {
        const exits = handlers(told, 'fprobe_exit').length;
        return exits > 0 && exits === ofKind(told.events, 'hook').length;
      },
    },
  ],
};

function handlers(told: Told, kind: string): readonly EventOf<'cb_begin'>[] {
  return ofKind(told.events, 'cb_begin').filter((e) => e.kind === kind);
}

/** Did an entry handler run for the call that was hit? */
function ran(told: Told): (missed: EventOf<'skip'>) => boolean {
  return ({ index, pid }) => {
    const before = told.events.filter((e: Event) => e.index < index && e.pid === pid);
    const entered = before.findLast((e) => e.event === 'cb_begin');
    const called = before.findLast((e) => e.event === 'site_fetch');
    return entered?.event === 'cb_begin' && entered.index > (called?.index ?? Infinity);
  };
}
