// Random workloads for the ftrace properties: small, valid, and full of what CC-X2 asks for. Hooked code in
// the idle task, two tasks on a CPU (preemption inside a trampoline), two probes on one site, interrupts
// whose handlers are hooked too, filters that change and probes that go and come back while all of it runs.
// A workload is built from plain numbers by a pure function, so that a failing one shrinks well.
import fc from 'fast-check';
import type {
  CallbackModel,
  FunctionModel,
  HandlerModel,
  IdleModel,
  Line,
  ProbeModel,
  SetPattern,
  TaskModel,
  TimelineItem,
  Workload,
} from '../src/replay/workload/model.ts';
import { matches } from '../src/replay/workload/pattern.ts';

/** What a property insists on; everything else is left to chance. */
export interface Features {
  readonly cpus?: 1 | 2 | 3 | 4;
  /**
   * How many probes. With two, a site that both select is served by the list function; with three it
   * stays so when one of them goes or does not select it (nothing is patched, only the list decides).
   */
  readonly probes?: 1 | 2 | 3;
  /**
   * Three probes, of which the second and third select everything from start to end: whatever the first
   * does, it does on sites that call the list function. Some faults live only there (CC-G1, CC-G3, CC-G4).
   */
  readonly shared?: boolean;
  /** Hooked code in the idle task of the last CPU. */
  readonly idle?: boolean;
  /** A second task on every CPU. */
  readonly crowded?: boolean;
  /** At least this many injectable handlers. */
  readonly handlers?: 0 | 1 | 2;
}

/** Workloads with these features. */
export function workloadsWith(features: Features): fc.Arbitrary<Workload> {
  return rawWorkload(features).map(build);
}

const NAMES = ['vfs_a', 'mem_a', 'vfs_b', 'mem_b', 'vfs_c', 'mem_c'] as const;
const PATTERNS = [
  'vfs_*',
  'mem_*',
  '*_a',
  '*_[ab]',
  'vfs_?',
  '*',
  '*_b',
  '!*_a',
  'no_such*',
] as const;
/** No filter change comes later: runs are about 2,000 steps. */
const STEP_MAX = 600;

interface RawFunction {
  readonly work: number;
  readonly calls: readonly number[];
  readonly style: 'plain' | 'counts' | 'preempt_off' | 'rcu';
  readonly notrace: boolean;
}

interface RawTask {
  readonly runs: readonly number[];
  readonly times: number;
  readonly us: number;
}

interface RawChange {
  readonly op: 'set_filter' | 'set_notrace' | 'set_filter_ip';
  readonly pattern: number;
  readonly reset: boolean;
}

interface RawProbe {
  readonly filter: readonly number[];
  readonly notrace: readonly number[];
  readonly callback: 'count' | 'nothing' | 'lingering' | 'guarded';
  /** Between register and unregister; a second list: after it came back. */
  readonly lives: readonly (readonly RawChange[])[];
  /** When each of its operations is due, in turn. */
  readonly triggers: readonly number[];
  readonly leaves: boolean;
}

interface Raw {
  readonly cpus: number;
  readonly grain: 'visible' | 'instruction';
  readonly preempt: boolean;
  readonly landingPad: boolean;
  readonly functions: readonly RawFunction[];
  readonly tasks: readonly RawTask[];
  readonly crowded: boolean;
  readonly idle: { readonly run: number; readonly times: number } | null;
  readonly handlers: readonly {
    readonly kind: 'irq' | 'softirq' | 'nmi';
    readonly run: number;
    readonly inject: number;
  }[];
  readonly probes: readonly RawProbe[];
  readonly shared: boolean;
  readonly secondControl: boolean;
}

function oftenTrue(): fc.Arbitrary<boolean> {
  return fc.nat(4).map((draw) => draw !== 4);
}

function rarely(): fc.Arbitrary<boolean> {
  return fc.nat(7).map((draw) => draw === 7);
}

function rawWorkload(features: Features): fc.Arbitrary<Raw> {
  const { cpus, probes, handlers } = features;
  return fc.record({
    cpus: cpus === undefined ? fc.constantFrom(2, 1, 3, 2, 4) : fc.constant(cpus),
    grain: fc.constantFrom<Raw['grain'][]>('visible', 'visible', 'instruction'),
    preempt: oftenTrue(),
    landingPad: fc.boolean(),
    functions: fc.array(rawFunction, { minLength: 2, maxLength: NAMES.length }),
    tasks: fc.array(rawTask, { minLength: 8, maxLength: 8 }),
    crowded: fixed(features.crowded, fc.boolean()),
    idle: fixed(features.idle, fc.boolean()).chain((wanted) =>
      wanted
        ? fc.record({ run: fc.nat(5), times: fc.integer({ min: 2, max: 12 }) })
        : fc.constant(null),
    ),
    handlers: fc.array(
      fc.record({
        kind: fc.constantFrom<('irq' | 'softirq' | 'nmi')[]>('irq', 'nmi', 'softirq'),
        run: fc.nat(5),
        inject: fc.integer({ min: 1, max: 3 }),
      }),
      { minLength: handlers ?? 0, maxLength: Math.max(2, handlers ?? 0) },
    ),
    probes: fc.array(rawProbe, { minLength: probes ?? 1, maxLength: probes ?? 3 }),
    shared: fixed(features.shared, rarely()),
    secondControl: rarely(),
  });
}

function fixed(
  value: boolean | undefined,
  otherwise: fc.Arbitrary<boolean>,
): fc.Arbitrary<boolean> {
  return value === undefined ? otherwise : fc.constant(value);
}

const rawFunction: fc.Arbitrary<RawFunction> = fc.record({
  work: fc.nat(4),
  calls: fc.array(fc.nat(5), { maxLength: 2 }),
  style: fc.constantFrom<RawFunction['style'][]>('plain', 'plain', 'counts', 'preempt_off', 'rcu'),
  notrace: rarely(),
});

const rawTask: fc.Arbitrary<RawTask> = fc.record({
  runs: fc.array(fc.nat(5), { minLength: 1, maxLength: 2 }),
  times: fc.integer({ min: 2, max: 8 }),
  us: fc.integer({ min: 1, max: 40 }),
});

const rawChange: fc.Arbitrary<RawChange> = fc.record({
  op: fc.constantFrom<RawChange['op'][]>(
    'set_filter',
    'set_filter',
    'set_notrace',
    'set_filter_ip',
  ),
  pattern: fc.nat(NAMES.length + PATTERNS.length - 1),
  reset: oftenTrue(),
});

const patternList = fc.array(fc.nat(NAMES.length + PATTERNS.length - 1), { maxLength: 2 });

const rawProbe: fc.Arbitrary<RawProbe> = fc.record({
  filter: patternList,
  notrace: fc.oneof(fc.constant([]), patternList, patternList),
  callback: fc.constantFrom<RawProbe['callback'][]>(
    'count',
    'count',
    'lingering',
    'guarded',
    'nothing',
  ),
  lives: fc.array(fc.array(rawChange, { maxLength: 3 }), { minLength: 1, maxLength: 2 }),
  triggers: fc.array(fc.nat(STEP_MAX), { minLength: 10, maxLength: 10 }),
  leaves: oftenTrue(),
});

/** Pure: equal numbers, equal workload. */
function build(drawn: Raw): Workload {
  const raw = drawn.shared ? withCompany(drawn) : drawn;
  const functions = buildFunctions(raw.functions);
  const traceable = Object.entries(functions)
    .filter(([, fn]) => fn.notrace !== true)
    .map(([name]) => name);
  const names = Object.keys(functions);
  const tasks = buildTasks(raw, names, functions);
  const idle = buildIdle(raw, names, functions);
  const handlers = buildHandlers(raw, names);
  const callbacks = buildCallbacks(raw, traceable);
  // What tasks and idle CPUs run is traceable too, and in the patterns' reach.
  const selectable = [...traceable, ...Object.keys(functions).slice(names.length)];
  const probes = raw.probes.map((probe, index) => buildProbe(probe, index, selectable));
  return {
    name: 'random',
    machine: {
      cpus: raw.cpus,
      preempt: raw.preempt,
      landingPad: raw.landingPad,
      grain: raw.grain,
      steps_max: 50_000,
    },
    data: { hits: 8, shared: 16 },
    functions,
    tasks,
    ...(idle.length > 0 ? { idle } : {}),
    ...(Object.keys(handlers).length > 0 ? { handlers } : {}),
    ...(Object.keys(callbacks).length > 0 ? { callbacks } : {}),
    probes: Object.fromEntries(probes.map((probe, index) => [`ops${index}`, probe])),
    timeline: raw.probes.flatMap((probe, index) =>
      buildLife(probe, index, selectable, raw.secondControl && index > 0),
    ),
  };
}

/** Two probes that select everything join the first one. */
function withCompany(raw: Raw): Raw {
  const [first] = raw.probes;
  if (first === undefined) return raw;
  const company: RawProbe = { ...first, filter: [], notrace: [], callback: 'count', lives: [] };
  return { ...raw, probes: [first, company, company] };
}

function nameAt(names: readonly string[], index: number): string {
  return names[index % names.length] ?? NAMES[0];
}

/** A function calls later ones only, and as many as keep one call of the first below 12 calls in all. */
function buildFunctions(raws: readonly RawFunction[]): Record<string, FunctionModel> {
  const bodies: FunctionModel[] = [];
  const costs: number[] = [];
  for (let index = raws.length - 1; index >= 0; index--) {
    const raw = raws[index];
    if (raw === undefined) continue;
    const later = raws.length - 1 - index;
    let cost = 1;
    const calls: Line[] = [];
    for (const draw of raw.calls) {
      if (later === 0) break;
      const target = index + 1 + (draw % later);
      const added = costs[raws.length - 1 - target] ?? 0;
      if (cost + added > 12) continue;
      cost += added;
      calls.push(`call ${NAMES[target] ?? NAMES[0]}`);
    }
    costs.push(cost);
    bodies.push(buildFunction(raw, calls, index === 0));
  }
  // The first function is never notrace: every workload has something to hook.
  return Object.fromEntries(bodies.toReversed().map((body, index) => [NAMES[index] ?? '', body]));
}

function buildFunction(raw: RawFunction, calls: readonly Line[], first: boolean): FunctionModel {
  const inner: Line[] = [...calls, ...(raw.work > 0 ? [`work ${raw.work}`] : [])];
  const around: Record<RawFunction['style'], Line[]> = {
    plain: inner,
    counts: ['add shared 1', ...inner, 'amoadd shared+8 1'],
    preempt_off: ['preempt_off', ...inner, 'preempt_on'],
    rcu: ['rcu_read_lock', ...inner, 'rcu_read_unlock'],
  };
  const body = around[raw.style];
  return raw.notrace && !first ? { body, notrace: true } : { body };
}

/** Tasks sleep after each round: waits for tasks end, and `control` gets its turn. */
function buildTasks(
  raw: Raw,
  names: readonly string[],
  functions: Record<string, FunctionModel>,
): Record<string, TaskModel> {
  const tasks: Record<string, TaskModel> = {};
  for (const [index, task] of raw.tasks.slice(0, raw.crowded ? raw.cpus * 2 : raw.cpus).entries()) {
    const run = `do_${index}`;
    functions[run] = {
      body: [...task.runs.map((draw) => `call ${nameAt(names, draw)}`), `sleep ${task.us}`],
    };
    tasks[`task${index}`] = { cpu: index % raw.cpus, run, times: task.times };
  }
  if (raw.secondControl) tasks['control1'] = { cpu: raw.cpus - 1 };
  return tasks;
}

function buildIdle(
  raw: Raw,
  names: readonly string[],
  functions: Record<string, FunctionModel>,
): IdleModel[] {
  if (raw.idle === null) return [];
  functions['idle_a'] = { body: [`call ${nameAt(names, raw.idle.run)}`, 'work 1'] };
  return [{ cpu: raw.cpus - 1, run: 'idle_a', times: raw.idle.times }];
}

function buildHandlers(raw: Raw, names: readonly string[]): Record<string, HandlerModel> {
  return Object.fromEntries(
    raw.handlers.map(({ kind, run, inject }, index) => {
      const target = nameAt(names, run);
      const model: Record<typeof kind, HandlerModel> = {
        irq: { irq: target, inject },
        softirq: { softirq: target, inject },
        nmi: { nmi: target, inject },
      };
      return [`source${index}`, model[kind]];
    }),
  );
}

/** `guarded` calls a function that may be hooked by the same probe: the lock ends that (FT-52). */
function buildCallbacks(raw: Raw, traceable: readonly string[]): Record<string, CallbackModel> {
  const callbacks = raw.probes.map(({ callback }) => callback);
  const last = traceable.at(-1) ?? NAMES[0];
  return {
    ...(callbacks.some((one, index) => one === 'lingering' || (one === 'guarded' && index > 0))
      ? { lingering: { body: [{ loop: 4, body: ['add hits 1'] }] } }
      : {}),
    ...(callbacks[0] === 'guarded'
      ? { guarded: { body: ['regs', { trylock: ['amoadd hits 1', `call ${last}`] }] } }
      : {}),
  };
}

function patternAt(draw: number): string {
  return [...NAMES, ...PATTERNS][draw] ?? '*';
}

/** The drawn pattern, or the first function where it would match nothing: that is for operations. */
function matchingPattern(draw: number, selectable: readonly string[]): string {
  const pattern = patternAt(draw);
  return matches(pattern, selectable).length > 0 ? pattern : NAMES[0];
}

function buildProbe(raw: RawProbe, index: number, selectable: readonly string[]): ProbeModel {
  const filter = raw.filter.map((draw) => matchingPattern(draw, selectable));
  const notrace = raw.notrace.map((draw) => matchingPattern(draw, selectable));
  return {
    kind: 'ftrace',
    ...(filter.length > 0 ? { filter } : {}),
    ...(notrace.length > 0 ? { notrace } : {}),
    // Nested callbacks of several probes multiply; one is enough to recurse.
    callback: raw.callback === 'guarded' && index > 0 ? 'lingering' : raw.callback,
  };
}

/** Register, changes, unregister, perhaps once more; each when the one before it is over or later. */
function buildLife(
  raw: RawProbe,
  index: number,
  selectable: readonly string[],
  elsewhere: boolean,
): TimelineItem[] {
  const probe = `ops${index}`;
  if (raw.lives.length === 0) return [{ at: 'start', register: probe }];
  const steps = raw.triggers.toSorted((a, b) => a - b);
  const operations: Omit<TimelineItem, 'at' | 'on'>[] = [];
  for (const [life, changes] of raw.lives.entries()) {
    operations.push({ register: probe });
    for (const change of changes) operations.push(buildChange(change, probe, selectable));
    if (raw.leaves || life < raw.lives.length - 1) operations.push({ unregister: probe });
  }
  const by = elsewhere ? { by: 'control1' } : {};
  const items: TimelineItem[] = [];
  for (const [turn, operation] of operations.entries()) {
    const at = turn === 0 && index === 0 ? 'start' : { step: steps[turn] ?? STEP_MAX };
    items.push({ at, ...operation, ...by });
  }
  return items;
}

function buildChange(
  raw: RawChange,
  probe: string,
  selectable: readonly string[],
): Omit<TimelineItem, 'at' | 'on'> {
  const reset = raw.reset ? { reset: true } : {};
  if (raw.op === 'set_filter_ip') {
    return { set_filter_ip: { probe, function: nameAt(selectable, raw.pattern), ...reset } };
  }
  const pattern = patternAt(raw.pattern);
  const set: SetPattern = { probe, pattern, ...reset };
  const fails = matches(pattern, selectable).length === 0 ? { expect: '-EINVAL' } : {};
  return raw.op === 'set_filter' ? { set_filter: set, ...fails } : { set_notrace: set, ...fails };
}

/** Any workload. */
export const workloadArbitrary: fc.Arbitrary<Workload> = workloadsWith({});
