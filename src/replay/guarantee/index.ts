// Layer replay. All guarantees, and judging a run by them: events in, verdicts out.
import type { Event } from '../schema.ts';
import { callArguments } from './arguments.ts';
import { context } from './context.ts';
import { failedCall } from './failed-call.ts';
import { filterSwap } from './filter-swap.ts';
import { fprobeListeners } from './fprobes.ts';
import type { Guarantee, Verdict } from './judge.ts';
import { type EventSource, listen, type Listeners } from './listen.ts';
import { memory } from './memory.ts';
import { nmissed } from './nmissed.ts';
import { notrace } from './notrace.ts';
import { pairing } from './pairing.ts';
import { progress } from './progress.ts';
import { quiescence } from './quiescence.ts';
import { recursion } from './recursion.ts';
import { returns } from './return.ts';
import { start } from './start.ts';
import { newStory, type Story, storyListeners } from './story.ts';
import { text } from './text.ts';
import { unregister } from './unregister.ts';
import { watchingListeners } from './watching.ts';

/** In the order in which they are shown. */
export const GUARANTEES: readonly Guarantee[] = [
  unregister,
  filterSwap,
  notrace,
  memory,
  text,
  returns,
  progress,
  callArguments,
  context,
  quiescence,
  start,
  recursion,
  failedCall,
  pairing,
  nmissed,
];

export interface Judged {
  readonly guarantee: Guarantee;
  readonly verdict: Verdict;
}

/** Who keeps `story`: they hear each event before anybody who looks at it does. */
export function tellers(story: Story): readonly Listeners[] {
  const { fprobes, functions } = story;
  return [storyListeners(story), watchingListeners(story), fprobeListeners(fprobes, functions)];
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
