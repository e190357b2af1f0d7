// What a benchmark is. A suite measures a few figures that belong together, one after the other, so that whatever
// the host does meanwhile hits all of them; it is measured again in every round, and a figure's result is the
// median of its rounds.
import { assert, known } from '../src/assert.ts';
import { type Clock, median } from './clock.ts';
import { measureY } from './yardstick.ts';

/** A demand on a figure. `unit` says what is compared: the figure itself, or its ratio to another one. */
export interface Budget {
  readonly bound: 'least' | 'most';
  readonly limit: number;
  readonly unit: string;
}

/** One figure of one round. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What its budget is about: `value` over what was measured next to it. */
  readonly compared?: number;
  /** Of what was computed: equal in every round. */
  readonly digest: string;
}

export interface Effort {
  readonly clock: Clock;
  /** Toy sizes: everything runs, nothing is hot. */
  readonly toy: boolean;
  /** Y now, in MB/s. */
  y(): number;
}

export interface Suite {
  /** By the name of the figure; the other figures are for information. */
  readonly budgets: Readonly<Record<string, Budget>>;
  measure(effort: Effort): readonly Figure[];
}

/** What a figure came to. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly compared: number | undefined;
  readonly budget: Budget | undefined;
  /** How far within its budget: 1 is just met, more is better. */
  readonly margin: number | undefined;
  readonly digest: string;
}

export interface Plan {
  readonly suites: readonly Suite[];
  readonly warmups: number;
  readonly rounds: number;
  readonly clock: Clock;
  readonly toy: boolean;
}

export interface Outcome {
  /** Median of Y, in MB/s. */
  readonly y: number;
  readonly rows: readonly Row[];
}

const Y_MEGABYTES = 12;
/** The best of them counts, as for everything that is measured (`inTurn`). */
const Y_SLICES = 4;

/** Measures all suites, round by round, and hears of each round that begins. */
export function runSuites(plan: Plan, told: (round: number) => void): Outcome {
  const ys: number[] = [];
  const y = (): number => {
    const slices = Array.from({ length: Y_SLICES }, () =>
      measureY(plan.clock, plan.toy ? 1 : Y_MEGABYTES),
    );
    const best = Math.max(...slices);
    ys.push(best);
    return best;
  };
  const effort: Effort = { clock: plan.clock, toy: plan.toy, y };
  const found = plan.suites.map((suite) => ({ suite, rounds: [] as (readonly Figure[])[] }));
  for (let round = 0; round < plan.warmups + plan.rounds; round++) {
    told(round);
    if (round === plan.warmups) ys.length = 0;
    y();
    for (const { suite, rounds } of found) rounds.push(suite.measure(effort));
  }
  for (const { rounds } of found) checkDigests(rounds);
  const rows = found.flatMap(({ suite, rounds }) => rowsOf(suite, rounds.slice(plan.warmups)));
  return { y: median(ys), rows };
}

/** A benchmark that computes something else in another round measures nothing. */
function checkDigests(rounds: readonly (readonly Figure[])[]): void {
  const first = known(rounds[0], 'there is a round');
  for (const figures of rounds) {
    assert(figures.length === first.length, 'every round measures the same figures');
    for (const [index, { name, digest }] of figures.entries()) {
      const before = known(first[index], 'the figure is there');
      assert(name === before.name, 'figures come in the same order');
      assert(digest === before.digest, `${name} computes the same in every round`);
    }
  }
}

function rowsOf(suite: Suite, rounds: readonly (readonly Figure[])[]): Row[] {
  const first = known(rounds[0], 'there is a round');
  for (const name of Object.keys(suite.budgets)) {
    assert(
      first.some((figure) => figure.name === name),
      `${name} has a budget and is measured`,
    );
  }
  return first.map(({ name, unit, digest }, index) => {
    const all = rounds.map((figures) => known(figures[index], 'the figure is there'));
    const ratios = all.flatMap(({ compared }) => compared ?? []);
    const compared = ratios.length === 0 ? undefined : median(ratios);
    const budget = suite.budgets[name];
    const margin = budget === undefined ? undefined : marginOf(budget, known(compared, name));
    const value = median(all.map((figure) => figure.value));
    return { name, value, unit, compared, budget, margin, digest };
  });
}

/** How far within its budget a figure is: 1 just meets it, more is better. */
export function marginOf(budget: Budget, compared: number): number {
  return budget.bound === 'least' ? compared / budget.limit : budget.limit / compared;
}
