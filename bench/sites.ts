// How long control calls take that touch many call sites: register and unregister of an ops that selects all of them,
// and a filter that goes from one half of them to the other. The work for each site is the same, so the time has to
// grow with their number and no faster: what has a budget is the slope of log time over log sites.
import { assert, known } from '../src/assert.ts';
import { calmChooser } from '../src/emu/choose.ts';
import { Digest } from '../src/replay/digest.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { EVENTS } from '../src/replay/schema.ts';
import { Session } from '../src/replay/session.ts';
import { makePlan } from '../src/replay/workload/make-plan.ts';
import type { FunctionModel, TimelineItem, Workload } from '../src/replay/workload/model.ts';
import { PROFILE_TODAY } from '../src/trace/profile.ts';
import { type Clock, type Timed } from './clock.ts';
import type { Figure, Suite } from './suite.ts';

/** Numbers of sites. A function of 12 bytes: the text of 10,000 fits well into the image of 512 KiB. */
const SIZES = [10, 30, 100, 300, 1000, 3000, 10_000] as const;
const TOY_SIZES = [10, 30] as const;
/** From here on fixed costs count for nothing; but those of the host's collector begin (docs/bench.md). */
const LARGE = 1000;
/** Each is measured so often at least, few sites more often; the least time of each counts. */
const RUNS = 5;
const RUNS_OF_FEW = 40;
const FEW = 100;
const SLOPE = { bound: 'most', limit: 1.1, unit: '' } as const;

/** What is measured, and the call that it is: by its number in the timeline, from 1. */
const CALLS = { register: 1, unregister: 2, 'filter swap': 5 } as const;
type Call = keyof typeof CALLS;
const NAMES = Object.keys(CALLS) as readonly Call[]; // oxlint-disable-line typescript/no-unsafe-type-assertion -- as written above

export const sites: Suite = {
  budgets: Object.fromEntries(NAMES.map((name) => [`${name}: slope over sites`, SLOPE])),
  measure({ clock, toy }) {
    const sizes: readonly number[] = toy ? TOY_SIZES : SIZES;
    const all = sizes.map((count) => ({ count, timed: measureSize(clock, count, toy) }));
    return NAMES.flatMap((name) => {
      const points = all.map(({ count, timed }) => ({
        count,
        timed: known(timed.get(name), 'every call was measured'),
      }));
      return figuresOf(name, points);
    });
  },
};

/** Keeps no event, and counts calls that have begun and ended. */
class Calls extends EventLog {
  begun = 0;
  ended = 0;

  override emit(id: number): void {
    if (id === EVENTS.ctl_begin.id) this.begun++;
    if (id === EVENTS.ctl_end.id) this.ended++;
  }
}

function workloadOf(count: number): Workload {
  const functions: Record<string, FunctionModel> = {};
  for (let i = 0; i < count; i++) functions[`${i % 2 === 0 ? 'a' : 'b'}_${i}`] = { body: [] };
  return {
    name: 'sites',
    machine: { cpus: 2, landingPad: false, steps_max: 10_000_000 },
    functions,
    tasks: { caller: { cpu: 1, run: 'a_0', times: 1 } },
    probes: { ops0: { kind: 'ftrace', callback: 'nothing' } },
    timeline: [
      { at: 'start', register: 'ops0' },
      { at: 'start', unregister: 'ops0' },
      { at: 'start', ...filterOf('a_*') },
      { at: 'start', register: 'ops0' },
      { at: 'start', ...filterOf('b_*') },
      { at: 'start', unregister: 'ops0' },
    ],
  };
}

function filterOf(pattern: string): Pick<TimelineItem, 'set_filter'> {
  return { set_filter: { probe: 'ops0', pattern, reset: true } };
}

/** Each call on so many sites: the least time that it took in several runs. */
function measureSize(clock: Clock, count: number, toy: boolean): ReadonlyMap<Call, Timed> {
  const plan = makePlan(workloadOf(count));
  const runs = toy ? 1 : count <= FEW ? RUNS_OF_FEW : RUNS;
  const seconds = new Map<Call, number>(NAMES.map((name) => [name, Infinity]));
  const digest = new Digest();
  for (let run = 0; run < runs; run++) {
    const log = new Calls();
    const options = { chooser: calmChooser, profile: PROFILE_TODAY, variants: [], log } as const;
    const session = new Session(plan, options);
    for (const name of NAMES) {
      while (log.begun < CALLS[name]) assert(session.tick(), 'every call begins');
      const spent = clock(() => {
        while (log.ended < CALLS[name]) session.tick();
      });
      seconds.set(name, Math.min(known(seconds.get(name), name), spent));
    }
    while (session.tick());
    assert(session.ending === 'run_end', 'the calls are made, and nothing is left to do');
    digest.word(session.machine.step);
  }
  const hex = digest.hex();
  return new Map([...seconds].map(([name, least]) => [name, { seconds: least, digest: hex }]));
}

/** What so many cost. */
export interface Point {
  readonly count: number;
  readonly timed: Timed;
}

function figuresOf(name: Call, points: readonly Point[]): readonly Figure[] {
  const digest = new Digest();
  for (const { timed } of points) digest.text(timed.digest);
  const large = points.filter(({ count }) => count >= LARGE);
  const slope = (title: string, used: readonly Point[]): Figure => {
    const value = slopeOf(used.length < 2 ? points : used);
    return { name: `${name}: ${title}`, value, unit: '', compared: value, digest: digest.hex() };
  };
  return [
    ...points.map(({ count, timed }) => ({
      name: `${name}, ${count} sites`,
      value: (timed.seconds * 1e6) / count,
      unit: 'us/site',
      digest: timed.digest,
    })),
    slope('slope over sites', points),
    slope(`slope from ${LARGE} sites on`, large),
  ];
}

/** Of log time over log sites, by least squares. */
export function slopeOf(
  points: readonly { readonly count: number; readonly timed: Pick<Timed, 'seconds'> }[],
): number {
  const xs = points.map(({ count }) => Math.log(count));
  const ys = points.map(({ timed }) => Math.log(timed.seconds));
  const [x, y] = [mean(xs), mean(ys)];
  const covariance = xs.reduce((sum, one, i) => sum + (one - x) * (known(ys[i], 'pair') - y), 0);
  return covariance / xs.reduce((sum, one) => sum + (one - x) ** 2, 0);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
