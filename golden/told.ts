// What a recorded run tells, for people who check a story against it: its events as spans that begin and end
// (callbacks, control operations, waits, interrupts), with names in place of numbers.
import type { Event, EventOf } from '../src/replay/schema.ts';
import { Symbols } from '../src/replay/symbols.ts';

/** From one event to another, by their indexes; `end` is Infinity where there is none. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

interface CallbackSpan extends Span {
  readonly probe: string;
  readonly generation: number;
  /** The function that was hit. */
  readonly func: string;
  readonly cpu: number;
  readonly level: number;
  readonly pid: number;
  readonly depth: number;
}

export interface OperationSpan extends Span {
  /** The kernel's name of it. */
  readonly op: string;
  readonly probe: string;
  readonly pid: number;
  readonly result: number | undefined;
}

interface WaitSpan extends Span {
  readonly kind: string;
}

interface InterruptSpan extends Span {
  readonly handler: string;
  /** The function that it interrupted. */
  readonly interrupted: string;
  readonly cpu: number;
  readonly level: number;
}

export interface Told {
  readonly events: readonly Event[];
  readonly callbacks: readonly CallbackSpan[];
  readonly operations: readonly OperationSpan[];
  readonly waits: readonly WaitSpan[];
  /** Softirqs, interrupts and NMIs. */
  readonly interrupts: readonly InterruptSpan[];
  /** Lines of the kernel log. */
  readonly log: readonly string[];
  /** The function at an address, and how far into it. */
  place(address: number): { readonly name: string; readonly offset: number };
  /** Name of the function at an address, without an offset. */
  func(address: number): string;
  /** Name of a probe object; empty when there is none. */
  probe(object: number): string;
  /** The pid of a task by name; -1 when there is none. */
  pid(task: string): number;
}

export function tell(events: readonly Event[]): Told {
  const symbols = new Symbols();
  const probes = new Map<number, string>();
  const pids = new Map<string, number>();
  for (const event of events) {
    if (event.event === 'symbol') symbols.see(event);
    if (event.event === 'object') probes.set(event.object, event.name);
    if (event.event === 'task_new') pids.set(event.name, event.child);
  }
  const names: Names = {
    place: (address) => symbols.find(address) ?? { name: '', offset: 0 },
    func: (address) => symbols.find(address)?.name ?? '',
    probe: (object) => probes.get(object) ?? '',
    pid: (task) => pids.get(task) ?? -1,
  };
  return {
    events,
    ...names,
    log: ofKind(events, 'printk').map(({ text }) => text),
    callbacks: ofKind(events, 'cb_begin').map((begin) => callbackSpan(events, begin, names)),
    operations: ofKind(events, 'ctl_begin').map((begin) => operationSpan(events, begin, names)),
    waits: ofKind(events, 'wait_begin').map((begin) => waitSpan(events, begin)),
    interrupts: ofKind(events, 'irq_enter').map((begin) => interruptSpan(events, begin, names)),
  };
}

type Names = Pick<Told, 'func' | 'place' | 'probe' | 'pid'>;

/** The events of one kind. */
export function ofKind<N extends Event['event']>(
  events: readonly Event[],
  name: N,
): readonly Extract<Event, { readonly event: N }>[] {
  return events.filter(
    (event): event is Extract<Event, { readonly event: N }> => event.event === name,
  );
}

/** Those of `list` that are as `pattern` says. */
export function like<T extends object>(list: readonly T[], pattern: Partial<T>): readonly T[] {
  const wanted = Object.entries(pattern);
  return list.filter((one) => {
    const found = new Map<string, unknown>(Object.entries(one));
    return wanted.every(([key, value]) => found.get(key) === value);
  });
}

/** Does `inner` lie within `outer`? */
export function isWithin(inner: Span, outer: Span): boolean {
  return inner.begin > outer.begin && inner.end < outer.end;
}

/** Does the event of this index lie within `span`? */
export function isIn(index: number, span: Span): boolean {
  return index > span.begin && index < span.end;
}

/** Does `inner` lie within one of `outer`? */
export function isWithinOne(inner: Span, outer: readonly Span[]): boolean {
  return outer.some((span) => isWithin(inner, span));
}

/** True calls of a function. */
export function calls(told: Told, func: string): readonly { readonly index: number }[] {
  return ofKind(told.events, 'func_enter').filter((call) => told.func(call.func) === func);
}

/** Fetches of a function's call site. */
export function fetches(
  told: Told,
  func: string,
): readonly { readonly index: number; readonly does: string }[] {
  return ofKind(told.events, 'site_fetch').filter(({ ip }) => told.func(ip) === func);
}

/** From the IPIs of a text sync to the last answer. */
export function syncs(told: Told): readonly Span[] {
  return ofKind(told.events, 'sync_send').map(({ index, sync }) => ({
    begin: index,
    end: ofKind(told.events, 'sync_done').find((done) => done.sync === sync)?.index ?? Infinity,
  }));
}

function callbackSpan(
  events: readonly Event[],
  begin: EventOf<'cb_begin'>,
  names: Names,
): CallbackSpan {
  const { index, cpu, level, pid, generation, depth } = begin;
  const end = endOf(events, index, (event) => {
    if (event.event !== 'cb_begin' && event.event !== 'cb_end') return 0;
    // The same probe may be hit again inside: what is opened there is closed there.
    const same = event.pid === pid && event.level === level && event.object === begin.object;
    if (!same || (pid === 0 && event.cpu !== cpu)) return 0;
    return event.event === 'cb_begin' ? 1 : -1;
  });
  const probe = names.probe(begin.object);
  return {
    begin: index,
    end,
    probe,
    generation,
    func: names.func(begin.ip),
    cpu,
    level,
    pid,
    depth,
  };
}

function operationSpan(
  events: readonly Event[],
  begin: EventOf<'ctl_begin'>,
  names: Names,
): OperationSpan {
  const { index, pid, op } = begin;
  const isEnd = (event: Event): event is EventOf<'ctl_end'> =>
    event.event === 'ctl_end' && event.pid === pid && event.op === op && event.index > index;
  const end = events.find(isEnd);
  const probe = names.probe(begin.object);
  return { begin: index, end: end?.index ?? Infinity, op, probe, pid, result: end?.result };
}

function waitSpan(
  events: readonly Event[],
  { index, wait, kind }: EventOf<'wait_begin'>,
): WaitSpan {
  const end = ofKind(events, 'wait_end').find((event) => event.wait === wait);
  return { begin: index, end: end?.index ?? Infinity, kind };
}

function interruptSpan(
  events: readonly Event[],
  begin: EventOf<'irq_enter'>,
  names: Names,
): InterruptSpan {
  const { index, cpu, level } = begin;
  const end = endOf(events, index, (event) => {
    if (event.cpu !== cpu || event.level !== level) return 0;
    if (event.event === 'irq_enter') return 1;
    return event.event === 'irq_exit' ? -1 : 0;
  });
  const handler = names.func(begin.handler);
  return { begin: index, end, handler, interrupted: names.func(begin.interrupted), cpu, level };
}

/** The event that brings the sum of `change`, counted from event `from`, back to 0. */
function endOf(events: readonly Event[], from: number, change: (event: Event) => number): number {
  let open = 0;
  for (const event of events.slice(from)) {
    open += change(event);
    if (open === 0) return event.index;
  }
  return Infinity;
}
