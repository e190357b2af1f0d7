// Layer replay. A run in numbers: events by kind, what became of the hits of each probe, steps of each CPU,
// and how it ended.
import { hexAddress } from '../emu/address.ts';
import { LEVEL_NAMES } from '../emu/event.ts';
import type { EventLog } from './event-log.ts';
import { islandEvents } from './island.ts';
import { OopsPlaces } from './oops-place.ts';
import type { Salvage } from './recording.ts';
import { type Event, EVENT_KINDS } from './schema.ts';
import { Symbols } from './symbols.ts';
import { quoted } from './text-form.ts';

interface ProbeSummary {
  readonly object: number;
  readonly name: string;
  readonly kind: string;
  /** Callbacks that ran. */
  readonly hits: number;
  /** Hits without a callback, by reason, in order of first appearance. */
  readonly skips: Readonly<Record<string, number>>;
}

interface CpuSummary {
  readonly cpu: number;
  readonly events: number;
  /** Steps of this CPU that were reported by an event. */
  readonly steps: number;
  /** Events by level. */
  readonly levels: Readonly<Record<string, number>>;
}

export interface Summary {
  readonly events: number;
  readonly lastStep: number;
  /** By kind, in order of the table; only those that occur. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly probes: readonly ProbeSummary[];
  readonly cpus: readonly CpuSummary[];
  /** In the order in which they were recorded; with the machine option `recordRecursion`. */
  readonly recursed: readonly RecursedFunction[];
  /**
   * `run_end`, or the oops, deadlock or step limit that ended it; `none` where the recording stops, `lost` where damage
   * took that.
   */
  readonly ending: string;
}

/** A function at which recursion was refused, and who called it the first time; as `vfs_open+0x4`. */
interface RecursedFunction {
  readonly ip: string;
  readonly parent_ip: string;
}

interface ProbeCount {
  readonly object: number;
  name: string;
  kind: string;
  hits: number;
  readonly skips: Map<string, number>;
}

interface CpuCount {
  events: number;
  steps: number;
  stepBefore: number | undefined;
  readonly levels: Map<string, number>;
}

/** Counts the events of `log`; with `cpu`, those of that CPU. */
export function summarize(log: EventLog, cpu?: number): Summary {
  const count = new Count();
  for (const event of log.events()) {
    if (event.event === 'object') count.probe(event.object, event.name, event.kind);
    if (event.event === 'symbol') count.symbols.see(event);
    count.oopses.see(event);
    if (cpu === undefined || event.cpu === cpu) count.take(event);
    count.end(event);
  }
  return count.summary();
}

/**
 * As `summarize`, of what a file holds: how the run ended may stand behind damage, and where it is lost the ending is
 * `lost`, unlike that of a run that never came to its end.
 */
export function summarizeRecording(
  { log, islands = [], claim }: Pick<Salvage, 'log'> & Partial<Pick<Salvage, 'islands' | 'claim'>>,
  cpu?: number,
): Summary {
  const summary = summarize(log, cpu);
  const oopses = new OopsPlaces();
  let ending = claim === undefined ? summary.ending : 'lost';
  for (const island of islands)
    for (const frame of island.frames)
      for (const event of islandEvents(island, frame)) {
        oopses.see(event);
        ending = endingOf(event, oopses) ?? ending;
      }
  return { ...summary, ending };
}

/** `summary` as lines of text. */
export function* summaryLines(summary: Summary): Generator<string> {
  yield `${summary.events} events, last step ${summary.lastStep}, ending: ${summary.ending}`;
  yield '';
  yield* tableLines(['event', 'count'], Object.entries(summary.kinds));
  if (summary.probes.length > 0) {
    yield '';
    const rows = summary.probes.map(({ name, kind, hits, skips }): readonly Cell[] => [
      quoted(name),
      kind,
      hits,
      Object.entries(skips)
        .map(([reason, times]) => `${quoted(reason)} ${times}`)
        .join(', ') || '-',
    ]);
    yield* tableLines(['probe', 'kind', 'hits', 'skips'], rows);
  }
  if (summary.recursed.length > 0) {
    yield '';
    const rows = summary.recursed.map(({ ip, parent_ip: parent }) => [quoted(ip), quoted(parent)]);
    yield* tableLines(['recursion at', 'called from'], rows);
  }
  yield '';
  const cpus = summary.cpus.map(({ cpu, events, steps, levels }): readonly Cell[] => [
    `CPU ${cpu}`,
    events,
    steps,
    ...LEVEL_NAMES.map((name) => levels[name] ?? 0),
  ]);
  yield* tableLines(['cpu', 'events', 'steps', ...LEVEL_NAMES], cpus);
}

type Cell = string | number;

/** Columns as wide as they need to be; numbers to the right. */
function* tableLines(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
): Generator<string> {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => String(row[column]).length)),
  );
  for (const row of [head, ...rows]) {
    const cells = row.map((cell, column) => {
      const isNumber = typeof (rows[0] ?? head)[column] === 'number';
      const width = widths[column] ?? 0;
      return isNumber ? String(cell).padStart(width) : String(cell).padEnd(width);
    });
    yield `  ${cells.join('  ')}`.trimEnd();
  }
}

class Count {
  readonly symbols = new Symbols();
  readonly oopses = new OopsPlaces();
  readonly #recursed: RecursedFunction[] = [];
  readonly #kinds = new Map<string, number>();
  readonly #probes = new Map<number, ProbeCount>();
  readonly #cpus = new Map<number, CpuCount>();
  #events = 0;
  #lastStep = 0;
  #ending = 'none';

  probe(object: number, name: string, kind: string): void {
    const probe = this.#probe(object);
    probe.name = name;
    probe.kind = kind;
  }

  take(event: Event): void {
    this.#events++;
    this.#lastStep = event.step;
    add(this.#kinds, event.event);
    this.#takeCpu(event);
    this.#takeHit(event);
    if (event.event === 'recursed_function') {
      this.#recursed.push({ ip: this.#place(event.ip), parent_ip: this.#place(event.parent_ip) });
    }
  }

  /** A run ends for all CPUs, wherever that shows. */
  end(event: Event): void {
    this.#ending = endingOf(event, this.oopses) ?? this.#ending;
  }

  summary(): Summary {
    const kinds = EVENT_KINDS.flatMap(({ name }): [string, number][] => {
      const count = this.#kinds.get(name);
      return count === undefined ? [] : [[name, count]];
    });
    const cpus = [...this.#cpus].toSorted(([left], [right]) => left - right);
    return {
      events: this.#events,
      lastStep: this.#lastStep,
      kinds: Object.fromEntries(kinds),
      probes: Array.from(this.#probes.values(), (probe) => ({
        ...probe,
        skips: Object.fromEntries(probe.skips),
      })),
      cpus: cpus.map(([cpu, { events, steps, levels }]) => ({
        cpu,
        events,
        steps,
        levels: Object.fromEntries(levels),
      })),
      recursed: this.#recursed,
      ending: this.#ending,
    };
  }

  #place(address: number): string {
    return this.symbols.text(address) ?? hexAddress(address);
  }

  #takeCpu(event: Event): void {
    let cpu = this.#cpus.get(event.cpu);
    if (cpu === undefined) {
      cpu = { events: 0, steps: 0, stepBefore: undefined, levels: new Map() };
      this.#cpus.set(event.cpu, cpu);
    }
    cpu.events++;
    if (event.step !== cpu.stepBefore) cpu.steps++;
    cpu.stepBefore = event.step;
    add(cpu.levels, LEVEL_NAMES[event.level] ?? `level ${event.level}`);
  }

  #takeHit(event: Event): void {
    if (event.event === 'cb_begin') {
      const probe = this.#probe(event.object);
      probe.hits++;
      if (probe.kind === '') probe.kind = event.kind;
    } else if (event.event === 'skip') add(this.#probe(event.object).skips, event.reason);
  }

  #probe(object: number): ProbeCount {
    const found = this.#probes.get(object);
    if (found !== undefined) return found;
    const probe = { object, name: `object ${object}`, kind: '', hits: 0, skips: new Map() };
    this.#probes.set(object, probe);
    return probe;
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** How the run ended, if this event says so. */
function endingOf(event: Event, oopses: OopsPlaces): string | undefined {
  if (event.event === 'run_end' || event.event === 'deadlock') return event.event;
  if (event.event === 'oops') return `oops (${quoted(event.reason)} ${oopses.of(event)})`;
  if (event.event === 'no_progress') return `no_progress after ${event.steps} steps`;
  return undefined;
}
