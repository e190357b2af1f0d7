// What covers each rule of docs/spec, found in the sources: a judge that lists it (its property carries the same
// name), or the title of a test that names it. `docs/rules.md` is this as text.
import { idsIn, type TestTitle } from './citations.ts';
import { laterReason } from './rules-later.ts';
import { DOCUMENTS, type Rule, type Spec } from './spec.ts';

/** What is asked for coverage. */
export interface Proofs {
  readonly judges: readonly { readonly name: string; readonly rules: readonly string[] }[];
  readonly tests: readonly TestTitle[];
}

export interface CoveredRule extends Rule {
  readonly judges: readonly string[];
  readonly tests: readonly TestTitle[];
  /** Which subsystem it waits for, if that is not built yet. */
  readonly later: string | undefined;
}

/**
 * A judge's own tests tell it runs by hand: they show what the judge believes, not what the kernel does, so their
 * titles prove nothing about a rule.
 */
const ABOUT_JUDGES = 'src/replay/guarantee/';

/** Every rule with what covers it, in the order of the documents. */
export function coverRules({ rules }: Spec, { judges, tests }: Proofs): readonly CoveredRule[] {
  const titles = new Map<string, TestTitle[]>();
  for (const test of tests) {
    if (test.path.startsWith(ABOUT_JUDGES)) continue;
    for (const id of new Set(idsIn(test.title))) {
      titles.set(id, [...(titles.get(id) ?? []), test]);
    }
  }
  return rules.map((rule) => ({
    ...rule,
    judges: judges.filter((judge) => judge.rules.includes(rule.id)).map(({ name }) => name),
    tests: titles.get(rule.id) ?? [],
    later: laterReason(rule.id),
  }));
}

function isCovered({ judges, tests }: CoveredRule): boolean {
  return judges.length > 0 || tests.length > 0;
}

/** Built, and covered by nothing: what is to be done. */
export function isOpen(rule: CoveredRule): boolean {
  return !isCovered(rule) && rule.later === undefined;
}

const HEAD = `# Rules

What covers each rule of [docs/spec](spec): a judge (with its property and its golden), or a test that names the rule
in its title. Written by \`npm run rules\` from the sources; a test fails when it is out of date. **G** marks a
guarantee that users rely on. Steps of an operation are listed one by one, so \`CC-S5\` is what \`CC-S5.1\` to
\`CC-S5.9\` are together.
`;

/** The text of docs/rules.md. */
export function rulesPage(rules: readonly CoveredRule[]): string {
  const parts = DOCUMENTS.map((document) => {
    const own = rules.filter((rule) => rule.document === document);
    return `## ${document}\n\n${ownTable(own)}`;
  });
  return `${HEAD}\n${summary(rules)}\n${parts.join('\n')}`;
}

function summary(rules: readonly CoveredRule[]): string {
  const rows = DOCUMENTS.map((document) => {
    const own = rules.filter((rule) => rule.document === document);
    const open = own.filter(isOpen);
    return [
      `[${document}](#${document})`,
      `${own.length}`,
      `${own.filter(isCovered).length}`,
      `${open.length}`,
      `${open.filter(({ isGuarantee }) => isGuarantee).length}`,
      `${own.filter((rule) => !isCovered(rule) && !isOpen(rule)).length}`,
    ];
  });
  return table(['document', 'rules', 'covered', 'not covered', 'of these **G**', 'later'], rows);
}

function ownTable(rules: readonly CoveredRule[]): string {
  const rows = rules.map((rule) => [
    rule.id,
    rule.isGuarantee ? '**G**' : '',
    escape(rule.title),
    coverage(rule),
  ]);
  return table(['rule', '', 'what it says', 'covered by'], rows);
}

/** Tests named for one rule; there may be many more. */
const TESTS_SHOWN = 3;

function coverage(rule: CoveredRule): string {
  const { judges, tests, later } = rule;
  if (!isCovered(rule)) return later ?? '**not covered**';
  const named = tests.slice(0, TESTS_SHOWN).map(({ path, title }) => `${path}: ${escape(title)}`);
  const more = tests.length - named.length;
  return [
    ...judges.map((judge) => `judge \`${judge}\``),
    ...named,
    ...(more > 0 ? [`and ${more} more`] : []),
  ].join('; ');
}

function escape(text: string): string {
  return text.replaceAll(/[\\|*<]|(?<!\w)_/gu, '\\$&');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map(row).join('');
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}
