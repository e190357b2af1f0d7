// The stories of goldens that show one historical bug of docs/spec/mutants.md each: what happens where the bug is not.
import type { Claim } from './moments.ts';
import { isIn, isWithin, like, ofKind } from './told.ts';

const ENODEV = 19;
/** Bits of the recursion word. */
const [NORMAL, TRANSITION, LIST_NORMAL] = [3, 4, 8];

/** By the golden's name. */
export const BUG_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'recursion-groups': [
    {
      says: 'behind the bit of the list function two trylocks have two bits of their own, and the third is refused',
      holds: ({ events }) => {
        const steps = events.filter(
          (e) => e.event === 'recursion_set' || e.event === 'trylock' || e.event === 'skip',
        );
        const words = steps.map((e) => ('bit' in e ? `${e.event} ${e.bit}` : e.event));
        const round = [
          `recursion_set ${LIST_NORMAL}`,
          `recursion_set ${NORMAL}`,
          `trylock ${NORMAL}`,
          `recursion_set ${TRANSITION}`,
          `trylock ${TRANSITION}`,
          'skip',
        ].join();
        return words.length >= 12 && words.join().startsWith(`${round},${round}`);
      },
    },
    {
      says: 'kmalloc is called from callbacks alone, and its own callbacks are at most two deep',
      holds: (told) => {
        const inner = like(told.callbacks, { func: 'kmalloc' });
        return inner.length >= 8 && inner.every(({ depth }) => depth === 1 || depth === 2);
      },
    },
  ],
  'memory-killed-module': [
    {
      says: 'the looker asks before the text is freed, and goes on asking behind that',
      holds: (told) => {
        const [freed] = ofKind(told.events, 'free').slice(-1);
        const asks = ofKind(told.events, 'rcu_read_lock').filter(
          ({ pid }) => pid === told.pid('looker'),
        );
        const late = asks.filter(({ index }) => index > (freed?.index ?? Infinity));
        return asks.length === 30 && late.length > 10;
      },
    },
    {
      says: 'ftrace dies while the module goes, is refused from then on, and the module goes all the same',
      holds: (told) => {
        const [going] = like(told.operations, { op: 'delete_module' });
        const [kill] = ofKind(told.events, 'kill');
        const [last] = like(told.operations, {
          op: 'unregister_ftrace_function',
          probe: 'ops0',
        });
        const dropped = ofKind(told.events, 'symbol_gone');
        if (going === undefined || kill === undefined) return false;
        return (
          going.result === 0 &&
          isIn(kill.index, going) &&
          last?.result === -ENODEV &&
          dropped.length === 3 &&
          told.waits.some((wait) => wait.kind === 'synchronize_rcu' && isWithin(wait, going))
        );
      },
    },
  ],
};
