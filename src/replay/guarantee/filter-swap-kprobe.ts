// Layer replay. Guarantee `filter-swap` for kprobes: the ftrace_ops behind probes on ftrace sites hook those sites and no
// others, not even for the moment in which the last one goes (KP-50, CC-S12, FT-44).
//
// Broken by a call site that leads into tracing while no ftrace_ops and no fprobe is registered or about to be, and
// no kprobe that may be armed is on that site.
//
// Exercised, for each time: a function that no probe is on was entered while a call on a probe that is on the site of
// another was under way.
import type { EventOf } from '../schema.ts';
import { nameOfSite } from './functions.ts';
import { broken, type Broken } from './judge.ts';
import type { KprobeJudge, KprobePart } from './kprobe-part.ts';
import { FTRACE, type Kprobe } from './kprobes.ts';
import type { Story } from './story.ts';
import { where } from './wording.ts';

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  exercised: number;
  /** Memory was short: a site may have been left. */
  short: boolean;
}

export const kprobesFilterSwap: KprobePart = {
  sentence: 'Probes on ftrace sites come and go without hooking the site of any other function.',
  rules: ['KP-50', 'CC-S12', 'FT-44'],
  start(story): KprobeJudge {
    const found: Findings = { story, first: undefined, exercised: 0, short: false };
    return {
      on: {
        site_fetch: (e) => {
          if (story.kprobes.all.size > 0 && story.functions.bySite.has(e.ip)) fetched(found, e);
        },
        alloc_failed: () => {
          found.short = true;
        },
      },
      end: () => ({
        first: found.first,
        parts: story.kprobes.all.size === 0 ? {} : { kprobes: found.exercised },
      }),
    };
  },
};

function isAround({ begun, busy, generation, lost }: Kprobe): boolean {
  return lost || generation !== 0 || (busy > 0 && begun > 0);
}

/** Of an ftrace_ops or an fprobe. */
function isOther(life: {
  readonly generation: number;
  readonly registering: number;
  readonly unregistering: number;
}): boolean {
  return life.generation !== 0 || life.registering > 0 || life.unregistering > 0;
}

function fetched(found: Findings, e: EventOf<'site_fetch'>): void {
  const { fprobes, functions, kprobes, ops } = found.story;
  if (found.short || [...ops, ...fprobes.all].some(isOther)) return;
  const probes = [...kprobes.all.values()].filter((probe) => probe.told?.how === FTRACE);
  if (probes.some((probe) => probe.told?.ip === e.ip && isAround(probe))) return;
  if (kprobes.calls.some((call) => probes.some((probe) => call.probes.includes(probe))))
    found.exercised++;
  if (e.does !== 'call' || isLate(found.story, e)) return;
  const name = nameOfSite(functions, e.ip);
  const why = `the call site of ${name} was hooked, although no probe is on it (${where(found.story, e)})`;
  found.first ??= broken(e.index, why, []);
}

/** The only ones to be on a site are behind it for good: text that was old is not for this judge. */
function isLate(_story: Story, { newest, seen }: EventOf<'site_fetch'>): boolean {
  return seen !== newest;
}
