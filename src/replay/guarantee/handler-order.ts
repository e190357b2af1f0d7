// Layer replay. Guarantee `pairing` for several fprobes on one call: in which order their handlers run. Entry handlers:
// whoever was registered last comes first (FP-35, FP-75). Exit handlers: with rethook the other way round, as the nodes of
// a call are a list (FP-35); with the graph hook in the order of the entries, in which their data lie (FP-75).
//
// Left alone: fprobes whose registrations overlapped, and those that are reached through different hooks (FP-54).
import type { EventOf } from '../schema.ts';
import { type Fprobe, fprobeOf } from './fprobes.ts';
import { nameOfSite } from './functions.ts';
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

/** What was found about the order of two handlers of a call. */
export interface Order {
  /** Undefined: it is right. */
  readonly why: string | undefined;
  /** Index of the event of the other one. */
  readonly shows: number;
}

/** An entry handler begins; undefined: no other one of the call is known to be older or newer. */
export function orderOfEntry(order: HandlerOrder, e: EventOf<'cb_begin'>): Order | undefined {
  const { entries, story } = order;
  const frame = innermost(contextOf(story, e), e.ip);
  if (frame === undefined) return undefined;
  const earlier = entries.get(frame) ?? [];
  entries.set(frame, [...earlier, e]);
  const own = registrationOf(order, e);
  const { name, told } = fprobeOf(story.fprobes, e.object);
  const known = earlier.flatMap((begin): Order[] => {
    const other = fprobeOf(story.fprobes, begin.object);
    const { from, to } = registrationOf(order, begin);
    if (other.told?.hook !== told?.hook || (to >= own.from && own.to >= from)) return [];
    const site = nameOfSite(story.functions, e.ip);
    const what = `the entry handler of ${name} for ${site} ran after that of ${other.name}`;
    const why = to < own.from ? `${what}, which had been registered before it` : undefined;
    return [{ why, shows: begin.index }];
  });
  return known.find(({ why }) => why !== undefined) ?? known[0];
}

function registrationOf({ begun, registered }: HandlerOrder, e: EventOf<'cb_begin'>): Registration {
  const from = begun.get(e.object) ?? e.index;
  return registered.get(lifeOf(e)) ?? { from, to: Number.POSITIVE_INFINITY };
}

/** One that took the return of a call. */
interface Exit {
  readonly fprobe: Fprobe;
  readonly taken: EventOf<'hook'>;
  readonly exit: 'owed' | 'running' | 'over';
}

/** The exit handler of `own` begins, one of those that took the return of a call, in the order in which they did. */
export function orderOfExit(
  { functions }: Story,
  all: readonly Exit[],
  own: Exit,
): Order | undefined {
  const isRethook = own.fprobe.told?.hook === 'rethook';
  const place = all.indexOf(own);
  const before = isRethook ? all.slice(place + 1) : all.slice(0, place);
  const missing = before.find(({ exit }) => exit === 'owed');
  if (missing === undefined) {
    const last = all.find((other) => other !== own && other.exit === 'over');
    return last === undefined ? undefined : { why: undefined, shows: last.taken.index };
  }
  const name = nameOfSite(functions, own.taken.ip);
  const what = `the exit handler of ${own.fprobe.name} for ${name} ran before that of ${missing.fprobe.name}`;
  const order = isRethook ? 'the reverse order' : 'the order';
  return { why: `${what}, and not in ${order} of the entries`, shows: missing.taken.index };
}
