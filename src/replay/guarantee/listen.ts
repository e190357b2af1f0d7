// Layer replay. Handing events to those who asked for them: the one loop that all judges share.
import {
  type Event,
  EVENT_ID_COUNT,
  EVENT_KINDS,
  type EventName,
  type EventOf,
  EVENTS,
} from '../schema.ts';

/** What somebody does with the events that it cares about; the others never reach it. */
export type Listeners = { readonly [N in EventName]?: (event: EventOf<N>) => void };

type Listener = (event: Event) => void;
type ListenersById = readonly (readonly Listener[] | undefined)[];

/** Events in order that are only made for those who listen to their id. */
export interface EventSource {
  hear(listeners: ListenersById): void;
}

/** Feeds every event in order; for one event, `all` is called in its own order. */
export function listen(all: readonly Listeners[], events: Iterable<Event> | EventSource): void {
  const byId = listenersById(all);
  if ('hear' in events) {
    events.hear(byId);
    return;
  }
  for (const event of events) {
    const called = byId[EVENTS[event.event].id];
    if (called !== undefined) for (const listener of called) listener(event);
  }
}

function listenersById(all: readonly Listeners[]): ListenersById {
  const byId: (Listener[] | undefined)[] = Array.from({ length: EVENT_ID_COUNT });
  for (const listeners of all) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the key names the events
    for (const name of Object.keys(listeners) as EventName[]) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it hears the events of its key only
      const listener = listeners[name] as Listener;
      const { id } = EVENTS[name];
      const others = byId[id];
      if (others === undefined) byId[id] = [listener];
      else others.push(listener);
    }
  }
  return byId;
}

/** One that does what all of them do, for one event in their order. */
export function together(all: readonly Listeners[]): Listeners {
  const joined = listenersById(all).flatMap((listeners, id): [string, Listener][] => {
    const name = EVENT_KINDS.find((kind) => kind.id === id)?.name;
    if (listeners === undefined || name === undefined) return [];
    const [only, ...others] = listeners;
    if (only === undefined) return [];
    if (others.length === 0) return [[name, only]];
    return [
      [
        name,
        (event): void => {
          for (const listener of listeners) listener(event);
        },
      ],
    ];
  });
  return Object.fromEntries(joined);
}
