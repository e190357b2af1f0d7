// Printed commands survive a shell.
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandLine, quoteWord } from './quote.ts';

test('plain words stay plain', () => {
  expect(commandLine('node dist/cli/main.js', ['record', 'a b.yaml', "it's", '--seed', '7'])).toBe(
    String.raw`node dist/cli/main.js record 'a b.yaml' 'it'\''s' --seed 7`,
  );
  expect(quoteWord('')).toBe("''");
  expect(quoteWord('~x')).toBe("'~x'");
});

test('a shell takes every quoted word for what it was', () => {
  const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
  const words = fc.sample(fc.array(word, { maxLength: 20 }), 20).flat();
  const shown = execFileSync('sh', ['-c', `printf '%s\\0' ${words.map(quoteWord).join(' ')}`]);
  expect(shown.toString()).toBe(words.map((text) => `${text}\0`).join(''));
});
