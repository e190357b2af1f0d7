// Layer replay. Guarantee `progress`: whoever waits gets on (CC-O12).
//
// Broken by a deadlock: nobody can run; by locks that are taken in a circle, even if nobody is stuck in this run
// (lock-order.ts); and, where the run ends at its step limit, by a grace period whose waiter sleeps although
// everything that it may be waiting for passed long ago (grace-periods.ts). A task that a schedule leaves alone, and
// a workload that is longer than the limit, are nobody's fault.
//
// Exercised: each lock that was taken while another was held, and each grace period that ended.
import type { EventOf } from '../schema.ts';
import {
  cpuMoves,
  type GracePeriods,
  newGracePeriods,
  overdueWait,
  sectionCloses,
  sectionOpens,
  taskAwakes,
  tasksSwitch,
  userModeTurns,
  waitBegins,
  waitEnds,
} from './grace-periods.ts';
import { contextKey } from './hit.ts';
import { broken, type Broken, type Guarantee, type Verdict } from './judge.ts';
import {
  dropLock,
  type Edge,
  holderOf,
  holdLock,
  type LockOrder,
  newLockOrder,
  passLock,
  takeLock,
} from './lock-order.ts';
import type { Story } from './story.ts';
import { nameOfTask, where } from './wording.ts';

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  readonly order: LockOrder;
  readonly periods: GracePeriods;
}

/** What a read section is called among locks. */
const READERS = 'RCU readers';
/** Waits that outlast read sections (CC-M10, CC-M12). */
const FOR_READERS: ReadonlySet<string> = new Set(['synchronize_rcu', 'synchronize_rcu_tasks']);
/** A wait that is over may be told so some steps later, never as many as these (CC-M15). */
const OVERDUE_STEPS = 1000;

export const progress: Guarantee = {
  name: 'progress',
  sentence:
    'Every wait ends: nobody is stuck for ever, and no two locks are taken in both orders, ' +
    'nor any more of them in a circle.',
  document: 'Using ftrace to hook to functions',
  section: 'The ftrace_ops structure',
  rules: ['CC-M10', 'CC-M11', 'CC-M12', 'CC-O12'],
  start(story) {
    const found: Findings = {
      story,
      first: undefined,
      order: newLockOrder(),
      periods: newGracePeriods(),
    };
    const { order, periods } = found;
    return {
      on: {
        lock: (e) => {
          circled(found, takeLock(order, flowOf(e), { name: e.name, taken: e }));
        },
        unlock: (e) => {
          dropLock(order, flowOf(e), e.name);
        },
        rcu_read_lock: (e) => {
          sectionOpens(periods, e);
          holdLock(order, flowOf(e), { name: READERS, taken: e });
        },
        rcu_read_unlock: (e) => {
          sectionCloses(periods, e);
          dropLock(order, flowOf(e), READERS);
        },
        wait_begin: (e) => {
          waitBegins(periods, e);
          if (!FOR_READERS.has(e.kind)) return;
          circled(found, passLock(order, flowOf(e), { name: READERS, taken: e }));
        },
        wait_end: (e) => {
          waitEnds(periods, e);
        },
        task_new: (e) => {
          taskAwakes(periods, e.child);
        },
        task_wake: (e) => {
          taskAwakes(periods, e.woken);
        },
        sched_switch: (e) => {
          tasksSwitch(periods, e);
        },
        cpu_online: (e) => {
          cpuMoves(periods, e);
        },
        user_mode: (e) => {
          userModeTurns(periods, e);
        },
        deadlock: (e) => {
          stuck(found, e);
        },
        no_progress: (e) => {
          endless(found, e);
        },
      },
      end: () => verdict(found),
    };
  },
};

function flowOf(e: { readonly pid: number; readonly cpu: number; readonly level: number }): number {
  return contextKey(e.pid, e.cpu, e.level);
}

function circled(found: Findings, circle: readonly Edge[] | undefined): void {
  const [closing] = circle ?? [];
  if (circle === undefined || closing === undefined || found.first !== undefined) return;
  const ways = circle.map(
    ({ from, to, inner }) => `${to} inside ${from} (${where(found.story, inner)})`,
  );
  const shows = circle.flatMap(({ outer, inner }) => [outer.index, inner.index]);
  const why = `locks are taken in a circle: ${ways.join(', ')}`;
  found.first = broken(closing.inner.index, why, shows);
}

function stuck(found: Findings, e: EventOf<'deadlock'>): void {
  if (found.first !== undefined) return;
  const { story } = found;
  const holder = holderOf(found.order, e.on);
  const held = holder === undefined ? '' : `, held since ${where(story, holder)}`;
  const waiter = e.waiting === 0 ? 'an idle CPU' : `task ${nameOfTask(story, e.waiting)}`;
  const why = `nobody can run (step ${e.step}): ${waiter} waits for ${e.on}${held}`;
  found.first = broken(e.index, why, [holder?.index ?? -1]);
}

function endless(found: Findings, e: EventOf<'no_progress'>): void {
  const wait = overdueWait(found.periods, e.step, OVERDUE_STEPS);
  if (wait?.passed === undefined || found.first !== undefined) return;
  const { story } = found;
  const why =
    `${wait.begin.kind} (begun at ${where(story, wait.begin)}) does not end although ` +
    `all that it can be waiting for was over at step ${wait.passed.step}`;
  found.first = broken(e.index, why, [wait.begin.index, wait.passed.index]);
}

function verdict({ first, order, periods }: Findings): Verdict {
  if (first !== undefined) return first;
  const exercised = order.nested + periods.ended;
  if (exercised > 0) return { status: 'held', exercised };
  const why = 'No lock was taken while another was held, and no grace period ended.';
  return { status: 'never exercised', why };
}
