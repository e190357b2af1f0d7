// The scenarios of golden/truth/api*.json that are about kprobes and kretprobes: the same calls on the same functions, and what
// they returned, who ran in which order, and how often.
import type { FunctionModel } from '../../src/replay/workload/model.ts';
import type { Doing } from './kprobe-handled.ts';
import { compareMoves } from './kprobe-move.ts';
import { call, fill, kprobeRig } from './kprobe-rig.ts';
import { KprobeTeller } from './kprobe-steps.ts';
import { compare, type Difference, type Outcome } from './outcome.ts';
import { type Command, type KernelModel, play, type Rig } from './rig.ts';
import { withModule } from './surroundings.ts';
import type { Scenario, TruthStep } from './truth.ts';

const FUNCTIONS = ['a1', 'a2', 'a3', 'b1', 'b2', 'help', 'outer', 'block', 'mid', 'rec'].map(
  (name) => `tgt_${name}`,
);
/** The last function, and so the last text. */
const LAST = 'tgt_args';
const SEED = 2;

/** What handlers of a scenario do to registers and data. */
const DOING: Readonly<Record<string, Doing>> = {
  K14: { skips: 'KA' },
  R04: { stores: 91 },
  R17: { argument: 100, adds: 1000 },
};

/** A file that is read is not there yet. */
const UNBUILT: readonly (readonly [RegExp, string])[] = [
  [/kprobe_profile/u, 'tracefs: kprobe_profile'],
];

/**
 * Functions of the real kernel that scenarios name and this one has not: with those that KP-14 has on the blacklist there as
 * NOKPROBE_SYMBOL here.
 */
const KERNEL: Readonly<Record<string, FunctionModel>> = {
  ...named(['notify_die', 'do_int3', 'exc_int3', 'do_syscall_64'], { nokprobe: true }),
  ...named(['exc_page_fault', 'memcpy', 'asm_exc_int3'], { nokprobe: true }),
  ...named(['__fentry__'], { notrace: true }),
  ...named(['__switch_to', 'vfs_read', 'schedule', 'do_exit'], {}),
};

function named(
  names: readonly string[],
  marks: Omit<FunctionModel, 'body'>,
): Record<string, FunctionModel> {
  const func = { body: [], ...marks };
  return Object.fromEntries(names.map((name) => [name, func]));
}

/** Functions of the real kernel's tracing, which are no text here but paths. */
const PATHS =
  /on (?:kprobe_ftrace_handler|aggr_pre_handler|register_kprobe|get_kprobe|optimized_callback) /u;

/** What is only said of how the real kernel was built. */
export const BUILD = /^CONFIG_/u;

/** Compares every scenario of kprobes and kretprobes. */
export function compareKprobes(
  scenarios: readonly Scenario[],
  model: KernelModel,
): readonly Outcome[] {
  const offsets = boundariesOf(rigOf(undefined, model));
  return scenarios.map((one) =>
    one.crashed === undefined ? compareOne(one, model, offsets) : compareCrash(one, model),
  );
}

function compareOne(one: Scenario, model: KernelModel, offsets: readonly number[]): Outcome {
  const steps = (one.steps ?? []).filter(({ see = '' }) => !BUILD.test(see));
  const looks = steps.filter((step) => needOf(one.name, step) === undefined);
  const teller = new KprobeTeller(one, { offsets, cpus: one.cpus ?? 4 });
  const moves = looks.map((step) => teller.move(step));
  const needs = steps.flatMap((step) => needOf(one.name, step) ?? []);
  const misused = one.name === 'X07' ? compareMisuse((one.kernel_warned ?? []).join(), model) : [];
  return {
    id: idOf(one),
    differences: [...compareMoves(rigOf(one, model), moves), ...misused],
    missing: [...new Set(needs)],
  };
}

/** R02 was done on machines of several sizes. */
function idOf({ name, cpus = 4 }: Scenario): string {
  return cpus === 4 ? name : `${name} (${cpus} CPUs)`;
}

/** Steps behind a misuse, which ends the run here, and those that show a defect of the real kernel (KP-56). */
const BEHIND: Readonly<Record<string, readonly [RegExp, string]>> = {
  X05: [/^one call, both gone$|^kprobes\/list$/u, 'option postJoinLeak'],
  X07: [/a second time|addr set/u, 'going on behind a use of freed memory'],
};

/** Does a step ask for something that is not there yet? */
export function isUnbuilt(id: string, step: TruthStep): boolean {
  return needOf(id, step) !== undefined;
}

function needOf(id: string, { do: done = '', see = '', sh }: TruthStep): string | undefined {
  const [steps, need] = BEHIND[id] ?? [];
  if (steps?.test(done) === true || steps?.test(see) === true) return need;
  if (PATHS.test(done)) return "probes on the tracing code's own functions";
  return sh === undefined ? undefined : UNBUILT.find(([file]) => file.test(sh))?.[1];
}

function rigOf(one: Scenario | undefined, model: KernelModel): Rig {
  const name = one?.name ?? '';
  const rig = kprobeRig(model, FUNCTIONS, DOING[name]);
  const cpus = one?.cpus ?? 4;
  const tasks = Object.entries(rig.tasks ?? {}).filter(([, { cpu }]) => cpu < cpus);
  const meeters = {
    one: { cpu: 1, run: 'meeter' },
    two: { cpu: 2, run: 'meeter' },
  };
  const own: Rig = {
    ...rig,
    cpus,
    data: { ...rig.data, init_task: 64 },
    tasks: name === 'K24' ? meeters : Object.fromEntries(tasks),
    bodies: { ...rig.bodies, ...KERNEL, [LAST]: { body: ['work 8'] } },
    ...(name === 'K24' ? { seed: SEED } : {}),
  };
  return name === 'K19' ? withModule(own) : own;
}

const OFFSETS = 64;

/** What `register_kprobe` says of each byte from the first of LAST on. */
function boundariesOf(rig: Rig): readonly number[] {
  const tries = Array.from({ length: OFFSETS }, (_, offset): readonly Command[] => [
    ...fill('KA', { symbol: LAST, offset, flags: 2 }),
    call('register', 'KA'),
  ]);
  const { seen } = play(rig, tries.flat());
  let at = 0;
  return tries.map(({ length }) => {
    at += length;
    return seen[at - 1]?.result ?? 0;
  });
}

/** X07: what is misused ends in an oops, in the call that crashed or warned. */
function compareCrash({ name, crashed }: Scenario, model: KernelModel): Outcome {
  const crash = `${crashed?.what ?? ''} in ${crashed?.in ?? ''}`;
  return { id: name, differences: compareMisuse(crash, model), missing: [] };
}

const OOPS = 'freed in unregister_kretprobe, called by driver of driver';

function compareMisuse(there: string, model: KernelModel): readonly Difference[] {
  const commands = [
    ...fill('RA', { symbol: 'tgt_a1', handlers: ['entry', 'return'] }),
    call('register', 'RA'),
    call('unregister', 'RA'),
    call('unregister', 'RA'),
  ];
  const { ending, oops } = play(rigOf(undefined, model), commands);
  const reason = 'crash of the real kernel, an event here';
  return [
    ...compare('the misuse', there, oops ?? ending, reason),
    ...compare('it ends', OOPS, oops ?? ending),
  ];
}
