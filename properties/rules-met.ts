// How often a run put each rule of each judge to the test (rule-situations.ts says when that is).
import type { EventLog } from '../src/replay/event-log.ts';
import { GUARANTEES, tellers } from '../src/replay/guarantee/index.ts';
import type { Verdict } from '../src/replay/guarantee/judge.ts';
import { listen } from '../src/replay/guarantee/listen.ts';
import { newStory } from '../src/replay/guarantee/story.ts';
import type { GuaranteeName } from '../src/replay/workload/model.ts';
import { type Met, RULE_SITUATIONS } from './rule-situations.ts';

interface JudgedRule {
  readonly judge: string;
  readonly rule: string;
  readonly met: Met;
}

/** A rule as one judge covers it: `FT-30 (unregister)`. */
export function nameOfRule({ judge, rule }: Pick<JudgedRule, 'judge' | 'rule'>): string {
  return `${rule} (${judge})`;
}

/** In the order of the judges. */
export const JUDGED_RULES: readonly JudgedRule[] = Object.entries(RULE_SITUATIONS).flatMap(
  ([judge, rules]) => Object.entries(rules).map(([rule, met]) => ({ judge, rule, met })),
);

/** By name; those whose judge did not see its own situation, or found its guarantee broken, are not met at all. */
export function rulesMet(
  log: EventLog,
  verdicts: ReadonlyMap<string, Verdict>,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const story = newStory();
  const listeners = [...tellers(story)];
  for (const one of JUDGED_RULES) {
    const verdict = verdicts.get(one.judge);
    const name = nameOfRule(one);
    counts.set(name, 0);
    if (verdict?.status !== 'held') continue;
    if (typeof one.met !== 'function') {
      counts.set(name, judgedTimes(verdict, one.met));
      continue;
    }
    const met = (): void => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    };
    listeners.push(one.met(story, met));
  }
  listen(listeners, log.events());
  return counts;
}

function judgedTimes(
  { exercised, parts = {} }: Extract<Verdict, { status: 'held' }>,
  met: 'whole' | readonly string[],
): number {
  if (met === 'whole') return exercised;
  return met.reduce((sum, part) => sum + (parts[part] ?? 0), 0);
}

/** Rules that a judge names and nobody says when they are met, and the other way round. */
export function unmatchedRules(): readonly string[] {
  const named = GUARANTEES.flatMap(({ name: judge, rules }) =>
    rules.map((rule) => nameOfRule({ judge, rule })),
  );
  const known = JUDGED_RULES.map(nameOfRule);
  return [
    ...named.filter((name) => !known.includes(name)),
    ...known.filter((name) => !named.includes(name)),
  ];
}

/** Parts that the table names, by judge: whoever renames one is told. */
export function partsNamed(judge: GuaranteeName): readonly string[] {
  const named = Object.values(RULE_SITUATIONS[judge]).flatMap((met) =>
    typeof met === 'function' || met === 'whole' ? [] : met,
  );
  return [...new Set(named)];
}
