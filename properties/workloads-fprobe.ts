// Random workloads with fprobes: a workload of `workloads.ts` to which they are added, and the era in which it runs.
// Functions that are hooked at entry and exit, several times over, by tasks, interrupts and handlers that lead back
// to them; fprobes that come, are switched off and on, and go; pools of one node, and data that no call has room for.
import fc from 'fast-check';
import type { FprobeModel } from '../src/replay/workload/model-fprobe.ts';
import type {
  CallbackModel,
  TaskModel,
  TimelineItem,
  Workload,
} from '../src/replay/workload/model.ts';
import { NAMES, STEP_MAX } from './workload-names.ts';
import { type Features, workloadsWith } from './workloads.ts';

/** Eras that keep what the documents promise: in v5.18 a rethook is freed under its users (H-04), v6.14 and v6.18 do not wait (H-01). */
const SOUND_ERAS = ['today', 'v6.12', 'v6.1'] as const;
export type Era = (typeof SOUND_ERAS)[number] | 'v6.18' | 'v6.14' | 'v5.18';

/** Exit handlers take no lock in these: one that leads back to what is hooked never ends (H-07). */
const UNLOCKED_ERAS: ReadonlySet<Era> = new Set(['v6.1', 'v5.18']);

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
}

export interface FprobeCase {
  readonly workload: Workload;
  readonly profile: Era;
}

interface RawFprobe {
  readonly target: 'first' | 'all' | 'vfs' | 'others';
  readonly entry: 'count' | 'nothing' | 'linger' | 'recurse' | 'refuse' | null;
  readonly exit: 'count' | 'nothing' | 'linger' | 'recurse' | null;
  readonly data: number;
  readonly maxactive: number;
  readonly isDisabled: boolean;
  /** When it is switched off for a while. */
  readonly pause: number | null;
  /** When it comes and goes, in turn. */
  readonly triggers: readonly number[];
  readonly isAsync: boolean;
}

/** Handlers. What one of them calls may be hooked, too: the recursion lock ends that (FP-34). It calls nothing itself. */
function callbacksOf({ functions = {} }: Workload): Readonly<Record<string, CallbackModel>> {
  const leaf = NAMES.findLast((name) => functions[name] !== undefined) ?? NAMES[0];
  return {
    fp_linger: { body: [{ loop: 3, body: ['add hits 1'] }] },
    fp_recurse: { body: ['amoadd hits 1', `call ${leaf}`] },
  };
}

/** Cases with these features. */
export function fprobeCases(features: FprobeFeatures = {}): fc.Arbitrary<FprobeCase> {
  const { eras = SOUND_ERAS, ...rest } = features;
  return fc
    .record({
      workload: workloadsWith({ probes: 1, ...rest }),
      fprobes: fc.array(rawFprobe(features), {
        minLength: features.short === true ? 3 : 1,
        maxLength: 3,
      }),
      profile: fc.constantFrom(...eras),
      isAlone: fc.nat(3).map((draw) => draw !== 3),
    })
    .map(({ fprobes, isAlone, profile, workload }) => ({
      workload: addFprobes(isAlone ? withoutHooks(workload) : workload, fprobes, profile),
      profile,
    }));
}

function rawFprobe({ leaves, recurses, refuses, short }: FprobeFeatures): fc.Arbitrary<RawFprobe> {
  const handlers = ['count', 'nothing', 'linger', 'recurse'] as const;
  const back = fc.constant<'recurse'>('recurse');
  return fc.record({
    target:
      recurses === true
        ? fc.constant<'all'>('all')
        : fc.constantFrom<RawFprobe['target'][]>('first', 'all', 'all', 'vfs', 'others'),
    entry:
      recurses === true
        ? back
        : refuses === true
          ? fc.constantFrom<RawFprobe['entry'][]>('refuse', 'count')
          : fc.constantFrom<RawFprobe['entry'][]>(...handlers, 'refuse', 'refuse', 'refuse', null),
    exit:
      leaves === true || short === true
        ? fc.constantFrom<RawFprobe['exit'][]>('count', 'linger')
        : fc.constantFrom<RawFprobe['exit'][]>(...handlers, null),
    data: short === true ? fc.constantFrom(120, 112) : fc.constantFrom(0, 8, 24, 120),
    maxactive: short === true ? fc.constantFrom(1, 1, 2) : fc.constantFrom(0, 0, 1, 4),
    isDisabled: fc.nat(14).map((draw) => draw === 14),
    pause: fc.option(fc.nat(STEP_MAX), { freq: 2 }),
    triggers: fc.array(fc.nat(STEP_MAX), { minLength: 2, maxLength: 4 }),
    isAsync: fc.nat(9).map((draw) => draw === 9),
  });
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
  const models = raws.map((raw) => modelOf(raw, raws.length, profile));
  const probes = Object.fromEntries(models.map((model, index) => [`fp${index}`, model]));
  const lives = raws.map((raw, index) => lifeOf(raw, `fp${index}`, GRAPH_ERAS.has(profile)));
  return {
    ...workload,
    callbacks: { ...workload.callbacks, ...callbacksOf(workload) },
    probes: { ...workload.probes, ...probes },
    timeline: [...(workload.timeline ?? []), ...lives.flat()],
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
    ...(isDisabled ? { flags: ['DISABLED'] } : {}),
  };
}

/** The first function is there in every workload, and can be hooked. */
const TARGETS = {
  first: { syms: ['vfs_a'] },
  all: { filter: '*' },
  vfs: { filter: 'vfs_*' },
  others: { filter: '*', notfilter: 'vfs_a' },
} as const satisfies Record<RawFprobe['target'], Partial<FprobeModel>>;

function handlerOf(handler: NonNullable<RawFprobe['entry'] | RawFprobe['exit']>): string {
  if (handler === 'refuse') return 'count';
  return handler === 'linger' || handler === 'recurse' ? `fp_${handler}` : handler;
}

const PAUSE_STEPS = 50;

/** It comes and goes; in an era of rethook once only, as its struct is not zeroed in between (FP-21). */
function lifeOf(raw: RawFprobe, fprobe: string, comesBack: boolean): TimelineItem[] {
  const dues = raw.triggers.toSorted((a, b) => a - b);
  const turns = comesBack ? dues : dues.slice(0, 2);
  const items = turns.map((due, turn): TimelineItem => {
    // Early enough, and long enough: most runs are about 2,000 steps.
    const at = { step: turn === 0 ? due >> 3 : STEP_MAX / 2 + turn * due };
    if (turn % 2 === 0) return { at, register: fprobe };
    return raw.isAsync && comesBack ? { at, unregister_async: fprobe } : { at, unregister: fprobe };
  });
  const { pause } = raw;
  if (pause === null) return items;
  const from = STEP_MAX / 2 + pause;
  return [
    ...items,
    { at: { step: from }, disable: fprobe },
    { at: { step: from + PAUSE_STEPS }, enable: fprobe },
  ];
}
