// Layer replay. What a judge is. A judge sees events and nothing else: it never imports what it judges.
import type { Event } from '../schema.ts';

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
  start(): Judge;
}

/** One pass over one run: `on` for every event in order, then `end` once. */
export interface Judge {
  on(event: Event): void;
  end(): Verdict;
}

export type Verdict =
  | { readonly status: 'held'; /** How often its situation arose. */ readonly exercised: number }
  | {
      readonly status: 'broken';
      /** Index of the event that breaks the sentence. */
      readonly at: number;
      readonly why: string;
      /** Indexes of the events that show it, in order, `at` included. */
      readonly shows: readonly number[];
    }
  | {
      readonly status: 'never exercised';
      /** What the run would have needed. */ readonly why: string;
    };
