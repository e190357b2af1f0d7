// What became of the commands of a truth file that were played here (rig.ts), read from the recorded events.
import type { Event, EventOf } from '../../src/replay/schema.ts';

interface Hit {
  readonly ops: string;
  readonly func: string;
  /** `ip`, from the address of the function. */
  readonly plus: number;
  /** Registers that the callback recorded, if it looked. */
  readonly registers: readonly string[];
  /** Levels of preemption that was off, and whether interrupts were. */
  readonly preemptCount: number;
  readonly irqsOff: boolean;
}

/** What became of one command. */
export interface Seen {
  readonly result: number;
  /** Callbacks that ran meanwhile, on any CPU. */
  readonly hits: readonly Hit[];
  /** Callbacks and bodies that ran in the task itself, in order. */
  readonly order: readonly string[];
  /** Warnings of the kernel. */
  readonly warned: readonly string[];
}

export interface Played {
  readonly ending: string;
  /** Of each command that returned. */
  readonly seen: readonly Seen[];
}

/** Functions whose entry says that a body ran: `ran_tgt_a1`. */
export const RAN = 'ran_';
/** Calls of somebody else, whose result is that of the command. */
const OPERATIONS: ReadonlySet<string> = new Set(['init_module', 'delete_module', 'ftrace_enabled']);

interface Command {
  readonly pid: number;
  result: number | undefined;
  readonly hits: (Hit & { readonly registers: string[] })[];
  readonly order: string[];
  readonly warned: string[];
}

/** What the events say about one CPU. */
interface Cpu {
  isInRegion: boolean;
  areIrqsOff: boolean;
  locks: number;
}

class Reader {
  readonly seen: Seen[] = [];
  #now: Command | undefined;
  readonly #sites = new Map<number, { readonly name: string; readonly address: number }>();
  readonly #starts = new Map<number, string>();
  readonly #ops = new Map<number, string>();
  readonly #cpus = new Map<number, Cpu>();

  read(event: Event): void {
    if (event.event === 'symbol') {
      this.#sites.set(event.site, event);
      this.#starts.set(event.address, event.name);
    } else if (event.event === 'object') this.#ops.set(event.object, event.name);
    this.#noteCpu(event);
    if (event.event === 'printk') this.#log(event);
    if (this.#now !== undefined) this.#note(event, this.#now);
  }

  #cpu(id: number): Cpu {
    const known = this.#cpus.get(id) ?? { isInRegion: false, areIrqsOff: false, locks: 0 };
    this.#cpus.set(id, known);
    return known;
  }

  #noteCpu(event: Event): void {
    const cpu = this.#cpu(event.cpu);
    if (event.event === 'region_open') cpu.isInRegion = true;
    else if (event.event === 'region_close') cpu.isInRegion = false;
    else if (event.event === 'irqs') cpu.areIrqsOff = !event.on;
    else if (event.event === 'recursion_lock') cpu.locks++;
    else if (event.event === 'recursion_unlock') cpu.locks--;
  }

  #log({ text, pid }: EventOf<'printk'>): void {
    if (text === 'begin') this.#now = { pid, result: undefined, hits: [], order: [], warned: [] };
    else if (text.startsWith('WARNING: ')) this.#now?.warned.push(text);
    const [, result] = /^end (-?\d+)$/u.exec(text) ?? [];
    if (result === undefined || this.#now === undefined) return;
    this.seen.push({ ...this.#now, result: this.#now.result ?? Number(result) });
    this.#now = undefined;
  }

  #note(event: Event, now: Command): void {
    if (event.event === 'cb_begin') {
      const hit = this.#hitOf(event);
      now.hits.push(hit);
      if (event.pid === now.pid) now.order.push(hit.ops);
    } else if (event.event === 'func_enter' && event.pid === now.pid) {
      const name = this.#starts.get(event.func) ?? '';
      if (name.startsWith(RAN)) now.order.push(name.slice(RAN.length));
    } else if (event.event === 'regs') {
      const name = this.#ops.get(event.object);
      now.hits.findLast(({ ops }) => ops === name)?.registers.push(event.register);
    } else if (event.event === 'ctl_end' && OPERATIONS.has(event.op)) {
      now.result = event.result;
    }
  }

  #hitOf({ object, ip, cpu: id }: EventOf<'cb_begin'>): Hit & { readonly registers: string[] } {
    const { name: func, address } = this.#sites.get(ip) ?? { name: '', address: ip };
    const { isInRegion, areIrqsOff: irqsOff, locks } = this.#cpu(id);
    const preemptCount = isInRegion ? Math.max(locks, 1) : 0;
    const ops = this.#ops.get(object) ?? '';
    return { ops, func, plus: ip - address, registers: [], preemptCount, irqsOff };
  }
}

/** What the events say of the commands of a run that ended so. */
export function readRun(events: Iterable<Event>, ending: string): Played {
  const reader = new Reader();
  for (const event of events) reader.read(event);
  return { ending, seen: reader.seen };
}
