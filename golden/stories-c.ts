// What the stories of the goldens with compiled code claim; see `stories.ts`.
import { type Claim, ends, HARDIRQ, isQuietAfter, ofProbe, swaps } from './moments.ts';
import {
  isIn,
  isWithin,
  isWithinOne,
  like,
  ofKind,
  type OperationSpan,
  type Told,
} from './told.ts';

const UNREGISTER = 'unregister_ftrace_function';
const NMI = 3;

/** By the golden's name. */
export const C_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'memory-c-store': [
    {
      says: 'ops1 fires for the table before the change of its filter only, for the queue on both sides',
      holds: (told) => {
        const [swap] = swaps(told);
        const table = ofProbe(told, 'ops1').filter(({ func }) => func.startsWith('table_'));
        const queue = ofProbe(told, 'ops1').filter(({ func }) => func.startsWith('queue_'));
        return (
          swap !== undefined &&
          table.length > 0 &&
          table.every(({ begin }) => begin < swap.end) &&
          queue.some(({ begin }) => begin < swap.begin) &&
          queue.some(({ begin }) => begin > swap.end)
        );
      },
    },
    {
      says: 'ops1 comes back, in a second generation',
      holds: (told) => [1, 2].every((one) => ofProbe(told, 'ops1', one).length > 0),
    },
    {
      says: 'an interrupt arrives inside a callback of ops1, and ops0 fires for it',
      holds: (told) =>
        like(told.interrupts, { level: HARDIRQ, handler: 'tick' }).some(
          (tick) =>
            isWithinOne(tick, like(told.callbacks, { probe: 'ops1', cpu: 1 })) &&
            like(told.callbacks, { probe: 'ops0', func: 'tick' }).some((hit) =>
              isWithin(hit, tick),
            ),
        ),
    },
    {
      says: 'the old hash is freed in a softirq, during or after the change',
      holds: (told) =>
        swaps(told).some(({ begin }) =>
          ofKind(told.events, 'free').some(({ index, level }) => level === 1 && index > begin),
        ),
    },
    {
      says: 'producer and consumer are both traced, and nothing is printed',
      holds: (told) =>
        ['producer', 'consumer'].every(
          (task) => like(told.callbacks, { pid: told.pid(task) }).length > 0,
        ) && ofKind(told.events, 'printk').length === 0,
    },
  ],
  'unregister-c-module': [
    {
      says: 'the first init_module fails, and nothing is patched until the second begins',
      holds: (told) => {
        const [first, second, third] = like(told.operations, { op: 'init_module' });
        const [patch] = ofKind(told.events, 'text_write');
        return (
          first?.result === -22 &&
          second?.result === 0 &&
          third?.result === -17 &&
          patch !== undefined &&
          isIn(patch.index, second)
        );
      },
    },
    {
      says: 'in its second life the module has a fresh struct ftrace_ops',
      holds: (told) =>
        [0, 1].every((one) => {
          const life = like(told.operations, { op: 'init_module' })[one];
          const made = like(ofKind(told.events, 'object'), { kind: 'ftrace_ops' });
          return life !== undefined && made.some(({ index }) => isIn(index, life));
        }),
    },
    {
      says: 'three callbacks stand on one stack, and the third gets no lock',
      holds: (told) =>
        like(told.callbacks, { depth: 2, func: 'sample_note' }).some(
          (inner) =>
            isWithinOne(inner, like(told.callbacks, { depth: 1, func: 'sample_note' })) &&
            isWithinOne(inner, like(told.callbacks, { depth: 0 })) &&
            ofKind(told.events, 'skip').some(
              ({ index, reason }) => reason === 'recursion' && isIn(index, inner),
            ),
        ),
    },
    {
      says: 'an interrupt arrives in what the callback calls, and is hooked itself',
      holds: (told) =>
        like(told.interrupts, { level: HARDIRQ, handler: 'timer_tick' }).some(
          (tick) =>
            isWithinOne(tick, like(told.callbacks, { cpu: 1, level: 0 })) &&
            like(told.callbacks, { level: HARDIRQ, func: 'vfs_open' }).some((hit) =>
              isWithin(hit, tick),
            ),
        ),
    },
    {
      says: 'an NMI strikes between two instructions of the callback',
      holds: (told) =>
        ofKind(told.events, 'irq_enter').some(
          ({ level, interrupted }) =>
            level === NMI &&
            told.place(interrupted).name === 'sample_callback' &&
            told.place(interrupted).offset > 0,
        ),
    },
    {
      says: 'the log has as many hits of each CPU as got the lock there',
      holds: (told) =>
        [0, 1].every((cpu) => {
          const ran = like(told.callbacks, { cpu }).length;
          const refused = like(ofKind(told.events, 'skip'), { cpu, reason: 'recursion' }).length;
          return ran > refused && logged(told, `CPU ${cpu}: `) === ran - refused;
        }),
    },
    {
      says: 'vfs_open is called, and does not fire, when delete_module has returned',
      holds: (told) => isQuietAfter(told, ends(told, 'delete_module', 'sample')[0], 'vfs_open'),
    },
  ],
  'unregister-c-threads': [
    {
      says: 'loader loads the module while control does, and waits to be told that it is there',
      holds: (told) => {
        const [first, late] = like(told.operations, { op: 'init_module' });
        if (first === undefined || late === undefined) return false;
        return (
          first.result === 0 &&
          late.result === -17 &&
          isIn(late.begin, first) &&
          late.end > first.end
        );
      },
    },
    {
      says: 'calls of the two threads are under way at once',
      holds: (told) =>
        by(told, 'stress/0').some((one) =>
          by(told, 'stress/1').some(({ begin }) => isIn(begin, one)),
        ),
    },
    {
      says: "a callback of one thread's hook runs while the other's is being unregistered",
      holds: (told) =>
        ['stress/0', 'stress/1'].every((thread) =>
          by(told, thread)
            .filter(({ op }) => op === UNREGISTER)
            .some((gone) =>
              told.callbacks.some(({ probe, begin }) => probe !== gone.probe && isIn(begin, gone)),
            ),
        ),
    },
    {
      says: 'both threads end within delete_module',
      holds: (told) =>
        like(told.operations, { op: 'delete_module' }).some((gone) =>
          ['stress/0', 'stress/1'].every((thread) =>
            like(ofKind(told.events, 'task_exit'), { pid: told.pid(thread) }).some(({ index }) =>
              isIn(index, gone),
            ),
          ),
        ),
    },
    {
      says: 'each ends with as many rounds as the log says, and hits',
      holds: (told) =>
        [0, 1].every((cpu) => {
          const own = by(told, `stress/${cpu}`).filter(({ op }) => op === UNREGISTER);
          const hits = told.callbacks.filter(({ probe }) => probe === own[0]?.probe).length;
          const said = told.log.find((line) => line.includes(`CPU ${cpu}: `)) ?? '';
          return hits > 0 && said.endsWith(`: ${own.length} rounds, ${hits} hits`);
        }),
    },
    {
      says: 'vfs_read is called, and does not fire, when delete_module has returned',
      holds: (told) => isQuietAfter(told, ends(told, 'delete_module', 'stress')[0], 'vfs_read'),
    },
  ],
};

/** Calls that a task makes. */
function by(told: Told, task: string): readonly OperationSpan[] {
  return like(told.operations, { pid: told.pid(task) });
}

/** The number behind `words` in the kernel log; NaN when nobody says so. */
function logged(told: Told, words: string): number {
  const line = told.log.find((one) => one.includes(words)) ?? '';
  return Number.parseInt(line.slice(line.indexOf(words) + words.length).trimStart(), 10);
}
