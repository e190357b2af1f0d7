// Guarantee `progress` (CC-O12).
//
// Every wait ends: nobody is stuck for ever, and no two locks are taken in both orders, nor any more of them in a
// circle.
// Follows from "Using ftrace to hook to functions", section "The ftrace_ops structure": to unregister may take some
// time, but it comes to an end (CC-M10 to CC-M12).
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { judgeEvents } from '../src/replay/guarantee/index.ts';
import { progress } from '../src/replay/guarantee/progress.ts';
import { Session } from '../src/replay/session.ts';
import { makePlan } from '../src/replay/workload/make-plan.ts';
import type { Workload } from '../src/replay/workload/model.ts';
import { PROFILE_TODAY } from '../src/trace/profile.ts';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';
import { listedChooser } from './choices.ts';

test('no schedule leaves anybody waiting for ever', { timeout: TEST_MS }, () => {
  expect(checkGuarantee('progress')).toBeGreaterThanOrEqual(EXERCISED_MIN);
});

/** Two CPUs at work while a probe comes and goes. */
function workload(times: number): Workload {
  return {
    name: 'forgetful',
    machine: { cpus: 2, steps_max: 20_000 },
    functions: {
      vfs_read: { body: ['work 3'] },
      ksys_read: { body: ['call vfs_read', 'sleep 5'] },
    },
    tasks: {
      one: { cpu: 0, run: 'ksys_read', times },
      two: { cpu: 1, run: 'ksys_read', times },
    },
    probes: { ops0: { kind: 'ftrace', callback: 'count' } },
    timeline: [
      { at: 'start', register: 'ops0' },
      { at: { step: 500 }, unregister: 'ops0' },
    ],
  };
}

/** What the judge says of a machine in which no grace period is ever told to be over, if `forgets`. */
function verdictOf(times: number, forgets: boolean): string {
  const log = new EventLog();
  const session = new Session(makePlan(workload(times)), {
    chooser: listedChooser({ schedule: [], inject: [], wait: [] }, true),
    profile: PROFILE_TODAY,
    variants: [],
    log,
  });
  if (forgets) session.machine.afterWait = () => undefined;
  while (session.tick());
  const [judged] = judgeEvents(log.events(), [progress]);
  const { verdict } = known(judged, 'one guarantee has one verdict');
  return verdict.status === 'broken' ? verdict.why : `${session.ending}: ${verdict.status}`;
}

test('a grace period that never ends is found, at a deadlock and at the step limit', () => {
  expect(verdictOf(10, false)).toBe('run_end: held');
  expect(verdictOf(10, true)).toMatch(
    /^nobody can run \(.*\): task control waits for synchronize_rcu_tasks_rude\/\d+$/u,
  );
  expect(verdictOf(100_000, true)).toMatch(
    /^synchronize_rcu_tasks_rude \(begun .*\) does not end although all that it can be waiting for was over/u,
  );
});

test('a run that is longer than its step limit is no finding', () => {
  expect(verdictOf(100_000, false)).toBe('no_progress: held');
});
