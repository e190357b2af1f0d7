// A case of a property: a random workload and the choices of one run of it. Every property and every mutant
// check runs its cases through here and looks at the same facts about them.
import fc from 'fast-check';
import { known } from '../src/assert.ts';
import type { Ending } from '../src/emu/machine.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { judgeEvents } from '../src/replay/guarantee/index.ts';
import type { Verdict } from '../src/replay/guarantee/judge.ts';
import { variantOf } from '../src/replay/prepare.ts';
import { Session } from '../src/replay/session.ts';
import { makePlan } from '../src/replay/workload/make-plan.ts';
import type { GuaranteeName, Workload } from '../src/replay/workload/model.ts';
import { toYaml } from '../src/replay/workload/to-yaml.ts';
import { PROFILES, PROFILE_TODAY } from '../src/trace/profile.ts';
import type { Variant } from '../src/trace/variants/variant.ts';
import { type Choices, choicesArbitrary, fewChoices, listedChooser } from './choices.ts';
import { type Exercise, watchRun } from './exercise.ts';
import type { Features } from './workload-features.ts';
import { type Era, type FprobeCase, fprobeCases } from './workloads-fprobe.ts';
import { kprobeCases, type KprobeCase } from './workloads-kprobe.ts';
import { workloadsWith } from './workloads.ts';

export interface Case {
  readonly workload: Workload;
  readonly choices: Choices;
  /** Default: today. */
  readonly profile?: Era | KprobeCase['profile'];
}

/**
 * The cases of a guarantee, or a part of those of some: callers that call without the list function, probes with flags,
 * and probes that get into each other's way as they want to redirect functions. Or those in which a module comes and
 * goes, fprobes in one era or another, those in which ftrace dies with it, those in which hooked code runs only while RCU watches, those with ops
 * that obey set_ftrace_pid, some of which are refused, those of machines that are stopped to be patched, those whose
 * tasks are programs in user mode, and those with a CPU that goes and comes. Or small ones, for what is to be run very
 * often; and those in which ftrace_enabled and set_ftrace_pid are written around filter swaps.
 */
export type CasesName =
  | GuaranteeName
  | 'direct'
  | 'flags'
  | 'redirects'
  | 'idle'
  | 'awake'
  | 'small'
  | 'small-awake'
  | 'untraced'
  | 'joins'
  | 'fprobes'
  | 'fgraph'
  | 'rethook'
  | 'fgraph-interrupted'
  | 'fgraph-grows'
  | 'fgraph-meets'
  | 'fgraph-fails'
  | 'fgraph-pauses'
  | 'fgraph-wide'
  | 'fgraph-mixed'
  | 'misses'
  | 'rethook-interrupted'
  | 'rethook-pauses'
  | 'rethook-lingers'
  | 'everywhere'
  | 'everywhere-v6.18'
  | 'everywhere-v6.14'
  | 'everywhere-v5.18'
  | 'fprobes-shared'
  | 'fprobes-v6.18'
  | 'fprobes-v6.14'
  | 'fprobes-v5.18'
  | 'modules'
  | 'kills'
  | 'module-claims'
  | 'pids'
  | 'refused-pids'
  | 'stopped'
  | 'programs'
  | 'hotplug'
  | KprobeCasesName;

/** kprobes and kretprobes: of any kind, or such as one of their faults needs. */
type KprobeCasesName =
  | 'kprobes'
  | 'kprobe-siblings'
  | 'kprobe-breakpoints'
  | 'kprobe-sites'
  | 'kprobe-pauses'
  | 'kprobe-leaves'
  | 'kprobe-recurses'
  | 'kretprobe-short'
  | 'kretprobe-leaves'
  | 'kprobes-fprobes';

export interface CaseResult {
  readonly ending: Ending;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly log: EventLog;
}

/**
 * What each property runs: any workload, and with some weight one with what its guarantee needs most. Sites
 * that call the list function whatever the first probe does show faults of the list and of the waits (CC-G1,
 * CC-G4); filters swapped again and again, those of swaps and of what is freed behind them (CC-G3). Callbacks
 * that lock and are hit again show what they get and where they run; only when all is unregistered can it be
 * seen what is left.
 */
const DIRECT = workloadsWith({
  direct: true,
  probes: 2,
  shared: false,
  cpus: 2,
  crowded: false,
});

const FLAGS = fc.oneof(
  workloadsWith({ flags: 'drawn' }),
  workloadsWith({ flags: 'drawn', idle: true }),
  workloadsWith({ flags: 'drawn', probes: 2 }),
  workloadsWith({ flags: 'drawn', ends: true }),
);

const REDIRECTS = workloadsWith({ flags: 'redirects', probes: 3, shared: false, ends: true });
/** Probes want to redirect a function that comes and goes. */
const MODULE_CLAIMS = workloadsWith({
  module: true,
  flags: 'redirects',
  probes: 1,
  shared: false,
  ends: true,
});
const PIDS = workloadsWith({ pids: true, probes: 1, cpus: 2, shared: false });

/** Walkers of the list meet probes that are just being linked (CC-G2). */
const JOINS = workloadsWith({ joins: true, shared: false, crowded: false });

/** What a wait that skips idle CPUs does not cover, on the path that nothing is patched for (CC-G1). */
const IDLE = workloadsWith({ cpus: 2, shared: true, idle: true, lone: true });
const STOPPED = workloadsWith({ stopped: true, swaps: true, crowded: true });

/**
 * Nothing is hooked where RCU does not watch: neither in an idle task, nor on the way to user mode and back, nor where
 * a CPU goes or comes, nor in an interrupt that does not show yet.
 */
const WATCHED = { idle: false, early: false, programs: false, hotplug: false } as const;
const AWAKE = fc.oneof(
  workloadsWith({ ...WATCHED, cpus: 2 }),
  workloadsWith({ ...WATCHED, shared: true }),
  workloadsWith({ ...WATCHED, shared: true, guarded: true, handlers: 2 }),
);

/** Probes that change and go: short runs. Most of them show a swap, an unregister, or both. */
function small(needs: Features): fc.Arbitrary<Workload> {
  const all = { ...needs, small: true, ends: true, cpus: 2 } as const;
  return fc.oneof(
    workloadsWith(all),
    workloadsWith({ ...all, swaps: true }),
    workloadsWith({ ...all, shared: true, swaps: true }),
  );
}

const SMALL: ReadonlySet<CasesName> = new Set<CasesName>(['small', 'small-awake']);

/** Filters are swapped while `ftrace_enabled` is 0 now and then, and while the pid filter leaves tasks out (FT-18, FT-48). */
const UNTRACED = workloadsWith({
  pids: true,
  disables: true,
  swaps: true,
  crowded: true,
  cpus: 2,
  probes: 2,
});

/** fprobes in every era that keeps what the documents promise, or in one of them. */
function fprobesOf(era?: Era): fc.Arbitrary<FprobeCase> {
  const eras = era === undefined ? {} : { eras: [era] };
  return fc.oneof(
    fprobeCases(eras),
    fprobeCases({ ...eras, recurses: true, cpus: 2 }),
    fprobeCases({ ...eras, short: true, handlers: 1 }),
    fprobeCases({ ...eras, leaves: true, handlers: 1 }),
  );
}

const FPROBES = fprobesOf();

/** In every context, on functions of every kind. */
const EVERYWHERE = fprobeCases({ everywhere: true });

/** fprobes whose handlers are told whatever they can be, beside ftrace_ops that all functions are hooked by. */
const SHARING = fprobeCases({ shares: true, shared: true, guarded: true, handlers: 2 });

/** What is run in an era of its own. */
const ERA_CASES: Partial<Record<CasesName, fc.Arbitrary<FprobeCase>>> = {
  pairing: fc.oneof(FPROBES, fprobeCases({ refuses: true }), EVERYWHERE),
  nmissed: fc.oneof(fprobeCases({ short: true, handlers: 1 }), FPROBES, EVERYWHERE),
  everywhere: EVERYWHERE,
  'everywhere-v6.18': fprobeCases({ eras: ['v6.18'], everywhere: true }),
  'everywhere-v6.14': fprobeCases({ eras: ['v6.14'], everywhere: true }),
  'everywhere-v5.18': fprobeCases({ eras: ['v5.18'], everywhere: true }),
  fprobes: FPROBES,
  fgraph: fprobesOf('today'),
  rethook: fprobesOf('v6.12'),
  'fgraph-interrupted': fprobeCases({ eras: ['today'], interrupted: true }),
  'fgraph-grows': fprobeCases({ eras: ['today'], grows: true }),
  'fgraph-meets': fprobeCases({ eras: ['today'], grows: true, quick: true, cpus: 2 }),
  'fgraph-mixed': fprobeCases({ eras: ['today'], mixed: true }),
  misses: fprobeCases({ eras: ['today'], busy: true, short: true, cpus: 2 }),
  'fgraph-fails': fprobeCases({ eras: ['today'], grows: true, fails: true, handlers: 0 }),
  'fgraph-pauses': fprobeCases({ eras: ['today'], busy: true, pauses: true, short: true }),
  'fgraph-wide': fprobeCases({ eras: ['today'], wide: true }),
  'rethook-interrupted': fprobeCases({ eras: ['v6.12'], interrupted: true }),
  'rethook-pauses': fprobeCases({ eras: ['v6.12'], pauses: true }),
  'rethook-lingers': fprobeCases({ eras: ['v6.12'], lingers: true, leaves: true, cpus: 2 }),
  'fprobes-shared': SHARING,
  'fprobes-v6.18': fprobeCases({ eras: ['v6.18'], grows: true }),
  'fprobes-v6.14': fprobeCases({ eras: ['v6.14'], grows: true }),
  'fprobes-v5.18': fprobeCases({ eras: ['v5.18'], lingers: true, leaves: true, cpus: 2 }),
};

const KPROBE_CASES: Readonly<Record<KprobeCasesName, fc.Arbitrary<KprobeCase>>> = {
  kprobes: kprobeCases(),
  'kprobe-siblings': kprobeCases({
    plain: true,
    siblings: true,
    crowded: true,
    leaves: true,
    cpus: 2,
  }),
  'kprobe-breakpoints': kprobeCases({
    plain: true,
    breakpoints: true,
    handlers: 2,
    leaves: true,
    cpus: 2,
  }),
  'kprobe-sites': kprobeCases({ sites: true, leaves: true, cpus: 2 }),
  'kprobe-pauses': kprobeCases({ pauses: true, siblings: true }),
  'kprobe-leaves': kprobeCases({ leaves: true, handlers: 1, cpus: 2 }),
  'kprobe-recurses': kprobeCases({ recurses: true, crowded: true }),
  'kretprobe-short': kprobeCases({ short: true, recurses: true, crowded: true }),
  'kretprobe-leaves': kprobeCases({ short: true, leaves: true, cpus: 2 }),
  'kprobes-fprobes': kprobeCases({ fprobes: true, recurses: true }),
};

const WORKLOADS: Partial<Record<CasesName, fc.Arbitrary<Workload>>> = {
  unregister: fc.oneof(
    workloadsWith({}),
    workloadsWith({ shared: true }),
    workloadsWith({ disables: true }),
  ),
  'filter-swap': weighted(3, { shared: true, swaps: true }),
  notrace: weighted(1, { shared: true }),
  memory: weighted(3, { shared: true, swaps: true }),
  text: weighted(3, { swaps: true }),
  stopped: STOPPED,
  hotplug: workloadsWith({ hotplug: true, cpus: 2, crowded: true }),
  programs: workloadsWith({ programs: true, crowded: true }),
  return: weighted(1, { handlers: 2 }),
  progress: weighted(1, { probes: 3 }),
  arguments: fc.oneof(
    workloadsWith({}),
    workloadsWith({ shared: true, guarded: true }),
    DIRECT,
    FLAGS,
    PIDS,
  ),
  pids: PIDS,
  'refused-pids': workloadsWith({ flags: 'redirects', pids: true, probes: 2, shared: false }),
  direct: DIRECT,
  modules: workloadsWith({ module: true }),
  kills: workloadsWith({ module: true, kills: true }),
  'module-claims': MODULE_CLAIMS,
  flags: FLAGS,
  redirects: REDIRECTS,
  context: fc.oneof(
    workloadsWith({}),
    { arbitrary: workloadsWith({ shared: true, guarded: true, handlers: 2 }), weight: 2 },
    {
      arbitrary: workloadsWith({ flags: 'rcu', idle: true, crowded: false, handlers: 2 }),
      weight: 4,
    },
    FLAGS,
  ),
  quiescence: fc.oneof(
    workloadsWith({ ends: true }),
    workloadsWith({ ends: true, shared: true, handlers: 1 }),
    REDIRECTS,
  ),
  start: fc.oneof(workloadsWith({}), workloadsWith({ shared: true }), JOINS),
  joins: JOINS,
  recursion: weighted(3, { shared: true, guarded: true, handlers: 2, early: true }),
  'failed-call': weighted(3, { refusals: true }),
  idle: IDLE,
  awake: AWAKE,
  small: small({}),
  'small-awake': small(WATCHED),
  untraced: UNTRACED,
};

function weighted(weight: number, needs: Features): fc.Arbitrary<Workload> {
  return fc.oneof(
    { arbitrary: workloadsWith({}), weight: 1 },
    { arbitrary: workloadsWith(needs), weight },
  );
}

/** What the property of a guarantee runs: its cases, and some in which probes have any flags together. */
export function propertyCases(guarantee: GuaranteeName): fc.Arbitrary<Case> {
  const cases = [
    { arbitrary: casesOf(guarantee), weight: 4 },
    { arbitrary: casesOf('flags'), weight: 1 },
  ];
  // Interrupts hook and unwind on the shadow stack of the task below (CC-G22).
  if (guarantee === 'return') cases.push({ arbitrary: casesOf('fgraph-interrupted'), weight: 2 });
  if (guarantee === 'start') cases.push({ arbitrary: casesOf('fprobes'), weight: 3 });
  // Half of those fprobes want too much data.
  if (guarantee === 'failed-call') cases.push({ arbitrary: casesOf('fgraph-wide'), weight: 3 });
  // What handlers of fprobes are told, and where they run, is as much as what callbacks are.
  if (guarantee === 'arguments' || guarantee === 'context')
    cases.push({ arbitrary: casesOf('fprobes-shared'), weight: 3 });
  if (guarantee === 'filter-swap') cases.push({ arbitrary: casesOf('untraced'), weight: 5 });
  return fc.oneof(...cases);
}

const OTHER_CASES: Partial<Record<CasesName, fc.Arbitrary<Omit<Case, 'choices'>>>> = {
  ...ERA_CASES,
  ...KPROBE_CASES,
};

/** The cases of that name; one that fails is shown as YAML and choices. */
export function casesOf(name: CasesName): fc.Arbitrary<Case> {
  const workloads = WORKLOADS[name]?.map((workload): Omit<Case, 'choices'> => ({ workload }));
  const drawing = known(workloads ?? OTHER_CASES[name], 'cases have workloads');
  return fc
    .tuple(drawing, SMALL.has(name) ? fewChoices : choicesArbitrary)
    .map(([rest, choices]) => {
      const drawn: Case = Object.assign({}, rest, { choices });
      return Object.assign({}, drawn, { [fc.toStringMethod]: (): string => describeCase(drawn) });
    });
}

/** All that it takes to run the case again. */
export function describeCase({ workload, choices, profile }: Case): string {
  const era = profile === undefined ? '' : `# profile: ${profile}\n`;
  return `${toYaml(workload)}${era}# choices: ${JSON.stringify(choices)}\n`;
}

/**
 * Runs a case under `variants` and judges it. A chooser that is not `eager` is asked at every boundary, one that is
 * lets the core run over the calm ones; nothing else may differ. What the run does is added to `exercise`.
 */
export function runCase(
  { workload, choices, profile }: Case,
  variants: readonly (Variant | string)[] = [],
  eager = true,
  exercise?: Exercise,
): CaseResult {
  const log = new EventLog();
  const listed = listedChooser(choices, eager);
  const watched = exercise === undefined ? undefined : watchRun(exercise, listed);
  const session = new Session(makePlan(workload), {
    chooser: watched?.chooser ?? listed,
    profile: PROFILES.get(profile ?? PROFILE_TODAY.id) ?? PROFILE_TODAY,
    variants: variants.map((one) => (typeof one === 'string' ? variantOf(one) : one)),
    log,
  });
  while (session.tick());
  const judged = judgeEvents(log.events());
  const verdicts = new Map(judged.map(({ guarantee, verdict }) => [guarantee.name, verdict]));
  watched?.end(log, verdicts);
  return { ending: session.ending, verdicts, log };
}

/** What is wrong with a run of the kernel as it is, or as it may be: nothing, ideally. */
export function faultsIn(result: CaseResult): readonly string[] {
  const faults = result.ending === 'run_end' ? [] : [`the run ends with ${result.ending}`];
  for (const [name, verdict] of result.verdicts) {
    if (verdict.status === 'broken') faults.push(`${name}: ${verdict.why}`);
  }
  return faults;
}
