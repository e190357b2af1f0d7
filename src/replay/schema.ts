// Layer replay. The event table: the machine's and the tracing subsystem's vocabularies joined. The file
// format, the text form, the docs and the judges derive from it (style.md section 7).
import { EMU_EVENTS, type EventShape, type FieldType } from '../emu/event.ts';
import { TRACE_EVENTS } from '../trace/event.ts';

export const EVENTS = { ...EMU_EVENTS, ...TRACE_EVENTS } as const satisfies Record<
  string,
  EventShape
>;

export type EventName = keyof typeof EVENTS;

type FieldValue<T extends FieldType> = T extends 'string'
  ? string
  : T extends 'u64'
    ? bigint
    : T extends 'bool'
      ? boolean
      : number;

/** A decoded event. `index` counts the events of a run from 0. */
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

/** Any decoded event: a union that `switch (e.event)` narrows. */
export type Event = { [N in EventName]: EventOf<N> }[EventName];
