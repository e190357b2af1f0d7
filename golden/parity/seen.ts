// What became of the commands of a truth file that were played here (rig.ts), read from the recorded events.
import { OopsPlaces } from '../../src/replay/oops-place.ts';
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

/** A handler of a probe at its first instruction. */
export interface Handled {
  /** `FA.entry`, `KA.pre`. */
  readonly who: string;
  readonly ip: number;
  readonly retIp: number;
  readonly regsIp: number;
  /** The first word of its registers. */
  readonly regsA0: number;
  readonly regsRa: number;
  /** -1 when there is none. */
  readonly entryData: number;
  /** Its first 8 bytes. */
  readonly data: number;
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
  /** The same, in any task. */
  readonly all: readonly string[];
  readonly handled: readonly Handled[];
  /** The text of the file that was read. */
  readonly file?: string | undefined;
  /** Warnings of the kernel. */
  readonly warned: readonly string[];
}

export interface Played {
  readonly ending: string;
  /** Of a run that ended with one: its reason, and where it was: `freed in ftrace_set_filter, called by ...`. */
  readonly oops: string | undefined;
  /** Of each command that returned. */
  readonly seen: readonly Seen[];
}

/** Functions whose entry says that a body ran: `ran_tgt_a1`. */
export const RAN = 'ran_';
/** Calls of somebody else, whose result is that of the command. */
const OPERATIONS: ReadonlySet<string> = new Set(['init_module', 'delete_module', 'ftrace_enabled']);

/** Which handler of its probe an event is about; of an ftrace_ops there is one. */
const HANDLERS: Readonly<Record<string, string>> = {
  fprobe_entry: 'entry',
  fprobe_exit: 'exit',
  kprobe_pre: 'pre',
  kprobe_post: 'post',
  kretprobe_entry: 'entry',
  kretprobe: 'return',
};

interface Command {
  readonly pid: number;
  result: number | undefined;
  readonly hits: (Hit & { readonly registers: string[] })[];
  readonly order: string[];
  readonly all: string[];
  readonly handled: Handled[];
  readonly warned: string[];
}

/** What the events say about one CPU. */
interface Cpu {
  isInRegion: boolean;
  areIrqsOff: boolean;
  locks: number;
}

/** What is seen beside the events. */
interface Beside {
  /** Of handlers, by number of the event. */
  readonly handled: ReadonlyMap<number, Handled>;
  /** Texts of files, by number of the command. */
  readonly files: ReadonlyMap<number, string>;
}

class Reader {
  readonly seen: Seen[] = [];
  #now: Command | undefined;
  readonly #sites = new Map<number, { readonly name: string; readonly address: number }>();
  readonly #starts = new Map<number, string>();
  readonly #ops = new Map<number, string>();
  readonly #cpus = new Map<number, Cpu>();
  readonly #beside: Beside;
  readonly #places = new OopsPlaces();
  oops: string | undefined;

  constructor(beside: Beside) {
    this.#beside = beside;
  }

  read(event: Event): void {
    this.#places.see(event);
    if (event.event === 'oops') this.oops = `${event.reason} ${this.#places.of(event)}`;
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
    if (text === 'begin') this.#now = newCommand(pid);
    else if (text.startsWith('WARNING: ')) this.#now?.warned.push(text);
    const [, result] = /^end (-?\d+)$/u.exec(text) ?? [];
    if (result === undefined || this.#now === undefined) return;
    const file = this.#beside.files.get(this.seen.length);
    this.seen.push({ ...this.#now, file, result: this.#now.result ?? Number(result) });
    this.#now = undefined;
  }

  #note(event: Event, now: Command): void {
    if (event.event === 'cb_begin') {
      const hit = this.#hitOf(event);
      now.hits.push(hit);
      this.#runs(hit.ops, event.pid, now);
      const handled = this.#beside.handled.get(event.index);
      if (handled !== undefined) now.handled.push({ ...handled, who: hit.ops });
    } else if (event.event === 'func_enter') {
      const name = this.#starts.get(event.func) ?? '';
      if (name.startsWith(RAN)) this.#runs(name.slice(RAN.length), event.pid, now);
    } else if (event.event === 'regs') {
      const name = this.#ops.get(event.object);
      now.hits.findLast(({ ops }) => ops === name)?.registers.push(event.register);
    } else if (event.event === 'ctl_end' && OPERATIONS.has(event.op)) {
      now.result = event.result;
    }
  }

  #runs(name: string, pid: number, now: Command): void {
    now.all.push(name);
    if (pid === now.pid) now.order.push(name);
  }

  #hitOf({
    object,
    ip,
    kind,
    cpu: id,
  }: EventOf<'cb_begin'>): Hit & { readonly registers: string[] } {
    const { name: func, address } = this.#sites.get(ip) ?? { name: '', address: ip };
    const { isInRegion, areIrqsOff: irqsOff, locks } = this.#cpu(id);
    const preemptCount = isInRegion ? Math.max(locks, 1) : 0;
    const which = HANDLERS[kind];
    const ops = `${this.#ops.get(object) ?? ''}${which === undefined ? '' : `.${which}`}`;
    return { ops, func, plus: ip - address, registers: [], preemptCount, irqsOff };
  }
}

function newCommand(pid: number): Command {
  return { pid, result: undefined, hits: [], order: [], all: [], handled: [], warned: [] };
}

/** What the events say of the commands of a run that ended so. */
export function readRun(events: Iterable<Event>, ending: string, beside: Beside): Played {
  const reader = new Reader(beside);
  for (const event of events) reader.read(event);
  return { ending, oops: reader.oops, seen: reader.seen };
}
