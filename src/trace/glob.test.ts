import fc from 'fast-check';
import { expect, test } from 'vitest';
import { filterParseRegex, globMatch, type PatternType, regexMatch } from './glob.ts';

const NAMES = ['tgt_a1', 'tgt_a2', 'tgt_b1', 'help', 'tgt_[x', 'gt_a1'] as const;

/** Names that `text` matches, by their numbers. */
function matched(text: string): string {
  const pattern = filterParseRegex(text);
  return NAMES.filter((name, i) => regexMatch(pattern, name, i + 1)).join(' ');
}

test.each<[text: string, type: PatternType, search: string]>([
  ['name', 'full', 'name'],
  ['name*', 'front', 'name'],
  ['*name', 'end', 'name'],
  ['*name*', 'middle', 'name'],
  ['*', 'end', ''],
  ['**', 'middle', ''],
  ['na*me', 'glob', 'na*me'],
  ['na**', 'glob', 'na**'],
  ['**me', 'glob', '**me'],
  ['n?me*', 'glob', 'n?me*'],
  ['[n]ame', 'glob', '[n]ame'],
  ['na\\me', 'glob', 'na\\me'],
  ['12', 'index', '12'],
  ['1abc', 'index', '1abc'],
  ['', 'full', ''],
])('filter_parse_regex(%j) is %s %j, and so is its negation', (text, type, search) => {
  expect(filterParseRegex(text)).toEqual({ type, search, negate: false });
  expect(filterParseRegex(`!${text}`)).toEqual({ type, search, negate: true });
});

test.each([
  ['tgt_a1', 'tgt_a1'],
  ['tgt_a*', 'tgt_a1 tgt_a2'],
  ['*_a1', 'tgt_a1 gt_a1'],
  ['*gt_a*', 'tgt_a1 tgt_a2 gt_a1'],
  ['tgt_*1', 'tgt_a1 tgt_b1'],
  ['tgt_a?', 'tgt_a1 tgt_a2'],
  ['tgt_[ab]1', 'tgt_a1 tgt_b1'],
  ['tgt_a[!1]', 'tgt_a2'],
  ['tgt_a[^1]', 'tgt_a1'], // `^` is a member like any other.
  ['tgt_a[1-2]', 'tgt_a1 tgt_a2'],
  ['tgt_a[2-1]', ''],
  ['TGT_A1', ''],
  ['tgt_a', ''],
  ['*', NAMES.join(' ')],
  [' tgt_a1', ''],
  ['tgt_a1,tgt_a2', ''],
  ['tgt_a\\1', 'tgt_a1'],
  ['?gt_a1', 'tgt_a1'],
  ['**a2', 'tgt_a2'],
  ['tgt_[x', 'tgt_[x'], // An unclosed `[` is a letter.
  ['tgt_?x', 'tgt_[x'],
  ['2', 'tgt_a2'],
  ['0x3', 'tgt_b1'],
  ['03', 'tgt_b1'],
  ['0', ''],
  ['7', ''],
  ['08', ''],
  ['2x', ''],
  ['', ''],
])('%j matches %j (F09 of the truth)', (text, names) => {
  expect(matched(text)).toBe(names);
});

test.each([
  [']', '[]]', true],
  [']', '[!]]', false],
  ['-', '[a-]', true],
  ['b', '[a-]', false],
  ['abcabd', '*abd', true],
  ['mississippi', 'm*iss*p*i', true],
  ['mississippi', 'm*iss*q*i', false],
  ['a', 'a\\', true],
  ['aa', 'a\\', false],
  ['*', '\\*', true],
  ['b', '\\*', false],
  ['[a', '[a', true],
  ['[a-', '[a-', true],
])('%j against glob %j: %s', (text, glob, matches) => {
  expect(globMatch(glob, text)).toBe(matches);
});

/** The same as a regular expression, for globs of letters, `?` and `*`. */
function asExpression(glob: string): RegExp {
  return new RegExp(`^${glob.replaceAll('?', '[^]').replaceAll('*', '[^]*')}$`, 'u');
}

test('stars and question marks mean what regular expressions make of them', () => {
  const letters = fc.array(fc.constantFrom('a', 'b'), { maxLength: 8 }).map((l) => l.join(''));
  const globs = fc
    .array(fc.constantFrom('a', 'b', '*', '?'), { maxLength: 6 })
    .map((l) => l.join(''));
  fc.assert(
    fc.property(globs, letters, (glob, text) => {
      expect(globMatch(glob, text)).toBe(asExpression(glob).test(text));
      expect(regexMatch(filterParseRegex(glob), text, 1)).toBe(asExpression(glob).test(text));
    }),
  );
});
