// Layer replay. What a judge is. A judge sees events and nothing else: it never imports what it
// judges.
import type { Listeners } from './listen.ts';
import type { Story } from './story.ts';

/** A documented sentence that no schedule may break. */
export interface Guarantee {
  /** One word, three places: a judge here, a property in properties/, a prefix in golden/. */
  readonly name: string;
  /** The sentence in our own words. */
  readonly sentence: string;
  /** Where it is documented. */
  readonly document: string;
  readonly section: string;
  /** Rule ids of docs/spec, such as `FT-30`, `CC-O1`. */
  readonly rules: readonly string[];
  /** Of one in parts that are judged apart (kprobe-part.ts): those. */
  readonly joins?: readonly object[];
  /** A judge of one run. `story` has heard each event before the judge does (`judgeEvents`). */
  start(story: Story): Judge;
}

/** One pass over one run: its listeners hear their events in order, then `end` is called once. */
interface Judge {
  readonly on: Listeners;
  end(): Verdict;
}

/** The sentence was broken; the first time counts. */
export interface Broken {
  readonly status: 'broken';
  /** Index of the event that breaks the sentence. */
  readonly at: number;
  readonly why: string;
  /** Indexes of the events that show it, in order, `at` included. */
  readonly shows: readonly number[];
}

/** How often each part of a sentence was put to the test, by a word for it. */
export type Parts = Readonly<Record<string, number>>;

/**
 * What a run says about a sentence. One that never met its situation is not one that holds.
 *
 * @example
 * import type { Verdict } from 'reprobe';
 * function text(verdict: Verdict): string {
 *   return verdict.status === 'held' ? `held ${verdict.exercised} times` : verdict.why;
 * }
 * console.log(text({ status: 'held', exercised: 3 })); // → held 3 times
 */
export type Verdict =
  | {
      readonly status: 'held';
      /** How often its situation arose. */
      readonly exercised: number;
      /** Of a sentence of several parts: how often each one was put to the test. */
      readonly parts?: Parts;
    }
  | Broken
  | {
      readonly status: 'never exercised';
      /** What the run would have needed. */ readonly why: string;
    };

/** The finding at event `at`; `shows` in any order, -1 for an event that the run does not have. */
export function broken(at: number, why: string, shows: readonly number[]): Broken {
  const indexes = [...new Set([...shows, at])].filter((index) => index >= 0);
  return { status: 'broken', at, why, shows: indexes.toSorted((a, b) => a - b) };
}

/** Of two findings the one that counts. */
export function earlier(a: Broken | undefined, b: Broken | undefined): Broken | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.at < b.at ? a : b;
}

/** The verdict on a sentence of several parts that was not broken: one part that was met is enough to say so. */
export function heldInParts(parts: Parts, whyNever: string): Verdict {
  const exercised = Object.values(parts).reduce((sum, times) => sum + times, 0);
  if (exercised === 0) return { status: 'never exercised', why: whyNever };
  return { status: 'held', exercised, parts };
}
