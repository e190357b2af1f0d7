// Moments that stories of several goldens speak of: changes of a filter, the end of an operation, a task that
// stands in a trampoline.
import { calls, isIn, like, type OperationSpan, ofKind, type Span, type Told } from './told.ts';

export const REGISTER = 'register_ftrace_function';
export const HARDIRQ = 2;

/** What a story says, and whether a run bears it out. */
export interface Claim {
  readonly says: string;
  readonly holds: (told: Told) => boolean;
}

/** Where operations of this name on this probe end. */
export function ends(told: Told, op: string, probe: string): readonly number[] {
  return like(told.operations, { op, probe }).map(({ end }) => end);
}

/** Filter changes of a registered probe: those of the set-up come before any registration. */
export function swaps(told: Told): readonly OperationSpan[] {
  return changes(told, 'ftrace_set_filter');
}

export function exclusions(told: Told): readonly OperationSpan[] {
  return changes(told, 'ftrace_set_notrace');
}

export function changes(told: Told, op: string): readonly OperationSpan[] {
  const registered = like(told.operations, { op: REGISTER })[0]?.end ?? Infinity;
  return like(told.operations, { op }).filter(({ begin }) => begin > registered);
}

export function ofProbe(told: Told, probe: string, generation?: number): Told['callbacks'] {
  return like(told.callbacks, generation === undefined ? { probe } : { probe, generation });
}

/** Where the filter's lock is held within an operation. */
export function lockOf(told: Told, { begin, end, pid }: OperationSpan): Span | undefined {
  const isOwn = (event: { readonly index: number; readonly pid: number; readonly name: string }) =>
    event.pid === pid && event.name === 'regex_lock/ops0' && isIn(event.index, { begin, end });
  const taken = ofKind(told.events, 'lock').find(isOwn);
  const released = ofKind(told.events, 'unlock').findLast(isOwn);
  if (taken === undefined || released === undefined) return undefined;
  return { begin: taken.index, end: released.index };
}

export function waitsBegin(told: Told, kind: string, span: Span): boolean {
  return like(told.waits, { kind }).some(({ begin }) => isIn(begin, span));
}

/** `func` is called behind event `end`, and no callback runs there. */
export function isQuietAfter(told: Told, end: number | undefined, func: string): boolean {
  if (end === undefined) return false;
  return (
    told.callbacks.every((hit) => hit.end < end) &&
    calls(told, func).some(({ index }) => index > end)
  );
}

/** Did RCU watch CPU `cpu` at event `begin`? */
export function isWatched(told: Told, { begin, cpu }: Told['callbacks'][number]): boolean {
  const change = ofKind(told.events, 'rcu_watching').findLast(
    (event) => event.cpu === cpu && event.index < begin,
  );
  return change?.watching ?? true;
}

/** From each preemption of alpha between the fetch of a call and the callback, to that callback. */
export function strandings(told: Told): readonly Span[] {
  const alpha = told.pid('alpha');
  return ofKind(told.events, 'site_fetch')
    .filter(({ pid, does }) => pid === alpha && does === 'call')
    .flatMap((fetch) => {
      const hit = like(told.callbacks, { pid: alpha }).find(({ begin }) => begin > fetch.index);
      if (hit === undefined) return [];
      return ofKind(told.events, 'sched_switch')
        .filter(
          ({ index, prev }) =>
            prev === alpha && isIn(index, { begin: fetch.index, end: hit.begin }),
        )
        .map(({ index }) => ({ begin: index, end: hit.begin }));
    });
}
