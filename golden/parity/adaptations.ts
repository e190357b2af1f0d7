// Steps that cannot be made here as golden/truth shows them, whatever they answered there: what is made in their place, and
// the reason from the closed list (outcome.ts). Each is an accepted difference of its scenario, so PARITY.md lists it.
import { compare, type Difference, type Reason } from './outcome.ts';

interface Adaptation {
  /** The step, as the truth names it. */
  readonly step: string;
  /** The buffer that is passed instead of the one that it shows. */
  readonly buffer: string;
  readonly reason: Reason;
}

/**
 * F09 lists a name with a blank before it, then with one behind it, then without, and this one is refused: how long the
 * buffer was, and so what stood behind the name, is not shown. A name that is taken everywhere else cannot have been
 * refused as it stands, so a newline is taken for what was there.
 */
const ADAPTATIONS: Readonly<Record<string, readonly Adaptation[]>> = {
  F09: [{ step: "set_filter 'tgt_a1' reset=1", buffer: 'tgt_a1\n', reason: 'address or size' }],
};

/** The buffer of a step of `scenario`: that of the truth, which is `shown`, but for those that are listed. */
export function bufferOf(scenario: string, step: string, shown: string): string {
  return adapted(scenario).find((one) => one.step === step)?.buffer ?? shown;
}

/** What was adapted in `scenario`. */
export function adaptationsOf(scenario: string): readonly Difference[] {
  return adapted(scenario).flatMap(({ step, buffer, reason }) =>
    compare(`${step}: its buffer`, buffer.trimEnd(), buffer, reason),
  );
}

function adapted(scenario: string): readonly Adaptation[] {
  return ADAPTATIONS[scenario] ?? [];
}
