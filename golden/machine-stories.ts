// What the stories of the goldens about the machine itself claim (text, returns, waits), as checks of the recorded
// runs; those about hooks and filters are in stories.ts.
import type { Event } from '../src/replay/schema.ts';
import { type Claim, HARDIRQ, REGISTER } from './moments.ts';
import {
  calls,
  fetches,
  isIn,
  isWithin,
  like,
  ofKind,
  type Span,
  syncs,
  type Told,
} from './told.ts';

const UNREGISTER = 'unregister_ftrace_function';

/** By the golden's name. */
export const MACHINE_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'text-stale-fetch': [
    {
      says: 'CPU 2 fetches the nop when the breakpoint has been written already',
      holds: (told) =>
        siteFetches(told, 2).some(
          ({ index, does, seen, newest }) =>
            does === 'nop' && seen < newest && isInOne(index, operations(told, REGISTER)),
        ),
    },
    {
      says: 'CPUs 1 and 2 meet the breakpoint, and the trap goes on where the new call will go',
      holds: (told) =>
        [1, 2].every((cpu) =>
          ofKind(told.events, 'trap_exit').some(
            (trap) =>
              trap.cpu === cpu &&
              isInOne(trap.index, operations(told, REGISTER)) &&
              ofKind(told.events, 'alloc').some(
                ({ kind, address }) => kind === 'trampoline' && address === trap.to,
              ),
          ),
        ),
    },
    {
      says: 'the tail is not written before CPU 2, which fetches the site meanwhile, has answered',
      holds: (told) =>
        syncs(told).some((sync) => {
          const answer = answers(told, 2).find(({ index }) => isIn(index, sync));
          const tail = ofKind(told.events, 'text_write').find(
            ({ index, part }) => part === 1 && index > sync.begin,
          );
          return (
            answer !== undefined &&
            tail !== undefined &&
            tail.index > answer.index &&
            siteFetches(told, 2).some(({ index }) =>
              isIn(index, { begin: sync.begin, end: answer.index }),
            )
          );
        }),
    },
    {
      says: 'all three CPUs fetch the call while ops0 is registered, and the nop afterwards',
      holds: (told) =>
        [0, 1, 2].every((cpu) => {
          const [end] = operations(told, UNREGISTER).map((operation) => operation.end);
          if (end === undefined) return false;
          const own = siteFetches(told, cpu);
          const after = own.filter(({ index }) => index > end);
          return (
            own.some(({ does }) => does === 'call') &&
            after.length > 0 &&
            after.every(({ does, seen, newest }) => does === 'nop' && seen === newest)
          );
        }),
    },
  ],
  'return-interrupted': [
    {
      says: 'three hooked functions are open at once in one task',
      holds: (told) =>
        callSpans(told).some(
          (inner) =>
            inner.func === 'kmalloc' &&
            callSpans(told).some(
              (middle) =>
                middle.func === 'vfs_open' &&
                isWithin(inner, middle) &&
                callSpans(told).some(
                  (outer) =>
                    outer.func === 'do_sys_open' &&
                    outer.flow === inner.flow &&
                    outer.flow === middle.flow &&
                    isWithin(middle, outer),
                ),
            ),
        ),
    },
    {
      says: 'a task is preempted between the call of a trampoline and the callback',
      holds: (told) =>
        ofKind(told.events, 'sched_switch').some(({ index, prev, state }) => {
          const own = told.events.filter(({ pid, level }) => pid === prev && level === 0);
          const before = own.findLast((event) => event.index < index && tellsOfHit(event));
          const after = own.find((event) => event.index > index && tellsOfHit(event));
          const left = before?.event === 'site_fetch' && before.does === 'call';
          return state === 'preempted' && left && after?.event === 'cb_begin';
        }),
    },
    {
      says: 'an interrupt comes in the trampoline, and the hooked function that it calls returns',
      holds: (told) =>
        interruptsOfTrampoline(told).some((interrupt) =>
          callSpans(told).some(
            (call) =>
              call.func === 'vfs_open' && call.level === HARDIRQ && isWithin(call, interrupt),
          ),
        ),
    },
    {
      says: 'every call of a hooked function has its return',
      holds: (told) =>
        ['do_sys_open', 'vfs_open', 'kmalloc'].every((func) => {
          const entered = calls(told, func).length;
          return (
            entered > 0 && callSpans(told).filter((call) => call.func === func).length === entered
          );
        }),
    },
  ],
  'progress-two-threads': [
    {
      says: 'second begins its change while control holds ftrace_lock and waits',
      holds: (told) =>
        operations(told, UNREGISTER).some((operation) =>
          changesOf(told, 'second').some(
            (change) => isIn(change.begin, operation) && change.end > operation.end,
          ),
        ),
    },
    {
      says: 'the rude wait outlasts what CPU 1 computes with preemption off',
      holds: (told) =>
        like(told.waits, { kind: 'synchronize_rcu_tasks_rude' }).some((wait) =>
          ofKind(told.events, 'region_close').some(
            ({ index, cpu, pid }) => cpu === 1 && pid === told.pid('beta') && isIn(index, wait),
          ),
        ),
    },
    {
      says: 'second gets ftrace_lock when control has given it back, with its own lock held',
      holds: (told) =>
        locksOf(told, 'second', 'ftrace_lock').some((own) =>
          locksOf(told, 'control', 'ftrace_lock').some(
            (other) =>
              other.end < own.begin &&
              like(told.waits, {}).some((wait) => isWithin(wait, other)) &&
              locksOf(told, 'second', 'regex_lock/ops1').some(
                (filter) => filter.begin < other.end && isWithin(own, filter),
              ),
          ),
        ),
    },
    {
      says: 'text_mutex is taken inside ftrace_lock each time',
      holds: (told) =>
        ['control', 'second'].every((task) => {
          const inner = locksOf(told, task, 'text_mutex');
          return (
            inner.length > 0 &&
            inner.every((span) =>
              locksOf(told, task, 'ftrace_lock').some((outer) => isWithin(span, outer)),
            )
          );
        }),
    },
  ],
};

function operations(told: Told, op: string): readonly Span[] {
  return like(told.operations, { op });
}

function changesOf(told: Told, task: string): readonly Span[] {
  return like(told.operations, { op: 'ftrace_set_filter', pid: told.pid(task) });
}

function isInOne(index: number, spans: readonly Span[]): boolean {
  return spans.some((span) => isIn(index, span));
}

type Fetch = Extract<Event, { readonly event: 'site_fetch' }>;

function siteFetches(told: Told, cpu: number): readonly Fetch[] {
  const indexes = new Set(fetches(told, 'vfs_read').map(({ index }) => index));
  return ofKind(told.events, 'site_fetch').filter(
    (fetch) => fetch.cpu === cpu && indexes.has(fetch.index),
  );
}

function answers(told: Told, cpu: number): readonly { readonly index: number }[] {
  return ofKind(told.events, 'sync_ack').filter((answer) => answer.cpu === cpu);
}

/** Where a task holds a lock. */
function locksOf(told: Told, task: string, name: string): readonly Span[] {
  const pid = told.pid(task);
  const isOwn = (event: { readonly pid: number; readonly name: string }): boolean =>
    event.pid === pid && event.name === name;
  const released = ofKind(told.events, 'unlock').filter(isOwn);
  return ofKind(told.events, 'lock')
    .filter(isOwn)
    .map(({ index }) => ({
      begin: index,
      end: released.find((unlock) => unlock.index > index)?.index ?? Infinity,
    }));
}

function tellsOfHit({ event }: Event): boolean {
  return event === 'site_fetch' || event === 'cb_begin' || event === 'cb_end';
}

interface CallSpan extends Span {
  readonly func: string;
  /** Task and level, and the CPU where the task is the idle one. */
  readonly flow: string;
  readonly level: number;
}

/** True calls that returned. */
function callSpans(told: Told): readonly CallSpan[] {
  const open = new Map<string, { readonly begin: number; readonly func: number }[]>();
  const spans: CallSpan[] = [];
  for (const event of told.events) {
    if (event.event !== 'func_enter' && event.event !== 'func_return') continue;
    const { index, func, level } = event;
    const flow = `${event.pid}/${event.cpu}/${level}`;
    const own = open.get(flow) ?? [];
    open.set(flow, own);
    if (event.event === 'func_enter') {
      own.push({ begin: index, func });
      continue;
    }
    const top = own.pop();
    if (top?.func !== func) continue;
    spans.push({ begin: top.begin, end: index, func: told.func(func), flow, level });
  }
  return spans;
}

/** Interrupts of code in a trampoline. */
function interruptsOfTrampoline(told: Told): readonly Span[] {
  const trampolines = ofKind(told.events, 'alloc').filter(({ kind }) => kind === 'trampoline');
  const inside = ofKind(told.events, 'irq_enter').filter(({ level, interrupted }) =>
    trampolines.some(
      ({ address, bytes }) =>
        level === HARDIRQ && interrupted >= address && interrupted < address + bytes,
    ),
  );
  const begins = new Set(inside.map(({ index }) => index));
  return told.interrupts.filter(({ begin }) => begins.has(begin));
}
