// Layer replay. What is to be told of a run when it is held against the same workload in another era: facts of a topic,
// from events alone. Each is a number or a word, so that a table has a column for each era. Left out: when things
// happened, as steps differ between eras.
import type { EventLog } from './event-log.ts';
import { type Listeners, listen } from './guarantee/listen.ts';
import { HandlerOrders } from './handler-order.ts';
import type { EventOf } from './schema.ts';

/** In the order in which they are shown. */
export const ERA_TOPICS = [
  'run',
  'calls',
  'handlers',
  'nmissed',
  'skips',
  'order',
  'guarantees',
  'expectations',
  'triggers',
] as const;

/**
 * What a row of a comparison is about.
 *
 * @example
 * import type { EraTopic } from 'reprobe';
 * const topic: EraTopic = 'nmissed';
 * console.log(topic); // → nmissed
 */
export type EraTopic = (typeof ERA_TOPICS)[number];

/** By topic and what it says; a later one of the same name takes its place. */
export class EraFacts {
  readonly #values = new Map<EraTopic, Map<string, string | number>>();

  set(topic: EraTopic, what: string, value: string | number): void {
    const present = this.#values.get(topic);
    if (present === undefined) this.#values.set(topic, new Map([[what, value]]));
    else present.set(what, value);
  }

  add(topic: EraTopic, what: string): void {
    const before = this.get(topic, what);
    this.set(topic, what, typeof before === 'number' ? before + 1 : 1);
  }

  get(topic: EraTopic, what: string): string | number | undefined {
    return this.#values.get(topic)?.get(what);
  }

  /** In the order in which they were first told. */
  names(topic: EraTopic): readonly string[] {
    return [...(this.#values.get(topic)?.keys() ?? [])];
  }
}

/** A hit that is refused before anybody is looked up concerns nobody yet. */
const NOBODY = 0;
const NMISSED = 'nmissed';
const FTRACE = 'ftrace_ops';

interface Watch {
  readonly facts: EraFacts;
  /** By number in events. */
  readonly names: Map<number, string>;
  readonly called: Map<string, number>;
  /** Calls under way. */
  readonly open: { readonly begin: EventOf<'ctl_begin'>; readonly what: string }[];
  readonly errnoName: (result: number) => string;
}

/** The facts of `log`; `errnoName` spells what calls returned. */
export function factsOf(log: EventLog, errnoName: (result: number) => string): EraFacts {
  const watch: Watch = {
    facts: new EraFacts(),
    names: new Map(),
    called: new Map(),
    open: [],
    errnoName,
  };
  const orders = new HandlerOrders();
  const nameOfObject = (object: number): string => nameOf(watch, object);
  listen([listenersOf(watch), orders.listeners(nameOfObject)], log);
  for (const order of orders.all()) watch.facts.set('order', order, 'seen');
  return watch.facts;
}

function listenersOf(watch: Watch): Listeners {
  const { facts } = watch;
  return {
    object: (e) => {
      announced(watch, e);
    },
    ctl_begin: (e) => {
      callBegan(watch, e);
    },
    ctl_end: (e) => {
      callEnded(watch, e);
    },
    cb_begin: (e) => {
      facts.add('handlers', `${nameOf(watch, e.object)}.${handlerOf(e)}`);
    },
    skip: (e) => {
      facts.add('skips', `${nameOf(watch, e.object)}: ${e.reason}`);
    },
    count: (e) => {
      if (e.counter === NMISSED) facts.set('nmissed', nameOf(watch, e.object), e.new);
    },
    fprobe_state: (e) => {
      facts.set('nmissed', nameOf(watch, e.object), e.nmissed);
    },
  };
}

function nameOf({ names }: Watch, object: number): string {
  if (object === NOBODY) return '(nobody yet)';
  return names.get(object) ?? `object ${object}`;
}

/** The ftrace_ops behind an fprobe bears its name. */
function announced({ names }: Watch, { kind, name, object }: EventOf<'object'>): void {
  names.set(object, kind.endsWith('_ops') && kind !== FTRACE ? `${name} (${kind})` : name);
}

/** `entry`, `exit`; of others the kernel's word for it. */
function handlerOf({ kind }: EventOf<'cb_begin'>): string {
  return kind === FTRACE ? 'callback' : kind.replace(/^fprobe_/u, '');
}

function callBegan(watch: Watch, begin: EventOf<'ctl_begin'>): void {
  const { called, facts, open } = watch;
  const call = `${begin.op}(${begin.object === NOBODY ? begin.text : nameOf(watch, begin.object)})`;
  const nth = (called.get(call) ?? 0) + 1;
  called.set(call, nth);
  const what = nth === 1 ? call : `${call} #${nth}`;
  facts.set('calls', what, 'no end');
  open.push({ begin, what });
}

/** The innermost call of this kind that the task has under way. */
function callEnded({ errnoName, facts, open }: Watch, end: EventOf<'ctl_end'>): void {
  const at = open.findLastIndex(
    ({ begin }) => begin.op === end.op && begin.object === end.object && begin.pid === end.pid,
  );
  const [call] = at === -1 ? [] : open.splice(at, 1);
  if (call !== undefined) facts.set('calls', call.what, errnoName(end.result));
}
