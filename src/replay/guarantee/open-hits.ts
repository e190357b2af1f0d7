// Layer replay. Hits that are under way, by the judge's own account: from the recursion bit that the hit of a call takes to
// the step that gives it back. Returns that are taken come to this, too: the call is still open then.
import type { EventOf } from '../schema.ts';
import type { Frame } from './hit.ts';
import { heldBy, type RecursionWords } from './recursion-words.ts';
import { contextOf, type Story } from './story.ts';

export interface OpenHits {
  readonly story: Story;
  readonly words: RecursionWords;
  /** The call at whose site a bit was taken. */
  readonly owners: WeakMap<EventOf<'recursion_set'>, Frame>;
}

interface Place {
  readonly pid: number;
  readonly cpu: number;
  readonly level: number;
}

export function newOpenHits(story: Story, words: RecursionWords): OpenHits {
  return { story, words, owners: new WeakMap() };
}

/** The call that is hit, or returns, where this bit is taken; undefined: it is guest code's. */
export function bitTaken(
  { owners, story }: OpenHits,
  e: EventOf<'recursion_set'>,
): Frame | undefined {
  const { top } = contextOf(story, e);
  if (top?.fetched !== true) return undefined;
  owners.set(e, top);
  return top;
}

/** Calls of a task, and of what interrupts it, whose hit is under way. */
export function openHitsOf({ owners, words }: OpenHits, place: Place): ReadonlySet<Frame> {
  const frames = heldBy(words, place).map(({ set }) => owners.get(set));
  return new Set(frames.filter((frame) => frame !== undefined));
}

/** Those of all tasks. */
export function allOpenHits({ owners, words: { held } }: OpenHits): ReadonlySet<Frame> {
  const frames = [...held.values()].flat().map(({ set }) => owners.get(set));
  return new Set(frames.filter((frame) => frame !== undefined));
}
