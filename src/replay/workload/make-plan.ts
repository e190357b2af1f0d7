// Layer replay. From a checked workload to a plan: defaults filled in, names resolved.
import { known } from '../../assert.ts';
import type { ScriptData, ScriptFunction } from '../../emu/script.ts';
import { readBody, readSymbol } from './line.ts';
import type { FtraceProbeModel } from './model-ftrace.ts';
import {
  type CounterExpectation,
  type HandlerModel,
  LIMIT,
  type ModuleModel,
  type Ratio,
  type UserModel,
  type Workload,
} from './model.ts';
import {
  conventions,
  generatedCallbacks,
  makeFprobeOptions,
  makeProbe,
  probeCounters,
} from './plan-probe.ts';
import { makeSources, makeTimeline } from './plan-timeline.ts';
import {
  type Plan,
  type PlanCounter,
  type PlanMachine,
  type PlanOperation,
  type PlanPath,
  type PlanTimer,
  type PlanUser,
} from './plan.ts';
import { entries } from './scope.ts';

/** Contents of module files, by the name of the module. */
export type ModuleFiles = ReadonlyMap<string, Uint8Array>;

const SCHEDULE_DEFAULT: Ratio = [1, 8];
const INJECT_DEFAULT: Ratio = [1, 32];
const ALLOC_DEFAULT: Ratio = [1, 32];

/** Resolves a workload that `check` accepted. `image` and `modules` are the contents of the files that it names. */
export function makePlan(workload: Workload, image?: Uint8Array, modules?: ModuleFiles): Plan {
  const probes = entries(workload.probes);
  const expectations = workload.expect ?? [];
  return {
    name: workload.name,
    machine: makeMachine(workload),
    image:
      workload.image === undefined || image === undefined
        ? null
        : { path: workload.image, bytes: image },
    paths: makePaths(workload),
    modules: entries(workload.modules).map(([name, module]) => ({
      name,
      code: makeModule(workload, name, module, modules),
    })),
    functions: makeFunctions(workload),
    data: makeData(workload),
    tasks: entries(workload.tasks).map(([name, { cpu, run, times, user }]) => ({
      name,
      cpu,
      run: run ?? null,
      times: times ?? 1,
      user: user === undefined ? null : makeUser(user),
    })),
    idle: (workload.idle ?? []).map(({ cpu, run, times }) => ({ cpu, run, times: times ?? 1 })),
    sources: makeSources(workload),
    timers: entries(workload.handlers).flatMap(([name, handler]) => makeTimer(name, handler)),
    probes: probes.map(([name, probe]) => makeProbe(workload, name, probe)),
    setup: probes.flatMap(([, probe], index) =>
      probe.kind === 'ftrace' ? makeSetup(probe, index) : [],
    ),
    timeline: makeTimeline(workload),
    guarantees: expectations.filter((one) => typeof one === 'string'),
    counters: expectations.flatMap((one) =>
      typeof one === 'string' ? [] : makeCounter(workload, one),
    ),
  };
}

function makeMachine({ machine }: Workload): PlanMachine {
  return {
    cpus: machine.cpus,
    seed: machine.seed ?? null,
    preempt: machine.preempt ?? true,
    landingPad: machine.landingPad ?? true,
    grain: machine.grain ?? 'visible',
    stepsMax: machine.steps_max ?? LIMIT.stepsDefault,
    patching: machine.patching ?? 'breakpoint',
    failAlloc: machine.fail_alloc ?? [],
    trampolines: machine.trampolines ?? true,
    regs: machine.regs ?? true,
    ifSupportedGivesRegs: machine.ifSupportedGivesRegs ?? false,
    recordRecursion: machine.recordRecursion ?? false,
    strict: machine.strict ?? false,
    fprobe: makeFprobeOptions(machine),
    kprobe: {
      optprobes: machine.optprobes ?? false,
      detourTasksWait: machine.detourTasksWait ?? false,
    },
    schedule: machine.random?.schedule ?? SCHEDULE_DEFAULT,
    inject: machine.random?.inject ?? INJECT_DEFAULT,
    alloc: machine.random?.alloc ?? ALLOC_DEFAULT,
  };
}

function makeUser({ work, entry, exit }: UserModel): PlanUser {
  return { work: work ?? 1, entry: entry ?? null, exit: exit ?? null };
}

function makePaths(workload: Workload): PlanPath[] {
  return entries(workload.typescript).map(([name, version]) => ({
    name,
    version,
    stub: `${name}.path`,
  }));
}

function makeModule(
  workload: Workload,
  name: string,
  { image: path, init, exit }: ModuleModel,
  files: ModuleFiles | undefined,
): Plan['modules'][number]['code'] {
  if (path === undefined) {
    const functions = functionsOf(workload, name);
    return { functions, init: init ?? null, exit: exit ?? null };
  }
  return { path, bytes: known(files?.get(name), 'the file of a module was given') };
}

/** The scripted functions of a module, or of none. */
function functionsOf(workload: Workload, of: string | undefined): ScriptFunction[] {
  return entries(workload.functions)
    .filter(([, { module }]) => module === of)
    .map(([name, { body, notrace, nokprobe, symbol }]) => ({
      name,
      symbol,
      body: readBody(body),
      notrace: notrace ?? false,
      nokprobe,
      callback: false,
    }));
}

function makeFunctions(workload: Workload): ScriptFunction[] {
  const functions = functionsOf(workload, undefined);
  const called = conventions(workload);
  const callbacks = entries(workload.callbacks).map(
    ([name, { body, notrace }]): ScriptFunction => ({
      name,
      body: readBody(body),
      notrace: notrace ?? true,
      callback: true,
      convention: called.get(name),
    }),
  );
  const paths = makePaths(workload).map(({ name, stub }): ScriptFunction => ({
    name,
    body: [{ op: 'delegate', target: stub }],
    notrace: true,
    callback: false,
  }));
  return [...functions, ...callbacks, ...paths, ...generatedCallbacks(workload)];
}

function makeData(workload: Workload): ScriptData[] {
  const declared = entries(workload.data).map(([name, bytes]) => ({ name, bytes }));
  const counters = probeCounters(workload).map((name) => ({ name, bytes: 8 }));
  return [...declared, ...counters];
}

function makeTimer(name: string, handler: HandlerModel): PlanTimer[] {
  if (handler.timer === undefined) return [];
  return [
    {
      name,
      run: handler.timer,
      cpu: known(handler.cpu, 'a timer has a CPU'),
      first: known(handler.first, 'a timer has a first time'),
      every: handler.every ?? 0,
      times: handler.times ?? 1,
    },
  ];
}

function patterns(value: string | readonly string[] | undefined): readonly string[] {
  return typeof value === 'string' ? [value] : (value ?? []);
}

function makeSetup(probe: FtraceProbeModel, index: number): PlanOperation[] {
  const set = (op: 'set_filter' | 'set_notrace', pattern: string): PlanOperation => ({
    op,
    probe: index,
    pattern,
    reset: false,
  });
  return [
    ...patterns(probe.filter).map((pattern) => set('set_filter', pattern)),
    ...patterns(probe.notrace).map((pattern) => set('set_notrace', pattern)),
  ];
}

function makeCounter(workload: Workload, expectation: CounterExpectation): PlanCounter[] {
  const { counter } = expectation;
  const place = nmissedOf(workload, counter) ?? readSymbol(counter);
  return (['is', 'at_least', 'at_most'] as const).flatMap((relation) => {
    const value = expectation[relation];
    return value === undefined ? [] : [{ counter, place, relation, value }];
  });
}

/** `fp0.nmissed`, which lies in the struct; `r0.kp.nmissed` in that of the kretprobe's kprobe. */
function nmissedOf(
  { probes }: Workload,
  counter: string,
): { readonly nmissed: number; readonly kp?: true } | undefined {
  for (const [index, [name, { kind }]] of entries(probes).entries()) {
    if (kind === 'ftrace') continue;
    if (counter === `${name}.nmissed`) return { nmissed: index };
    if (kind === 'kretprobe' && counter === `${name}.kp.nmissed`)
      return { nmissed: index, kp: true };
  }
  return undefined;
}
