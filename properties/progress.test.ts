// Guarantee `progress` (CC-O12).
//
// Every wait ends: nobody is stuck for ever, and no two locks are taken in both orders, nor any more of them in a
// circle.
// Follows from "Using ftrace to hook to functions", section "The ftrace_ops structure": to unregister may take some
// time, but it comes to an end (CC-M10 to CC-M12).
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import type { Address } from '../src/emu/address.ts';
import type { Context } from '../src/emu/context.ts';
import type { Path } from '../src/emu/path.ts';
import { EventLog } from '../src/replay/event-log.ts';
import { judgeEvents } from '../src/replay/guarantee/index.ts';
import type { Verdict } from '../src/replay/guarantee/judge.ts';
import { progress } from '../src/replay/guarantee/progress.ts';
import { Session } from '../src/replay/session.ts';
import { makePlan } from '../src/replay/workload/make-plan.ts';
import type { Workload } from '../src/replay/workload/model.ts';
import { PROFILE_TODAY } from '../src/trace/profile.ts';
import { checkGuarantee, EXERCISED_MIN, TEST_MS } from './check-guarantee.ts';
import { listedChooser } from './choices.ts';
import { call, kmalloc, pointer } from './guest-call.ts';
import { smallMachine } from './small-machine.ts';

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

/** One of the drawn things that a guest does: locks by number, in the order in which they are taken. */
interface Visit {
  readonly locks: readonly number[];
  /** How many of them are taken before a read section opens; none does where it is more than there are. */
  readonly reads: number;
  /** First, a lock in memory of its own is taken around the others, or inside them; then its memory is freed. */
  readonly own: 'around' | 'inside' | 'none';
}

const LOCKS = 4;

const visitArbitrary: fc.Arbitrary<Visit> = fc.record({
  locks: fc.subarray(Array.from({ length: LOCKS }, (_, number) => number)),
  reads: fc.nat(LOCKS + 1),
  own: fc.constantFrom('around', 'inside', 'none'),
});

/** What the judge says of a guest that makes `visits`, with locks of which each is called `named`. */
function verdictOfVisits(visits: readonly Visit[], named: string): Verdict {
  const data = Array.from({ length: LOCKS }, (_, number) => `l${number}`);
  const m = smallMachine({ functions: { f: [] }, data });
  m.machine.nameOf = () => named;
  const shared = data.map((name) => known(m.image.dataSymbols.get(name), 'it is there').address);
  m.thread('t', 0, function* (cx) {
    for (const { locks, reads, own } of visits) {
      const mine = yield* kmalloc(m, cx, 32);
      const others = locks.map((number) => known(shared[number], 'the lock is there'));
      const all = { around: [mine, ...others], inside: [...others, mine], none: others }[own];
      yield* visit(cx, all, reads);
      yield* call(m, cx, 'kfree', [pointer(mine)]);
    }
  });
  function* visit(cx: Context, [lock, ...inner]: readonly Address[], reads: number): Path<void> {
    if (reads === 0) yield* call(m, cx, 'rcu_read_lock', []);
    if (lock !== undefined) {
      yield* call(m, cx, '_raw_spin_lock', [pointer(lock)]);
      yield* visit(cx, inner, reads - 1);
      yield* call(m, cx, '_raw_spin_unlock', [pointer(lock)]);
    }
    if (reads === 0) yield* call(m, cx, 'rcu_read_unlock', []);
  }
  expect(m.machine.run()).toBe('run_end');
  const [judged] = judgeEvents(m.log.events(), [progress]);
  return known(judged, 'one guarantee has one verdict').verdict;
}

test('locks in one order are no finding, whatever they are called, with readers anywhere', () => {
  let held = 0;
  fc.assert(
    fc.property(
      fc.array(visitArbitrary, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('l', 'ftrace_lock', 'regex_lock/ops0'),
      (visits, named) => {
        const inOrder = visits.map((one) => ({
          ...one,
          locks: one.locks.toSorted((a, b) => a - b),
        }));
        const verdict = verdictOfVisits(inOrder, named);
        expect(verdict.status).not.toBe('broken');
        if (verdict.status === 'held') held++;
        // The same, but once in both orders.
        const twice = [0, 1].map((from): Visit => ({
          locks: [from, 1 - from],
          reads: 9,
          own: 'none',
        }));
        expect(verdictOfVisits([...inOrder, ...twice], named).status).toBe('broken');
      },
    ),
  );
  expect(held).toBeGreaterThan(0);
});
