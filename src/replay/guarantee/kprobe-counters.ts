// Layer replay. The two counters of kprobes and kretprobes as a judge counts them: `nmissed` for hits while another kprobe
// ran (KP-35), `rp_nmissed` for calls without an instance (KR-4), or where RCU does not watch. Each counts from 0 at a registration.
import type { Event, EventOf } from '../schema.ts';
import { contextKey } from './hit.ts';
import type { Listeners } from './listen.ts';
import type { Story } from './story.ts';

type Report = (e: Event, why: string, shows?: readonly number[]) => void;

interface Counter {
  /** Undefined: not known. */
  value: number | undefined;
  /** Misses that are still to be counted, by flow. */
  readonly owed: Map<number, EventOf<'skip'>>;
}

export interface Counters {
  readonly story: Story;
  readonly report: Report;
  /** By object and name. */
  readonly all: Map<string, Counter>;
  missed: number;
}

/** The counter that a miss counts in. */
const COUNTERS: ReadonlyMap<string, string> = new Map([
  ['kprobe_running', 'nmissed'],
  ['no_node', 'rp_nmissed'],
  ['not_watching', 'rp_nmissed'],
]);

export function newCounters(story: Story, report: Report): Counters {
  return { story, report, all: new Map(), missed: 0 };
}

export function counterListeners(counters: Counters): Listeners {
  const { kprobes } = counters.story;
  return {
    kprobe: ({ object }) => {
      for (const name of COUNTERS.values()) counterOf(counters, object, name).value = 0;
    },
    ctl_begin: () => {
      const call = kprobes.calls.at(-1);
      if (call?.op.startsWith('register') === true) forget(counters, call.probes);
    },
    count: (e) => {
      if (kprobes.all.has(e.object)) counted(counters, e);
    },
    kprobe_state: (e) => {
      told(counters, e);
    },
    run_end: () => {
      reportUncounted(counters);
    },
  };
}

/** Of what is not registered, a call that fails may begin to count anew and not say so. */
function forget(
  counters: Counters,
  probes: readonly { readonly object: number; readonly generation: number }[],
): void {
  for (const { generation, object } of probes) {
    if (generation !== 0) continue;
    for (const name of COUNTERS.values()) counterOf(counters, object, name).value = undefined;
  }
}

function counterOf({ all }: Counters, object: number, name: string): Counter {
  const key = `${object} ${name}`;
  let counter = all.get(key);
  if (counter === undefined) {
    counter = { value: undefined, owed: new Map() };
    all.set(key, counter);
  }
  return counter;
}

function keyOf({ cpu, level, pid }: Event): number {
  return contextKey(pid, cpu, level);
}

/** A hit is missed: true if it counts. */
export function owe(counters: Counters, e: EventOf<'skip'>): boolean {
  const name = COUNTERS.get(e.reason);
  if (name === undefined) return false;
  const { owed } = counterOf(counters, e.object, name);
  const before = owed.get(keyOf(e));
  if (before !== undefined) reportMiss(counters, before);
  owed.set(keyOf(e), e);
  return true;
}

function counted(counters: Counters, e: EventOf<'count'>): void {
  const counter = counterOf(counters, e.object, e.counter);
  const miss = counter.owed.get(keyOf(e));
  const what = `${nameOf(counters, e.object)}.${e.counter} went from ${e.old} to ${e.new}`;
  if (miss === undefined) counters.report(e, `${what}, but nothing was missed that counts`);
  counter.owed.delete(keyOf(e));
  counters.missed++;
  if (e.new !== e.old + 1) counters.report(e, `${what} for one miss`, [miss?.index ?? -1]);
  if (counter.value !== undefined && counter.value !== e.old)
    counters.report(e, `${what}, but it had been counted to ${counter.value}`);
  counter.value = e.new;
}

function told(counters: Counters, e: EventOf<'kprobe_state'>): void {
  const values = [
    ['nmissed', e.nmissed],
    ['rp_nmissed', e.rp_nmissed],
  ] as const;
  if (counters.story.kprobes.all.get(e.object)?.lost !== false) return;
  for (const [name, now] of values) {
    const { value } = counterOf(counters, e.object, name);
    if (value === undefined || value === now) continue;
    const what = `${nameOf(counters, e.object)}.${name} is ${now} at the end`;
    counters.report(e, `${what}, but it was counted to ${value}`);
  }
}

/** Misses that nobody has counted when the run is over. */
function reportUncounted(counters: Counters): void {
  for (const { owed } of counters.all.values()) {
    for (const miss of owed.values()) reportMiss(counters, miss);
  }
}

function reportMiss(counters: Counters, miss: EventOf<'skip'>): void {
  const name = COUNTERS.get(miss.reason) ?? '';
  const what = `${nameOf(counters, miss.object)} missed a hit (${miss.reason})`;
  counters.report(miss, `${what} and ${name} was not increased`);
}

function nameOf({ story }: Counters, object: number): string {
  return story.kprobes.all.get(object)?.name ?? `kprobe ${object}`;
}
