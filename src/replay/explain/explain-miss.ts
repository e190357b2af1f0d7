// Layer replay. Why one hit of a recording ran no handler: where it was, the rule, whether it was counted, and what the
// events before it show. Everything is told from events; no judge is asked.
import { assert } from '../../assert.ts';
import type { EventLog } from '../event-log.ts';
import { flowOf } from '../flow.ts';
import { listen } from '../guarantee/listen.ts';
import type { Event, EventOf } from '../schema.ts';
import { type Evidence, evidenceOf, nameOfSite, nameOfTask } from './miss-evidence.ts';
import { type HookKind, type Reason, reasonOf } from './miss-reason.ts';
import { type MissState, newMissState, stateListeners } from './miss-state.ts';
import { type Miss, NOBODY } from './misses.ts';
import { nameOfLevel } from './recursion-bits.ts';

/**
 * Why a hit ran no handler.
 *
 * @example
 * import type { MissExplanation } from 'reprobe';
 * const isCounted = ({ counted }: MissExplanation): boolean => counted !== null;
 * console.log(isCounted.length); // → 1
 */
export interface MissExplanation extends Reason {
  readonly number: number;
  /** Of the `skip` event. */
  readonly index: number;
  readonly step: number;
  readonly cpu: number;
  readonly task: string;
  readonly pid: number;
  /** Its context level. */
  readonly level: string;
  /** The function that was hit. */
  readonly function: string;
  readonly probe: string;
  readonly reason: string;
  /** What `nmissed` went from and to; null: it was not counted. */
  readonly counted: { readonly from: number; readonly to: number; readonly event: number } | null;
  readonly evidence: readonly Evidence[];
}

/** `miss` is one of `missesOf(log)`. */
export function explainMiss(log: EventLog, miss: Miss): MissExplanation {
  const { count, event, number, probe } = miss;
  assert(log.at(event.index).event === 'skip', 'the miss is one of this recording');
  const state = newMissState();
  listen(stateListeners(state), before(log, event.index));
  const { cpu, index, level, pid, reason, step } = event;
  const siblings = siblingsOf(log, event);
  return {
    number,
    index,
    step,
    cpu,
    task: nameOfTask(state, pid),
    pid,
    level: nameOfLevel(level),
    function: nameOfSite(state, event.ip),
    probe,
    reason,
    ...reasonOf(reason, hookOf(state, event)),
    counted: count === undefined ? null : { from: count.old, to: count.new, event: count.index },
    evidence: evidenceOf(state, event, siblings),
  };
}

function* before(log: EventLog, end: number): Iterable<Event> {
  for (const event of log.events()) {
    if (event.index >= end) return;
    yield event;
  }
}

/** How the hit came: through what its fprobe hooks with, the shared graph hook, or an ftrace_ops. */
function hookOf({ bits, told }: MissState, e: EventOf<'skip'>): HookKind {
  const hook = told.get(e.object)?.hook;
  if (hook !== undefined) return hook === 'rethook' ? 'rethook' : 'fgraph';
  if (e.object !== NOBODY) return 'ops';
  const isGraph = [...told.values()].some((one) => one.hook !== 'rethook');
  const isList = bits.refusing(e).some(({ isUsers }) => !isUsers);
  return isGraph && !isList ? 'fgraph' : 'ops';
}

/** Other events of the flow stand between the probes of a hit. */
const OVER: ReadonlySet<string> = new Set(['func_enter', 'func_return', 'recursion_clear']);

/** Skips of the same hit for the same reason: those right before and right behind `e` in its flow. */
function siblingsOf(log: EventLog, e: EventOf<'skip'>): readonly EventOf<'skip'>[] {
  const along = (step: 1 | -1): EventOf<'skip'>[] => {
    const found: EventOf<'skip'>[] = [];
    for (let at = e.index + step; at >= 0 && at < log.count; at += step) {
      const event = log.at(at);
      if (flowOf(event) !== flowOf(e)) continue;
      if (OVER.has(event.event)) break;
      if (event.event === 'skip' && event.ip === e.ip) found.push(event);
    }
    return found;
  };
  return [...along(-1).toReversed(), e, ...along(1)];
}
