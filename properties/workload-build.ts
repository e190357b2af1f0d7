// From the plain numbers of `workloads.ts` to a workload: pure, so that a failing workload shrinks well.
import type { OpsFlag } from '../src/replay/workload/model-ftrace.ts';
import type {
  AllocKind,
  CallbackModel,
  FunctionModel,
  HandlerModel,
  IdleModel,
  Line,
  ProbeModel,
  TaskModel,
  TimelineItem,
  UserModel,
  Workload,
} from '../src/replay/workload/model.ts';
import { matches } from '../src/replay/workload/pattern.ts';
import { buildEnable, buildLife, buildPids, buildRaised } from './workload-lives.ts';
import { addModule, type RawModule } from './workload-module.ts';
import { nameAt, NAMES, patternAt, STEP_MAX, type Table } from './workload-names.ts';
import type { Refusal } from './workload-refusal.ts';

export interface RawFunction {
  readonly work: number;
  readonly calls: readonly number[];
  readonly style: 'plain' | 'counts' | 'preempt_off' | 'rcu';
  readonly notrace: boolean;
}

export interface RawTask {
  readonly runs: readonly number[];
  readonly times: number;
  readonly us: number;
}

export interface RawChange {
  readonly op: 'set_filter' | 'set_notrace' | 'set_filter_ip';
  readonly pattern: number;
  readonly reset: boolean;
}

export interface RawProbe {
  readonly filter: readonly number[];
  readonly notrace: readonly number[];
  readonly callback: 'count' | 'nothing' | 'lingering' | 'guarded';
  /** Between register and unregister; a second list: after it came back. */
  readonly lives: readonly (readonly RawChange[])[];
  /** When each of its operations is due, in turn. */
  readonly triggers: readonly number[];
  /** Due at steps, or when the first task begins another round: then something is sure to be going on. */
  readonly pace: 'steps' | 'rounds';
  readonly leaves: boolean;
  /** `ftrace_enabled` is 0 around each unregister. */
  readonly disables: boolean;
  readonly flags: readonly OpsFlag[];
}

/** Writes to set_ftrace_pid: when, and the tasks as draws. */
export interface RawPids {
  readonly due: number;
  readonly tasks: readonly number[];
  readonly append: boolean;
}

/** A write to `ftrace_enabled`. */
export interface RawEnable {
  readonly due: number;
  readonly value: 0 | 1 | string;
}

export interface Raw {
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
    /** Draws what it runs before its level shows; beyond the functions, or null: nothing. */
    readonly early: number | null;
  }[];
  readonly probes: readonly RawProbe[];
  readonly shared: boolean;
  readonly guarded: boolean;
  readonly direct: boolean;
  /** The second probe is there from start to end and selects everything, so that nothing is patched for the first. */
  readonly stays: boolean;
  /** When one of so many unregister calls begins, the last CPU is interrupted. */
  readonly raised: readonly number[];
  /** The last CPU runs no task; what the first probe does comes with the hits of its idle task. */
  readonly lone: boolean;
  /** The first two probes are there from the start and select everything; the others come once. */
  readonly joins: boolean;
  readonly module: RawModule | null;
  readonly ends: boolean;
  readonly refusals: readonly Refusal[];
  readonly secondControl: boolean;
  readonly stopped: boolean;
  /** The last CPU goes and comes back, with hooked code where RCU does not watch; 0: never. */
  readonly hotplug: number;
  /** Every task is a program in user mode, or none; undefined: some are. */
  readonly programs: boolean | undefined;
  /** All registers can be saved (FT-14). */
  readonly regs: boolean;
  readonly failAlloc: readonly AllocKind[];
  readonly pids: readonly RawPids[];
  readonly enables: readonly RawEnable[];
  readonly strict: boolean;
}

/** Pure: equal numbers, equal workload. */
export function buildWorkload(drawn: Raw): Workload {
  const built = buildWithoutModule(drawn);
  return drawn.module === null ? built : addModule(built, drawn.module, STEP_MAX);
}

function buildWithoutModule(drawn: Raw): Workload {
  const guarded = drawn.guarded ? withGuard(drawn) : drawn;
  const joined = guarded.joins ? withJoiners(guarded) : guarded;
  const paired = joined.stays ? withStayer(joined) : joined;
  const raw = paired.shared ? withCompany(paired) : paired;
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
  const table: Table = {
    functions: selectable,
    symbols: selectable.map((name) => functions[name]?.symbol ?? name),
    quiet: names.find((name) => functions[name]?.notrace === true),
  };
  const probes = raw.probes.map((probe, index) => ({
    ...buildProbe(probe, index, table, raw.strict && raw.regs),
    ...(raw.direct ? { static: true } : {}),
  }));
  if (savesRegs(raw.probes)) functions['patched'] = { body: ['work 1'], notrace: true };
  return {
    name: 'random',
    machine: {
      cpus: raw.cpus,
      preempt: raw.preempt,
      landingPad: raw.landingPad,
      grain: raw.grain,
      // Hits inside callbacks multiply: most runs take about 2,000, and one in some thousands 50,000.
      steps_max: 200_000,
      ...(raw.direct ? { trampolines: false } : {}),
      ...(raw.stopped ? { patching: 'stopMachine' } : {}),
      ...(raw.regs ? {} : { regs: false }),
      ...(raw.failAlloc.length > 0 ? { fail_alloc: raw.failAlloc } : {}),
      // There is no misuse in these workloads.
      ...(raw.strict ? { recordRecursion: true, strict: true } : {}),
    },
    data: { hits: 8, shared: 16 },
    functions,
    tasks,
    ...(idle.length > 0 ? { idle } : {}),
    ...(Object.keys(handlers).length > 0 ? { handlers } : {}),
    ...(Object.keys(callbacks).length > 0 ? { callbacks } : {}),
    probes: Object.fromEntries(probes.map((probe, index) => [`ops${index}`, probe])),
    timeline: [
      ...raw.probes.flatMap((probe, index) => buildLife(probe, index, table, raw)),
      ...raw.raised.map((before) => buildRaised(before, raw)),
      ...raw.pids.map((one) => buildPids(one, Object.keys(tasks), raw)),
      ...raw.enables.map((one) => buildEnable(one, raw)),
      ...(raw.hotplug > 0 && raw.cpus > 1 ? buildHotplug(raw, names) : []),
    ],
  };
}

/** Two probes that select everything join the first one. */
function withCompany(raw: Raw): Raw {
  const [first] = raw.probes;
  if (first === undefined) return raw;
  const company: RawProbe = {
    ...first,
    filter: [],
    notrace: [],
    callback: 'count',
    lives: [],
    flags: [],
  };
  return { ...raw, probes: [first, company, company] };
}

function withJoiners(raw: Raw): Raw {
  const probes = raw.probes.map((probe, index) =>
    index < 2 ? { ...probe, filter: [], lives: [] } : { ...probe, lives: [[]] },
  );
  return { ...raw, probes };
}

function withStayer(raw: Raw): Raw {
  const [first, second] = raw.probes;
  if (first === undefined || second === undefined) return raw;
  return { ...raw, probes: [first, { ...second, filter: [], lives: [], flags: [] }] };
}

/** The first probe's callback is the guarded one. */
function withGuard(raw: Raw): Raw {
  const [first, ...others] = raw.probes;
  if (first === undefined) return raw;
  return { ...raw, probes: [{ ...first, callback: 'guarded' }, ...others] };
}

/** A function calls later ones only, and as many as keep one call of the first to 8 calls in all. */
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
      if (cost + added > 8) continue;
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
  if (first) return { body };
  // Some bear the name of the first one.
  const twin = raw.style === 'plain' && raw.work >= 3 ? { symbol: NAMES[0] } : {};
  return raw.notrace ? { body, notrace: true } : { body, ...twin };
}

/** Tasks sleep after each round: waits for tasks end, and `control` gets its turn. */
function buildTasks(
  raw: Raw,
  names: readonly string[],
  functions: Record<string, FunctionModel>,
): Record<string, TaskModel> {
  const tasks: Record<string, TaskModel> = {};
  const cpus = raw.lone ? raw.cpus - 1 : raw.cpus;
  for (const [index, task] of raw.tasks.slice(0, raw.crowded ? cpus * 2 : cpus).entries()) {
    const run = `do_${index}`;
    functions[run] = {
      body: [...task.runs.map((draw) => `call ${nameAt(names, draw)}`), `sleep ${task.us}`],
    };
    const user = (raw.programs ?? isProgram(task)) ? { user: buildUser(task, names) } : {};
    tasks[`task${index}`] = { cpu: index % cpus, run, times: task.times, ...user };
  }
  if (raw.secondControl) tasks['control1'] = { cpu: raw.cpus - 1 };
  return tasks;
}

/** One task in seven, by a number that it has anyway. */
function isProgram({ us }: RawTask): boolean {
  return us % 7 === 2;
}

/** Hooked code on the way in and out, where RCU does not watch. */
function buildUser({ times, us }: RawTask, names: readonly string[]): UserModel {
  return { work: us % 4, entry: nameAt(names, times), exit: nameAt(names, us) };
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
    raw.handlers.map(({ kind, run, inject, early }, index) => {
      const target = nameAt(names, run);
      const hasEntry = early !== null && early < NAMES.length;
      const rest = { inject, ...(hasEntry ? { entry: nameAt(names, early) } : {}) };
      const model: Record<typeof kind, HandlerModel> = {
        irq: { irq: target, ...rest },
        softirq: { softirq: target, ...rest },
        nmi: { nmi: target, ...rest },
      };
      return [`source${index}`, model[kind]];
    }),
  );
}

const SETS: readonly Line[] = ['regs', 'set_reg s3 7', 'set_reg a4 9'];

/** What a callback with SAVE_REGS does, and what one does that gets no full registers all the same (FT-14). */
function savingBody({ regs }: Raw): readonly Line[] {
  return regs ? [...SETS, 'redirect patched'] : ['regs'];
}

/** `guarded` calls a function that may be hooked by the same probe: the lock ends that (FT-52). */
function buildCallbacks(raw: Raw, traceable: readonly string[]): Record<string, CallbackModel> {
  const callbacks = raw.probes.map(({ callback }) => callback);
  const last = traceable.at(-1) ?? NAMES[0];
  return {
    ...(savesRegs(raw.probes)
      ? {
          saving: { body: savingBody(raw) },
          // Without IPMODIFY a redirect is misuse, which strict machines tell (FT-46).
          ...(raw.strict && raw.regs ? { keeping: { body: SETS } } : {}),
        }
      : {}),
    ...(callbacks.some((one, index) => one === 'lingering' || (one === 'guarded' && index > 0))
      ? { lingering: { body: [{ loop: 4, body: ['add hits 1'] }] } }
      : {}),
    ...(callbacks[0] === 'guarded'
      ? { guarded: { body: ['regs', { trylock: ['amoadd hits 1', `call ${last}`] }] } }
      : {}),
  };
}

/** The drawn pattern, or the first function where it would match nothing: that is for operations. */
function matchingPattern(draw: number, selectable: readonly string[]): string {
  const pattern = patternAt(draw, selectable);
  return matches(pattern, selectable).length > 0 ? pattern : NAMES[0];
}

function savesRegs(probes: readonly RawProbe[]): boolean {
  return probes.some(({ flags }) => flags.includes('SAVE_REGS'));
}

/** One that may redirect needs a filter, and takes no notrace set (FT-45, FT-25.1). */
function buildProbe(raw: RawProbe, index: number, { symbols }: Table, strict: boolean): ProbeModel {
  const { flags } = raw;
  const redirects = flags.includes('IPMODIFY');
  const drawn = redirects && raw.filter.length === 0 ? [index] : raw.filter;
  const filter = drawn.map((draw) => matchingPattern(draw, symbols));
  const notrace = redirects ? [] : raw.notrace.map((draw) => matchingPattern(draw, symbols));
  const saves = strict && !redirects ? 'keeping' : 'saving';
  const own = flags.includes('SAVE_REGS') ? saves : raw.callback;
  return {
    kind: 'ftrace',
    ...(filter.length > 0 ? { filter } : {}),
    ...(notrace.length > 0 ? { notrace } : {}),
    // Nested callbacks of several probes multiply; one is enough to recurse.
    callback: own === 'guarded' && index > 0 ? 'lingering' : own,
    ...(flags.length > 0 ? { flags } : {}),
  };
}

function buildHotplug({ cpus, hotplug }: Raw, names: readonly string[]): TimelineItem[] {
  const which = cpus - 1;
  return [
    { at: { step: hotplug * 8 }, cpu_down: { which, run: nameAt(names, hotplug) } },
    { at: { step: hotplug * 24 }, cpu_up: { which, run: nameAt(names, hotplug + 1) } },
  ];
}
