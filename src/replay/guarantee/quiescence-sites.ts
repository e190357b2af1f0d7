// Layer replay. Guarantee `quiescence` for call sites of fprobes, which share their hook: a site goes when the last fprobe
// that wants it does, however many others go on (CC-S9.4, FT-58).
//
// Broken by a call site that leads into tracing while no probe wants it: no ftrace_ops is registered, no call on a
// probe is under way, and each fprobe that is registered hooks other functions for certain.
//
// Left alone: sites that stay because there was no memory for a smaller set.
import type { EventOf } from '../schema.ts';
import type { Fprobe } from './fprobes.ts';
import { nameOfSite } from './functions.ts';
import { broken, type Broken } from './judge.ts';
import { probesAt } from './kprobes.ts';
import type { Story } from './story.ts';
import { where } from './wording.ts';

/** The finding at a fetch of a site, if there is one. */
export function unwantedCall(story: Story, e: EventOf<'site_fetch'>): Broken | undefined {
  const { fprobes, functions, ops } = story;
  if (e.does !== 'call' || fprobes.all.length === 0 || fprobes.calls.length > 0) return undefined;
  if (!functions.bySite.has(e.ip)) return undefined; // Trampolines have such sites, too.
  if (probesAt(story.kprobes, e.ip).length > 0) return undefined;
  if (ops.some(isAround) || !fprobes.all.every((fprobe) => isElsewhere(fprobe, e.ip))) {
    return undefined;
  }
  const name = nameOfSite(functions, e.ip);
  const why = `the call site of ${name} was no nop although no probe wants it (${where(story, e)})`;
  return broken(e.index, why, []);
}

type Life = Pick<Fprobe, 'generation' | 'registering' | 'unregistering'>;

function isAround({ generation, registering, unregistering }: Life): boolean {
  return generation !== 0 || registering > 0 || unregistering > 0;
}

/** Not registered, or for other functions for certain. */
function isElsewhere(fprobe: Fprobe, site: number): boolean {
  return !isAround(fprobe) || fprobe.sites?.has(site) === false;
}
