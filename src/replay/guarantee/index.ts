// Layer replay. All guarantees, and judging a run by them: events in, verdicts out.
import type { Event } from '../schema.ts';
import { callArguments } from './arguments.ts';
import { kprobesContext } from './context-kprobe.ts';
import { context } from './context.ts';
import { kprobesFailedCall } from './failed-call-kprobe.ts';
import { failedCall } from './failed-call.ts';
import { kprobesFilterSwap } from './filter-swap-kprobe.ts';
import { filterSwap } from './filter-swap.ts';
import { fprobeListeners } from './fprobes.ts';
import type { Guarantee, Verdict } from './judge.ts';
import { hitListeners } from './kprobe-hits.ts';
import { withKprobes } from './kprobe-part.ts';
import { kprobeListeners } from './kprobes.ts';
import { type EventSource, listen, type Listeners } from './listen.ts';
import { memory } from './memory.ts';
import { kprobesNmissed } from './nmissed-kprobe.ts';
import { nmissed } from './nmissed.ts';
import { notrace } from './notrace.ts';
import { kprobesPairing } from './pairing-kprobe.ts';
import { pairing } from './pairing.ts';
import { progress } from './progress.ts';
import { kprobesQuiescence } from './quiescence-kprobe.ts';
import { quiescence } from './quiescence.ts';
import { kprobesRecursion } from './recursion-kprobe.ts';
import { recursion } from './recursion.ts';
import { returns } from './return.ts';
import { kprobesStart } from './start-kprobe.ts';
import { start } from './start.ts';
import { newStory, type Story, storyListeners } from './story.ts';
import { text } from './text.ts';
import { kprobesUnregister } from './unregister-kprobe.ts';
import { unregister } from './unregister.ts';
import { watchingListeners } from './watching.ts';

/** In the order in which they are shown. */
export const GUARANTEES: readonly Guarantee[] = [
  withKprobes(unregister, kprobesUnregister),
  withKprobes(filterSwap, kprobesFilterSwap),
  notrace,
  memory,
  text,
  returns,
  progress,
  callArguments,
  withKprobes(context, kprobesContext),
  withKprobes(quiescence, kprobesQuiescence),
  withKprobes(start, kprobesStart),
  withKprobes(recursion, kprobesRecursion),
  withKprobes(failedCall, kprobesFailedCall),
  withKprobes(pairing, kprobesPairing),
  withKprobes(nmissed, kprobesNmissed),
];

export interface Judged {
  readonly guarantee: Guarantee;
  readonly verdict: Verdict;
}

/** Who keeps `story`: they hear each event before anybody who looks at it does. */
export function tellers(story: Story): readonly Listeners[] {
  const { fprobes, functions, kprobeHits, kprobes } = story;
  const own = [storyListeners(story), watchingListeners(story)];
  const ofFprobes = fprobeListeners(fprobes, functions);
  return [...own, ofFprobes, kprobeListeners(kprobes), hitListeners(kprobeHits)];
}

/** Judges one run, in one pass: the verdict of each guarantee, in the order given. */
export function judgeEvents(
  events: Iterable<Event> | EventSource,
  guarantees: readonly Guarantee[] = GUARANTEES,
): readonly Judged[] {
  const story = newStory();
  const judges = guarantees.map((guarantee) => ({ guarantee, judge: guarantee.start(story) }));
  listen([...tellers(story), ...judges.map(({ judge }) => judge.on)], events);
  return judges.map(({ guarantee, judge }) => ({ guarantee, verdict: judge.end() }));
}
