// Layer replay. Guarantee `start` for kprobes: once a register call has returned 0, every execution of the probed
// instruction is a hit, as long as the probe is enabled and no switch keeps it off (KP-11, KP-12, KP-33, KP-44, CC-G2,
// CC-G13).
//
// Broken by a CPU that fetches the instruction instead of the breakpoint at an address where a probe is armed for
// certain: because the breakpoint was lifted while another CPU stepped, or for a probe beside it. Calls of functions whose
// ftrace site a probe is on are for `nmissed` to follow.
//
// Exercised, for each time: the breakpoint of an armed probe is fetched, while nobody called anything (part `kprobe alone`),
// or while a call on another probe was under way, or another CPU stepped the same instruction (`kprobe besides`).
import type { EventOf } from '../schema.ts';
import { broken, type Broken } from './judge.ts';
import { hitsOn } from './kprobe-hits.ts';
import type { KprobeJudge, KprobePart } from './kprobe-part.ts';
import { FTRACE, isArmed, type Kprobe, probesAt } from './kprobes.ts';
import type { Story } from './story.ts';
import { nameOfPlace, where } from './wording.ts';

interface Findings {
  readonly story: Story;
  first: Broken | undefined;
  alone: number;
  besides: number;
}

export const kprobesStart: KprobePart = {
  sentence:
    'Once register_kprobe has returned 0, every execution of the probed instruction is a hit, on every CPU, ' +
    'whatever becomes of other probes there.',
  rules: ['KP-11', 'KP-33', 'KP-44', 'CC-G13'],
  start(story): KprobeJudge {
    const found: Findings = { story, first: undefined, alone: 0, besides: 0 };
    return {
      on: {
        site_fetch: (e) => {
          if (story.kprobes.all.size > 0 && e.does !== 'call') fetched(found, e);
        },
      },
      end: () => ({ first: found.first, parts: partsOf(found) }),
    };
  },
};

function partsOf({ alone, besides, story }: Findings): Record<string, number> {
  return story.kprobes.all.size === 0 ? {} : { 'kprobe alone': alone, 'kprobe besides': besides };
}

function fetched(found: Findings, e: EventOf<'site_fetch'>): void {
  const { kprobes } = found.story;
  const probe = probesAt(kprobes, e.ip).find(
    (one) => one.told?.how !== FTRACE && isArmed(kprobes, one),
  );
  if (probe === undefined) return;
  if (e.does === 'break') {
    if (isBesides(found.story, e)) found.besides++;
    else found.alone++;
    return;
  }
  found.first ??= broken(e.index, slipped(found, probe, e), [
    probe.told?.index ?? -1,
    probe.disabledSince,
  ]);
}

function slipped({ story }: Findings, { name }: Kprobe, e: EventOf<'site_fetch'>): string {
  const at = nameOfPlace(story.functions, e.ip);
  return `the instruction at ${at} was executed without a hit of ${name}, which is armed (${where(story, e)})`;
}

function isBesides({ kprobeHits, kprobes }: Story, { cpu, ip }: EventOf<'site_fetch'>): boolean {
  if (kprobes.calls.length > 0) return true;
  return [...kprobeHits.cpus.keys()].some(
    (other) => other !== cpu && hitsOn(kprobeHits, other).some((hit) => hit.ip === ip),
  );
}
