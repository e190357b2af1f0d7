// Layer replay. What a shortage of nodes or of room skips (fprobe.md 9), for the guarantee `nmissed`: both handlers of the
// call, or with `missPolicy: exitOnly` the exit handler alone. Which of the two holds is read off `fprobe_rules`.
//
// Left alone: calls on the fprobe while the call is under way, and structs that guest code changes.
import type { Event, EventOf } from '../schema.ts';
import { ENTRY, type Fprobe, fprobeOf, NOBODY } from './fprobes.ts';
import { type Frame, innermost } from './hit.ts';
import type { Listeners } from './listen.ts';
import { contextOf, type Story } from './story.ts';

/** No handler. */
const NULL = -1;
const SHORTAGES: ReadonlySet<string> = new Set(['no_node', 'no_data', 'no_frame', 'grew']);

/** A call that an fprobe had no node or no room for, or whose entry handler ran. */
interface Hit {
  readonly fprobe: Fprobe;
  /** Calls on the fprobe that had begun or ended by then. */
  readonly turns: number;
  entered: boolean;
  /** The skip that says so. */
  short: EventOf<'skip'> | undefined;
}

/** Gets what is wrong, where, and the event that shows it. */
export type Report = (e: Event, why: string, shows: readonly number[]) => void;

interface Policy {
  readonly story: Story;
  readonly hits: WeakMap<Frame, Hit[]>;
  readonly report: Report;
}

/** `on`, and before it what looks after the policy. */
export function withMissPolicy(story: Story, report: Report, on: Listeners): Listeners {
  const policy: Policy = { story, hits: new WeakMap(), report };
  return {
    ...on,
    cb_begin: (e) => {
      if (e.kind === ENTRY) entryBegan(policy, e);
      on.cb_begin?.(e);
    },
    skip: (e) => {
      if (SHORTAGES.has(e.reason) && e.object !== NOBODY) wasShort(policy, e);
      on.skip?.(e);
    },
    func_return: (e) => {
      for (const hit of story.left === undefined ? [] : (policy.hits.get(story.left) ?? []))
        checkExitOnly(policy, hit, e);
      on.func_return?.(e);
    },
  };
}

function entryBegan(policy: Policy, e: EventOf<'cb_begin'>): void {
  const hit = hitOf(policy, e);
  if (hit === undefined) return;
  hit.entered = true;
  checkBoth(policy, hit, e);
}

function wasShort(policy: Policy, e: EventOf<'skip'>): void {
  const hit = hitOf(policy, e);
  if (hit === undefined) return;
  hit.short = e;
  checkBoth(policy, hit, e);
}

function hitOf({ hits, story }: Policy, e: EventOf<'cb_begin'> | EventOf<'skip'>): Hit | undefined {
  const frame = innermost(contextOf(story, e), e.ip);
  if (frame === undefined) return undefined;
  const all = hits.get(frame) ?? [];
  hits.set(frame, all);
  const present = all.find(({ fprobe }) => fprobe.object === e.object);
  if (present !== undefined) return present;
  const fprobe = fprobeOf(story.fprobes, e.object);
  const made: Hit = { fprobe, turns: fprobe.turns, entered: false, short: undefined };
  all.push(made);
  return made;
}

function checkBoth({ report, story }: Policy, { entered, fprobe, short }: Hit, e: Event): void {
  if (!entered || short === undefined || story.fprobes.rules?.miss_policy !== 'both') return;
  const why = `the entry handler of ${fprobe.name} ran for a call that was missed (${short.reason})`;
  report(e, why, [short.index]);
}

function checkExitOnly({ report, story }: Policy, hit: Hit, e: Event): void {
  const { entered, fprobe, short, turns } = hit;
  const hasEntry = fprobe.told !== undefined && fprobe.told.entry !== NULL;
  if (entered || short === undefined || !hasEntry || turns !== fprobe.turns) return;
  if (story.fprobes.rules?.miss_policy !== 'exitOnly') return;
  const what = `a call that was missed for its exit only (${short.reason})`;
  report(e, `the entry handler of ${fprobe.name} did not run for ${what}`, [short.index]);
}
