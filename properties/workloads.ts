// Random workloads for the ftrace properties: small, valid, and full of what CC-X2 asks for. Hooked code in
// the idle task, two tasks on a CPU (preemption inside a trampoline), two probes on one site, interrupts
// whose handlers are hooked too, filters that change and probes that go and come back while all of it runs.
// What is drawn are plain numbers; `workload-build.ts` makes a workload of them.
import fc from 'fast-check';
import { ALLOC_KINDS, type Workload } from '../src/replay/workload/model.ts';
import {
  buildWorkload,
  type Raw,
  type RawFunction,
  type RawProbe,
  type RawTask,
} from './workload-build.ts';
import type { Features } from './workload-features.ts';
import type { RawModule } from './workload-module.ts';
import { NAMES, STEP_MAX } from './workload-names.ts';
import { JOINS, LIVES_MAX, oftenTrue, probeWith } from './workload-probes.ts';
import { REFUSALS } from './workload-refusal.ts';

/** What is drawn. */
type RawDraws = Omit<Raw, 'stopped' | 'programs' | 'hotplug' | 'regs'>;

/** Workloads with these features. */
export function workloadsWith(features: Features): fc.Arbitrary<Workload> {
  return rawWorkload(features).map((drawn) => {
    const raw = features.small === true ? smaller(drawn) : drawn;
    return buildWorkload({
      ...raw,
      stopped: isStopped(raw, features),
      programs: features.programs,
      hotplug: hotplugOf(raw, features),
      regs: savesRegisters(raw, features),
    });
  });
}

/** Short rounds, and few of them, on few functions. */
function smaller(raw: RawDraws): RawDraws {
  return {
    ...raw,
    grain: 'visible',
    functions: raw.functions.slice(0, 3),
    tasks: raw.tasks.map(({ runs, times, us }) => ({
      runs: runs.slice(0, 1),
      times: 2 + (times % 2),
      us,
    })),
    handlers: raw.handlers.slice(0, 1),
    probes: raw.probes.map(smallerProbe),
  };
}

function smallerProbe(probe: RawProbe): RawProbe {
  return { ...probe, lives: probe.lives.slice(0, 1).map((changes) => changes.slice(0, 2)) };
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

/** Where flags are drawn, one architecture in four cannot save all registers (FT-14); as above. */
function savesRegisters({ tasks }: RawDraws, { flags }: Features): boolean {
  return flags !== 'drawn' || (tasks.at(-3)?.us ?? 0) % 4 !== 1;
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

/** Memory for a module is looked for where there is one. */
function allocKinds({ module }: Features): (typeof ALLOC_KINDS)[number][] {
  const drawn = ALLOC_KINDS.filter((kind) => !kind.startsWith('kprobe'));
  return drawn.filter((kind) => module === true || kind !== 'module');
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

/** Any workload. */
export const workloadArbitrary: fc.Arbitrary<Workload> = workloadsWith({});
