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
  KprobeReference,
  KretprobeReference,
  ProbeReference,
  Reference,
  ReferenceKind,
} from '../src/replay/workload/build-reference.ts';
import { workload, type WorkloadBuilder } from '../src/replay/workload/build.ts';
import type { HandlerModel, Line, Workload } from '../src/replay/workload/model.ts';
import { parseWorkload } from '../src/replay/workload/parse.ts';
import { entries, KERNEL_SYMBOLS } from '../src/replay/workload/scope.ts';
import { toYaml } from '../src/replay/workload/to-yaml.ts';
import { EVERYTHING, keysIn, SCHEMA, schemaKeys } from './everything.ts';
import { editedWorkloads } from './workload-edits.ts';
import { fprobeCases } from './workloads-fprobe.ts';
import { workloadArbitrary, workloadsWith } from './workloads.ts';

type AnyProbe = ProbeReference | FprobeReference | KprobeReference | KretprobeReference;

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

  probe(name: string): AnyProbe {
    return known(this.get('probe', name), 'a probe was made') as AnyProbe;
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
      case 'pre':
      case 'post':
      case 'handler':
      case 'addr':
        return (
          this.get('callback', name) ??
          this.get('run', name) ??
          builtIn(name) ??
          (key === 'addr' ? name : this.w.external(name))
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
    if ((key === 'register' || key === 'unregister') && Array.isArray(value))
      return value.map((name: string) => this.probe(name));
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
    if (word === 'call' || word === 'tail' || word === 'redirect')
      return KERNEL_SYMBOLS.includes(text) ? text : made.run(text);
    if ((word === 'set_reg' || word === 'store_data') && index === 0) return text;
    const isData = index === 0 && ['load', 'store', 'add', 'amoadd'].includes(word);
    return isData ? made.data(text) : Number(text);
  });
  const words = f as unknown as Record<string, (...values: readonly unknown[]) => Line>;
  return known(words[method], `there is a word ${method}`)(...values);
}

/** Such as run in the properties, with modules, attributes and fprobes; and such as have every key there is. */
const anyWorkload: fc.Arbitrary<Workload> = fc.oneof(
  workloadArbitrary,
  workloadsWith({ module: true, flags: 'drawn', early: true }),
  fprobeCases().map(({ workload: model }) => model),
  editedWorkloads,
  editedWorkloads,
);

function pathsOf({ typescript }: Workload): readonly DefinedPath[] {
  return entries(typescript).map(([name, version]) =>
    defineHandler(name, version, function* () {}),
  );
}

/** Each is some milliseconds of YAML. */
const RUNS = 100;
const TIMEOUT_MS = 30_000;

test(
  'any workload, built, written as YAML and read again, is the same workload',
  () => {
    fc.assert(
      fc.property(anyWorkload, (model) => {
        const built = builderOf(model, pathsOf(model)).build();
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

test('every word of YAML has its place in the builder', () => {
  const read = fromYaml(EVERYTHING);
  const audit = defineHandler('audit', 3, function* () {});
  const built = builderOf(read, [audit]);
  expect(built.build()).toEqual(read);
  expect(built.handlers).toEqual([audit]);
  expect(fromYaml(toYaml(built.build()))).toEqual(read);
});

/** Words that the schema has an example of, in `FunctionLine` or `CallbackLine`. */
function wordsOf(line: string): readonly string[] {
  const examples = SCHEMA.$defs[line]?.anyOf?.flatMap((one) => one.examples ?? []) ?? [];
  return examples.flatMap((one) => (typeof one === 'string' ? (one.split(' ')[0] ?? '') : []));
}

test('EVERYTHING has every key of the schema, and every word of a body', () => {
  const there = new Set(keysIn(fromYaml(EVERYTHING)));
  const keys = schemaKeys();
  expect(keys.length).toBeGreaterThan(150);
  expect(keys.filter((key) => !there.has(key))).toEqual([]);
  const words = [...wordsOf('FunctionLine'), ...wordsOf('CallbackLine')];
  expect(words.length).toBeGreaterThan(30);
  expect(words.filter((word) => !new RegExp(`[\\[ ]${word}\\b`, 'u').test(EVERYTHING))).toEqual([]);
});

test('a key that is missing is missed', () => {
  const { static: _, ...ops3 } = { ...fromYaml(EVERYTHING).probes?.['ops3'], static: true };
  const there = new Set(keysIn({ ...fromYaml(EVERYTHING), probes: { ops3 } }));
  expect(there).toContain('.probes.*.callback (ftrace)');
  expect(schemaKeys().filter((key) => !there.has(key))).toContain('.probes.*.static (ftrace)');
});

test('what the round trip draws has every key, and is without each of the machine that can be left out', () => {
  const sample = fc.sample(anyWorkload, { numRuns: 250, seed: 1 });
  const all = schemaKeys();
  const sets = sample.map((model) => new Set(keysIn(model)));
  expect(all.filter((key) => !sets.some((keys) => keys.has(key)))).toEqual([]);
  const always = all.filter((key) => sets.every((keys) => keys.has(key)));
  expect(always.filter((key) => key.startsWith('.machine'))).toEqual(['.machine', '.machine.cpus']);
  // Most keys stay: they are together, in all ways.
  const kept = sets.filter((_, index) => sample[index]?.name === 'everything');
  const shares = kept.map((keys) => keys.size / all.length);
  expect(shares.length).toBeGreaterThan(50);
  expect(shares.reduce((sum, one) => sum + one, 0) / shares.length).toBeGreaterThan(0.7);
});
