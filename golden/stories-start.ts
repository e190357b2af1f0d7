// What the stories of goldens claim about probes that join, recursion before a level shows, and calls that fail;
// the others are in stories.ts.
import type { Claim } from './moments.ts';
import { HARDIRQ, REGISTER } from './moments.ts';
import { calls, isIn, isWithin, like, ofKind, type OperationSpan, type Told } from './told.ts';

const NMI = 3;
const NORMAL = 3;

/** By the golden's name. */
export const START_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'arguments-direct': [
    {
      says: 'each of the two is passed on when it is alone, and the inner call changes on both sides of that',
      holds: (told) => {
        const passed = ofKind(told.events, 'function_trace_op').filter(({ object }) => object > 0);
        const sites = new Set(ofKind(told.events, 'symbol').map(({ site }) => site));
        const inner = ofKind(told.events, 'text_write').filter(({ ip }) => !sites.has(ip));
        return (
          ['ops0', 'ops1'].every((name) =>
            passed.some(({ object }) => told.probe(object) === name),
          ) &&
          passed
            .slice(1)
            .every(
              ({ index }) =>
                inner.some((write) => write.index < index) &&
                inner.some((write) => write.index > index),
            )
        );
      },
    },
    {
      says: 'both fire alone and together, each with its own ops',
      holds: (told) =>
        ['ops0', 'ops1'].every((probe) => like(told.callbacks, { probe }).length >= 4) &&
        calls(told, 'vfs_read').length === 24,
    },
  ],
  'start-joining-probe': [
    {
      says: 'ops2 runs before its register returns',
      holds: (told) => {
        const [joining] = like(told.operations, { op: REGISTER, probe: 'ops2' });
        const hits = like(told.callbacks, { probe: 'ops2' });
        return joining !== undefined && hits.some(({ begin }) => isIn(begin, joining));
      },
    },
    {
      says: 'every call of vfs_read behind that runs all three, until ops2 goes',
      holds: (told) => {
        const [joining] = like(told.operations, { op: REGISTER, probe: 'ops2' });
        const [leaving] = like(told.operations, { op: UNREGISTER, probe: 'ops2' });
        const entries = calls(told, 'vfs_read').filter(
          ({ index }) => index > (joining?.end ?? Infinity) && index < (leaving?.begin ?? 0),
        );
        const whole = entries.slice(0, -1);
        return (
          whole.length >= 2 &&
          whole.every(({ index }, i) => {
            const next = entries[i + 1]?.index ?? Infinity;
            const hits = like(told.callbacks, { func: 'vfs_read' }).filter(
              ({ begin }) => begin > index && begin < next,
            );
            return hits.map(({ probe }) => probe).join() === 'ops2,ops1,ops0';
          })
        );
      },
    },
  ],
  'recursion-entry-window': [
    {
      says: 'before its level shows, and after, the interrupt has TRANSITION alone; its handler, a bit of its own too',
      holds: (told) => bitsOf(told, HARDIRQ) === '4,1,4,4',
    },
    {
      says: 'so does the NMI',
      holds: (told) => bitsOf(told, NMI) === '4,0,4,4',
    },
    {
      says: 'what finds TRANSITION taken is refused, in the entry code, in the handler and in the exit code',
      holds: (told) =>
        [HARDIRQ, NMI].every((level) => {
          const shown = ofKind(told.events, 'level_shown').filter((e) => e.level === level);
          const refused = ofKind(told.events, 'skip').filter((e) => e.level === level);
          const [early = 0, late = 0] = shown.slice(1).map(({ index }) => index);
          const parts = refused.map(({ index }) => (index < early ? 0 : index < late ? 1 : 2));
          return parts.join() === '0,1,2';
        }),
    },
  ],
  'failed-call-refusals': [
    {
      says: 'three calls are refused, and write no text',
      holds: (told) =>
        refusedCalls(told).length === 3 &&
        refusedCalls(told).every(
          (call) => !ofKind(told.events, 'text_write').some(({ index }) => isIn(index, call)),
        ),
    },
    {
      says: 'the first two leave the ops with its filter, the last one without a registration',
      holds: (told) =>
        ofKind(told.events, 'ops_state')
          .map(({ enabled, listed, served, filter }) => [enabled, listed, served, filter].join(' '))
          .join() === 'true true 1 1,true true 1 1,false false 0 1',
    },
    {
      says: 'vfs_read fires on while and after it is refused; vfs_open never does',
      holds: (told) => {
        const [first, second] = refusedCalls(told);
        const hits = like(told.callbacks, { func: 'vfs_read' });
        return (
          hits.some(({ begin }) => begin > (first?.end ?? Infinity)) &&
          hits.some(({ begin }) => begin > (second?.end ?? Infinity)) &&
          calls(told, 'vfs_open').length > 0 &&
          like(told.callbacks, { func: 'vfs_open' }).length === 0
        );
      },
    },
  ],
};

const UNREGISTER = 'unregister_ftrace_function';

/** The bits that the interrupts of `level` set while the reader holds NORMAL, in order. */
function bitsOf(told: Told, level: number): string {
  const [interrupt] = like(told.interrupts, { level, cpu: 1, handler: 'timer_tick' });
  const held = ofKind(told.events, 'recursion_set').filter((e) => e.level === 0 && e.cpu === 1);
  const within = held.some(({ index, bit, pid }) => {
    const end = ofKind(told.events, 'recursion_clear').find(
      (e) => e.index > index && e.pid === pid && e.level === 0 && e.bit === bit,
    );
    const span = { begin: index, end: end?.index ?? Infinity };
    return bit === NORMAL && interrupt !== undefined && isWithin(interrupt, span);
  });
  const bits = ofKind(told.events, 'recursion_set').filter((e) => e.level === level);
  return within ? bits.map(({ bit }) => bit).join() : '';
}

function refusedCalls(told: Told): readonly OperationSpan[] {
  return told.operations.filter(({ result }) => (result ?? 0) < 0);
}
