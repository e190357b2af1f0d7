// Layer cli. Verdicts in words, with the events that show why a guarantee is broken.
import type { EventLog } from '../replay/event-log.ts';
import type { Guarantee, Parts, Verdict } from '../replay/guarantee/judge.ts';
import { Symbols } from '../replay/symbols.ts';
import { formatEvent } from '../replay/text-form.ts';
import type { Paint } from './shell.ts';

/** More events than this are counted, not shown. */
const SHOWN_MAX = 12;

/** A verdict as plain data; what `--json` prints. */
export interface VerdictSummary {
  readonly guarantee: string;
  readonly sentence: string;
  readonly document: string;
  readonly section: string;
  readonly rules: readonly string[];
  readonly verdict: Verdict;
  /** The events that show it, in their text form, at most SHOWN_MAX. */
  readonly shows: readonly string[];
}

export function summarizeVerdicts(
  judged: readonly { readonly guarantee: Guarantee; readonly verdict: Verdict }[],
  log: EventLog,
): readonly VerdictSummary[] {
  const isAnyBroken = judged.some(({ verdict }) => verdict.status === 'broken');
  const symbols = isAnyBroken ? symbolsOf(log) : undefined;
  return judged.map(({ guarantee, verdict }) => {
    const { name, sentence, document, section, rules } = guarantee;
    const shown = verdict.status === 'broken' ? around(verdict.shows, verdict.at) : [];
    const shows = shown.map((index) => formatEvent(log.at(index), symbols));
    return { guarantee: name, sentence, document, section, rules, verdict, shows };
  });
}

function symbolsOf(log: EventLog): Symbols {
  const symbols = new Symbols();
  for (const event of log.events()) {
    if (event.event === 'symbol') symbols.see(event);
  }
  return symbols;
}

/** The last events up to the one that breaks the sentence, which is among them. */
function around(shows: readonly number[], at: number): readonly number[] {
  return shows.filter((index) => index <= at).slice(-SHOWN_MAX);
}

export function isBroken({ verdict }: VerdictSummary): boolean {
  return verdict.status === 'broken';
}

/** One line for each guarantee, and below a broken one what was promised and what was seen. */
export function verdictLines(verdicts: readonly VerdictSummary[], paint: Paint): readonly string[] {
  const width = Math.max(0, ...verdicts.map(({ guarantee }) => guarantee.length));
  return verdicts.flatMap((summary) => [
    `  ${summary.guarantee.padEnd(width)}  ${verdictText(summary.verdict, paint)}`,
    ...(isBroken(summary) ? evidence(summary, paint) : []),
  ]);
}

function verdictText(verdict: Verdict, paint: Paint): string {
  switch (verdict.status) {
    case 'held':
      return `${paint('green', 'held')} (exercised ${times(verdict.exercised)}${neverMet(verdict.parts)})`;
    case 'broken':
      return `${paint('red', `broken at event ${verdict.at}`)}: ${verdict.why}`;
    case 'never exercised':
      return `${paint('yellow', 'never exercised')}: ${verdict.why}`;
  }
}

/** Parts of the sentence that the run said nothing about. */
function neverMet(parts: Parts = {}): string {
  const never = Object.keys(parts).filter((part) => parts[part] === 0);
  return never.length === 0 ? '' : `; never: ${never.join(', ')}`;
}

function times(count: number): string {
  return count === 1 ? '1 time' : `${count} times`;
}

function evidence(summary: VerdictSummary, paint: Paint): readonly string[] {
  const { sentence, document, section, rules, shows } = summary;
  return [
    `    promised: ${sentence}`,
    `    (${document}, ${section}; ${rules.join(', ')})`,
    ...shows.map((line) => `    ${paint('dim', line)}`),
  ];
}
