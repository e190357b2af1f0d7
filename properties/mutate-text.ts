// Damage to texts that people write: to their bytes, to their lines and words, and what YAML can be made to
// mean by somebody who wants it to.
import type { Draws } from './mutate-bytes.ts';
import { mutateBytes } from './mutate-bytes.ts';

type TextMutator = (text: string, draws: Draws) => string;

/** Words that mean something to somebody: numbers at their edges, YAML's own signs, names of ours. */
const WORDS = [
  '1e309',
  '-1e309',
  '0x',
  '0x10',
  '0o17',
  '.inf',
  '-.inf',
  '.nan',
  '-0',
  '0.1',
  '9007199254740993',
  '-1',
  '4294967296',
  '99999999999999999999',
  '1_000',
  '0b1',
  '~',
  'null',
  'true',
  'yes',
  'NO',
  '""',
  "''",
  '"',
  "'",
  '|',
  '>',
  '|+',
  '>-2',
  '?',
  '? ',
  ':',
  ': ',
  '-',
  '- ',
  '---',
  '...',
  '%YAML 1.1',
  '%TAG ! x',
  '#',
  ' #',
  ',',
  '[',
  ']',
  '{',
  '}',
  '[]',
  '{}',
  '[[',
  '{{',
  '&a',
  '*a',
  '*b',
  '&a [*a]',
  '<<',
  '<<: *a',
  '<<: {}',
  '!!binary',
  '!!set',
  '!!str',
  '!!omap',
  '!!python/object',
  '!x',
  '!<x>',
  '=',
  '2001-12-14',
  '\t',
  '\n',
  '\r',
  '\r\n',
  '\0',
  '\b',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\ud800',
  '\udfff',
  '\u{1f600}',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '\\',
  '\\u0000',
  '"\\ud800"',
  '"\\x',
  '"\\q"',
  '*',
  '**',
  '[!',
  '[]a',
  '!',
  '0',
  '4096',
  'work 1001',
  'work -1',
  'work 1e3',
  'call',
  'call call',
  'register',
  'filter',
  'step',
  'end',
  'start',
  'cpu',
  'control',
  'times',
  'machine',
] as const;

function at(text: string, draws: Draws): number {
  return draws.below(text.length + 1);
}

const insertWord: TextMutator = (text, draws) => {
  const place = at(text, draws);
  return text.slice(0, place) + draws.of(WORDS) + text.slice(place);
};

/** A word of the text by another one of it, or by one of ours. */
const replaceWord: TextMutator = (text, draws) => {
  const words = text.split(/(\s+|[:,[\]{}"]+)/u);
  const [to, from] = [draws.below(words.length), draws.below(words.length)];
  words[to] = draws.below(2) === 0 ? draws.of(WORDS) : (words[from] ?? '');
  return words.join('');
};

const deleteRange: TextMutator = (text, draws) => {
  const place = at(text, draws);
  return text.slice(0, place) + text.slice(place + 1 + draws.size(200));
};

const changeLines: TextMutator = (text, draws) => {
  const lines = text.split('\n');
  const [to, from] = [draws.below(lines.length), draws.below(lines.length)];
  const line = lines[from] ?? '';
  switch (draws.below(4)) {
    case 0:
      lines.splice(to, 0, line);
      break;
    case 1:
      lines.splice(to, 1);
      break;
    case 2:
      [lines[to], lines[from]] = [line, lines[to] ?? ''];
      break;
    default:
      lines[to] = `${' '.repeat(draws.below(9))}${(lines[to] ?? '').trimStart()}`;
  }
  return lines.join('\n');
};

/** What costs little to write and much to read. */
const BOMBS: readonly [TextMutator, ...TextMutator[]] = [
  // A billion laughs.
  (_text, draws) => {
    const rows = Array.from({ length: 3 + draws.below(12) }, (_, row) => {
      const before = row === 0 ? 'lol' : `*a${row - 1}`;
      return `a${row}: &a${row} [${Array.from({ length: 10 }, () => before).join(', ')}]`;
    });
    return `${rows.join('\n')}\n`;
  },
  (text, draws) => `x: ${'['.repeat(draws.size(100_000))}\n${text}`,
  (text, draws) => `${'{a: '.repeat(draws.size(60_000))}\n${text}`,
  (_text, draws) =>
    Array.from({ length: draws.size(400) }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
  (_text, draws) => `${'- '.repeat(draws.size(60_000))}x`,
  (_text, draws) => `${'? '.repeat(draws.size(60_000))}x`,
  (_text, draws) => `&a `.repeat(draws.size(30_000)),
  (_text, draws) => `name: ${'x'.repeat(draws.size(400_000))}`,
  (_text, draws) => `name: "${'\\u0041'.repeat(draws.size(60_000))}"`,
  (_text, draws) => `name: |${'\n  x'.repeat(draws.size(60_000))}`,
  (_text, draws) => `${' '.repeat(draws.size(250_000))}name: x`,
  (_text, draws) => `${'\n'.repeat(draws.size(250_000))}name: x`,
  (_text, draws) => `${'#\n'.repeat(draws.size(100_000))}name: x`,
  (_text, draws) => '---\n'.repeat(draws.size(40_000)),
  (_text, draws) => Array.from({ length: draws.size(20_000) }, (_, i) => `k${i}: ${i}`).join('\n'),
  (_text, draws) => `name: x\n`.repeat(draws.size(20_000)),
  (text, draws) => `${text}\nfunctions: {${'f: { body: [] }, '.repeat(draws.size(8000))}}\n`,
  (text, draws) => text.replace(/body: \[/u, `body: [${'work 1, '.repeat(draws.size(20_000))}`),
  (text, draws) =>
    text.replace(/body: \[/u, `body: ${'[{ loop: 1, body: '.repeat(draws.size(20))}[`),
  (text, draws) => text.replace(/filter: \S+/u, `filter: "${'*a'.repeat(draws.size(300))}"`),
  (text, draws) => text.replace(/times: \d+/gu, `times: ${draws.below(2_000_000)}`),
  (text, draws) =>
    text.replaceAll(/\d+/gu, (one) => (draws.below(8) === 0 ? draws.of(WORDS) : one)),
  (text) => `a: &a\n  <<: *a\n${text}`,
  (text) => `&r\n${text}\nstory: *r\n`,
  (text) => text.replaceAll('\n', '\r'),
  (text) => text.replaceAll('  ', '\t'),
];

const TEXT_MUTATORS: readonly [TextMutator, ...TextMutator[]] = [
  insertWord,
  insertWord,
  replaceWord,
  replaceWord,
  deleteRange,
  changeLines,
  changeLines,
];

/** A mutant of `text` as bytes: not always UTF-8. */
export function mutateText(text: string, draws: Draws, other: string): Uint8Array {
  const encoder = new TextEncoder();
  const kind = draws.below(64);
  if (kind < 12) return mutateBytes(encoder.encode(text), draws, encoder.encode(other));
  let mutant = kind === 12 ? draws.of(BOMBS)(text, draws) : text;
  for (let left = 1 + draws.size(4); left > 0; left--)
    mutant = draws.of(TEXT_MUTATORS)(mutant, draws);
  return encoder.encode(mutant);
}
