// What the stories of ftrace_enabled, of set_ftrace_pid and of recorded recursion claim.
import { type Claim, ends, REGISTER } from './moments.ts';
import {
  calls,
  isIn,
  isWithin,
  like,
  ofKind,
  type OperationSpan,
  type Span,
  type Told,
} from './told.ts';

const EBUSY = 16;
const ENABLED = 'ftrace_enabled';
const PIDS = 'set_ftrace_pid';
const UNREGISTER = 'unregister_ftrace_function';

export const FILE_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'unregister-ftrace-enabled': [
    {
      says: 'a callback of ops0 is open when 0 is written',
      holds: (told) => {
        const [off] = writes(told, ENABLED);
        return (
          off !== undefined &&
          like(told.callbacks, { probe: 'ops0' }).some((hit) => isIn(off.begin, hit))
        );
      },
    },
    {
      says: 'at 0 vfs_read is called, nothing is patched, and no hit of that time calls back',
      holds: (told) => {
        const { disabled } = phases(told);
        return (
          calls(told, 'vfs_read').some(({ index }) => isIn(index, disabled)) &&
          !ofKind(told.events, 'text_write').some(({ index }) => isIn(index, disabled)) &&
          !ofKind(told.events, 'site_fetch').some(
            ({ index, does }) => isIn(index, disabled) && does === 'call',
          )
        );
      },
    },
    {
      says: 'unregister waits twice at 0',
      holds: (told) => {
        const { disabled } = phases(told);
        const within = like(told.operations, { op: UNREGISTER, probe: 'ops0', result: 0 }).filter(
          (operation) => isWithin(operation, disabled),
        );
        return within.some((operation) => {
          const waits = told.waits.filter((wait) => isWithin(wait, operation));
          return waits.length === 2;
        });
      },
    },
    {
      says: 'at 1 ops1 fires again, and ops0 never',
      holds: (told) => {
        const { disabled } = phases(told);
        const later = told.callbacks.filter(({ begin }) => begin > disabled.end);
        return (
          like(later, { probe: 'ops1' }).length > 0 && like(later, { probe: 'ops0' }).length === 0
        );
      },
    },
    {
      says: 'fixed is refused at 0, and 0 is refused while fixed is registered',
      holds: (told) => {
        const { disabled } = phases(told);
        const [refused, taken] = like(told.operations, { op: REGISTER, probe: 'fixed' });
        const [, , third] = writes(told, ENABLED);
        return (
          refused?.result === -EBUSY &&
          isWithin(refused, disabled) &&
          taken?.result === 0 &&
          third?.result === -EBUSY &&
          third.begin > taken.end &&
          like(told.callbacks, { probe: 'fixed' }).some(({ begin }) => begin > third.end)
        );
      },
    },
  ],
  'context-recursion': [
    {
      says: 'note is recorded once, called from the callback, and refused before and after',
      holds: (told) => {
        const recorded = ofKind(told.events, 'recursed_function');
        const [first] = recorded;
        const refused = ofKind(told.events, 'skip').filter(({ reason }) => reason === 'recursion');
        return (
          first !== undefined &&
          recorded.length === 1 &&
          told.func(first.ip) === 'note' &&
          told.func(first.parent_ip) === 'guarded' &&
          refused.some(({ index }) => index < first.index) &&
          refused.some(({ index }) => index > first.index)
        );
      },
    },
  ],
  'filter-swap-pid': [
    {
      says: 'between the first two writes ops0 calls back in alpha alone, and ops1 in everybody',
      holds: (told) => {
        const [first, second] = pidPhases(told);
        return (
          pidsOf(told, 'ops0', between(first, second)).join() === 'alpha' &&
          pidsOf(told, 'ops1', between(first, second)).join() === 'alpha,beta,gamma'
        );
      },
    },
    {
      says: 'beta and gamma are skipped then, at hits for which ops1 calls back',
      holds: (told) => {
        const [first, second] = pidPhases(told);
        return ['beta', 'gamma'].every((task) =>
          ofKind(told.events, 'skip').some(
            ({ index, pid, reason }) =>
              reason === 'pid' &&
              pid === told.pid(task) &&
              isIn(index, between(first, second)) &&
              like(told.callbacks, { probe: 'ops1', pid }).some(({ begin }) => begin < index),
          ),
        );
      },
    },
    {
      says: 'the second write adds gamma, and frees the replaced list behind a grace period',
      holds: (told) => {
        const [, second, third] = pidPhases(told);
        const list = ofKind(told.events, 'alloc').find(({ kind }) => kind === 'heap');
        return (
          pidsOf(told, 'ops0', between(second, third)).join() === 'alpha,gamma' &&
          second !== undefined &&
          like(told.waits, { kind: 'synchronize_rcu' }).some((wait) => {
            const freed = ofKind(told.events, 'free').find(({ object }) => object === list?.object);
            return (
              isWithin(wait, second) &&
              freed !== undefined &&
              isIn(freed.index, { begin: wait.end, end: second.end })
            );
          })
        );
      },
    },
    {
      says: 'a task switch to beta while alpha is listed looks at the list',
      holds: (told) => {
        const [first, second] = pidPhases(told);
        return ofKind(told.events, 'sched_switch').some(
          ({ index, next }) => next === told.pid('beta') && isIn(index, between(first, second)),
        );
      },
    },
    {
      says: 'the filter changes while the list is set, and vfs_write fires in alpha and gamma only',
      holds: (told) => {
        const [swap] = ends(told, 'ftrace_set_filter', 'ops0').slice(-1);
        const [, , third] = pidPhases(told);
        const span = { begin: swap ?? Infinity, end: third?.begin ?? -1 };
        const hits = like(told.callbacks, { probe: 'ops0', func: 'vfs_write' });
        return pidsIn(told, hits, span).join() === 'alpha,gamma';
      },
    },
    {
      says: 'after the list is gone ops0 calls back in beta again',
      holds: (told) => {
        const [, , third] = pidPhases(told);
        return pidsOf(told, 'ops0', { begin: third?.end ?? Infinity, end: Infinity }).includes(
          'beta',
        );
      },
    },
  ],
};

function writes(told: Told, op: string): readonly OperationSpan[] {
  return like(told.operations, { op });
}

/** The time at 0: from the end of the first write to the beginning of the second. */
function phases(told: Told): { readonly disabled: Span } {
  const [off, on] = writes(told, ENABLED);
  return { disabled: between(off, on) };
}

function pidPhases(told: Told): readonly OperationSpan[] {
  return writes(told, PIDS);
}

function between(first: Span | undefined, second: Span | undefined): Span {
  return { begin: first?.end ?? Infinity, end: second?.begin ?? -1 };
}

/** Tasks in which `probe` called back for hits of that time. */
function pidsOf(told: Told, probe: string, span: Span): readonly string[] {
  return pidsIn(told, like(told.callbacks, { probe }), span);
}

function pidsIn(told: Told, hits: Told['callbacks'], span: Span): readonly string[] {
  const within = hits.filter((hit) => isIn(hit.begin, span));
  return ['alpha', 'beta', 'gamma'].filter((task) =>
    within.some(({ pid }) => pid === told.pid(task)),
  );
}
