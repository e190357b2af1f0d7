// Rules that wait for a part which is not built yet. Whoever builds it takes its line away: from then on its rules
// are covered or open like all others.
import { wholeOf } from './spec.ts';

/**
 * A part and its issue (tracefs comes after issue 6), and the kinds of rules (`FP-`), operations (`CC-S8`) and single
 * rules that wait for it.
 */
const LATER: Readonly<Record<string, string>> = {
  'kprobes (issue 6)': `KP- CC-M14 CC-S10 CC-S11 CC-S12 CC-S13 CC-S14 CC-S19 CC-S20.2 CC-H6 CC-H7 CC-H8 CC-H9 CC-H10
    CC-G5 CC-G6 CC-G12 CC-G13 CC-G18 CC-G19 CC-N2`,
  'kretprobes (issue 6)': 'KR- CC-S15 CC-H13 CC-G14',
  'jprobes (issue 6)': 'JP- CC-H16 CC-G21',
  tracefs: 'TE- TL- CC-S17 CC-H17 CC-G20',
};

/** Notes and hints of concurrency.md: nothing that could be broken. */
const NOTE = /^CC-[NX]/u;

/** Why nothing has to cover rule `id` yet; undefined when something has to. */
export function laterReason(id: string): string | undefined {
  if (NOTE.test(id)) return 'a note, not a rule';
  const [kind = ''] = id.split(/(?<=-)/u);
  const found = Object.entries(LATER).find(([, waiting]) => {
    const names = waiting.split(/\s+/u);
    return [id, wholeOf(id), kind].some((name) => names.includes(name));
  });
  return found === undefined ? undefined : `later: ${found[0]}`;
}

/** Whatever `LATER` names, for the check that it exists. */
export const WAITING: readonly string[] = Object.values(LATER).flatMap((names) =>
  names.split(/\s+/u),
);
