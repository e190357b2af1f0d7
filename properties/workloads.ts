// Random workloads for the ftrace properties: small, valid, and full of what CC-X2 asks for. Hooked code in
// the idle task, two tasks on a CPU (preemption inside a trampoline), two probes on one site, interrupts
// whose handlers are hooked too, filters that change and probes that go and come back while all of it runs.
// What is drawn are plain numbers; `workload-build.ts` makes a workload of them.
import fc from 'fast-check';
import {
  ALLOC_KINDS,
  OPS_FLAGS,
  type OpsFlag,
  type Workload,
} from '../src/replay/workload/model.ts';
import {
  buildWorkload,
  type Raw,
  type RawChange,
  type RawFunction,
  type RawProbe,
  type RawTask,
} from './workload-build.ts';
import type { RawModule } from './workload-module.ts';
import { NAMES, PATTERNS, STEP_MAX } from './workload-names.ts';
import { REFUSALS } from './workload-refusal.ts';

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
  /** The first probe's filter is swapped again and again, each time for one or two functions. */
  readonly swaps?: boolean;
  /** Hooked code in the idle task of the last CPU. */
  readonly idle?: boolean;
  /** The last CPU has nothing but its idle task, whose hits are when the first probe is due to change or to go. */
  readonly lone?: boolean;
  /** A second task on every CPU. */
  readonly crowded?: boolean;
  /** The first probe's callback takes the recursion lock, calls what may be hooked, and shows its arguments. */
  readonly guarded?: boolean;
  /**
   * No trampolines, and probes that are part of the kernel itself: who is alone is called without the list
   * function, and each comes and goes again and again (CC-S3, CC-N1).
   */
  readonly direct?: boolean;
  /**
   * Probes ask for attributes (FTRACE_OPS_FL_*); one with SAVE_REGS shows and changes registers. `drawn`: any, while
   * set_ftrace_pid and `ftrace_enabled` are written and calls are refused. `redirects`: all of them want to redirect
   * functions, so they get into each other's way (CC-G15); `rcu`: all of them need RCU.
   */
  readonly flags?: 'drawn' | 'redirects' | 'rcu';
  /** Handlers run hooked code before their level shows, and after (CC-H5). */
  readonly early?: boolean;
  /** Two probes that select everything from the start, and others that come for the first time later on. */
  readonly joins?: boolean;
  /** Between its operations the first probe is told what has to be refused. */
  readonly refusals?: boolean;
  /** Sites are patched while all CPUs are stopped (FT-12). */
  readonly stopped?: boolean;
  /** Every task is a program in user mode, with hooked code on the way in and out; or none is. */
  readonly programs?: boolean;
  /** The last CPU goes and comes back. */
  readonly hotplug?: boolean;
  /** Every probe is unregistered in the end. */
  readonly ends?: boolean;
  /** A module whose functions tasks and handlers call while it comes and goes (CC-S20). */
  readonly module?: boolean;
  /** With it ftrace dies, and everybody asks for the place where it lay. */
  readonly kills?: boolean;
  /** `ftrace_enabled` is 0 around every unregister. */
  readonly disables?: boolean;
  /** Probes obey set_ftrace_pid, which is written, and come back; with `redirects` they are refused as well. */
  readonly pids?: boolean;
  /** At least this many injectable handlers. */
  readonly handlers?: 0 | 1 | 2;
}

/** What is drawn. */
type RawDraws = Omit<Raw, 'stopped' | 'programs' | 'hotplug'>;

/** Workloads with these features. */
export function workloadsWith(features: Features): fc.Arbitrary<Workload> {
  return rawWorkload(features).map((raw) =>
    buildWorkload({
      ...raw,
      stopped: isStopped(raw, features),
      programs: features.programs,
      hotplug: hotplugOf(raw, features),
    }),
  );
}

/**
 * One time in ten, by the number of a task that hardly any machine has room for: a draw of its own would change
 * all cases of all seeds.
 */
function isStopped({ tasks }: RawDraws, { stopped }: Features): boolean {
  return stopped ?? (tasks.at(-1)?.us ?? 0) % 10 === 3;
}

/** One time in ten, as above; 0: never. */
function hotplugOf({ tasks }: RawDraws, { hotplug }: Features): number {
  const us = tasks.at(-2)?.us ?? 0;
  return (hotplug ?? us % 10 === 4) ? us : 0;
}

function oftenTrue(): fc.Arbitrary<boolean> {
  return fc.nat(4).map((draw) => draw !== 4);
}

function rarely(): fc.Arbitrary<boolean> {
  return fc.nat(7).map((draw) => draw === 7);
}

function rawWorkload(features: Features): fc.Arbitrary<RawDraws> {
  const { cpus, probes, handlers } = features;
  return fc.record({
    cpus: cpus === undefined ? fc.constantFrom(2, 1, 3, 2, 4) : fc.constant(cpus),
    grain: fc.constantFrom<Raw['grain'][]>('visible', 'visible', 'visible', 'instruction'),
    preempt: oftenTrue(),
    landingPad: fc.boolean(),
    functions: fc.array(rawFunction, { minLength: 2, maxLength: NAMES.length }),
    tasks: fc.array(rawTask, { minLength: 8, maxLength: 8 }),
    crowded: fixed(features.crowded, fc.boolean()),
    idle: fixed(features.idle, fc.boolean()).chain((wanted) =>
      wanted
        ? fc.record({ run: fc.nat(5), times: fc.integer(idleTimes(features)) })
        : fc.constant(null),
    ),
    handlers: fc.array(
      fc.record({
        kind: fc.constantFrom<('irq' | 'softirq' | 'nmi')[]>('irq', 'nmi', 'softirq'),
        run: fc.nat(5),
        inject: fc.integer({ min: 1, max: 3 }),
        early: features.early === true ? fc.nat(6) : fc.constant(null),
      }),
      { minLength: handlers ?? 0, maxLength: Math.max(2, handlers ?? 0) },
    ),
    probes: fc.array(probeWith(features), {
      minLength: features.joins === true ? JOINS : (probes ?? 1),
      maxLength: features.joins === true ? JOINS : (probes ?? 3),
    }),
    shared: fixed(features.shared, rarely()),
    guarded: fixed(features.guarded, fc.constant(false)),
    direct: fc.constant(features.direct ?? false),
    stays: features.direct === true ? fc.boolean() : fc.constant(false),
    raised: fc.array(fc.nat(LIVES_MAX), {
      maxLength: features.direct === true ? 6 : 0,
      size: 'max',
    }),
    lone: fc.constant(features.lone ?? false),
    joins: fc.constant(features.joins ?? false),
    module: features.module === true ? moduleWith(features) : fc.constant(null),
    ends: fixed(features.ends, fc.constant(false)),
    refusals: refusalsWith(features),
    // Of a call that is under way when ftrace dies nothing is promised.
    secondControl: features.kills === true ? fc.constant(false) : rarely(),
    failAlloc: fc.oneof(
      { arbitrary: fc.constant([]), weight: 2 },
      { arbitrary: fc.subarray(allocKinds(features)), weight: 1 },
    ),
    strict: fc.boolean(),
    pids: pidsWith(features),
    enables: features.flags === 'drawn' ? rawEnables : fc.constant([]),
  });
}

/** Probes with any flags are refused this and that, too: what a failed register leaves behind meets all flags. */
function refusalsWith({ flags, refusals }: Features): fc.Arbitrary<Raw['refusals']> {
  if (refusals === true) return refusalDraws;
  return flags === 'drawn' ? fc.oneof(fc.constant([]), refusalDraws) : fc.constant([]);
}

function pidsWith({ flags, pids }: Features): fc.Arbitrary<Raw['pids']> {
  if (pids === true) return fc.array(rawPids, { minLength: 1, maxLength: 3 });
  return flags === 'drawn' ? fc.array(rawPids, { maxLength: 4 }) : rarePids;
}

/** Numbers as C reads them, and what is none. */
const rawEnabled: fc.Arbitrary<Raw['enables'][number]['value']> = fc.constantFrom<
  Raw['enables'][number]['value'][]
>(0, 1, 0, 1, 0, 1, ' 0x0', '-2', 'off', '08');

/** Writes that are about nobody's unregister: what is registered meanwhile is hooked later, or refused (FT-48). */
const rawEnables: fc.Arbitrary<Raw['enables']> = fc.oneof(
  fc.constant([]),
  fc.array(fc.record({ due: fc.nat(STEP_MAX), value: rawEnabled }), {
    minLength: 1,
    maxLength: 4,
  }),
);

/** Enough to go on when the first probe has been registered, where that matters. */
function idleTimes({ flags }: Features): { readonly min: number; readonly max: number } {
  return flags === 'rcu' ? { min: 100, max: 160 } : { min: 2, max: 12 };
}
const rawPids: fc.Arbitrary<Raw['pids'][number]> = fc.record({
  due: fc.nat(STEP_MAX),
  tasks: fc.array(fc.nat(7), { maxLength: 2 }),
  append: rarely(),
});

const rarePids: fc.Arbitrary<Raw['pids']> = fc.oneof(
  { arbitrary: fc.constant([]), weight: 4 },
  { arbitrary: fc.array(rawPids, { minLength: 1, maxLength: 2 }), weight: 1 },
);

/** PERMANENT is rare: it makes writes of 0 fail. */
const rawFlags: fc.Arbitrary<RawProbe['flags']> = fc.constantFrom<RawProbe['flags'][]>(
  [],
  [],
  [],
  ['PID'],
  ['PID'],
  [],
  ['PERMANENT'],
);

/** Memory for a module is looked for where there is one. */
function allocKinds({ module }: Features): (typeof ALLOC_KINDS)[number][] {
  return ALLOC_KINDS.filter((kind) => module === true || kind !== 'module');
}

function fixed(
  value: boolean | undefined,
  otherwise: fc.Arbitrary<boolean>,
): fc.Arbitrary<boolean> {
  return value === undefined ? otherwise : fc.constant(value);
}

/** One for each operation of a probe: what is to be refused behind it. */
const refusalDraws = fc.array(fc.constantFrom<Raw['refusals'][number][]>(...REFUSALS), {
  minLength: 10,
  maxLength: 10,
});

const rawFunction: fc.Arbitrary<RawFunction> = fc.record({
  work: fc.nat(4),
  calls: fc.array(fc.nat(5), { maxLength: 2 }),
  style: fc.constantFrom<RawFunction['style'][]>('plain', 'plain', 'counts', 'preempt_off', 'rcu'),
  notrace: rarely(),
});

const rawTask: fc.Arbitrary<RawTask> = fc.record({
  runs: fc.array(fc.nat(5), { minLength: 1, maxLength: 2 }),
  times: fc.integer({ min: 3, max: 8 }),
  us: fc.integer({ min: 1, max: 40 }),
});

const rawClaim: fc.Arbitrary<RawModule['claims'][number]> = fc.record({
  probe: fc.constantFrom<RawModule['claims'][number]['probe'][]>('leaver', 'ops0'),
  op: fc.constantFrom<RawModule['claims'][number]['op'][]>('takes', 'takes', 'leaves', 'adds'),
});

/** Where all probes want to redirect functions, a module comes back at least once. */
function rawModuleWith({ flags }: Features): fc.Arbitrary<RawModule> {
  const redirects = flags === 'redirects';
  return fc.record({
    work: fc.nat(4),
    guard: fc.constantFrom<RawModule['guard'][]>('rcu', 'rcu', 'preempt_off'),
    triggers: fc.array(fc.nat(STEP_MAX), { minLength: redirects ? 4 : 2, maxLength: 6 }),
    pace: fc.constantFrom<RawModule['pace'][]>('rounds', 'steps'),
    claims: redirects
      ? fc.array(rawClaim, { minLength: 4, maxLength: 9, size: 'max' })
      : fc.constant([]),
  });
}

/** Nothing is hooked any more that comes when ftrace is dead: so it comes but once. */
function moduleWith(features: Features): fc.Arbitrary<RawModule> {
  const { kills } = features;
  const rawModule = rawModuleWith(features);
  if (kills !== true) return rawModule;
  return rawModule.map((raw) =>
    Object.assign({}, raw, { kills, triggers: raw.triggers.slice(0, 2) }),
  );
}

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
  pace: fc.constantFrom<RawProbe['pace'][]>('rounds', 'rounds', 'steps'),
  leaves: oftenTrue(),
  disables: rarely(),
  flags: rawFlags,
});

/** How many probes there are where some come later. */
const JOINS = 6;
/** Draws that stand for the name of one function. */
const oneFunction = fc.nat(NAMES.length - 1);

const swap: fc.Arbitrary<RawChange> = fc.record({
  op: fc.constant('set_filter'),
  pattern: oneFunction,
  reset: fc.constant(true),
});

const swappedProbe: fc.Arbitrary<RawProbe> = fc.record({
  filter: fc.array(oneFunction, { minLength: 1, maxLength: 2 }),
  notrace: fc.constant([]),
  callback: fc.constantFrom<RawProbe['callback'][]>('count', 'lingering', 'nothing'),
  lives: fc.array(swap, { minLength: 3, maxLength: 8 }).map((changes) => [changes]),
  triggers: fc.array(fc.nat(STEP_MAX), { minLength: 10, maxLength: 10 }),
  pace: fc.constant('rounds'),
  leaves: oftenTrue(),
  disables: rarely(),
  flags: rawFlags,
});

/** How often two probes that take turns go. */
const LIVES_MAX = 7;

/** One of two that take turns. */
const comingProbe: fc.Arbitrary<RawProbe> = fc.record({
  filter: fc.array(oneFunction, { maxLength: 2 }),
  notrace: fc.constant([]),
  callback: fc.constantFrom<RawProbe['callback'][]>('count', 'nothing'),
  lives: fc.array(fc.constant([]), { minLength: 2, maxLength: 5 }),
  triggers: fc.array(fc.nat(STEP_MAX), { minLength: 10, maxLength: 10 }),
  pace: fc.constantFrom<RawProbe['pace'][]>('rounds', 'steps'),
  leaves: oftenTrue(),
  disables: rarely(),
  flags: rawFlags,
});

const REDIRECTS: OpsFlag[] = ['SAVE_REGS', 'IPMODIFY'];
const FLAGS: Record<NonNullable<Features['flags']>, fc.Arbitrary<OpsFlag[]>> = {
  drawn: fc.subarray([...OPS_FLAGS]),
  redirects: fc.constant(REDIRECTS),
  rcu: fc.constantFrom(['RCU'], ['RCU', 'RECURSION'], ['RCU', 'SAVE_REGS']),
};

/** One whose callback takes its time, and that comes and goes. */
const lingeringProbe: fc.Arbitrary<RawProbe> = comingProbe.map((probe) => ({
  ...probe,
  filter: [],
  callback: 'lingering',
}));

function plainProbe({ swaps, direct, joins, lone }: Features): fc.Arbitrary<RawProbe> {
  if (direct === true || joins === true) return comingProbe;
  if (lone === true) return lingeringProbe;
  return swaps === true ? swappedProbe : rawProbe;
}

function probeWith(features: Features): fc.Arbitrary<RawProbe> {
  const probe = plainProbe(features);
  const { flags, disables, pids } = features;
  if (disables === true || pids === true) {
    return probe.map((one) => {
      const comesBack = pids === true && one.lives.length === 1;
      const lives = comesBack ? [...one.lives, []] : one.lives;
      const rest: RawProbe['flags'] = flags === 'redirects' ? REDIRECTS : [];
      const asked: RawProbe['flags'] = pids === true ? ['PID', ...rest] : [];
      return Object.assign({}, one, { lives, flags: asked, disables: disables ?? one.disables });
    });
  }
  if (flags === undefined) return probe;
  const drawn = FLAGS[flags];
  // What the idle task runs is to be among what they select.
  const all = flags === 'rcu' ? { filter: [], notrace: [], lives: [[]], leaves: false } : {};
  return fc
    .tuple(probe, drawn)
    .map(([raw, asked]) => Object.assign({}, raw, { ...all, flags: asked }));
}

/** Any workload. */
export const workloadArbitrary: fc.Arbitrary<Workload> = workloadsWith({});
