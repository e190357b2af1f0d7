// The choices of one run as a value: where it leaves calm. It shrinks towards calm, prints, and answers as a
// chooser; fast-check draws it together with the workload.
import fc from 'fast-check';
import { known } from '../src/assert.ts';
import { CHOICE, type ChoiceKind, type Chooser, type ChoicePoint } from '../src/emu/choose.ts';

/** `after` calm answers, then one that is not: `pick` counts round the options other than calm. */
type Departure = readonly [after: number, pick: number];

/**
 * Departures in order, then calm to the end. Injections and ends of waits have lists of their own: a run has
 * thousands of moments to switch CPUs, but few waits, and few interrupts for many moments.
 */
export interface Choices {
  readonly schedule: readonly Departure[];
  readonly inject: readonly Departure[];
  readonly wait: readonly Departure[];
}

const PICKS = 5;
/** Leaves calm all the time, with no long stretch on one CPU: finds what needs a moment (CC-X3). */
const SHORT = [0, 1, 2, 3, 5, 8, 12] as const;
/** Distances of all sizes: finds what needs one context to stand still while another goes far (CC-X1). */
const LONG = [0, 1, 2, 4, 8, 16, 32, 64, 128] as const;

function departures(maxLength: number, distances: readonly number[]): fc.Arbitrary<Departure[]> {
  const departure = fc.tuple(fc.constantFrom(...distances), fc.nat(PICKS));
  return fc.array(departure, { maxLength, size: 'max' });
}

/** Any choices. */
export const choicesArbitrary: fc.Arbitrary<Choices> = choicesOf(500);

/** As many as runs of a third of the usual length can use. */
export const fewChoices: fc.Arbitrary<Choices> = choicesOf(150);

function choicesOf(departuresMax: number): fc.Arbitrary<Choices> {
  return fc.record({
    schedule: fc.oneof(departures(departuresMax, LONG), departures(departuresMax * 1.2, SHORT)),
    inject: departures(6, LONG),
    wait: departures(12, [0, 1, 2]),
  });
}

/** Answers as `choices` say; `eager` also tells in advance how long it stays calm. */
export function listedChooser(choices: Choices, eager: boolean): Chooser {
  const lists = [choices.schedule, choices.inject, choices.wait].map((list) => new Listed(list));
  const listOf = (kind: ChoiceKind): Listed => known(lists[groupOf(kind)], 'a group has its list');
  const choose = ({ kind }: ChoicePoint, count: number): number => listOf(kind).answer(count);
  if (!eager) return { choose };
  const asked = (kinds: readonly ChoiceKind[]): [Listed, number][] =>
    lists.map((list) => [list, kinds.filter((kind) => listOf(kind) === list).length]);
  return {
    choose,
    calm: {
      ahead: (kinds, max) =>
        asked(kinds).reduce((least, [list, times]) => Math.min(least, list.boundaries(times)), max),
      pass: (kinds, boundaries) => {
        for (const [list, times] of asked(kinds)) list.calm -= times * boundaries;
      },
    },
  };
}

function groupOf(kind: ChoiceKind): 0 | 1 | 2 {
  if (kind === CHOICE.inject || kind === CHOICE.alloc) return 1;
  return kind === CHOICE.wait ? 2 : 0;
}

class Listed {
  /** Calm answers before the next departure, or before the end of time. */
  calm: number;
  readonly #list: readonly Departure[];
  #next = 0;

  constructor(list: readonly Departure[]) {
    this.#list = list;
    this.calm = this.#distance();
  }

  answer(count: number): number {
    if (this.calm > 0) {
      this.calm--;
      return 0;
    }
    const [, pick] = known(this.#list[this.#next++], 'calm lasts until the next departure');
    this.calm = this.#distance();
    return 1 + (pick % (count - 1));
  }

  /** How many boundaries are calm that ask `times` questions each. */
  boundaries(times: number): number {
    return times === 0 ? Number.POSITIVE_INFINITY : Math.floor(this.calm / times);
  }

  #distance(): number {
    return this.#list[this.#next]?.[0] ?? Number.POSITIVE_INFINITY;
  }
}
