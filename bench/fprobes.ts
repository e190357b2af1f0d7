// What fprobes cost, on both return machines: on the function-graph machine (today; v6.14, where hits without exit handler
// take it, too) and on rethook (v6.12). One fprobe on many functions beside as many ftrace_ops with one function each; hits with and without
// exit handler; several fprobes on one function. Loops of calls of empty functions, handlers that do nothing, one CPU
// under the calm chooser; events are made and dropped.
import { assert, known } from '../src/assert.ts';
import { calmChooser } from '../src/emu/choose.ts';
import { Digest } from '../src/replay/digest.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { EVENTS } from '../src/replay/schema.ts';
import { Session } from '../src/replay/session.ts';
import { makePlan } from '../src/replay/workload/make-plan.ts';
import type { FunctionModel, ProbeModel, Workload } from '../src/replay/workload/model.ts';
import type { Plan } from '../src/replay/workload/plan.ts';
import { PROFILES } from '../src/trace/profile.ts';
import { type Clock, inTurn, type Timed } from './clock.ts';
import { type Point, slopeOf } from './sites.ts';
import type { Budget, Effort, Figure, Suite } from './suite.ts';

const ERAS = ['today', 'v6.14', 'v6.12'] as const;
/** How many functions are probed, and how many fprobes are on one function. */
const FUNCTIONS = [1, 10, 100, 1000] as const;
const TOY_FUNCTIONS = [1, 10] as const;
const FPROBES = [1, 2, 4, 8, 16] as const;
const TOY_FPROBES = [1, 2] as const;
const CALLS = 2000;
const TOY_CALLS = 20;
/** So many functions are called in turn, if there are as many; so far a loop counts. */
const SPREAD = 20;
const PASSES = 3;
const [NS, US] = [1e9, 1e6];
/** Longer than registering takes: the caller begins behind it. */
const REGISTERED_US = 1_000_000;

type Kind = 'bare' | 'ftrace_ops' | 'entry' | 'entry and exit';
const HANDLERS = ['entry', 'entry and exit'] as const;

/** The hits of a run, and how many turns of the loop they took. */
interface Hits extends Timed {
  readonly turns: number;
}

interface Shape {
  readonly era: (typeof ERAS)[number];
  readonly kind: Kind;
  readonly functions: number;
  /** fprobes; each of them on all functions. */
  readonly probes: number;
}

const EXIT_TOO: Budget = { bound: 'most', limit: 1.75, unit: 'x entry only' };
const FLAT: Budget = { bound: 'most', limit: 1.2, unit: 'x one function' };
const LINEAR: Budget = { bound: 'most', limit: 1.1, unit: '' };

export const fprobes: Suite = {
  budgets: Object.fromEntries(
    ERAS.flatMap((era) => [
      [`${era}: entry and exit, 1 function`, EXIT_TOO],
      [`${era}: entry, most functions`, FLAT],
      [`${era}: entry and exit, most functions`, FLAT],
      [`${era}: entry, slope over fprobes`, LINEAR],
      [`${era}: entry and exit, slope over fprobes`, LINEAR],
    ]),
  ),
  measure: (effort) =>
    ERAS.flatMap((era) => [hitsOf(era, effort), registersOf(era, effort)]).flat(),
};

function shapesOf(era: Shape['era'], toy: boolean): readonly Shape[] {
  const kinds = ['bare', 'ftrace_ops', 'entry', 'entry and exit'] as const;
  const functions: readonly number[] = toy ? TOY_FUNCTIONS : FUNCTIONS;
  const stacks: readonly number[] = (toy ? TOY_FPROBES : FPROBES).slice(1);
  return [
    ...kinds.flatMap((kind) =>
      functions.map((count): Shape => ({ era, kind, functions: count, probes: 1 })),
    ),
    ...kinds
      .slice(2)
      .flatMap((kind) => stacks.map((probes): Shape => ({ era, kind, functions: 1, probes }))),
  ];
}

/** What a hit costs more than a call of a function that nobody has hooked. */
function hitsOf(era: Shape['era'], { clock, toy }: Effort): readonly Figure[] {
  const calls = toy ? TOY_CALLS : CALLS;
  const shapes = shapesOf(era, toy);
  const plans = shapes.map((shape) => makePlan(workloadOf(shape, calls)));
  const found = inTurn(
    toy ? 1 : PASSES,
    plans.map((plan, i) => () => measureHits(clock, plan, known(shapes[i], 'it has a shape'))),
  );
  const timeOf = (kind: Kind, functions: number, probes = 1): Hits => {
    const place = shapes.findIndex(
      (one) => one.kind === kind && one.functions === functions && one.probes === probes,
    );
    return known(found[place], 'it was measured');
  };
  const hit = (kind: Kind, functions: number, probes = 1): number =>
    timeOf(kind, functions, probes).seconds - timeOf('bare', functions).seconds;
  const most = Math.max(...shapes.map(({ functions }) => functions));
  const rows = shapes.filter(({ kind }) => kind !== 'bare');
  const times = rows.map(({ functions, kind, probes }): Figure => {
    const seconds = hit(kind, functions, probes);
    const many = functions === most ? 'most functions' : `${functions} functions`;
    const where = functions === 1 ? '1 function' : many;
    const name = `${era}: ${kind}, ${probes === 1 ? where : `${probes} fprobes`}`;
    const { digest } = timeOf(kind, functions, probes);
    // With an exit handler: against without. On more functions, or of more fprobes: against one.
    const base = functions === 1 && probes === 1 ? 'entry' : kind;
    const compared = seconds / hit(base, 1);
    return { name, value: (seconds * NS) / calls, unit: 'ns', compared, digest };
  });
  const slopes = HANDLERS.map((kind) => {
    const stacks = rows.filter((one) => one.kind === kind && one.functions === 1);
    const points = stacks.map(({ probes }): Point => {
      const { digest } = timeOf(kind, 1, probes);
      const seconds = Math.max(hit(kind, 1, probes), 1 / NS); // At toy sizes it may seem to be nothing.
      return { count: probes, timed: { seconds, digest } };
    });
    return slopeFigure(`${era}: ${kind}, slope over fprobes`, points);
  });
  const bare = timeOf('bare', 1).turns;
  const turnsOf = (kind: Kind): number => (timeOf(kind, 1).turns - bare) / calls;
  const turns = HANDLERS.map((kind): Figure => {
    const name = `${era}: ${kind}, turns of a hit`;
    const compared = turnsOf(kind) / turnsOf('entry');
    const { digest } = timeOf(kind, 1);
    return { name, value: turnsOf(kind), unit: 'turns', compared, digest };
  });
  return [...times, ...slopes, ...turns];
}

/** Several fprobes on one function: from two on, as the first one may be called without a list. */
function slopeFigure(name: string, points: readonly Point[]): Figure {
  const listed = points.filter(({ count }) => count > 1);
  const value = slopeOf(listed.length > 1 ? listed : points);
  const digest = digestOf(...points.map(({ timed }) => Number.parseInt(timed.digest, 16)));
  return { name, value, unit: '', compared: value, digest };
}

/** What registering costs: one fprobe on all, against as many ftrace_ops of one function each. */
function registersOf(era: Shape['era'], { clock, toy }: Effort): readonly Figure[] {
  const sizes = (toy ? TOY_FUNCTIONS : FUNCTIONS).slice(1);
  const kinds = ['ftrace_ops', 'entry', 'entry and exit'] as const;
  return sizes.flatMap((functions) => {
    const shapes = kinds.map((kind): Shape => ({ era, kind, functions, probes: 1 }));
    const plans = shapes.map((shape) => makePlan(workloadOf(shape, SPREAD)));
    const found = inTurn(
      toy ? 1 : PASSES,
      plans.map((plan, i) => () => measureRegister(clock, plan, known(shapes[i], 'a shape'))),
    );
    const ops = known(found[0], 'it was measured');
    return found.map(({ digest, seconds }, i): Figure => {
      const name = `${era}: register, ${known(kinds[i], 'a kind')}, ${functions} functions`;
      return { name, value: seconds * US, unit: 'us', compared: seconds / ops.seconds, digest };
    });
  });
}

function workloadOf(shape: Shape, calls: number): Workload {
  const { functions: count } = shape;
  const names = Array.from({ length: count }, (_, i) => `f_${i}`);
  const called = Array.from(
    { length: SPREAD },
    (_, i) => `call ${known(names[Math.floor((i * count) / SPREAD)], 'a function')}`,
  );
  const functions: Record<string, FunctionModel> = {
    main: { body: [`sleep ${REGISTERED_US}`, { loop: calls / SPREAD, body: called }] },
  };
  for (const name of names) functions[name] = { body: [] };
  const probes = probesOf(shape, names);
  return {
    name: 'fprobes',
    machine: { cpus: 1, landingPad: false, steps_max: 100_000_000 },
    functions,
    tasks: { caller: { cpu: 0, run: 'main', times: 1 } },
    probes,
    timeline: Object.keys(probes).map((name) => ({ at: 'start', register: name, expect: 0 })),
  };
}

function probesOf(
  { kind, probes }: Shape,
  names: readonly string[],
): Readonly<Record<string, ProbeModel>> {
  if (kind === 'bare') return {};
  if (kind === 'ftrace_ops') {
    const all = names.map((filter): [string, ProbeModel] => [
      `ops_${filter}`,
      { kind: 'ftrace', filter, callback: 'nothing' },
    ]);
    return Object.fromEntries(all);
  }
  const exit = kind === 'entry' ? {} : { exit: 'nothing' };
  const probe: ProbeModel = { kind: 'fprobe', filter: 'f_*', entry: 'nothing', ...exit };
  return Object.fromEntries(Array.from({ length: probes }, (_, i) => [`fp${i}`, probe]));
}

/** Keeps no event, and counts what it needs to know. */
class Counts extends EventLog {
  ended = 0;
  callbacks = 0;

  override emit(id: number): void {
    if (id === EVENTS.cb_begin.id) this.callbacks++;
    if (id === EVENTS.ctl_end.id) this.ended++;
  }
}

interface Run {
  readonly session: Session;
  readonly log: Counts;
}

function start(plan: Plan, { era }: Shape): Run {
  const log = new Counts();
  const profile = known(PROFILES.get(era), 'the era exists');
  const options = { chooser: calmChooser, profile, variants: [], log } as const;
  return { session: new Session(plan, options), log };
}

/** An ftrace_ops has its filter set and is registered; an fprobe does both in one call. */
function register({ log, session }: Run, { functions, kind, probes }: Shape): void {
  const calls = kind === 'bare' ? 0 : kind === 'ftrace_ops' ? 2 * functions : probes;
  while (log.ended < calls) assert(session.tick(), 'all are registered');
  assert(log.callbacks === 0, 'the calls come behind that');
}

function measureHits(clock: Clock, plan: Plan, shape: Shape): Hits {
  const run = start(plan, shape);
  register(run, shape);
  const { log, session } = run;
  let turns = 1; // The last one ends the run.
  const seconds = clock(() => {
    while (session.tick()) turns++;
  });
  assert(session.ending === 'run_end', 'the caller comes to its end');
  return { seconds, turns, digest: digestOf(session.machine.step, log.callbacks) };
}

function measureRegister(clock: Clock, plan: Plan, shape: Shape): Timed {
  const run = start(plan, shape);
  const seconds = clock(() => {
    register(run, shape);
  });
  return { seconds, digest: digestOf(run.session.machine.step, run.log.ended) };
}

function digestOf(...words: readonly number[]): string {
  const digest = new Digest();
  for (const word of words) digest.word(word);
  return digest.hex();
}
