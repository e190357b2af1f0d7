// Layer replay. The workload's timeline as the machine's agenda: triggers that fire at steps, at events, at
// the start and at the end, and the actions that they cause.
import { assert } from '../assert.ts';
import type { Cpu } from '../emu/cpu.ts';
import { EMU_EVENTS } from '../emu/event.ts';
import type { Agenda } from '../emu/machine.ts';
import { TRACE_EVENTS } from '../trace/event.ts';
import { EVENTS } from './schema.ts';
import type { OperationName } from './workload/model.ts';
import { ANY_CPU, type PlanEntry, type PlanTrigger } from './workload/plan.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** What the timeline needs to know about the run to recognise events. */
export interface TimelineNames {
  /** Addresses of a function's name. */
  functions(name: string): readonly number[];
  /** The object number of a probe of the plan. */
  object(probe: number): number;
  /** The object number of a module of the plan. */
  module(module: number): number;
  /** The kernel's names of an operation. */
  operations(op: OperationName): readonly string[];
  /** The number of a string of the run, if it was used. */
  string(text: string): number | undefined;
}

/** An event trigger that waits. `left` counts down to 0, when it fires. */
interface Watch {
  readonly entry: PlanEntry;
  readonly event: number;
  readonly cpu: number;
  readonly matches: (a: number, b: number) => boolean;
  left: number;
}

export class Timeline implements Agenda {
  /** Performs an entry's action; `cpu` is where its trigger fired. */
  readonly #act: (entry: PlanEntry, cpu: number) => void;
  readonly #steps: PlanEntry[];
  readonly #byCpu: PlanEntry[][];
  readonly #watches: Watch[] = [];
  #ends: PlanEntry[];
  readonly #starts: PlanEntry[];
  #started = false;
  readonly #unfired: Set<PlanEntry>;

  constructor(
    entries: readonly PlanEntry[],
    names: TimelineNames,
    options: { cpus: number; act: (entry: PlanEntry, cpu: number) => void },
  ) {
    this.#act = options.act;
    this.#unfired = new Set(entries);
    const of = (kind: 'start' | 'end'): PlanEntry[] =>
      entries.filter(({ trigger }) => trigger.kind === kind);
    this.#starts = of('start');
    this.#ends = of('end');
    this.#steps = stepEntries(entries, ANY_CPU);
    this.#byCpu = Array.from({ length: options.cpus }, (_, cpu) => stepEntries(entries, cpu));
    for (const entry of entries) {
      const watch = watchOf(entry, names);
      if (watch !== undefined) this.#watches.push(watch);
    }
  }

  /** The set-up is over: `at: start` fires, steps and events count from here on. */
  start(): void {
    this.#started = true;
    for (const entry of this.#starts) this.#fire(entry, 0);
  }

  /** Triggers that have not fired. */
  unfired(): readonly PlanEntry[] {
    return [...this.#unfired];
  }

  /** See Agenda. The machine asks again after anything that changes these (`Machine.plan`). */
  get next(): number {
    return this.#started ? stepOf(this.#steps[0]) : NEVER;
  }

  get nextOnAny(): number {
    return this.#started ? Math.min(...this.#byCpu.map((list) => stepOf(list[0]))) : NEVER;
  }

  fire(step: number): void {
    while (stepOf(this.#steps[0]) <= step) this.#fireNext(this.#steps, 0);
  }

  nextOn(cpu: Cpu): number {
    return this.#started ? stepOf(this.#byCpu[cpu.id]?.[0]) : NEVER;
  }

  fireOn(cpu: Cpu, step: number): void {
    const list = this.#byCpu[cpu.id] ?? [];
    while (stepOf(list[0]) <= step) this.#fireNext(list, cpu.id);
  }

  quiet(): boolean {
    if (this.#ends.length === 0) return false;
    const ends = this.#ends;
    this.#ends = [];
    for (const entry of ends) this.#fire(entry, 0);
    return true;
  }

  /** An event was emitted; its first two payload words tell what it is about. */
  see(id: number, cpu: number, a: number, b: number): void {
    if (!this.#started) return;
    for (const watch of this.#watches) {
      if (watch.left === 0 || watch.event !== id) continue;
      if (watch.cpu !== ANY_CPU && watch.cpu !== cpu) continue;
      if (!watch.matches(a, b)) continue;
      if (--watch.left === 0) this.#fire(watch.entry, cpu);
    }
  }

  #fireNext(list: PlanEntry[], cpu: number): void {
    const entry = list.shift();
    assert(entry !== undefined, 'a due list has an entry');
    this.#fire(entry, cpu);
  }

  #fire(entry: PlanEntry, cpu: number): void {
    assert(this.#unfired.delete(entry), 'a trigger fires once');
    this.#act(entry, cpu);
  }
}

/** Entries that fire at a step of `cpu`, soonest first; equal ones in the order of the file. */
function stepEntries(entries: readonly PlanEntry[], cpu: number): PlanEntry[] {
  return entries
    .filter(({ trigger }) => trigger.kind === 'step' && trigger.cpu === cpu)
    .toSorted((x, y) => stepOf(x) - stepOf(y));
}

function stepOf(entry: PlanEntry | undefined): number {
  return entry?.trigger.kind === 'step' ? entry.trigger.step : NEVER;
}

function watchOf(entry: PlanEntry, names: TimelineNames): Watch | undefined {
  const { trigger } = entry;
  if (!countsEvents(trigger)) return undefined;
  const event = eventOf(trigger);
  return { entry, event, cpu: trigger.cpu, left: trigger.nth, matches: matcher(trigger, names) };
}

type EventTrigger = Extract<PlanTrigger, { nth: number }>;

/** Does the trigger wait for events? */
export function countsEvents(trigger: PlanTrigger): trigger is EventTrigger {
  return 'nth' in trigger;
}

function eventOf(trigger: EventTrigger): number {
  switch (trigger.kind) {
    case 'function':
      return trigger.edge === 'enter' ? EMU_EVENTS.func_enter.id : EMU_EVENTS.func_return.id;
    case 'callback':
      return trigger.edge === 'enter' ? TRACE_EVENTS.cb_begin.id : TRACE_EVENTS.cb_end.id;
    case 'operation':
      return trigger.edge === 'begin' ? TRACE_EVENTS.ctl_begin.id : TRACE_EVENTS.ctl_end.id;
    case 'event':
      return EVENTS[trigger.event].id;
  }
}

function matcher(trigger: EventTrigger, names: TimelineNames): Watch['matches'] {
  switch (trigger.kind) {
    case 'function': {
      const addresses = names.functions(trigger.function);
      return (func) => addresses.includes(func);
    }
    case 'callback': {
      const object = names.object(trigger.probe);
      const { call } = trigger;
      if (call === undefined) return (_kind, found) => found === object;
      return (kind, found) => found === object && kind === names.string(call);
    }
    case 'operation': {
      const calls = names.operations(trigger.op);
      const object = objectOf(trigger, names);
      return (found, about) =>
        calls.some((call) => found === names.string(call)) &&
        (object === undefined || about === object);
    }
    case 'event':
      return () => true;
  }
}

/** The object that an operation has to be about; undefined for any. */
function objectOf(
  { probe, module }: Extract<PlanTrigger, { kind: 'operation' }>,
  names: TimelineNames,
): number | undefined {
  if (module >= 0) return names.module(module);
  return probe < 0 ? undefined : names.object(probe);
}
