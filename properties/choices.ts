// The choices of one run as a value: where it leaves calm. It shrinks towards calm, prints, and answers as a
// chooser; fast-check draws it together with the workload.
import fc from 'fast-check';
import { CHOICE, type Chooser, type ChoicePoint } from '../src/emu/choose.ts';

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
export const choicesArbitrary: fc.Arbitrary<Choices> = fc.record({
  schedule: fc.oneof(departures(500, LONG), departures(600, SHORT)),
  inject: departures(6, LONG),
  wait: departures(12, [0, 1, 2]),
});

/** Answers as `choices` say. */
export function listedChooser(choices: Choices): Chooser {
  const schedule = listed(choices.schedule);
  const inject = listed(choices.inject);
  const wait = listed(choices.wait);
  return {
    choose: ({ kind }: ChoicePoint, count: number): number => {
      if (kind === CHOICE.inject || kind === CHOICE.alloc) return inject(count);
      return kind === CHOICE.wait ? wait(count) : schedule(count);
    },
  };
}

function listed(list: readonly Departure[]): (count: number) => number {
  let next = 0;
  let calm = list[0]?.[0] ?? 0;
  return (count) => {
    const departure = list[next];
    if (departure === undefined || calm-- > 0) return 0;
    calm = list[++next]?.[0] ?? 0;
    return 1 + (departure[1] % (count - 1));
  };
}
