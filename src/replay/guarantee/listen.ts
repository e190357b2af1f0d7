// Layer replay. Handing events to those who asked for them: the one loop that all judges share.
import type { Event, EventName, EventOf } from '../schema.ts';

/** What somebody does with the events that it cares about; the others never reach it. */
export type Listeners = { readonly [N in EventName]?: (event: EventOf<N>) => void };

type Listener = (event: Event) => void;

/** Feeds every event in order; for one event, `all` is called in its own order. */
export function listen(all: readonly Listeners[], events: Iterable<Event>): void {
  const byName = new Map<EventName, Listener[]>();
  for (const listeners of all) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the key names the events
    for (const [name, listener] of Object.entries(listeners) as [EventName, Listener][]) {
      const others = byName.get(name);
      if (others === undefined) byName.set(name, [listener]);
      else others.push(listener);
    }
  }
  for (const event of events) {
    const called = byName.get(event.event);
    if (called === undefined) continue;
    for (const listener of called) listener(event);
  }
}
