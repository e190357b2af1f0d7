// What hooks cost: the C image of the goldens at work, bare, with an empty callback on all of its functions, and
// recorded as well. The same work each time: so many batches of records filed, checked and removed, so many ticks.
// Where nothing is recorded, nobody keeps the events: they are made and dropped.
//
// The official figures are of one CPU under the calm chooser: nothing else happens there that could hide the cost
// of a hit. Beside them two CPUs under the random chooser, as the golden runs it.
import { readFileSync } from 'node:fs';
import { assert, known } from '../src/assert.ts';
import { type Chooser, calmChooser } from '../src/emu/choose.ts';
import { RecordingChooser } from '../src/replay/choices.ts';
import { Digest } from '../src/replay/digest.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { INJECT_RATIO, randomChooser, SCHEDULE_RATIO } from '../src/replay/explore/random.ts';
import { driveFrames } from '../src/replay/frames.ts';
import { prepareModel } from '../src/replay/prepare.ts';
import { digestOfLog, RecordingWriter } from '../src/replay/recording.ts';
import { EVENTS } from '../src/replay/schema.ts';
import { Session } from '../src/replay/session.ts';
import type { Workload } from '../src/replay/workload/model.ts';
import type { Plan } from '../src/replay/workload/plan.ts';
import { PROFILE_TODAY } from '../src/trace/profile.ts';
import { type Clock, inTurn, type Timed } from './clock.ts';
import { fileHeader } from './header.ts';
import { countEvents } from './rows.ts';
import type { Effort, Figure, Suite } from './suite.ts';

const image = readFileSync(new URL('../../golden/c/store.elf', import.meta.url));
/** The words of `stats` in the image: produced, consumed, dropped, ticks, errors. */
const STATS = [0, 8, 16, 24, 32] as const;
const NS = 1e9;
const PASSES = 5;

export const PROBE_HIT = 'probe hit';

export const hooks: Suite = {
  budgets: {
    'C image, hooked': { bound: 'most', limit: 1.25, unit: 'x unhooked' },
    'C image, hooked and recorded': { bound: 'most', limit: 1.8, unit: 'x unhooked' },
  },
  measure(effort) {
    const times = effort.toy ? 2 : 40;
    const one = measureAll(effort, { cpus: 1, times });
    const two = measureAll(effort, { cpus: 2, times });
    return [...figures('C image', one), probeHit(one), ...figures('C image, two CPUs', two)];
  },
};

interface Shape {
  readonly cpus: number;
  readonly times: number;
}

interface Measured extends Timed {
  readonly instructions: number;
  /** How often the callback ran; 0 when nobody kept the events. */
  readonly hits: number;
}

interface All {
  readonly bare: Measured;
  readonly hooked: Measured;
  readonly recorded: Measured;
  readonly both: Measured;
}

function measureAll({ clock, toy }: Effort, shape: Shape): All {
  const bare = prepareModel(store(shape, false), { image }, 'store').plan;
  const full = prepareModel(store(shape, true), { image }, 'store').plan;
  const all = inTurn(toy ? 1 : PASSES, [
    () => measurePlain(clock, bare),
    () => measurePlain(clock, full),
    () => measureRecorded(clock, bare),
    () => measureRecorded(clock, full),
  ]);
  const at = (index: number): Measured => known(all[index], 'it was measured');
  return { bare: at(0), hooked: at(1), recorded: at(2), both: at(3) };
}

function store({ cpus, times }: Shape, hooked: boolean): Workload {
  const last = cpus - 1;
  const plain: Workload = {
    name: 'store',
    machine: { cpus, steps_max: 50_000_000 },
    image: 'store.elf',
    tasks: {
      producer: { cpu: 0, run: 'producer', times },
      consumer: { cpu: last, run: 'consumer', times: times + 20 },
    },
    handlers: { audit: { timer: 'tick', cpu: last, first: 100, every: 5000, times } },
  };
  if (!hooked) return plain;
  return {
    ...plain,
    probes: { ops0: { kind: 'ftrace', callback: 'count_nothing' } },
    timeline: [{ at: 'start', register: 'ops0', expect: 0 }],
  };
}

/** Keeps no event. */
class Drain extends EventLog {
  override emit(): void {
    // Into nothing.
  }
}

function measurePlain(clock: Clock, plan: Plan): Measured {
  const chooser = chooserOf(plan);
  const log = new Drain();
  const session = new Session(plan, { chooser, profile: PROFILE_TODAY, variants: [], log });
  const seconds = clock(() => {
    while (session.tick());
  });
  return { seconds, ...resultOf(session), hits: 0 };
}

function measureRecorded(clock: Clock, plan: Plan): Measured {
  const chooser = new RecordingChooser(chooserOf(plan));
  const log = new EventLog();
  const session = new Session(plan, { chooser, profile: PROFILE_TODAY, variants: [], log });
  const written: Uint8Array[] = [];
  const seconds = clock(() => {
    record(session, chooser, written);
  });
  const { instructions, digest: plain } = resultOf(session);
  const digest = new Digest();
  digest.text(plain);
  digest.text(digestOfLog(log));
  for (const bytes of written) digest.bytes(bytes);
  const hits = countEvents(log, EVENTS.cb_begin.id);
  return { seconds, instructions, digest: digest.hex(), hits };
}

/** What the guest computed, and in how many steps. */
function resultOf(session: Session): { readonly instructions: number; readonly digest: string } {
  assert(session.ending === 'run_end', 'the tasks come to their end');
  const { cpus, step } = session.machine;
  const instructions = cpus.reduce((sum, { hart }) => sum + hart.instret, 0);
  const digest = new Digest();
  digest.word(step);
  digest.word(instructions);
  for (const offset of STATS) digest.word(session.readData('stats', offset));
  return { instructions, digest: digest.hex() };
}

function chooserOf(plan: Plan): Chooser {
  if (plan.machine.cpus === 1) return calmChooser;
  return randomChooser({ seed: 1, schedule: SCHEDULE_RATIO, inject: INJECT_RATIO });
}

/** As `recordPrepared` does it, without judging. */
function record(session: Session, chooser: RecordingChooser, written: Uint8Array[]): void {
  const writer = new RecordingWriter(session.log);
  written.push(writer.begin(fileHeader(session.plan)));
  driveFrames(session, {
    frame: (_end, state) => {
      written.push(writer.frame(chooser.choices.take(), state));
    },
  });
  written.push(writer.end(session.machine.step));
}

function figures(name: string, { bare, hooked, recorded, both }: All): readonly Figure[] {
  return [
    figure(name, bare, undefined),
    figure(`${name}, hooked`, hooked, bare),
    figure(`${name}, recorded`, recorded, bare),
    figure(`${name}, hooked and recorded`, both, bare),
  ];
}

/** The work is the same, so the times compare. */
function figure(name: string, measured: Measured, bare: Measured | undefined): Figure {
  const { seconds, digest } = measured;
  const plain = { name, value: seconds * 1e3, unit: 'ms', digest };
  return bare === undefined ? plain : { ...plain, compared: seconds / bare.seconds };
}

/** Host ns of a hit, and as guest instructions of the same image unhooked. */
function probeHit({ bare, hooked, both }: All): Figure {
  const hit = ((hooked.seconds - bare.seconds) * NS) / both.hits;
  const instruction = (bare.seconds * NS) / bare.instructions;
  const { digest } = hooked;
  return { name: PROBE_HIT, value: hit, unit: 'ns', compared: hit / instruction, digest };
}
