// Layer replay. Guarantee `pairing` for several fprobes on one call: in which order their handlers run. Entry handlers:
// whoever was registered last comes first (FP-35, FP-75). Exit handlers: with rethook the other way round, as the nodes of
// a call are a list (FP-35); with the graph hook in the order of the entries, in which their data lie (FP-75).
//
// Left alone: fprobes whose registrations overlapped, and those that are reached through different hooks (FP-54).
import type { EventOf } from '../schema.ts';
import { type Fprobe, fprobeOf } from './fprobes.ts';
import { type Frame, innermost } from './hit.ts';
import type { Listeners } from './listen.ts';
import { contextOf, type Story } from './story.ts';

/** Where the call that registered began and ended. */
interface Registration {
  readonly from: number;
  readonly to: number;
}

export interface HandlerOrder {
  readonly story: Story;
  /** By object: the oldest call that is under way. */
  readonly begun: Map<number, number>;
  /** By object and generation. */
  readonly registered: Map<string, Registration>;
  /** Entry handlers that ran for a call. */
  readonly entries: WeakMap<Frame, EventOf<'cb_begin'>[]>;
}

export function newHandlerOrder(story: Story): HandlerOrder {
  return { story, begun: new Map(), registered: new Map(), entries: new WeakMap() };
}

export function orderListeners({ begun, registered, story }: HandlerOrder): Listeners {
  const { fprobes } = story;
  return {
    ctl_begin: ({ index, object, op }) => {
      if (isRegister(op) && fprobeOf(fprobes, object).registering === 1) begun.set(object, index);
    },
    ctl_end: (e) => {
      if (!isRegister(e.op) || e.result !== 0) return;
      registered.set(lifeOf(e), { from: begun.get(e.object) ?? e.index, to: e.index });
    },
  };
}

function isRegister(op: string): boolean {
  return op.startsWith('register_fprobe');
}

function lifeOf(e: { readonly object: number; readonly generation: number }): string {
  return `${e.object}.${e.generation}`;
}

/** An entry handler that was called before that of `e`, for the same call. */
export interface Before {
  readonly fprobe: Fprobe;
  readonly begin: EventOf<'cb_begin'>;
  /** It is older for certain, so it should have come behind. */
  readonly isWrong: boolean;
}

/** An entry handler begins: the one before it whose place is known; a wrong one, if there is one. */
export function entryBefore(order: HandlerOrder, e: EventOf<'cb_begin'>): Before | undefined {
  const { entries, story } = order;
  const frame = innermost(contextOf(story, e), e.ip);
  if (frame === undefined) return undefined;
  const earlier = entries.get(frame) ?? [];
  entries.set(frame, [...earlier, e]);
  const own = registrationOf(order, e);
  const hook = fprobeOf(story.fprobes, e.object).told?.hook;
  const all = earlier.flatMap((begin): Before[] => {
    const fprobe = fprobeOf(story.fprobes, begin.object);
    const other = registrationOf(order, begin);
    const isOlder = other.to < own.from;
    if (fprobe.told?.hook !== hook || (!isOlder && own.to > other.from)) return [];
    return [{ fprobe, begin, isWrong: isOlder }];
  });
  return all.find(({ isWrong }) => isWrong) ?? all[0];
}

function registrationOf({ begun, registered }: HandlerOrder, e: EventOf<'cb_begin'>): Registration {
  const from = begun.get(e.object) ?? e.index;
  return registered.get(lifeOf(e)) ?? { from, to: Number.POSITIVE_INFINITY };
}

/**
 * Whose exit handlers come before that of the one at `place`, of those that took the return of a call, in the order in
 * which they did.
 */
export function exitsBefore<H extends { readonly fprobe: Fprobe }>(
  hooks: readonly H[],
  place: number,
): readonly H[] {
  const isRethook = hooks[place]?.fprobe.told?.hook === 'rethook';
  return isRethook ? hooks.slice(place + 1) : hooks.slice(0, place);
}
