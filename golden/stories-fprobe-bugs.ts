// The stories of goldens that show historical bugs of fprobe: what happens where the bug is not.
import type { EventOf } from '../src/replay/schema.ts';
import type { Claim } from './moments.ts';
import { calls, fetches, isIn, like, ofKind, type Span, type Told } from './told.ts';

/** By the golden's name. */
export const FPROBE_BUG_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'quiescence-fprobe-hooks': [
    {
      says: 'vfs_read is a nop as soon as fp1 goes, too, and fp2 goes on',
      holds: (told) => {
        const [going] = like(told.operations, { op: 'unregister_fprobe', probe: 'fp1' });
        return (
          going !== undefined &&
          does(told, 'vfs_read', going) === 'nop' &&
          does(told, 'vfs_write', going) === 'call'
        );
      },
    },
    {
      says: 'fp0 comes back to vfs_read and to nothing else',
      holds: (told) => {
        const [, back] = like(told.operations, { op: 'register_fprobe_syms', probe: 'fp0' });
        const [, gone] = like(told.operations, { op: 'unregister_fprobe', probe: 'fp0' });
        const span = { begin: back?.end ?? Infinity, end: gone?.begin ?? Infinity };
        const found = ['ksys_read', 'vfs_read', 'vfs_write'].map((func) => does(told, func, span));
        return found.join() === ',call,nop';
      },
    },
  ],
  'quiescence-fprobe-module': [
    {
      says: 'behind delete_module ksys_read and vfs_read are called, and their sites are those that they were made with',
      holds: (told) => {
        const [going] = like(told.operations, { op: 'delete_module' });
        const [last] = like(told.operations, { op: 'unregister_fprobe', probe: 'fp0' });
        const span = { begin: going?.end ?? Infinity, end: last?.begin ?? -1 };
        return ['ksys_read', 'vfs_read'].every(
          (func) =>
            does(told, func, { begin: -1, end: Infinity }) === '' &&
            calls(told, func).some(({ index }) => isIn(index, span)),
        );
      },
    },
  ],
  'pairing-rejected-tail': [
    {
      says: 'fp2 refuses calls whose exit fp0 handles, once each',
      holds: (told) => {
        const refused = ofKind(told.events, 'skip').filter(({ reason }) => reason === 'rejected');
        const exits = exitsOf(told, 'fp0');
        return (
          refused.length > 0 &&
          exits.length === 4 &&
          refused.every(({ index }) => exits.some((exit) => exit.index > index))
        );
      },
    },
    {
      says: 'the calls before had data of two fprobes',
      holds: (told) => exitsOf(told, 'fp1').length >= 2,
    },
  ],
  'recursion-exit-handler': [
    {
      says: 'two exit handlers run inside each other, and what the inner one calls is passed over',
      holds: (told) => {
        const depths = exitsOf(told, 'fp0').map(({ depth }) => depth);
        const refused = ofKind(told.events, 'skip').map(({ reason }) => reason);
        return depths.join() === '0,1,0,1' && refused.join() === 'recursion,recursion';
      },
    },
  ],
  'quiescence-rethook-no-memory': [
    {
      says: 'the rethook of fp0 is freed within the call that has no memory for its nodes',
      holds: (told) => {
        const [call] = like(told.operations, { op: 'register_fprobe_syms', probe: 'fp0' });
        const [made] = like(ofKind(told.events, 'alloc'), { kind: 'rethook' });
        const [failed] = like(ofKind(told.events, 'alloc_failed'), { kind: 'rethook_node' });
        if (call === undefined || made === undefined || failed === undefined) return false;
        const [freed] = like(ofKind(told.events, 'free'), { object: made.object });
        return failed.index > made.index && freed !== undefined && isIn(freed.index, call);
      },
    },
  ],
  'recursion-kprobe-busy': [
    {
      says: 'fp0 misses the calls of a busy CPU, each counted, and handles the others',
      holds: (told) => {
        const missed = ofKind(told.events, 'skip').filter(
          ({ reason }) => reason === 'kprobe_running',
        );
        const counted = ofKind(told.events, 'count').filter(
          ({ object }) => told.probe(object) === 'fp0',
        );
        return missed.length === 3 && counted.length === 3 && exitsOf(told, 'fp0').length === 3;
      },
    },
    {
      says: 'each bit that is set is clear again when vfs_read returns',
      holds: (told) => {
        const sets = ofKind(told.events, 'recursion_set');
        const clears = ofKind(told.events, 'recursion_clear');
        const reads = ofKind(told.events, 'func_return').filter(
          ({ func }) => told.func(func) === 'vfs_read',
        );
        return (
          reads.length === 6 &&
          reads.every(({ index }) => before(index, sets) === before(index, clears))
        );
      },
    },
  ],
  'context-idle-rethook': [
    {
      says: 'each idle_poll is passed over, and counted; nobody takes a return on CPU 1',
      holds: (told) => {
        const skips = ofKind(told.events, 'skip');
        const idle = skips.filter(({ cpu, reason }) => cpu === 1 && reason === 'not_watching');
        const hooks = ofKind(told.events, 'hook');
        return (
          idle.length >= 5 &&
          hooks.length > 0 &&
          hooks.every(({ cpu }) => cpu === 0) &&
          ofKind(told.events, 'count').length === skips.filter(isCounted).length
        );
      },
    },
    {
      says: 'a call of idle_poll is under way when unregister begins, and returns',
      holds: (told) => {
        const [call] = like(told.operations, { op: 'unregister_fprobe', probe: 'fp0' });
        const polls = (name: 'func_enter' | 'func_return'): number =>
          ofKind(told.events, name).filter(
            ({ func, index }) => told.func(func) === 'idle_poll' && index < (call?.begin ?? 0),
          ).length;
        return polls('func_enter') > polls('func_return');
      },
    },
  ],
  'return-growing-site': [
    {
      says: 'a registration of fp1 leaves no room for fp0 in a call, which counts; fp1 has both its words',
      holds: (told) => {
        const [grew] = like(ofKind(told.events, 'skip'), { reason: 'grew' });
        if (grew === undefined) return false;
        const next = ofKind(told.events, 'func_return').find(({ index }) => index > grew.index);
        const within = { begin: grew.index, end: next?.index ?? -1 };
        return (
          told.probe(grew.object) === 'fp0' &&
          ofKind(told.events, 'count').some(({ index }) => isIn(index, within)) &&
          exitsOf(told, 'fp1').some(({ index }) => isIn(index, within)) &&
          !exitsOf(told, 'fp0').some(({ index }) => isIn(index, within))
        );
      },
    },
  ],
  'unregister-fprobe-unwaited': [
    {
      says: 'unregister_fprobe returns while the exit handler runs',
      holds: (told) => {
        const [call] = like(told.operations, { op: 'unregister_fprobe', result: 0 });
        return (
          call !== undefined &&
          told.callbacks.some(({ begin, end }) => begin < call.begin && end > call.end)
        );
      },
    },
  ],
  'unregister-rethook-sleepers': [
    {
      says: 'an exit handler runs when unregister begins and is over before it ends',
      holds: (told) => {
        const [call] = like(told.operations, { op: 'unregister_fprobe' });
        return (
          call !== undefined &&
          told.callbacks.some(({ begin, end }) => isIn(call.begin, { begin, end })) &&
          told.callbacks.every(({ end }) => end < call.end)
        );
      },
    },
    {
      says: 'calls that sleep meanwhile return without a handler',
      holds: ({ events }) => ofKind(events, 'skip').some(({ reason }) => reason === 'removed'),
    },
  ],
};

function exitsOf(told: Told, probe: string): readonly EventOf<'cb_begin'>[] {
  return ofKind(told.events, 'cb_begin').filter(
    (e) => e.kind === 'fprobe_exit' && told.probe(e.object) === probe,
  );
}

/** What CPUs find at a function's call site, if it is the same each time; empty where it was never written. */
function does(told: Told, func: string, span: Span): string {
  const found = fetches(told, func).filter(({ index }) => isIn(index, span));
  return [...new Set(found.map((one) => one.does))].join();
}

/** Rethook: of what is passed over, all but these (FP-32). */
function isCounted({ reason }: EventOf<'skip'>): boolean {
  return reason !== 'removed' && reason !== 'disabled' && reason !== 'rejected';
}

function before(end: number, list: readonly { readonly index: number }[]): number {
  return list.filter(({ index }) => index < end).length;
}
