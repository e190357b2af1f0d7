// How one case of a truth file compares: the same, another value for a reason of the closed list (design: "Accepted
// reasons for a difference"), something that is not there yet, or a defect.

/** Why a difference is accepted. */
export type Reason =
  | 'address or size'
  | 'build-dependent value'
  | 'RV64 mapping'
  | 'crash of the real kernel, an event here';

export interface Difference {
  readonly what: string;
  readonly there: string;
  readonly here: string;
  /** Undefined: a defect. */
  readonly reason: Reason | undefined;
}

export interface Outcome {
  readonly id: string;
  readonly differences: readonly Difference[];
  /** What it needs that is not built; the rest of the case was compared. */
  readonly missing: readonly string[];
}

/** Compares what a real kernel showed with what this one shows. */
export function compare(
  what: string,
  there: unknown,
  here: unknown,
  reason?: Reason,
): readonly Difference[] {
  const [a, b] = [JSON.stringify(there), JSON.stringify(here)];
  return a === b ? [] : [{ what, there: a, here: b, reason }];
}

/** Differences that no reason of the list covers. */
export function defects(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes.flatMap(({ id, differences }) =>
    differences
      .filter(({ reason }) => reason === undefined)
      .map(({ what, there, here }) => `${id}: ${what}: ${there} there, ${here} here`),
  );
}
