// Layer replay. Workloads in TypeScript: the same model as a YAML file has, with the same words, in the same order.
// What YAML says by name is a value here, so a compiler checks it; what a compiler cannot see is checked as for YAML,
// and a mistake is told with the file, line and column of the call that made it.
import { InputError } from '../../assert.ts';
import { type DefinedPath, isDefined, titleOf } from '../handler.ts';
import { type Body, type CallbackLines, type FunctionLines, linesWith } from './build-lines.ts';
import {
  type Action,
  DataReference,
  type EventTrigger,
  type Expected,
  FprobeReference,
  type FprobeSpec,
  type IdleSpec,
  type InterruptSpec,
  KprobeReference,
  type KprobeSpec,
  KretprobeReference,
  type KretprobeSpec,
  ProbeReference,
  type ProbeSpec,
  Reference,
  type ReferenceKind,
  type TaskSpec,
  type TimerSpec,
  type Trigger,
} from './build-reference.ts';
import { callSite } from './call-site.ts';
import { check } from './check.ts';
import { type KeyPath, type Positions, showPath } from './finding.ts';
import type { InterruptName, MachineModel, ModuleModel, Workload } from './model.ts';
import { readWorkload } from './parse.ts';

/**
 * Begins a workload. Everything that has a name comes back as a value, to be used where YAML would write the name.
 *
 * @example
 * import { toYaml, workload } from 'reprobe';
 * const w = workload('swap', { cpus: 2, seed: 42 });
 * const open = w.function('vfs_open', (f) => [f.work(4)]);
 * const read = w.function('vfs_read', (f) => [f.work(6)]);
 * const round = w.function('round', (f) => [f.call(open), f.call(read), f.sleep(20)]);
 * for (const cpu of [0, 1]) w.task(`reader${cpu}`, { cpu, run: round, times: 20 });
 * const ops = w.probe('ops', { kind: 'ftrace', filter: 'vfs_*', callback: 'count' });
 * w.at('start', { register: ops });
 * w.at({ step: 200 }, { set_filter: { probe: ops, pattern: 'vfs_open', reset: true } });
 * w.on({ enter: ops.callback, cpu: 1 }, { nmi: { run: read } });
 * w.at({ step: 900 }, { unregister: ops });
 * w.expect('unregister', { counter: ops.count, at_least: 1 });
 * console.log(toYaml(w.build()).split('\n')[1]); // → machine: { cpus: 2, seed: 42 }
 */
export function workload(name: string, machine: MachineModel): WorkloadBuilder {
  return new WorkloadBuilder(name, machine, callSite());
}

/** Makes a part's data. Bodies are made last: they may call what is defined later. */
type Make = () => unknown;
type Section = 'modules' | 'data' | 'functions' | 'tasks' | 'handlers' | 'callbacks' | 'probes';

interface CallbackOptions {
  /** No call site: it can never be hooked. */
  readonly notrace?: boolean;
  /** The module without an image that it is part of. */
  readonly module?: Reference<'module'>;
}

interface FunctionOptions extends CallbackOptions {
  /** Its name for patterns, if not its own; other functions may bear it too. */
  readonly symbol?: string;
  /** No kprobe may be in it (`NOKPROBE_SYMBOL`). */
  readonly nokprobe?: boolean;
}

/**
 * A workload that is being written (`workload` begins one).
 *
 * @example
 * import { record, workload, type WorkloadBuilder } from 'reprobe';
 * function addReader(w: WorkloadBuilder, cpu: number): void {
 *   const body = w.function(`read${cpu}`, (f) => [f.work(6), f.sleep(10)]);
 *   w.task(`reader${cpu}`, { cpu, run: body, times: 5 });
 * }
 * const w = workload('readers', { cpus: 2 });
 * addReader(w, 0);
 * addReader(w, 1);
 * console.log(record(w).ending); // → run_end
 */
export class WorkloadBuilder {
  readonly #head: Pick<Workload, 'name' | 'machine'>;
  #story: string | undefined;
  #image: string | undefined;
  readonly #sections = new Map<Section, Map<string, Make>>();
  readonly #idle: unknown[] = [];
  readonly #timeline: unknown[] = [];
  readonly #expect: unknown[] = [];
  readonly #paths = new Map<string, DefinedPath>();
  readonly #sites: { readonly path: KeyPath; readonly site: string | undefined }[] = [];

  /** Use `workload`. */
  constructor(name: string, machine: MachineModel, site: string | undefined) {
    this.#head = { name, machine };
    this.#sites.push({ path: [], site });
  }

  /** The situation, and what to look at. */
  story(text: string): this {
    this.#story = text;
    return this;
  }

  /** An ELF file whose functions and data take part; `external` refers to them. */
  image(file: string): this {
    this.#image = file;
    this.#mark(['image']);
    return this;
  }

  /** A module, which `init_module` brings to life; `external` refers to its functions too. */
  module(name: string, spec: ModuleModel): Reference<'module'> {
    this.#add('modules', name, () => spec);
    return new Reference('module', name);
  }

  /** A function of the image. */
  external(name: string): Reference<'external'> {
    return new Reference('external', name);
  }

  /** Data of the image. */
  externalData(name: string): DataReference {
    return new DataReference(name);
  }

  /** A shared variable of so many bytes, a multiple of 8. */
  data(name: string, bytes: number): DataReference {
    this.#add('data', name, () => bytes);
    return new DataReference(name);
  }

  /** A function, assembled to RV64 code. Its body may call what is defined later. */
  function(
    name: string,
    body: Body<FunctionLines>,
    options: FunctionOptions = {},
  ): Reference<'function'> {
    const { module, ...rest } = options;
    const part = module === undefined ? {} : { module: this.#nameOf(module) };
    this.#add('functions', name, () => ({ body: this.#lines(body), ...rest, ...part }));
    return new Reference('function', name);
  }

  /** What a probe runs. It cannot be hooked unless `notrace: false`. */
  callback(
    name: string,
    body: Body<CallbackLines>,
    options: Pick<CallbackOptions, 'notrace'> = {},
  ): Reference<'callback'> {
    this.#add('callbacks', name, () => ({ body: this.#lines(body), ...options }));
    return new Reference('callback', name);
  }

  /** A task, which runs a function some times. */
  task(name: string, spec: TaskSpec): Reference<'task'> {
    const plain = this.#plain(spec);
    this.#add('tasks', name, () => plain);
    return new Reference('task', name);
  }

  /** A thread that performs the operations that name it (`by`). */
  control(name: string, spec: { readonly cpu: number }): Reference<'control'> {
    this.#add('tasks', name, () => spec);
    return new Reference('control', name);
  }

  /** What the idle task of a CPU runs, with RCU not watching. */
  idle(spec: IdleSpec): this {
    this.#push('idle', this.#idle, this.#plain(spec));
    return this;
  }

  /** A hardware interrupt; the timeline raises it, and with `inject` the chooser. */
  irq(name: string, spec: InterruptSpec): Reference<'irq'> {
    return this.#interrupt('irq', name, spec);
  }

  /** As `irq`, for a softirq. */
  softirq(name: string, spec: InterruptSpec): Reference<'softirq'> {
    return this.#interrupt('softirq', name, spec);
  }

  /** As `irq`, for an NMI. */
  nmi(name: string, spec: InterruptSpec): Reference<'nmi'> {
    return this.#interrupt('nmi', name, spec);
  }

  /** A timer interrupt on one CPU, in virtual time. */
  timer(name: string, { run, ...rest }: TimerSpec): Reference<'timer'> {
    const plain = this.#plain({ timer: run, ...rest });
    this.#add('handlers', name, () => plain);
    return new Reference('timer', name);
  }

  /** A probe; it is registered when the timeline says so. */
  probe(name: string, spec: ProbeSpec): ProbeReference;
  probe(name: string, spec: FprobeSpec): FprobeReference;
  probe(name: string, spec: KprobeSpec): KprobeReference;
  probe(name: string, spec: KretprobeSpec): KretprobeReference;
  probe(
    name: string,
    spec: ProbeSpec | FprobeSpec | KprobeSpec | KretprobeSpec,
  ): ProbeReference | FprobeReference | KprobeReference | KretprobeReference {
    const plain = this.#plain(spec);
    this.#add('probes', name, () => plain);
    switch (spec.kind) {
      case 'ftrace':
        return new ProbeReference(name);
      case 'fprobe':
        return new FprobeReference(name);
      case 'kprobe':
        return new KprobeReference(name);
      case 'kretprobe':
        return new KretprobeReference(name);
    }
  }

  /** Does `action` at a point of the run. */
  at(trigger: Trigger, action: Action): this {
    this.#push('timeline', this.#timeline, this.#plain({ at: trigger, ...action }));
    return this;
  }

  /** Does `action` when an event occurs. */
  on(trigger: EventTrigger, action: Action): this {
    this.#push('timeline', this.#timeline, this.#plain({ on: trigger, ...action }));
    return this;
  }

  /** What must be true of the run. */
  expect(...expected: readonly Expected[]): this {
    for (const one of expected) this.#push('expect', this.#expect, this.#plain(one));
    return this;
  }

  /** Paths in TypeScript that take part although nothing here names them: others call them. */
  uses(...paths: readonly DefinedPath[]): this {
    for (const path of paths) this.#nameOf(path);
    return this;
  }

  /** The workload as plain data; one InputError with every mistake. */
  build(): Workload {
    const { positions } = this;
    const { workload: built } = readWorkload(this.#model(), positions);
    check(built, positions);
    return built;
  }

  /** The paths in TypeScript that it names. */
  get handlers(): readonly DefinedPath[] {
    this.#model(); // Bodies name some.
    return [...this.#paths.values()];
  }

  /** Where each part was written. */
  get positions(): Positions {
    const place = (path: KeyPath): number =>
      this.#sites.findLastIndex((one) => one.path.every((step, index) => step === path[index]));
    return {
      offset: place,
      where: (path) => {
        const site = this.#sites[place(path)]?.site ?? this.#head.name;
        return path.length === 0 ? site : `${site}: ${showPath(path)}`;
      },
    };
  }

  #model(): unknown {
    const { name, machine } = this.#head;
    const sections = [...this.#sections].map(([section, things]): [string, unknown] => [
      section,
      Object.fromEntries([...things].map(([key, make]) => [key, make()])),
    ]);
    const paths = [...this.#paths.values()].map((path) => [path.name, path.version] as const);
    const lists = { idle: this.#idle, timeline: this.#timeline, expect: this.#expect };
    return {
      name,
      ...(this.#story === undefined ? {} : { story: this.#story }),
      machine,
      ...(this.#image === undefined ? {} : { image: this.#image }),
      ...Object.fromEntries(sections),
      ...(paths.length > 0 ? { typescript: Object.fromEntries(paths) } : {}),
      ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
    };
  }

  #interrupt<K extends InterruptName>(
    kind: K,
    name: string,
    { run, ...rest }: InterruptSpec,
  ): Reference<K> {
    const plain = this.#plain({ [kind]: run, ...rest });
    this.#add('handlers', name, () => plain);
    return new Reference(kind, name);
  }

  #add(section: Section, name: string, make: Make): void {
    const things = this.#sections.get(section) ?? new Map<string, Make>();
    this.#sections.set(section, things);
    if (things.has(name))
      throw new InputError(`the name '${name}' is there twice in '${section}'`, callSite());
    things.set(name, make);
    this.#mark([section, name]);
  }

  #push(section: string, list: unknown[], thing: unknown): void {
    this.#mark([section, list.length]);
    list.push(thing);
  }

  #mark(path: KeyPath): void {
    this.#sites.push({ path, site: callSite() });
  }

  #lines(body: Body<CallbackLines>): unknown {
    if (typeof body !== 'function') return body;
    return body(
      linesWith((target) => (typeof target === 'string' ? target : this.#nameOf(target))),
    );
  }

  /** `value` with names for things, and without what is undefined. */
  #plain(value: unknown): unknown {
    if (value instanceof Reference || isDefined(value)) return this.#nameOf(value);
    if (Array.isArray(value)) return value.map((one) => this.#plain(one));
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).filter(([, one]) => one !== undefined);
    return Object.fromEntries(entries.map(([key, one]) => [key, this.#plain(one)]));
  }

  #nameOf(thing: Reference<ReferenceKind> | DefinedPath): string {
    if (!isDefined(thing)) return thing.name;
    const before = this.#paths.get(thing.name);
    if (before === undefined) {
      this.#paths.set(thing.name, thing);
      this.#mark(['typescript', thing.name]);
    } else if (before.path !== thing.path || before.version !== thing.version) {
      throw new InputError(
        `two paths are named '${thing.name}': ${titleOf(before)}, ${titleOf(thing)}`,
        callSite(),
      );
    }
    return thing.name;
  }
}
