// Rules of docs/spec: whoever cites one cites one that exists, docs/rules.md says what covers each, and what is
// covered stays so. `npm run rules` writes the page.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { GUARANTEES } from '../src/replay/guarantee/index.ts';
import { idsIn, spokenIn, testTitles } from './citations.ts';
import { WAITING } from './rules-later.ts';
import { OPEN } from './rules-open.ts';
import { coverRules, isOpen, type Proofs, rulesPage } from './rules.ts';
import { FOLDERS, names, parse, place, ROOT, type Source, sources } from './source.ts';
import { readSpec, rulesIn, type Spec } from './spec.ts';

const spec = readSpec();
const files = sources(FOLDERS).map(parse);
const proofs: Proofs = {
  judges: GUARANTEES,
  tests: files.filter(({ path }) => path.endsWith('.test.ts')).flatMap(testTitles),
};
const covered = coverRules(spec, proofs);

/** Examples of ids that do not exist, for the tests of these checks. */
const ABOUT_IDS = 'tidy/rules.test.ts';

test('every rule that code or a test cites is in docs/spec', () => {
  const unknown = files
    .filter(({ path }) => path !== ABOUT_IDS)
    .flatMap((file) =>
      spokenIn(file).flatMap(({ text, start }) =>
        unknownIn(text, spec).map((id) => `${place(file, { type: '', start })}: ${id}`),
      ),
    );
  expect(unknown).toEqual([]);
});

test('every rule that a document or a golden cites is in docs/spec', () => {
  const texts: readonly Source[] = [
    ...names('docs', true).map((name) => `docs/${name}`),
    ...names('golden').map((name) => `golden/${name}`),
    ...names('include', true).map((name) => `include/${name}`),
    ...names('.'),
  ]
    .filter((path) => /\.(?:md|yaml|h)$/u.test(path))
    .map((path) => ({ path, text: readFileSync(`${ROOT}${path}`, 'utf8') }));
  expect(texts.length).toBeGreaterThan(20);
  const unknown = texts.flatMap(({ path, text }) =>
    unknownIn(text, spec).map((id) => `${path}: ${id}`),
  );
  expect(unknown).toEqual([]);
  expect(WAITING.filter((id) => !id.endsWith('-') && !spec.ids.has(id))).toEqual([]);
});

function unknownIn(text: string, { ids }: Spec): readonly string[] {
  return idsIn(text).filter((id) => !ids.has(id));
}

test('docs/rules.md is what `npm run rules` writes', async () => {
  await expect(rulesPage(covered)).toMatchFileSnapshot('../docs/rules.md');
});

test.each(Object.entries(OPEN))('%s: what is covered stays covered', (document, open) => {
  const advice =
    'name the rule in the title of the test that shows it (CONTRIBUTING.md); a rule that is covered now is to be ' +
    'taken off its list in tidy/rules-open.ts, which may only shrink';
  const found = covered.filter((rule) => rule.document === document).filter(isOpen);
  expect(
    found.map(({ id }) => id),
    advice,
  ).toEqual(open);
});

const EXAMPLE: Spec = {
  ids: new Set(['FT-1', 'FT-2', 'KP-1', 'CC-S1', 'CC-S1.1', 'CC-S1.2', 'CC-S1.3']),
  rules: rulesIn(
    'ftrace',
    '- FT-1 [t] **G** Says one thing. And\n  more.\n- FT-2 Other.\n- KP-1 Later.\n' +
      '### CC-S1 steps (x)\n| # | step |\n| --- | --- |\n| 1 | a |\n| 2.i | b | c |\n| 3 | d |\n',
  ),
};

function coverage(title: string, path = 'src/a.test.ts'): readonly string[] {
  const tests = testTitles(parse({ path, text: title }));
  const judges = [{ name: 'start', rules: ['FT-2'] }];
  return coverRules(EXAMPLE, { judges, tests })
    .filter((rule) => !isOpen(rule))
    .map(({ id }) => id);
}

test('rules are read from lists, tables and headings', () => {
  expect(EXAMPLE.rules.map(({ id, isGuarantee, title }) => [id, isGuarantee, title])).toEqual([
    ['FT-1', true, 'Says one thing. And more'],
    ['FT-2', false, 'Other'],
    ['KP-1', false, 'Later'],
    ['CC-S1', false, 'steps (x)'],
    ['CC-S1.1', false, 'a'],
    ['CC-S1.2', false, 'b'],
    ['CC-S1.3', false, 'd'],
  ]);
  const steps = rulesIn('concurrency', '### CC-H3 t\n1 enter; 2.i go; 3 call, or: 3a skip; 4 b.');
  expect(steps.map(({ id }) => id)).toEqual([
    'CC-H3',
    'CC-H3.1',
    'CC-H3.2',
    'CC-H3.3',
    'CC-H3.3a',
    'CC-H3.4',
  ]);
  expect(spec.rules.length).toBeGreaterThan(450);
});

test.each([
  ["test('FT-1: it does', f);", ['FT-1']],
  ["test.each([1])('%s does (FT-1)', f);", ['FT-1']],
  ["describe('FT-1', () => { it(`does ${1}`, f); });", ['FT-1']],
  ["test('a ' + 'CC-S1.2-3: b', f);", ['CC-S1.2', 'CC-S1.3']],
  ["test('CC-S1: all of it', f);", ['CC-S1']],
  ["// FT-1\ntest('does', () => { check('FT-1'); });", []],
  ["describe('FT-1', () => {});", []],
  ["test('FT-11 is another', f);", []],
])('`%s` covers %j, and a judge the rest', (text, ids) => {
  expect(coverage(text)).toEqual(['FT-2', 'KP-1', ...ids].toSorted(byPlace));
});

function byPlace(a: string, b: string): number {
  const order = EXAMPLE.rules.map(({ id }) => id);
  return order.indexOf(a) - order.indexOf(b);
}

test('the tests of judges, who are told runs by hand, cover nothing', () => {
  const title = "test('FT-1: it does', f);";
  expect(coverage(title, 'src/replay/guarantee/a.test.ts')).toEqual(['FT-2', 'KP-1']);
});

test('an id that does not exist is found, alone and in a range', () => {
  expect(unknownIn('FT-1, FT-2..FT-3, CC-S1.2-4, M-99 and E-1 of CC-S9', EXAMPLE)).toEqual([
    'FT-3',
    'CC-S1.4',
    'M-99',
    'E-1',
    'CC-S9',
  ]);
});
