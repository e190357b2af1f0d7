// Layer replay. A recording in the layout of the kernel's `trace` file with the function tracer (TE-50 to
// TE-53): one line for each callback that ran. What the columns are taken from, where the kernel would
// look at its own counters:
//   column 1  `d` in an interrupt, an NMI or a trap. A task that turned interrupts off itself looks like one
//             that turned preemption off: the events tell a region, not its cause.
//   column 2  always `.`: nobody sees a pending reschedule in the events.
//   column 3  the levels open on that CPU; a trap shows as `Z`, as breakpoint hits do (TE-51).
//   column 4  `1` when a task-level region was open at the fetch of the call site, so that the regions of
//             the tracer itself do not count, as in the kernel.
//   column 5  always `.`: migration is never disabled here.
// One step is one microsecond.
import { hexAddress } from '../emu/address.ts';
import type { EventLog } from './event-log.ts';
import { OopsPlaces } from './oops-place.ts';
import type { Event, EventName } from './schema.ts';
import { Symbols } from './symbols.ts';

const COMM_LETTERS = 15;
const UNPRINTABLE = /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/gu;
const SOFTIRQ = 1;
const HARDIRQ = 2;
const NMI = 3;
const TRAP = 4;

/** What explains the flag columns, as the kernel prints it (TE-52). */
const LEGEND = [
  '                                _-----=> irqs-off/BH-disabled',
  '                               / _----=> need-resched',
  '                              | / _---=> hardirq/softirq',
  '                              || / _--=> preempt-depth',
  '                              ||| / _-=> migrate-disable',
  '                              |||| /     delay',
  '           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION',
  '              | |         |   |||||     |         |',
] as const;

/** The lines of the `trace` file; with `cpu`, those of `per_cpu/cpuN/trace`. */
export function* ftraceLines(log: EventLog, cpu?: number): Generator<string> {
  let entries = 0;
  let cpus = 0;
  for (const event of log.events()) {
    cpus = Math.max(cpus, event.cpu + 1);
    if (isShown(event) && (cpu === undefined || event.cpu === cpu)) entries++;
  }
  yield '# tracer: function';
  yield '#';
  yield `# entries-in-buffer/entries-written: ${entries}/${entries}   #P:${cpus}`;
  yield '#';
  for (const line of LEGEND) yield `#${line}`;
  const view = new KernelView();
  for (const event of log.events()) {
    view.see(event);
    if (isShown(event) && (cpu === undefined || event.cpu === cpu)) yield view.line(event);
  }
}

/** What the kernel's file would have a line for. */
const SHOWN = [
  'cb_begin',
  'printk',
  'oops',
  'deadlock',
  'no_progress',
  'kill',
] as const satisfies readonly EventName[];

type Shown = Extract<Event, { readonly event: (typeof SHOWN)[number] }>;

function isShown(event: Event): event is Shown {
  return SHOWN.some((name) => name === event.event);
}

/** What is known of one CPU while its events pass. */
interface CpuView {
  /** Levels open above the task, lowest first. */
  readonly levels: number[];
  isRegionOpen: boolean;
}

class KernelView {
  readonly #symbols = new Symbols();
  readonly #oopses = new OopsPlaces();
  readonly #comms = new Map<number, string>();
  readonly #cpus = new Map<number, CpuView>();
  /** By context: was a region open when the site was fetched? */
  readonly #fetches = new Map<string, { readonly ip: number; readonly isRegionOpen: boolean }>();

  see(event: Event): void {
    this.#oopses.see(event);
    const cpu = this.#cpu(event.cpu);
    while ((cpu.levels.at(-1) ?? 0) > event.level) cpu.levels.pop();
    if (event.level > (cpu.levels.at(-1) ?? 0)) cpu.levels.push(event.level);
    if (event.event === 'symbol') this.#symbols.see(event);
    else if (event.event === 'task_new') this.#comms.set(event.child, event.name);
    else if (event.event === 'region_open') cpu.isRegionOpen = true;
    else if (event.event === 'region_close') cpu.isRegionOpen = false;
    else if (event.event === 'site_fetch') {
      const { isRegionOpen } = cpu;
      this.#fetches.set(contextOf(event), { ip: event.ip, isRegionOpen });
    }
  }

  /** TE-50. */
  line(event: Shown): string {
    const comm = event.pid === 0 ? '<idle>' : (this.#comms.get(event.pid) ?? '<...>');
    const task = `${comm.slice(0, COMM_LETTERS).padStart(16)}-${String(event.pid).padEnd(7)}`;
    const cpu = `[${String(event.cpu).padStart(3, '0')}]`;
    const seconds = String(Math.floor(event.step / 1_000_000)).padStart(5);
    const micros = String(event.step % 1_000_000).padStart(6, '0');
    return `${task} ${cpu} ${this.#flags(event)} ${seconds}.${micros}: ${this.#what(event)}`;
  }

  #what(event: Shown): string {
    switch (event.event) {
      case 'cb_begin':
        return `${this.#name(event.ip)} <-${this.#name(event.parent_ip)}`;
      case 'printk':
        return `console: ${oneLine(event.text)}`;
      case 'oops':
        return `console: Oops: ${oneLine(event.reason)} ${oneLine(this.#oopses.of(event))}`;
      case 'deadlock':
        return `console: task ${event.waiting} waits forever on ${oneLine(event.on)}`;
      case 'no_progress':
        return `console: no progress after ${event.steps} steps`;
      case 'kill':
        return `console: ftrace failed to modify ${this.#name(event.ip)}`;
    }
  }

  #flags(event: Shown): string {
    const cpu = this.#cpu(event.cpu);
    const irqs = event.level >= HARDIRQ ? 'd' : '.';
    const depth = event.level === 0 && this.#isRegionOpen(event, cpu) ? '1' : '.';
    return `${irqs}.${contextFlag(cpu.levels)}${depth}.`;
  }

  /** Before the tracer's own region, where that is known. */
  #isRegionOpen(event: Shown, cpu: CpuView): boolean {
    const fetch = this.#fetches.get(contextOf(event));
    const isHit = event.event === 'cb_begin' && fetch?.ip === event.ip;
    return isHit ? fetch.isRegionOpen : cpu.isRegionOpen;
  }

  /** As the kernel prints a function: without the offset. */
  #name(address: number): string {
    return this.#symbols.find(address)?.name ?? hexAddress(address);
  }

  #cpu(number: number): CpuView {
    const found = this.#cpus.get(number);
    if (found !== undefined) return found;
    const cpu: CpuView = { levels: [], isRegionOpen: false };
    this.#cpus.set(number, cpu);
    return cpu;
  }
}

/** A task keeps its fetch when it moves to another CPU; an interrupt stays where it is. */
function contextOf({ level, pid, cpu }: Event): string {
  return level === 0 ? `task ${pid}` : `${level} on ${cpu}`;
}

function contextFlag(levels: readonly number[]): string {
  const isIn = (level: number): boolean => levels.includes(level);
  if (isIn(TRAP)) return 'Z';
  if (isIn(NMI)) return isIn(HARDIRQ) ? 'Z' : 'z';
  if (isIn(HARDIRQ)) return isIn(SOFTIRQ) ? 'H' : 'h';
  return isIn(SOFTIRQ) ? 's' : '.';
}

/** A text that the guest chose, kept on its line. */
function oneLine(text: string): string {
  return text.trimEnd().replaceAll(UNPRINTABLE, '?');
}
