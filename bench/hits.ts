// What one hit costs, by the way that it takes: through the trampoline of the only ops on a site, or through the list
// function, which asks every ops that is registered. A loop of calls of one empty function, hooked by so many ops with an
// empty callback, on one CPU under the calm chooser; events are made and dropped. Registering is not included.
import { assert } from '../src/assert.ts';
import { calmChooser } from '../src/emu/choose.ts';
import { Digest } from '../src/replay/digest.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { EVENTS } from '../src/replay/schema.ts';
import { Session } from '../src/replay/session.ts';
import { makePlan } from '../src/replay/workload/make-plan.ts';
import type { ProbeModel, Workload } from '../src/replay/workload/model.ts';
import type { Plan } from '../src/replay/workload/plan.ts';
import { PROFILE_TODAY } from '../src/trace/profile.ts';
import { type Clock, inTurn, type Timed } from './clock.ts';
import type { Figure, Suite } from './suite.ts';

/** How many ops are on the site that calls the list function. One is there where no ops has a trampoline. */
const LISTED = [1, 2, 4, 8, 16] as const;
const CALLS = 4000;
const TOY_CALLS = 20;
/** A loop counts so far. */
const INNER = 20;
const PASSES = 3;
const NS = 1e9;
/** Longer than registering takes: the caller begins behind it. */
const REGISTERED_US = 1_000_000;

interface Way {
  readonly ops: number;
  readonly trampolines: boolean;
}

interface Measured extends Timed {
  readonly instructions: number;
}

export const hits: Suite = {
  budgets: {},
  measure({ clock, toy }) {
    const calls = toy ? TOY_CALLS : CALLS;
    const ways: readonly Way[] = [
      { ops: 0, trampolines: true },
      { ops: 1, trampolines: true },
      ...LISTED.map((ops) => ({ ops, trampolines: ops > 1 })),
    ];
    const plans = ways.map((way) => makePlan(workloadOf(way, calls)));
    const measures = plans.map((plan, i) => () => measure(clock, plan, ways[i]?.ops ?? 0));
    const [bare, trampoline, ...listed] = inTurn(toy ? 1 : PASSES, measures);
    assert(bare !== undefined && trampoline !== undefined, 'all were measured');
    const [two, most] = [listed[1], listed.at(-1)];
    assert(two !== undefined && most !== undefined, 'lists of 2 and of more ops were measured');
    // Host ns of a guest instruction, where nothing is hooked.
    const instruction = (bare.seconds * NS) / bare.instructions;
    const figure = (name: string, one: Measured, { seconds }: Measured, times: number): Figure => {
      const value = ((one.seconds - seconds) * NS) / times;
      return { name, value, unit: 'ns', compared: value / instruction, digest: one.digest };
    };
    const more = (LISTED.at(-1) ?? 0) - LISTED[1];
    return [
      figure('a hit through a trampoline', trampoline, bare, calls),
      ...listed.map((one, i) =>
        figure(`a hit through the list, ${LISTED[i]} ops`, one, bare, calls),
      ),
      figure('one more ops on the list', most, two, calls * more),
    ];
  },
};

function workloadOf({ ops, trampolines }: Way, calls: number): Workload {
  const names = Array.from({ length: ops }, (_, i) => `ops${i}`);
  const probe: ProbeModel = { kind: 'ftrace', filter: 'hooked', callback: 'nothing' };
  return {
    name: 'hits',
    machine: { cpus: 1, trampolines, steps_max: 50_000_000 },
    functions: {
      main: {
        body: [
          `sleep ${REGISTERED_US}`,
          { loop: calls / INNER, body: [{ loop: INNER, body: ['call hooked'] }] },
        ],
      },
      hooked: { body: [] },
    },
    tasks: { caller: { cpu: 0, run: 'main', times: 1 } },
    probes: Object.fromEntries(names.map((name) => [name, probe])),
    timeline: names.map((name) => ({ at: 'start', register: name, expect: 0 })),
  };
}

/** Keeps no event, and counts what it needs to know. */
class Counts extends EventLog {
  registered = 0;
  callbacks = 0;

  override emit(id: number): void {
    if (id === EVENTS.cb_begin.id) this.callbacks++;
    if (id === EVENTS.ctl_end.id) this.registered++;
  }
}

function measure(clock: Clock, plan: Plan, ops: number): Measured {
  const log = new Counts();
  const options = { chooser: calmChooser, profile: PROFILE_TODAY, variants: [], log } as const;
  const session = new Session(plan, options);
  // A probe has its filter set, and is registered.
  while (log.registered < 2 * ops) assert(session.tick(), 'all are registered');
  assert(log.callbacks === 0, 'the calls come behind that');
  const instructionsOf = (): number =>
    session.machine.cpus.reduce((sum, { hart }) => sum + hart.instret, 0);
  const before = instructionsOf();
  const seconds = clock(() => {
    while (session.tick());
  });
  assert(session.ending === 'run_end', 'the caller comes to its end');
  const digest = new Digest();
  for (const word of [session.machine.step, instructionsOf(), log.callbacks]) digest.word(word);
  return { seconds, digest: digest.hex(), instructions: instructionsOf() - before };
}
