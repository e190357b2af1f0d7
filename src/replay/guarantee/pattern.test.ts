import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { globMatches, matchPattern } from './pattern.ts';

const NAMES = ['tgt_a1', 'tgt_a2', 'tgt_a3', 'tgt_b1', 'tgt_b2', 'vfs_read', 'tgt_a1'];

function selected(pattern: string): string {
  const { negated, positions } = matchPattern(pattern, NAMES);
  return (negated ? '!' : '') + positions.join(' ');
}

test.each([
  ['tgt_a1', '0 6', 'full: every function of that name'],
  ['tgt_a', '', 'full: never a part of a name'],
  ['tgt_b*', '3 4', 'front'],
  ['*_read', '5', 'end'],
  ['*gt_b*', '3 4', 'middle'],
  ['*', '0 1 2 3 4 5 6', 'end of nothing'],
  ['**', '0 1 2 3 4 5 6', 'middle of nothing'],
  ['**b2', '4', 'glob'],
  ['t*_b?', '3 4', 'glob'],
  ['tgt_a\\1', '0 6', 'glob: an escaped character is itself'],
  ['tgt_a1\\', '0 6', 'glob: a last backslash escapes nothing'],
  ['TGT_A1', '', 'case counts'],
  ['', '', 'no pattern at all'],
  [' tgt_a1', '', 'nothing is trimmed'],
  ['tgt_a1,tgt_a2', '', 'no lists'],
  ['*:mod:oracle', '', 'no commands'],
  ['!tgt_b*', '!3 4', 'negated'],
  ['!', '!', 'negated, and no pattern'],
  ['!!tgt_a1', '!', 'negated once'],
  ['6', '5', 'index from 1'],
  ['0x6', '5', 'index in base 16'],
  ['06', '5', 'index in base 8'],
  ['!2', '!1', 'index, negated'],
  ['0', '', 'index: there is no function 0'],
  ['8', '', 'index: past the end'],
  ['6*', '', 'index: not a number'],
  ['08', '', 'index: not a number in base 8'],
])('%j selects "%s": %s', (pattern, expected) => {
  expect(selected(pattern)).toBe(expected);
});

test.each([
  ['[ab]', 'a', true],
  ['[!ab]', 'a', false],
  ['[!ab]', 'c', true],
  ['[^a]', 'a', true],
  ['[^a]', '^', true],
  ['[a-c]', 'b', true],
  ['[c-a]', 'b', false],
  ['[!c-a]', 'b', true],
  ['[]x]', ']', true],
  ['[!]x]', ']', false],
  ['[a-]', '-', true],
  ['[a-]', 'b', false],
  ['[]-a]', '^', true],
  ['[\\]', '\\', true],
  ['[a', '[a', true],
  ['[]', '[]', true],
  ['a]', 'a]', true],
  ['a*b*c', 'aXbYbZc', true],
  ['a*b*c', 'aXbYbZ', false],
  ['*a?', 'aaab', true],
])('%s on %s: %j', (glob, text, matches) => {
  expect(globMatches(glob, text)).toBe(matches);
});

/** The same meaning by other means: a regular expression. */
function regExpOf(glob: string): RegExp {
  const meant: Readonly<Record<string, string>> = { '*': '.*', '?': '.' };
  return new RegExp(`^${glob.replaceAll(/[*?]/gu, (c) => meant[c] ?? c)}$`, 'u');
}

test('stars and question marks mean what they mean as a regular expression', () => {
  const glob = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 });
  fc.assert(
    fc.property(glob, text, (g, t) => {
      expect(globMatches(g, t)).toBe(regExpOf(g).test(t));
    }),
  );
});

interface Truth {
  readonly functions: readonly { readonly name: string }[];
  readonly cases: readonly {
    readonly id: string;
    readonly group: string;
    readonly steps: readonly { readonly text?: string; readonly errno?: string | null }[];
    readonly filter: { readonly lines: readonly string[]; readonly others?: number };
  }[];
}

// Only words: what tracefs trims, splits and takes as commands is not for the in-kernel call
// (FT-43).
test('agrees with a real kernel on every pattern of golden/truth that is one word', () => {
  const file = new URL('../../../golden/truth/filters.json', import.meta.url);
  const truth = JSON.parse(readFileSync(file, 'utf8')) as Truth;
  const names = truth.functions.map((f) => f.name);
  let compared = 0;
  for (const { id, group, steps, filter } of truth.cases) {
    const text = steps[0]?.text?.trimEnd();
    if (group !== 'pattern' || steps.length !== 1 || text === undefined) continue;
    if (!/^[^\s\d!:][^\s:]*$/u.test(text)) continue;
    const found = matchPattern(text, names).positions.map((position) => names[position]);
    const refused = steps[0]?.errno === 'EINVAL';
    const lines = refused ? [] : filter.lines.map((line) => line.replace(/ \[.*/u, ''));
    const known = lines.filter((line) => names.includes(line));
    expect(found, `${id}: ${text}`).toEqual(known);
    compared++;
  }
  expect(compared).toBeGreaterThan(40);
});
