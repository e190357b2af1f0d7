// What the stories of goldens claim about calls that fprobes hook: which exit belongs to which entry, and what nmissed
// counts.
import type { EventOf } from '../src/replay/schema.ts';
import type { Claim } from './moments.ts';
import { isIn, like, ofKind, type Span, type Told } from './told.ts';

/** By the golden's name. */
export const PAIRING_STORIES: Readonly<Record<string, readonly Claim[]>> = {
  'pairing-nested': [
    {
      says: 'exit handlers come innermost call first, and each finds what the entry handler of its call has noted',
      holds: ({ events }) => {
        const shown = ofKind(events, 'regs').map(({ value }) => Number(value));
        return shown.join() === '8,7,9,9,8,7';
      },
    },
    {
      says: 'both calls of vfs_read are refused by fp1: their returns are taken for fp0 alone',
      holds: (told) => {
        const refused = skips(told, 'fp1', 'rejected');
        const hooks = ofKind(told.events, 'hook').filter(({ ip }) => told.func(ip) === 'vfs_read');
        return (
          refused.length === 2 &&
          hooks.map(({ object }) => told.probe(object)).join() === 'fp0,fp0' &&
          handlers(told, 'fp1', 'fprobe_exit').length === 0
        );
      },
    },
    {
      says: 'an interrupt comes before page_alloc is hooked, and one in an exit handler; both have handlers of their own',
      holds: (told) => {
        const ticks = like(told.interrupts, { handler: 'timer_tick' });
        const exits = handlers(told, 'fp0', 'fprobe_exit').filter(({ level }) => level > 1);
        return (
          ticks.map(({ interrupted }) => interrupted).join() === 'page_alloc,reprobe_record_data' &&
          exits.map(({ depth }) => depth).join() === '0,1'
        );
      },
    },
  ],
  'return-unwound': [
    {
      says: 'the first interrupt finds where page_alloc and vfs_read return to, the second where vfs_read does',
      holds: (told) =>
        ofKind(told.events, 'unwind')
          .map(({ depth, ret }) => `${depth} ${told.func(ret)}`)
          .join() === '0 vfs_read,1 ksys_read,0 ksys_read',
    },
    {
      says: 'what it finds is still there: every exit handler runs',
      holds: (told) =>
        ['fp0', 'fp1'].every((probe) => {
          const entries = handlers(told, probe, 'fprobe_entry').length;
          return entries > 0 && handlers(told, probe, 'fprobe_exit').length === entries;
        }),
    },
  ],
  'nmissed-kprobe-shared': [
    {
      says: 'fp1 is passed over in the entry handler of fp0, each time, and counted; in the exit handler it is called',
      holds: (told) => {
        const passed = skips(told, 'fp1', 'kprobe_running');
        const called = handlers(told, 'fp1', 'fprobe_entry');
        const within = (kind: string, { index }: EventOf<'skip' | 'cb_begin'>): boolean =>
          spans(told, 'fp0', kind).some((span) => isIn(index, span));
        return (
          passed.length === 3 &&
          passed.every((miss) => within('fprobe_entry', miss)) &&
          ofKind(told.events, 'count').length === 3 &&
          called.filter((one) => within('fprobe_exit', one)).length === 3 &&
          !called.some((one) => within('fprobe_entry', one))
        );
      },
    },
  ],
  'nmissed-one-node': [
    {
      says: 'fp0 misses three times for want of a node, and neither handler runs then',
      holds: (told) =>
        skips(told, 'fp0', 'no_node').length === 3 &&
        handlers(told, 'fp0', 'fprobe_entry').length === 3 &&
        handlers(told, 'fp0', 'fprobe_exit').length === 3,
    },
    {
      says: 'fp1 misses the third of three nested hits, not the second',
      holds: (told) => {
        const depths = handlers(told, 'fp1', 'fprobe_entry').map(({ depth }) => depth);
        return depths.join() === '0,1,0,1,0,1,0,1' && skips(told, 'fp1', 'recursion').length === 4;
      },
    },
    {
      says: 'each of these misses is counted at once, and a hit of the disabled fp1 never',
      holds: (told) => {
        const counts = ofKind(told.events, 'count');
        const misses = ofKind(told.events, 'skip').filter(({ reason }) => reason !== 'disabled');
        const isCounted = (miss: EventOf<'skip'>): boolean =>
          counts.some(({ index, object }) => object === miss.object && index === miss.index + 1);
        return (
          skips(told, 'fp1', 'disabled').length === 2 &&
          counts.length === misses.length &&
          misses.every(isCounted)
        );
      },
    },
  ],
};

function skips(told: Told, probe: string, reason: string): readonly EventOf<'skip'>[] {
  return ofKind(told.events, 'skip').filter(
    (e) => e.reason === reason && told.probe(e.object) === probe,
  );
}

function handlers(told: Told, probe: string, kind: string): readonly EventOf<'cb_begin'>[] {
  return ofKind(told.events, 'cb_begin').filter(
    (e) => e.kind === kind && told.probe(e.object) === probe,
  );
}

function spans(told: Told, probe: string, kind: string): readonly Span[] {
  const begins = new Set(handlers(told, probe, kind).map(({ index }) => index));
  return told.callbacks.filter(({ begin }) => begins.has(begin));
}
