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
