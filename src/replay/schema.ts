// Layer replay. The event table: the machine's and the tracing subsystem's vocabularies joined. The file
// format, the text form, the docs and the judges derive from it (CONTRIBUTING.md).
import { assert } from '../assert.ts';
import { EMU_EVENTS, type EventShape, type FieldType, PAYLOAD_WORDS } from '../emu/event.ts';
import { TRACE_EVENTS } from '../trace/event.ts';

export const EVENTS = { ...EMU_EVENTS, ...TRACE_EVENTS } as const satisfies Record<
  string,
  EventShape
>;

/**
 * The name of a kind of event.
 *
 * @example
 * import type { EventName } from 'reprobe';
 * const told: readonly EventName[] = ['printk', 'oops'];
 * console.log(told.length); // → 2
 */
export type EventName = keyof typeof EVENTS;

type FieldValue<T extends FieldType> = T extends 'string'
  ? string
  : T extends 'u64'
    ? bigint
    : T extends 'bool'
      ? boolean
      : number;

/**
 * A decoded event of one kind. `index` counts the events of a run from 0.
 *
 * @example
 * import type { EventOf } from 'reprobe';
 * const line = (event: EventOf<'printk'>): string => `${event.step}: ${event.text}`;
 * const said = { event: 'printk', index: 9, step: 12, cpu: 0, level: 0, pid: 1, text: 'hi' } as const;
 * console.log(line(said)); // → 12: hi
 */
export type EventOf<N extends EventName> = {
  readonly event: N;
  readonly index: number;
  readonly step: number;
  readonly cpu: number;
  readonly level: number;
  readonly pid: number;
} & {
  readonly [
    F in keyof (typeof EVENTS)[N]['fields']
  ]: (typeof EVENTS)[N]['fields'][F] extends FieldType
    ? FieldValue<(typeof EVENTS)[N]['fields'][F]>
    : never;
};

/**
 * Any decoded event: a union that `switch (event.event)` narrows.
 *
 * @example
 * import type { Event } from 'reprobe';
 * function isOver(event: Event): boolean {
 *   return event.event === 'run_end' || event.event === 'oops';
 * }
 * const end = { event: 'run_end', index: 8, step: 40, cpu: 0, level: 0, pid: 1 } as const;
 * console.log(isOver(end)); // → true
 */
export type Event = { [N in EventName]: EventOf<N> }[EventName];

/** One field of a kind: `word` is its place in the payload. */
export interface EventField {
  readonly name: string;
  readonly type: FieldType;
  readonly word: number;
}

/** A row of the table as the packers walk it. */
export interface EventKind {
  readonly id: number;
  readonly name: EventName;
  readonly about: string;
  readonly fields: readonly EventField[];
  /** Payload words of an event of this kind. */
  readonly words: number;
}

/** Ids are below this, so that tables by id stay small. */
export const EVENT_ID_COUNT = 256;

/** All kinds in order of their ids. */
export const EVENT_KINDS: readonly EventKind[] = Object.entries<EventShape>(EVENTS)
  .map(([name, shape]) => kindFrom(name as EventName, shape))
  .toSorted((left, right) => left.id - right.id);

/** Payload words by event id; -1 where there is no such event. */
export const WORDS_BY_ID: Int8Array = new Int8Array(EVENT_ID_COUNT).fill(-1);

const kindsById: (EventKind | undefined)[] = Array.from({ length: EVENT_ID_COUNT });
const kindsByName = new Map<string, EventKind>();
for (const kind of EVENT_KINDS) {
  assert(kind.id > 0 && kind.id < EVENT_ID_COUNT, `the id of ${kind.name} fits the tables`);
  assert(kindsById[kind.id] === undefined, `the id of ${kind.name} is its own`);
  assert(kind.words <= PAYLOAD_WORDS, `the payload of ${kind.name} fits a row`);
  kindsById[kind.id] = kind;
  kindsByName.set(kind.name, kind);
  WORDS_BY_ID[kind.id] = kind.words;
}

export function kindById(id: number): EventKind | undefined {
  return kindsById[id];
}

export function kindByName(name: string): EventKind | undefined {
  return kindsByName.get(name);
}

function kindFrom(name: EventName, shape: EventShape): EventKind {
  const fields: EventField[] = [];
  let words = 0;
  for (const [field, type] of Object.entries(shape.fields)) {
    fields.push({ name: field, type, word: words });
    words += type === 'u64' ? 2 : 1;
  }
  return { id: shape.id, name, about: shape.about, fields, words };
}
