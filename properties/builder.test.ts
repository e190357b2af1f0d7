// The builder gives the same model as YAML: whatever can be written in one can be written in the other, and both ways
// lead to equal workloads.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { goldenNames } from '../golden/golden.ts';
import { known } from '../src/assert.ts';
import { fromYaml } from '../src/replay/api/yaml.ts';
import { type DefinedPath, defineHandler } from '../src/replay/handler.ts';
import type { CallbackLines } from '../src/replay/workload/build-lines.ts';
import type {
  DataReference,
  FprobeReference,
  ProbeReference,
  Reference,
  ReferenceKind,
} from '../src/replay/workload/build-reference.ts';
import { workload, type WorkloadBuilder } from '../src/replay/workload/build.ts';
import type { HandlerModel, Line, Workload } from '../src/replay/workload/model.ts';
import { parseWorkload } from '../src/replay/workload/parse.ts';
import { entries, KERNEL_SYMBOLS } from '../src/replay/workload/scope.ts';
import { toYaml } from '../src/replay/workload/to-yaml.ts';
import { workloadArbitrary } from './workloads.ts';

/** What was made so far, by kind and name: a program keeps these in variables. */
class Made {
  readonly w: WorkloadBuilder;
  readonly #things = new Map<string, unknown>();

  constructor(w: WorkloadBuilder) {
    this.w = w;
  }

  put(group: string, name: string, thing: unknown): void {
    this.#things.set(`${group} ${name}`, thing);
  }

  get(group: string, name: string): unknown {
    return this.#things.get(`${group} ${name}`);
  }

  run(name: string): unknown {
    return this.get('run', name) ?? this.w.external(name);
  }

  data(text: string): Reference<'data'> {
    const [name = '', offset] = text.split('+');
    const data = (this.get('data', name) ?? this.w.externalData(name)) as DataReference;
    return offset === undefined ? data : data.at(Number(offset));
  }

  probe(name: string): ProbeReference | FprobeReference {
    return known(this.get('probe', name), 'a probe was made') as ProbeReference | FprobeReference;
  }

  /** `ops0.callback`, `fp0.entry`, `fp0.nmissed`: what belongs to a probe; undefined for other names. */
  part(text: string): unknown {
    const [name = '', part = ''] = text.split('.');
    const probe = this.get('probe', name);
    if (part === '' || probe === undefined) return undefined;
    return known((probe as Readonly<Record<string, unknown>>)[part], `a probe has its ${part}`);
  }

  /** What stands in a program where the model has `name` under `key`. */
  standsFor(key: string, name: string): unknown {
    switch (key) {
      case 'run':
      case 'function':
        return this.run(name);
      case 'callback':
      case 'entry':
      case 'exit':
        return (
          this.get('callback', name) ??
          this.get('run', name) ??
          builtIn(name) ??
          this.w.external(name)
        );
      case 'register':
      case 'unregister':
      case 'free_filter':
      case 'unregister_async':
      case 'disable':
      case 'enable':
      case 'probe':
        return this.probe(name);
      case 'enter':
      case 'return':
        return this.part(name) ?? this.run(name);
      case 'irq':
      case 'softirq':
      case 'nmi':
        return this.get('source', name) ?? this.run(name);
      case 'by':
        return this.get('control', name);
      case 'module':
      case 'init_module':
      case 'delete_module':
        return this.get('module', name);
      case 'counter':
        return this.part(name) ?? this.data(name);
      default:
        return name;
    }
  }

  /** As `value`, with things for names. */
  spec(value: unknown, key = ''): unknown {
    if (typeof value === 'string') return this.standsFor(key, value);
    if ((key === 'functions' || key === 'ips') && Array.isArray(value))
      return value.map((name: string) => this.run(name));
    if (Array.isArray(value) || typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, this.spec(v, k)]));
  }
}

type FunctionOptions = Parameters<WorkloadBuilder['function']>[2];

function builtIn(name: string): string | undefined {
  return name === 'count' || name === 'nothing' ? name : undefined;
}

/** The calls of a program whose workload is `model`; `paths` are the TypeScript paths that it names. */
function builderOf(model: Workload, paths: readonly DefinedPath[] = []): WorkloadBuilder {
  const w = workload(model.name, model.machine);
  const made = new Made(w);
  if (model.story !== undefined) w.story(model.story);
  if (model.image !== undefined) w.image(model.image);
  w.uses(...paths);
  for (const path of paths) made.put('run', path.name, path);
  for (const [name, spec] of entries(model.modules)) made.put('module', name, w.module(name, spec));
  for (const [name, bytes] of entries(model.data)) made.put('data', name, w.data(name, bytes));
  for (const [name, { body, ...options }] of entries(model.functions)) {
    const lines = (f: unknown): Line[] =>
      body.map((line) => lineOf(made, f as CallbackLines, line));
    made.put('run', name, w.function(name, lines, made.spec(options) as FunctionOptions));
  }
  for (const [name, { body, ...options }] of entries(model.callbacks)) {
    const lines = (f: CallbackLines): Line[] => body.map((line) => lineOf(made, f, line));
    made.put('callback', name, w.callback(name, lines, options));
  }
  for (const [name, task] of entries(model.tasks)) {
    if (task.run === undefined) made.put('control', name, w.control(name, task));
    else w.task(name, made.spec(task) as Parameters<typeof w.task>[1]);
  }
  for (const idle of model.idle ?? []) w.idle(made.spec(idle) as Parameters<typeof w.idle>[0]);
  for (const [name, handler] of entries(model.handlers))
    made.put('source', name, makeSource(made, name, handler));
  for (const [name, probe] of entries(model.probes))
    made.put('probe', name, w.probe(name, made.spec(probe) as Parameters<typeof w.probe>[1]));
  for (const { at, on, ...rest } of model.timeline ?? []) {
    const action = made.spec(rest) as Parameters<typeof w.at>[1];
    if (at === undefined) w.on(made.spec(on) as Parameters<typeof w.on>[0], action);
    else w.at(at, action);
  }
  for (const one of model.expect ?? []) w.expect(made.spec(one) as Parameters<typeof w.expect>[0]);
  return w;
}

function makeSource(made: Made, name: string, model: HandlerModel): Reference<ReferenceKind> {
  for (const kind of ['irq', 'softirq', 'nmi', 'timer'] as const) {
    const { [kind]: run, ...rest } = model;
    if (run === undefined) continue;
    const spec = {
      ...(made.spec(rest) as typeof rest),
      run: made.run(run),
    } as unknown as Parameters<WorkloadBuilder['timer']>[1];
    return made.w[kind](name, spec);
  }
  throw new RangeError(`${name} is of no kind`);
}

/** A line by the word that makes it: `add hits 1` is `f.add(hits, 1)`, `irq_off` is `f.irqOff()`. */
function lineOf(made: Made, f: CallbackLines, line: Line): Line {
  const inner = (lines: readonly Line[]): Line[] => lines.map((one) => lineOf(made, f, one));
  if (typeof line !== 'string') {
    if ('trylock' in line) return f.trylock(inner(line.trylock));
    return 'loop' in line
      ? f.loop(line.loop, inner(line.body))
      : f.if(made.data(line.if), inner(line.body));
  }
  const [word = '', ...operands] = line.split(' ');
  const method = word.replaceAll(/_(.)/gu, (_, letter: string) => letter.toUpperCase());
  const values = operands.map((text, index) => {
    if (word === 'call' || word === 'redirect')
      return KERNEL_SYMBOLS.includes(text) ? text : made.run(text);
    if ((word === 'set_reg' || word === 'store_data') && index === 0) return text;
    const isData = index === 0 && ['load', 'store', 'add', 'amoadd'].includes(word);
    return isData ? made.data(text) : Number(text);
  });
  const words = f as unknown as Record<string, (...values: readonly unknown[]) => Line>;
  return known(words[method], `there is a word ${method}`)(...values);
}

/** Each is some milliseconds of YAML. */
const RUNS = 50;
const TIMEOUT_MS = 30_000;

test(
  'any workload, built, written as YAML and read again, is the same workload',
  () => {
    fc.assert(
      fc.property(workloadArbitrary, (model) => {
        const built = builderOf(model).build();
        expect(built).toEqual(model);
        const read = fromYaml(toYaml(built));
        expect(read).toEqual(model);
        // Order tells of tasks which gets which pid, and of functions where they lie.
        for (const section of ['functions', 'tasks', 'handlers', 'callbacks', 'probes'] as const)
          expect(Object.keys(read[section] ?? {})).toEqual(Object.keys(model[section] ?? {}));
      }),
      { numRuns: RUNS },
    );
  },
  TIMEOUT_MS,
);

const GOLDEN = join(import.meta.dirname, '../golden');

test.each(goldenNames(GOLDEN))('the golden %s can be built', (name) => {
  const { workload: read } = parseWorkload(
    readFileSync(join(GOLDEN, `${name}.yaml`), 'utf8'),
    name,
  );
  expect(builderOf(read).build()).toEqual(read);
});

/** Every section, every word of a body, every kind of trigger and operation. */
const EVERYTHING = `name: everything
story: All at once.
machine: { cpus: 2, seed: 42, preempt: true, landingPad: false, grain: instruction, steps_max: 5000, patching: breakpoint, random: { schedule: [1, 4], inject: [0, 1] }, missPolicy: exitOnly, countRecursion: true, racyCounters: true, sharedStrict: true, fprobeNonWatching: true }
data: { counter: 16, lock: 8 }
functions:
  early: { body: [call late, call rcu_is_watching, call audit] }
  late:
    body: [work 4, load counter, store counter 1, add counter+8 2, amoadd counter 3, irq_off, irq_on,
      preempt_off, preempt_on, rcu_read_lock, rcu_read_unlock, sleep 5, return 7]
    notrace: false
  again: { body: [work 1], symbol: late }
  looping: { body: [{ loop: 2, body: [work 1, { loop: 3, body: [call late] }] }], notrace: true }
tasks:
  control-1: { cpu: 1 }
  opener: { cpu: 0, run: early, times: 3 }
  program: { cpu: 1, run: early, times: 2, user: { work: 3, entry: late, exit: early } }
  typed: { cpu: 1, run: audit }
idle: [{ cpu: 1, run: late, times: 2 }]
handlers:
  tick: { irq: early, cpu: 1, inject: 2, entry: late }
  bottom: { softirq: late }
  dog: { nmi: audit, inject: 1 }
  clock: { timer: late, cpu: 0, first: 10, every: 20, times: 3 }
callbacks:
  note: { body: [regs, set_reg s1 5, redirect late, { trylock: [work 1, call late] }], notrace: false }
  carry: { body: [store_data a1, show_data, regs, return 1] }
typescript: { audit: 3 }
probes:
  ops0: { kind: ftrace, filter: 'l*', notrace: [early, late], callback: note }
  ops1: { kind: ftrace, callback: count, flags: [SAVE_REGS, IPMODIFY, RCU] }
  ops2: { kind: ftrace, filter: [early], callback: nothing, flags: [PID, PERMANENT] }
  ops3: { kind: ftrace, callback: audit }
  fp0: { kind: fprobe, filter: 'l*', notfilter: early, entry: carry, exit: carry, entry_data_size: 16, nr_maxactive: 3, flags: [DISABLED, KPROBE_SHARED] }
  fp1: { kind: fprobe, ips: [late, again], entry: count, exit: nothing, entry_returns: -1 }
  fp2: { kind: fprobe, syms: [late], exit: audit }
  fp3: { kind: fprobe, filter: null, entry: nothing }
timeline:
  - { at: start, register: ops0, expect: 0 }
  - { at: { step: 4, cpu: 1 }, set_filter: { probe: ops0, pattern: null, reset: true } }
  - { on: { enter: late, cpu: 1, nth: 2 }, set_notrace: { probe: ops0, pattern: early } }
  - { on: { return: ops0.callback }, set_filter_ip: { probe: ops1, function: late, remove: true, reset: false }, by: control-1 }
  - { on: { begin: register, probe: ops0 }, irq: tick, cpu: 1 }
  - { on: { end: set_filter }, softirq: { run: late } }
  - { on: { event: text_write }, nmi: dog }
  - { on: { enter: audit }, irq: early }
  - { at: { step: 9 }, set_filter_ips: { probe: ops1, functions: [late, again], remove: true, reset: true }, expect: ENOENT }
  - { at: { step: 9 }, ftrace_enabled: 0, expect: -EBUSY }
  - { on: { end: ftrace_enabled }, set_ftrace_pid: { tasks: [opener, control-1], append: true } }
  - { at: { step: 9 }, cpu_down: { which: 1, run: late } }
  - { on: { end: cpu_down }, cpu_up: { which: 1 } }
  - { at: end, unregister: ops0, expect: -EBUSY }
  - { at: end, free_filter: ops0 }
  - { at: start, register: fp0, expect: -E2BIG }
  - { at: start, register: fp1, expect: -ENOSPC }
  - { on: { enter: fp0.entry, cpu: 1 }, disable: fp0 }
  - { on: { return: fp2.exit }, enable: fp0, by: control-1 }
  - { on: { begin: disable, probe: fp0 }, unregister_async: fp1 }
expect: [unregister, { counter: counter+8, is: 3 }, { counter: ops1.count, at_least: 1 }, { counter: counter, at_most: 9 }, { counter: fp1.entry, is: 1 }, { counter: fp0.nmissed, is: 0 }]
`;

test('every word of YAML has its place in the builder', () => {
  const read = fromYaml(EVERYTHING);
  const audit = defineHandler('audit', 3, function* () {});
  const built = builderOf(read, [audit]);
  expect(built.build()).toEqual(read);
  expect(built.handlers).toEqual([audit]);
  expect(fromYaml(toYaml(built.build()))).toEqual(read);
});
