// Layer replay. Guarantee `unregister` for fprobes: nothing of a registration runs once unregister_fprobe has returned 0
// (FP-6): neither handler, nor the exit handler of a call that is still under way.
//
// Broken by the cb_begin of a handler of (object, generation), or one of them still open, after the ctl_end. A
// handler in which its task slept is left alone, as in unregister.ts; so is what follows unregister_fprobe_async, whose
// caller has to wait (FP-57).
//
// Exercised: a registration with a handler that ran was unregistered, and one of its handlers was open during the call,
// a call that it had hooked was still under way, or a function that it hooks was entered during or after it.
import type { EventOf } from '../schema.ts';
import type { Fprobe, FprobeCall, Handler } from './fprobes.ts';
import { broken, type Broken } from './judge.ts';
import type { Listeners } from './listen.ts';
import type { Story } from './story.ts';
import { theHandler, where } from './wording.ts';

/** A registration that somebody wants to end. */
interface Ending {
  readonly fprobe: Fprobe;
  readonly generation: number;
  readonly sites: ReadonlySet<number>;
  reached: boolean;
  over: boolean;
}

export interface FprobeFindings {
  readonly story: Story;
  endings: Ending[];
  /** Returns that are taken, by fprobe. */
  readonly taken: Map<number, number>;
  first: Broken | undefined;
  exercised: number;
}

export function newFprobeFindings(story: Story): FprobeFindings {
  return { story, endings: [], taken: new Map(), first: undefined, exercised: 0 };
}

export function fprobeEndListeners(found: FprobeFindings): Listeners {
  const { story, taken } = found;
  const { fprobes } = story;
  return {
    ctl_begin: (e) => {
      if (e.op === 'unregister_fprobe') begin(found, e);
    },
    ctl_end: (e) => {
      if (fprobes.ending !== undefined) end(found, fprobes.ending, e);
    },
    cb_begin: () => {
      if (fprobes.handler !== undefined) handlerBegan(found, fprobes.handler);
    },
    hook: ({ object }) => {
      taken.set(object, (taken.get(object) ?? 0) + 1);
    },
    unhook: ({ object }) => {
      taken.set(object, (taken.get(object) ?? 1) - 1);
    },
    func_enter: () => {
      const site = story.entered?.site;
      if (site === undefined || found.endings.length === 0) return;
      for (const ending of found.endings) ending.reached ||= ending.sites.has(site);
      count(found);
    },
  };
}

function begin(found: FprobeFindings, { object }: EventOf<'ctl_begin'>): void {
  const { fprobes } = found.story;
  const fprobe = fprobes.all.find((one) => one.object === object);
  if (fprobe === undefined || fprobe.generation === 0) return;
  const isBusy =
    (found.taken.get(object) ?? 0) > 0 || fprobes.open.some((handler) => handler.fprobe === fprobe);
  const sites = fprobe.sites ?? new Set();
  const { generation } = fprobe;
  found.endings.push({ fprobe, generation, sites, reached: isBusy, over: false });
}

function end(found: FprobeFindings, call: FprobeCall, e: EventOf<'ctl_end'>): void {
  const { endings, story } = found;
  const late = story.fprobes.open.find(
    ({ begin: began, fprobe, slept }) =>
      fprobe === call.fprobe && began.generation === e.generation && !slept,
  );
  if (late !== undefined) {
    const why =
      `${theHandler(story, late)} (begun at ${where(story, late.begin)}) was still running when ` +
      `${call.begin.op}(${call.fprobe.name}) returned 0 (${where(story, e)})`;
    found.first ??= broken(e.index, why, [late.begin.index, call.begin.index]);
  }
  for (const ending of endings) {
    if (ending.fprobe === call.fprobe && ending.generation === e.generation) ending.over = true;
  }
  count(found);
}

/** Counts the endings whose situation is complete, and forgets them. */
function count(found: FprobeFindings): void {
  found.endings = found.endings.filter(({ fprobe, generation, over, reached }) => {
    const complete = over && reached && fprobe.ran.has(generation);
    if (complete) found.exercised++;
    return !complete;
  });
}

function handlerBegan(found: FprobeFindings, handler: Handler): void {
  const { story } = found;
  const { begin: e, fprobe } = handler;
  for (const ending of found.endings) if (ending.fprobe === fprobe) ending.reached = true;
  const call = fprobe.ended.get(e.generation);
  if (call?.end === undefined) return;
  const why =
    `${theHandler(story, handler)} began (${where(story, e)}) after ` +
    `${call.begin.op}(${fprobe.name}) had returned 0 (${where(story, call.end)})`;
  found.first ??= broken(e.index, why, [call.begin.index, call.end.index]);
}
