// Layer replay. Guarantee `text`: a site that is rewritten is never seen in pieces (CC-O9, CC-G24).
//
// Broken by a torn fetch; by a breakpoint of a site that nobody claims, or an illegal instruction in a site (an
// oops); by a fetch of an older version than the CPU must see: one that was replaced before the CPU answered a
// sync or came back from an interrupt or a trap, before a sync of all CPUs was done, or by the CPU itself, or
// that is older than what it fetched before (CC-M5); by a sync that is done before a CPU has answered; by a fetch
// that is not what was written; and by a trap at a function's site that does neither what the old instruction
// does nor what the new one does. A breakpoint that is part of a guest's own code is not looked at.
//
// A site of two instructions (FT-12) is written at once, while all CPUs are stopped: whoever leaves the stop must
// see the new version.
//
// Exercised: a site was fetched while it was being rewritten, that is before the next sync of all CPUs was done;
// where that cannot be, by another CPU than the one that wrote it.
import type { Event, EventOf } from '../schema.ts';
import { hexOfAddress, nameOfSite } from './functions.ts';
import { broken, type Broken, type Guarantee, type Verdict } from './judge.ts';
import {
  isAsWritten,
  isBreakpoint,
  newPatchedSite,
  type PatchedSite,
  replacedAt,
  PAIR_BYTES,
  SITE_BYTES,
  writePair,
  writeSite,
} from './patched-site.ts';
import type { Story } from './story.ts';
import { where } from './wording.ts';

/** A sync under way; CPUs as bits. */
interface Sync {
  readonly sent: EventOf<'sync_send'>;
  answered: number;
}

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  readonly sites: Map<number, PatchedSite>;
  readonly syncs: Map<number, Sync>;
  /** CPUs that take part in syncs, as bits. */
  cpus: number;
  /** Index of the event that last brought each CPU up to date, by CPU. */
  readonly current: number[];
  /** Index of the event up to which a sync has brought all CPUs up to date. */
  allCurrent: number;
  /** Index of the last event at which each CPU fetched a breakpoint, by CPU. */
  readonly broke: number[];
  exercised: number;
}

/** Answers of the CPUs that take part; more CPUs than bits are not told apart. */
const BITS = 31;

export const text: Guarantee = {
  name: 'text',
  sentence:
    'While a call site is rewritten, every CPU executes the old instruction or the new one: never halves of ' +
    'both, never a breakpoint that nobody claims, and nothing old once it has answered a sync.',
  document: 'Using ftrace to hook to functions',
  section: 'The ftrace context',
  rules: ['FT-7', 'FT-8', 'FT-9', 'FT-12', 'CC-M5', 'CC-M7', 'CC-G24', 'CC-O9'],
  start(story) {
    const found: Findings = {
      story,
      first: undefined,
      sites: new Map(),
      syncs: new Map(),
      cpus: 0,
      current: [],
      allCurrent: -1,
      broke: [],
      exercised: 0,
    };
    const upToDate = (e: { readonly cpu: number; readonly index: number }): void => {
      found.current[e.cpu] = e.index;
    };
    return {
      on: {
        text_write: (e) => {
          written(found, e);
        },
        // What lay there before is gone: the site of a module that comes is new.
        symbol: ({ site }) => found.sites.delete(site),
        text_pair: (e) => {
          writePair(siteAt(found, e.ip, PAIR_BYTES), e);
        },
        stop_leave: upToDate,
        cpu_online: (e) => {
          if (e.on) upToDate({ cpu: e.which, index: e.index });
          else found.cpus &= ~bit(e.which);
        },
        site_fetch: (e) => {
          fetched(found, e);
        },
        sync_send: (e) => {
          upToDate(e);
          found.cpus |= bit(e.cpu);
          found.syncs.set(e.sync, { sent: e, answered: bit(e.cpu) });
        },
        sync_ack: (e) => {
          upToDate(e);
          answered(found, e);
        },
        sync_done: (e) => {
          syncDone(found, e);
        },
        irq_exit: upToDate,
        trap_exit: (e) => {
          upToDate(e);
          trapped(found, e);
        },
        oops: (e) => {
          oopsed(found, e);
        },
      },
      end: () => verdict(found),
    };
  },
};

function bit(cpu: number): number {
  return cpu < BITS ? 1 << cpu : 0;
}

function written(found: Findings, e: EventOf<'text_write'>): void {
  const site = siteAt(found, e.ip, SITE_BYTES);
  writeSite(site, e);
  if (site.traps.length === 0 || isBreakpoint(site)) return;
  for (const trap of site.traps) checkTrap(found, site, trap);
  site.traps.length = 0;
}

function siteAt(found: Findings, ip: number, bytes: number): PatchedSite {
  const known = found.sites.get(ip);
  if (known !== undefined) return known;
  const site = newPatchedSite(ip, bytes);
  found.sites.set(ip, site);
  return site;
}

/** What the breakpoint stands for may not have been written yet. */
function trapped(found: Findings, e: EventOf<'trap_exit'>): void {
  const site = found.sites.get(e.pc);
  if (site === undefined || !found.story.functions.bySite.has(e.pc)) return;
  if (isBreakpoint(site)) site.traps.push(e);
  else checkTrap(found, site, e);
}

function checkTrap(found: Findings, site: PatchedSite, trap: EventOf<'trap_exit'>): void {
  const { old, current, lastWritten } = site;
  if (trap.to === old || trap.to === current) return;
  const what = `the breakpoint at ${siteOf(found, site.ip)} led to ${hexOfAddress(trap.to)}`;
  const why = 'where neither the old instruction nor the new one leads';
  report(found, trap, `${what}, ${why}`, [lastWritten]);
}

function fetched(found: Findings, e: EventOf<'site_fetch'>): void {
  const site = found.sites.get(e.ip);
  if (e.does === 'torn') {
    const what = `halves of two instructions were fetched together at ${siteOf(found, e.ip)}`;
    report(found, e, what, [site?.lastWritten ?? -1]);
    return;
  }
  if (site === undefined) return;
  const changing = site.lastWritten > found.allCurrent;
  const isPair = site.bytes === PAIR_BYTES;
  if (isPair ? e.cpu !== site.writer : changing) found.exercised++;
  if (e.does === 'break') found.broke[e.cpu] = e.index;
  const replaced = replacedAt(site, e.seen);
  if (replaced !== undefined) oldFetched(found, e, { site, replaced });
  site.seen[e.cpu] = e.seen;
  if (isAsWritten(site, e, changing)) return;
  const what = `a ${e.does}, which is not what was written there, was fetched`;
  report(found, e, `${what} at ${siteOf(found, e.ip)}`, [site.lastWritten]);
}

/** A version that was replaced at event `replaced` is fetched: may this CPU still see it? */
function oldFetched(
  found: Findings,
  e: EventOf<'site_fetch'>,
  { site, replaced }: { readonly site: PatchedSite; readonly replaced: number },
): void {
  const { allCurrent } = found;
  const current = found.current[e.cpu] ?? -1;
  const what = `an old version was fetched at ${siteOf(found, e.ip)}`;
  if (replaced < current) {
    const why = 'although this CPU had been brought up to date since it was replaced';
    report(found, e, `${what} ${why}`, [replaced, current]);
  } else if (replaced < allCurrent) {
    const why = 'although a sync of all CPUs had been done since it was replaced';
    report(found, e, `${what} ${why}`, [replaced, allCurrent]);
  } else if (e.seen < (site.seen[e.cpu] ?? 0)) {
    report(found, e, `${what} although this CPU had seen a newer one`, [replaced]);
  }
}

function answered(found: Findings, e: EventOf<'sync_ack'>): void {
  found.cpus |= bit(e.cpu);
  const sync = found.syncs.get(e.sync);
  if (sync !== undefined) sync.answered |= bit(e.cpu);
}

function syncDone(found: Findings, e: EventOf<'sync_done'>): void {
  const sync = found.syncs.get(e.sync);
  if (sync === undefined) return;
  found.syncs.delete(e.sync);
  found.allCurrent = Math.max(found.allCurrent, sync.sent.index);
  const missing = found.cpus & ~sync.answered;
  if (missing === 0) return;
  const why = `a sync of all CPUs was done before CPU ${31 - Math.clz32(missing)} had answered`;
  report(found, e, why, [sync.sent.index]);
}

function oopsed(found: Findings, e: EventOf<'oops'>): void {
  if (e.reason === 'breakpoint') {
    const site = found.sites.get(e.pc);
    if (site === undefined) return;
    const shows = [site.lastWritten, found.broke[e.cpu] ?? -1];
    report(found, e, `nobody claimed the breakpoint at ${siteOf(found, e.pc)}`, shows);
  } else if (e.reason === 'illegal') {
    for (const { ip, bytes, lastWritten } of found.sites.values()) {
      if (e.pc < ip || e.pc >= ip + bytes) continue;
      report(found, e, `what stands at ${siteOf(found, ip)} is no instruction`, [lastWritten]);
    }
  }
}

/** `the site of vfs_read`. */
function siteOf({ story }: Findings, ip: number): string {
  return `the site of ${nameOfSite(story.functions, ip)}`;
}

function report(found: Findings, e: Event, what: string, shows: readonly number[]): void {
  found.first ??= broken(e.index, `${what} (${where(found.story, e)})`, shows);
}

function verdict(found: Findings): Verdict {
  if (found.first !== undefined) return found.first;
  if (found.exercised > 0) return { status: 'held', exercised: found.exercised };
  const never = found.sites.size === 0;
  const why = never ? 'No text was written.' : 'No site was fetched while it was being rewritten.';
  return { status: 'never exercised', why };
}
