// Random workloads with fprobes: a workload of `workloads.ts` to which they are added, and the era in which it runs.
// Functions that are hooked at entry and exit, several times over, by tasks, interrupts and handlers that lead back
// to them; fprobes that come, are switched off and on, and go; pools of one node, and data that no call has room for.
import fc from 'fast-check';
import type { FprobeFlag, FprobeModel } from '../src/replay/workload/model-fprobe.ts';
import type {
  CallbackModel,
  FunctionModel,
  TaskModel,
  TimelineItem,
  Workload,
} from '../src/replay/workload/model.ts';
import type { Features } from './workload-features.ts';
import { NAMES, STEP_MAX } from './workload-names.ts';
import { type RawSituations, rawSituations, withSituations } from './workload-situations.ts';
import { workloadsWith } from './workloads.ts';

/** Eras that keep what the documents promise: in v5.18 a rethook is freed under its users (H-04), v6.14 and v6.18 do not wait (H-01). */
const SOUND_ERAS = ['today', 'v6.12', 'v6.1'] as const;
export type Era = (typeof SOUND_ERAS)[number] | 'v6.18' | 'v6.14' | 'v5.18';

/** Exit handlers take no lock in these: one that leads back to what is hooked never ends (H-07, H-25). */
const UNLOCKED_ERAS: ReadonlySet<Era> = new Set(['v6.18', 'v6.14', 'v6.1', 'v5.18']);

/** Before v6.4 handlers were given no data (fprobe.md 8). */
const SHARING_ERAS = ['today', 'v6.12'] as const;

const GRAPH_ERAS: ReadonlySet<string> = new Set(['today', 'v6.18', 'v6.14']);

export interface FprobeFeatures extends Features {
  readonly eras?: readonly Era[];
  /** Three fprobes on one function whose data no call has room for, or pools of one node. */
  readonly short?: boolean;
  /** Half of the entry handlers refuse. */
  readonly refuses?: boolean;
  /** Entry handlers lead back to what they hook. */
  readonly recurses?: boolean;
  /** The first one goes while what it hooks goes on, and is soon back where the era allows it. */
  readonly leaves?: boolean;
  /** Interrupts that run what is hooked, and in eras of fgraph unwind, all the time: `inject` makes its own early. */
  readonly interrupted?: boolean;
  /** Each one is switched off for long, while calls are under way. */
  readonly pauses?: boolean;
  /** The first function is called all the time, and fprobes stay. */
  readonly busy?: boolean;
  /** The tables may find no memory for nodes. */
  readonly fails?: boolean;
  /** So it is, and all fprobes are on it, and come and go. */
  readonly grows?: boolean;
  /** They are all quick: much of a hit lies between the two walks of its entry. */
  readonly quick?: boolean;
  /** Two at least, of which the first comes and goes, on all functions: on those that recurse, end with a tail call, or never return, and in every context. */
  readonly everywhere?: boolean;
  /** Functions have both hooks, as one of three fprobes has no exit handler (FP-54). */
  readonly mixed?: boolean;
  /** With more data than there may be, or as much as there may be. */
  readonly wide?: boolean;
  /** Exit handlers take long, and calls outlive their fprobes. */
  readonly lingers?: boolean;
  /** Handlers of a call share data, and ftrace_ops stay beside them: in eras that have such data. */
  readonly shares?: boolean;
}

export interface FprobeCase {
  readonly workload: Workload;
  readonly profile: Era;
}

interface RawFprobe {
  readonly target: 'first' | 'tasks' | 'all' | 'vfs' | 'others';
  readonly entry: 'count' | 'nothing' | 'linger' | 'dwell' | 'recurse' | 'refuse' | null;
  readonly exit: 'count' | 'nothing' | 'linger' | 'dwell' | 'recurse' | null;
  readonly data: number;
  readonly maxactive: number;
  readonly isDisabled: boolean;
  /** When it is switched off for a while, and for how long. */
  readonly pause: number | null;
  readonly pauseSteps: number;
  /** When it comes and goes, in turn. */
  readonly triggers: readonly number[];
  /** One after the other, as soon as the one before is over. */
  readonly isPacked: boolean;
  readonly isAsync: boolean;
}

interface RawInterrupt {
  readonly level: 'irq' | 'nmi';
  readonly step: number;
  readonly cpu: number;
  readonly unwinds: boolean;
}

/** Handlers. What one of them calls may be hooked, too: the recursion lock ends that (FP-34). It calls nothing itself. */
function callbacksOf({ functions = {} }: Workload): Readonly<Record<string, CallbackModel>> {
  const leaf = NAMES.findLast((name) => functions[name] !== undefined) ?? NAMES[0];
  return {
    fp_dwell: { body: [{ loop: 20, body: ['add hits 1'] }] },
    fp_linger: { body: [{ loop: 3, body: ['add hits 1'] }] },
    fp_recurse: { body: ['amoadd hits 1', `call ${leaf}`] },
  };
}

/** Cases with these features. */
export function fprobeCases(features: FprobeFeatures = {}): fc.Arbitrary<FprobeCase> {
  const { eras = features.shares === true ? SHARING_ERAS : SOUND_ERAS, ...rest } = features;
  const raw = rawFprobe(features);
  return fc
    .record({
      workload: workloadsWith({ probes: 1, ...rest }),
      fprobes: fc.array(features.shares === true ? raw.map(sharing) : raw, {
        minLength:
          features.short === true || features.mixed === true
            ? 3
            : features.everywhere === true
              ? 2
              : 1,
        maxLength: 3,
      }),
      profile: fc.constantFrom(...eras),
      isAlone: fc.nat(3).map((draw) => draw !== 3 && features.shares !== true),
      interrupts: features.interrupted === true ? rawInterrupts : fc.constant([]),
      situations: features.everywhere === true ? rawSituations : fc.constant(null),
    })
    .map(({ fprobes, interrupts, isAlone, profile, situations, workload }) => {
      const alone = isAlone ? withoutHooks(workload) : workload;
      const plain = (features.busy ?? features.grows) === true ? busier(alone) : alone;
      const lasting = fprobes.map((one, index) =>
        features.busy === true || (features.everywhere === true && index > 0) ? staying(one) : one,
      );
      const raws = features.mixed === true ? fprobes.map(mixed) : lasting;
      const hooked = addFprobes(features.fails === true ? failing(plain) : plain, raws, profile);
      const all = situations === null ? hooked : everywhere(hooked, situations);
      return { workload: addInterrupts(all, interrupts, profile), profile };
    });
}

const rawInterrupts: fc.Arbitrary<RawInterrupt[]> = fc.array(
  fc.record({
    level: fc.constantFrom<RawInterrupt['level'][]>('irq', 'irq', 'nmi'),
    step: fc.nat(4 * STEP_MAX),
    cpu: fc.nat(3),
    unwinds: fc.boolean(),
  }),
  { minLength: 10, maxLength: 20, size: 'max' },
);

/** `workload`, with interrupts at these steps. */
function addInterrupts(
  workload: Workload,
  interrupts: readonly RawInterrupt[],
  profile: Era,
): Workload {
  if (interrupts.length === 0) return workload;
  const { functions, machine, timeline = [] } = workload;
  const body = [...(GRAPH_ERAS.has(profile) ? ['call reprobe_unwind'] : []), 'work 1'];
  const items = interrupts.map(({ cpu, level, step, unwinds }): TimelineItem => {
    const at = { step };
    const raised = { run: unwinds ? 'unwinds' : NAMES[0] };
    const where = { at, cpu: cpu % machine.cpus };
    return level === 'irq' ? { ...where, irq: raised } : { ...where, nmi: raised };
  });
  return {
    ...workload,
    functions: { ...functions, unwinds: { body, notrace: true } },
    timeline: [...timeline, ...items],
  };
}

const HANDLERS = ['count', 'nothing', 'linger', 'recurse'] as const;

function rawTarget(features: FprobeFeatures): fc.Arbitrary<RawFprobe['target']> {
  const { everywhere: isEverywhere, grows, interrupted, lingers, pauses, recurses } = features;
  if ([recurses, interrupted, pauses, isEverywhere].includes(true)) return fc.constant('all');
  if (grows === true) return fc.constant('first');
  if (lingers === true) return fc.constant('tasks');
  return fc.constantFrom<RawFprobe['target'][]>('first', 'all', 'all', 'vfs', 'others');
}

function rawEntry(features: FprobeFeatures): fc.Arbitrary<RawFprobe['entry']> {
  const { grows, quick, recurses, refuses } = features;
  if (recurses === true) return fc.constant('recurse');
  if (refuses === true) return fc.constantFrom<RawFprobe['entry'][]>('refuse', 'count');
  if (quick === true) return fc.constant(null);
  if (grows === true) return fc.constantFrom<RawFprobe['entry'][]>('count', 'linger', 'dwell');
  const refusals = ['refuse', 'refuse', 'refuse'] as const;
  return fc.constantFrom<RawFprobe['entry'][]>(...HANDLERS, ...refusals, null);
}

function rawExit(features: FprobeFeatures): fc.Arbitrary<RawFprobe['exit']> {
  const { interrupted, leaves, lingers, pauses, quick, short } = features;
  if (lingers === true) return fc.constant('dwell');
  if (quick === true) return fc.constant('nothing');
  if ([leaves, short, interrupted, pauses].includes(true))
    return fc.constantFrom<RawFprobe['exit'][]>('count', 'linger');
  return fc.constantFrom<RawFprobe['exit'][]>(...HANDLERS, null);
}

function rawFprobe(features: FprobeFeatures): fc.Arbitrary<RawFprobe> {
  const { grows, lingers, pauses, short, wide } = features;
  return fc.record({
    target: rawTarget(features),
    entry: rawEntry(features),
    exit: rawExit(features),
    data:
      short === true
        ? fc.constantFrom(120, 112)
        : wide === true
          ? fc.constantFrom(121, 128, 120)
          : fc.constantFrom(0, 8, 24, 120),
    maxactive: short === true ? fc.constantFrom(1, 1, 2) : fc.constantFrom(0, 0, 1, 4),
    isDisabled: fc.nat(14).map((draw) => draw === 14),
    pause: pauses === true ? fc.nat(STEP_MAX) : fc.option(fc.nat(STEP_MAX), { freq: 2 }),
    pauseSteps: pauses === true ? fc.nat(STEP_MAX) : fc.constant(PAUSE_STEPS),
    triggers:
      grows === true
        ? fc.array(fc.nat(4 * STEP_MAX), { minLength: 8, maxLength: 12, size: 'max' })
        : fc.array(fc.nat(STEP_MAX), { minLength: 2, maxLength: 4 }),
    isPacked: fc.constant(grows === true || lingers === true),
    isAsync: fc.nat(9).map((draw) => draw === 9),
  });
}

/** Both handlers of a call run, and have something to share. */
function sharing(raw: RawFprobe): RawFprobe {
  const { data, entry, exit } = raw;
  return {
    ...raw,
    entry: entry === null || entry === 'refuse' ? 'count' : entry,
    exit: exit ?? 'count',
    data: data === 8 ? data : 24,
  };
}

/** `workload`, without what is done to its ftrace_ops: fprobes come sooner, and tasks go on for longer. */
function withoutHooks(workload: Workload): Workload {
  const timeline = (workload.timeline ?? []).filter(({ cpu_down, cpu_up }) => cpu_down ?? cpu_up);
  const tasks: Record<string, TaskModel> = {};
  for (const [name, task] of Object.entries(workload.tasks ?? {})) {
    tasks[name] = task.times === undefined ? task : { ...task, times: 2 * task.times };
  }
  return { ...workload, tasks, timeline };
}

/** `workload`, with fprobes. */
function addFprobes(workload: Workload, raws: readonly RawFprobe[], profile: Era): Workload {
  const models = raws.map((raw, index) =>
    modelOf(index === 0 ? raw : mild(raw), raws.length, profile),
  );
  const probes = Object.fromEntries(models.map((model, index) => [`fp${index}`, model]));
  const lives = raws.map((raw, index) => lifeOf(raw, `fp${index}`, GRAPH_ERAS.has(profile)));
  return {
    ...workload,
    // Handlers that lead back, on a CPU that others have moved to: one run in a thousand takes 300,000.
    machine: {
      ...workload.machine,
      steps_max: 1_000_000,
      ...(countsInTwo(raws) ? { racyCounters: true } : {}),
    },
    callbacks: { ...workload.callbacks, ...callbacksOf(workload) },
    probes: { ...workload.probes, ...probes },
    timeline: [...(workload.timeline ?? []), ...lives.flat()],
  };
}

/** All that fprobes have to stand; and some of them are shared with kprobes. */
function everywhere(workload: Workload, raw: RawSituations): Workload {
  const probes = Object.entries(workload.probes ?? {}).map(([name, probe], index) => {
    const sharesKprobes = probe.kind === 'fprobe' && (raw.shared & (1 << (index % 3))) !== 0;
    if (!sharesKprobes || probe.flags?.includes('KPROBE_SHARED') === true)
      return [name, probe] as const;
    return [name, { ...probe, flags: [...(probe.flags ?? []), 'KPROBE_SHARED'] }] as const;
  });
  return withSituations({ ...workload, probes: Object.fromEntries(probes) }, raw);
}

/** The second one has no exit handler; the third stays, and hooks less than the first. */
function mixed(raw: RawFprobe, index: number): RawFprobe {
  const triggers = raw.triggers.slice(0, index === 2 ? 1 : 2);
  const target = index === 2 ? 'first' : 'all';
  return { ...raw, triggers, target, entry: 'count', exit: index === 1 ? null : 'count' };
}

function staying(raw: RawFprobe): RawFprobe {
  return { ...raw, triggers: raw.triggers.slice(0, 1) };
}

function failing(workload: Workload): Workload {
  return { ...workload, machine: { ...workload.machine, fail_alloc: ['fprobe_ip_table'] } };
}

/** Handlers of several fprobes that lead back multiply; one is enough to recurse. */
function mild(raw: RawFprobe): RawFprobe {
  const { entry, exit } = raw;
  return {
    ...raw,
    entry: entry === 'recurse' ? 'linger' : entry,
    exit: exit === 'recurse' ? 'linger' : exit,
  };
}

function modelOf(raw: RawFprobe, count: number, profile: Era): FprobeModel {
  const { data, entry, isDisabled, maxactive, target } = raw;
  const exit = raw.exit === 'recurse' && UNLOCKED_ERAS.has(profile) ? 'linger' : raw.exit;
  const refuses = entry === 'refuse';
  // One of them at least: a probe without handlers is nobody's.
  const first = entry ?? (exit === null ? 'count' : null);
  return {
    kind: 'fprobe',
    ...TARGETS[count === 3 && data > 100 ? 'first' : target],
    ...(first === null ? {} : { entry: handlerOf(first) }),
    ...(refuses ? { entry_returns: 1 } : {}),
    ...(exit === null ? {} : { exit: handlerOf(exit) }),
    ...(data > 0 ? { entry_data_size: data } : {}),
    ...(maxactive > 0 ? { nr_maxactive: maxactive } : {}),
    ...flagsOf(isDisabled, isShared(raw)),
  };
}

function flagsOf(isDisabled: boolean, shared: boolean): Pick<FprobeModel, 'flags'> {
  const flags: FprobeFlag[] = [];
  if (isDisabled) flags.push('DISABLED');
  if (shared) flags.push('KPROBE_SHARED');
  return flags.length > 0 ? { flags } : {};
}

/**
 * One in four keeps out of the way of kprobes, of which a handler of another one is taken for one (FP-30.3). By a number
 * that is drawn anyway: a draw of its own would change all cases of all seeds.
 */
function isShared({ triggers }: RawFprobe): boolean {
  return (triggers[0] ?? 0) % 4 === 1;
}

/** One machine in five counts misses in two steps, as above. */
function countsInTwo(raws: readonly RawFprobe[]): boolean {
  return (raws.at(-1)?.triggers.at(-1) ?? 0) % 5 === 2;
}

/** The first function is there in every workload, and can be hooked. */
const TARGETS = {
  first: { syms: ['vfs_a'] },
  /** What tasks run, and sleep in. */
  tasks: { filter: 'do_*' },
  all: { filter: '*' },
  vfs: { filter: 'vfs_*' },
  others: { filter: '*', notfilter: 'vfs_a' },
} as const satisfies Record<RawFprobe['target'], Partial<FprobeModel>>;

function handlerOf(handler: NonNullable<RawFprobe['entry'] | RawFprobe['exit']>): string {
  if (handler === 'refuse') return 'count';
  return handler === 'count' || handler === 'nothing' ? handler : `fp_${handler}`;
}

/** `workload`, whose tasks call the first function again and again. */
function busier(workload: Workload): Workload {
  const functions: Record<string, FunctionModel> = { ...workload.functions };
  const tasks: Record<string, TaskModel> = {};
  for (const [name, task] of Object.entries(workload.tasks ?? {})) {
    const { run, times } = task;
    tasks[name] = times === undefined ? task : { ...task, times: 3 * times };
    if (run === undefined) continue;
    functions[run] = { body: [`call ${NAMES[0]}`, `call ${NAMES[0]}`, `sleep ${run.length}`] };
  }
  return { ...workload, functions, tasks };
}

const PAUSE_STEPS = 50;

/** It comes and goes; in an era of rethook once only, as its struct is not zeroed in between (FP-21). */
function lifeOf(raw: RawFprobe, fprobe: string, comesBack: boolean): TimelineItem[] {
  const dues = raw.triggers.toSorted((a, b) => a - b);
  const turns = comesBack ? dues : dues.slice(0, 2);
  const items = turns.map((due, turn): TimelineItem => {
    // Early enough, and long enough: most runs are about 2,000 steps.
    const step = turn === 0 ? due >> 3 : STEP_MAX / 2 + turn * due;
    const at = { step: raw.isPacked ? due : step };
    if (turn % 2 === 0) return { at, register: fprobe };
    return raw.isAsync && comesBack ? { at, unregister_async: fprobe } : { at, unregister: fprobe };
  });
  const { pause, pauseSteps } = raw;
  if (pause === null) return items;
  const from = STEP_MAX / 2 + pause;
  return [
    ...items,
    { at: { step: from }, disable: fprobe },
    { at: { step: from + pauseSteps }, enable: fprobe },
  ];
}
