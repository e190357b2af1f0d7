// Whole runs, as properties and searches make them: plan and image built, about 2,000 steps on four CPUs, judged,
// recorded. Every run has a seed of its own; all rounds have the same seeds.
import { assert } from '../src/assert.ts';
import { Digest } from '../src/replay/digest.ts';
import { randomChooser } from '../src/replay/explore/random.ts';
import type { Verdict } from '../src/replay/guarantee/judge.ts';
import { judgeLog } from '../src/replay/judge-recording.ts';
import { openSession, prepareModel, type Prepared } from '../src/replay/prepare.ts';
import { recordPrepared, type RunSettings } from '../src/replay/run.ts';
import type { Session } from '../src/replay/session.ts';
import { makePlan } from '../src/replay/workload/make-plan.ts';
import { type Clock, inTurn, type Timed } from './clock.ts';
import type { Figure, Suite } from './suite.ts';
import { fileSystem } from './workload.ts';

const PASSES = 5;

const source = { file: 'file-system', text: '', image: undefined };
const checked = prepareModel(fileSystem(), {}, source.file);

export const wholeRuns: Suite = {
  budgets: {
    'whole runs, recorded': { bound: 'least', limit: 8, unit: 'runs/s/Y' },
    'whole runs, recording on/off': { bound: 'least', limit: 0.75, unit: 'of the speed off' },
  },
  measure(effort) {
    const { clock, toy } = effort;
    const runs = toy ? 4 : 40;
    const before = effort.y();
    const [off, on, model] = inTurn(toy ? 1 : PASSES, [
      () => measure(clock, runs, judgedRun),
      () => measure(clock, runs, recordedRun),
      () => measure(clock, runs, modelRun),
    ]);
    const y = (before + effort.y()) / 2;
    assert(off !== undefined && on !== undefined && model !== undefined, 'all were measured');
    const { digest } = on;
    const speed = runs / on.seconds;
    return [
      figure('whole runs, recorded', on, speed / y),
      figure('whole runs, recording on/off', off, off.seconds / on.seconds),
      figure('whole runs, checked by zod, too', model, undefined),
      { name: 'steps of a run', value: on.steps / runs, unit: 'steps', digest },
    ];
  },
};

interface Measured extends Timed {
  readonly runs: number;
  readonly steps: number;
}

/** One run; its steps, as far as it came. `digest` takes what it computed. */
export type Run = (seed: number, digest: Digest) => number;

/** Runs with seeds from 0. */
function measure(clock: Clock, runs: number, run: Run): Measured {
  const digest = new Digest();
  let steps = 0;
  const seconds = clock(() => {
    for (let seed = 0; seed < runs; seed++) steps += run(seed, digest);
  });
  return { seconds, runs, steps, digest: digest.hex() };
}

function figure(name: string, measured: Measured, compared: number | undefined): Figure {
  const { runs, seconds, digest } = measured;
  const plain = { name, value: runs / seconds, unit: 'runs/s', digest };
  return compared === undefined ? plain : { ...plain, compared };
}

function settingsOf(seed: number): RunSettings {
  return { seed, chooser: 'random', profile: 'today', variants: [] };
}

function built(): Prepared {
  return { ...checked, plan: makePlan(checked.workload) };
}

export function plannedRun(): number {
  return built().plan.timeline.length;
}

export function openedRun(seed: number): number {
  return opened(seed).log.count;
}

function opened(seed: number): Session {
  const { plan } = built();
  const { schedule, inject } = plan.machine;
  return openSession(plan, settingsOf(seed), randomChooser({ seed, schedule, inject }));
}

/** A run that was neither judged nor recorded. `told` hears of each turn of the step loop. */
export function stepped(seed: number, told?: () => void): Session {
  const session = opened(seed);
  while (session.tick()) told?.();
  return session;
}

/** Nothing is written. */
export function judgedRun(seed: number, digest: Digest): number {
  const session = stepped(seed);
  for (const { verdict } of judgeLog(session.log)) checkVerdict(verdict);
  // Cheap: the recorded runs of the same seeds say the rest.
  digest.word(session.log.count);
  digest.word(session.machine.step);
  return session.machine.step;
}

export function recordedRun(seed: number, digest: Digest): number {
  return record(built(), seed, digest);
}

/** As `recordedRun`, from data that anybody might have written. */
function modelRun(seed: number, digest: Digest): number {
  return record(prepareModel(fileSystem(), {}, source.file), seed, digest);
}

function record(prepared: Prepared, seed: number, digest: Digest): number {
  const settings = settingsOf(seed);
  let bytes = 0;
  const result = recordPrepared(prepared, {
    source,
    settings,
    sink: (piece) => void (bytes += piece.length),
  });
  assert(result.ending === 'run_end', 'every run comes to its end');
  for (const { verdict } of result.verdicts) checkVerdict(verdict);
  digest.text(result.digest);
  digest.word(bytes);
  return result.steps;
}

function checkVerdict(verdict: Verdict): void {
  assert(verdict.status !== 'broken', 'the kernel keeps its promises');
}
