// Layer emu. What the machine can report. `src/trace/event.ts` adds the tracing vocabulary and
// `src/replay/schema.ts` joins both into the one table that the file format, the text form, the docs
// and the judges derive from. Ids are pinned; adding is appending (CONTRIBUTING.md).

/**
 * How a field is stored and shown. All take one int32 word, but `u64`, which takes two (low, high).
 * `int`: signed decimal. `hex`: unsigned 32-bit. `address`: an Address. `string`: an interned string's
 * number. `bool`: 0 or 1. `errno`: 0 or a negative errno.
 */
export type FieldType = 'int' | 'hex' | 'address' | 'string' | 'bool' | 'errno' | 'u64';

export interface EventShape {
  readonly id: number;
  /** Shown in docs; one sentence. */
  readonly about: string;
  /** In payload order; at most PAYLOAD_WORDS words together. */
  readonly fields: Readonly<Record<string, FieldType>>;
}

export const PAYLOAD_WORDS = 8;

/**
 * Takes events as they happen. Every event carries the global step, the CPU, the context level
 * (0 task, 1 softirq, 2 hardirq, 3 NMI, 4 trap) and the pid, then up to PAYLOAD_WORDS payload words;
 * words beyond the event's own fields are 0 and not stored.
 */
export interface EventSink {
  // prettier-ignore
  emit(
    id: number, step: number, cpu: number, level: number, pid: number,
    a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number,
  ): void;
}

/** Names for the `level` column. */
export const LEVEL_NAMES = ['task', 'softirq', 'hardirq', 'nmi', 'trap'] as const;

export const EMU_EVENTS = {
  symbol: {
    id: 1,
    about:
      'A function of the image, or of a module that is being loaded; `site` is its call site or -1, `notrace` it can never be hooked.',
    fields: { name: 'string', address: 'address', size: 'int', site: 'address', notrace: 'bool' },
  },
  task_new: {
    id: 2,
    about: 'A task exists; its pid is in `child`.',
    fields: { child: 'int', name: 'string', on_cpu: 'int', kind: 'string' },
  },
  sched_switch: {
    id: 3,
    about: 'The CPU changes tasks; `state` says how the previous one left.',
    fields: { prev: 'int', next: 'int', state: 'string' },
  },
  task_wake: { id: 4, about: 'A sleeping task became ready.', fields: { woken: 'int' } },
  task_exit: { id: 5, about: 'The task ended.', fields: {} },
  irq_enter: {
    id: 6,
    about:
      'An interrupt, softirq or NMI context opens; `interrupted` is -1 on kernel code and idle CPUs.',
    fields: { handler: 'address', interrupted: 'address' },
  },
  irq_exit: { id: 7, about: 'That context is over.', fields: { handler: 'address' } },
  trap_enter: { id: 8, about: 'A breakpoint trap was taken.', fields: { pc: 'address' } },
  trap_exit: {
    id: 9,
    about: 'The trap returns to `to`.',
    fields: { pc: 'address', to: 'address' },
  },
  region_open: {
    id: 10,
    about: 'The CPU became non-preemptible (CC-M3); regions have unique numbers.',
    fields: { region: 'int', watching: 'bool' },
  },
  region_close: { id: 11, about: 'The last cause went.', fields: { region: 'int' } },
  rcu_watching: { id: 12, about: 'RCU starts or stops watching.', fields: { watching: 'bool' } },
  rcu_read_lock: { id: 13, about: 'A read section opens.', fields: { section: 'int' } },
  rcu_read_unlock: { id: 14, about: 'The read section closes.', fields: { section: 'int' } },
  func_enter: {
    id: 15,
    about: 'Ground truth: the first instruction of a function executes, before any hook.',
    fields: { func: 'address', ra: 'address', sp: 'address' },
  },
  func_return: {
    id: 16,
    about: 'Ground truth: pc and sp are again those that the function was entered with.',
    fields: { func: 'address', value: 'u64' },
  },
  site_fetch: {
    id: 17,
    about:
      'A site is fetched: version seen, newest version, and what the CPU does; `insn`: an instruction that a breakpoint stands for at times.',
    fields: { ip: 'address', seen: 'int', newest: 'int', does: 'string', target: 'address' },
  },
  text_write: {
    id: 18,
    about: 'A halfword of a site is written.',
    fields: { ip: 'address', part: 'int', value: 'hex', version: 'int' },
  },
  sync_send: { id: 19, about: 'IPIs to all other CPUs (CC-M7).', fields: { sync: 'int' } },
  sync_ack: { id: 20, about: 'This CPU answers.', fields: { sync: 'int' } },
  sync_done: { id: 21, about: 'Every CPU answered.', fields: { sync: 'int' } },
  lock: {
    id: 22,
    about:
      'A lock is taken; no other lock has that name: a second one of the name `l` is called `l#2`.',
    fields: { name: 'string' },
  },
  unlock: { id: 23, about: 'A lock is released.', fields: { name: 'string' } },
  wait_begin: {
    id: 24,
    about: 'A grace period starts; the snapshot is taken.',
    fields: { kind: 'string', wait: 'int' },
  },
  wait_end: { id: 25, about: 'The grace period is over.', fields: { kind: 'string', wait: 'int' } },
  alloc: {
    id: 26,
    about: 'An object of `kind` begins to live.',
    fields: {
      kind: 'string',
      object: 'int',
      generation: 'int',
      address: 'address',
      bytes: 'int',
    },
  },
  free: { id: 27, about: 'It is freed.', fields: { object: 'int', generation: 'int' } },
  touch: { id: 28, about: 'It is used.', fields: { object: 'int', generation: 'int' } },
  inject: {
    id: 29,
    about: 'The chooser or the timeline raised a source.',
    fields: { source: 'string', target: 'address' },
  },
  printk: { id: 30, about: 'A line of the kernel log.', fields: { text: 'string' } },
  oops: {
    id: 31,
    about: 'The emulated kernel faults; the run ends here.',
    fields: { reason: 'string', pc: 'address', address: 'address' },
  },
  deadlock: {
    id: 32,
    about: 'Nobody can run and no timer is pending; one event for each waiting task.',
    fields: { waiting: 'int', on: 'string' },
  },
  no_progress: { id: 33, about: 'The step limit is reached.', fields: { steps: 'int' } },
  run_end: { id: 34, about: 'The run is over, regularly.', fields: {} },
  timer: { id: 35, about: 'A timer expires.', fields: { handler: 'address' } },
  call_rcu: {
    id: 36,
    about: 'A callback is queued behind a grace period (CC-M13).',
    fields: { callback: 'int' },
  },
  rcu_callback: { id: 37, about: 'That callback runs.', fields: { callback: 'int' } },
  alloc_failed: {
    id: 38,
    about: 'An allocation failed, by choice or for want of memory.',
    fields: { kind: 'string', bytes: 'int' },
  },
  func_abandon: {
    id: 39,
    about:
      'Ground truth: the function will not return: code jumped out of its frame, or its task ended.',
    fields: { func: 'address' },
  },
  irqs: {
    id: 40,
    about:
      'Running code turned interrupts on or off; `asked`: guest code wanted it, by instruction or by call.',
    fields: { on: 'bool', asked: 'bool' },
  },
  func_arg: {
    id: 41,
    about:
      'Ground truth, on request: a register as a function that has not returned reached its call site.',
    fields: { func: 'address', sp: 'address', register: 'string', value: 'u64' },
  },
  level_shown: {
    id: 48,
    about:
      'Whether preempt_count shows the interrupt that runs: not in its entry code, nor in its exit code.',
    fields: { shown: 'bool' },
  },
  cpu_state: {
    id: 42,
    about: 'At the end of a run: what a CPU still holds.',
    fields: { preempt_count: 'int', bh_count: 'int', irqs: 'bool', contexts: 'int' },
  },
  stop_begin: {
    id: 43,
    about: 'stop_machine: every CPU is to switch to its stopper thread (CC-M8).',
    fields: { stop: 'int' },
  },
  stop_leave: {
    id: 44,
    about: 'This CPU is done with it: its interrupts are on again, and it sees the newest text.',
    fields: { stop: 'int' },
  },
  text_pair: {
    id: 45,
    about: 'Both instructions of a site are written while the machine is stopped (FT-12).',
    fields: { ip: 'address', first: 'hex', second: 'hex', version: 'int' },
  },
  cpu_online: {
    id: 47,
    about:
      'A CPU came up, or is gone (CPU hotplug); its first and last code runs while it is online.',
    fields: { which: 'int', on: 'bool' },
  },
  task_migrate: {
    id: 49,
    about: 'A task goes to another CPU, because its own is taken down.',
    fields: { moved: 'int', to: 'int' },
  },
  user_mode: { id: 46, about: 'The task enters or leaves user mode.', fields: { on: 'bool' } },
  symbol_gone: {
    id: 50,
    about: 'A function of a module can no longer be hooked: its module is going.',
    fields: { name: 'string', address: 'address', site: 'address' },
  },
} as const satisfies Record<string, EventShape>;

/** Interns texts that events carry: equal texts get equal numbers, in order of first use from 0. */
export interface StringTable {
  id(text: string): number;
}

/** A text that many events carry: looked up at its first use, which also numbers it, and then known. */
export class EventText {
  readonly #text: string;
  readonly #strings: StringTable;
  #id = -1;

  constructor(text: string, strings: StringTable) {
    this.#text = text;
    this.#strings = strings;
  }

  get id(): number {
    if (this.#id < 0) this.#id = this.#strings.id(this.#text);
    return this.#id;
  }
}
