import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Digest, digestOfBytes, RunDigest } from './digest.ts';

function digestOfWords(words: readonly number[]): string {
  const digest = new Digest();
  digest.words(Int32Array.from(words));
  return digest.hex();
}

test('the digests of a few inputs are pinned: files carry them', () => {
  expect(new Digest().hex()).toBe('ec744f0d41c2aab5');
  expect(digestOfWords([1, -2, 3])).toBe('20a437744fce93de');
  expect(digestOfBytes(Uint8Array.from([1, 2, 3, 4, 5]), 0, 5)).toBe('f85585aac54ee66d');
  const run = new RunDigest();
  run.rows(Int32Array.of(5, 0, 0, 0, 0));
  run.text('vfs_open');
  expect(run.hex()).toBe('4a96d6fae7950452');
});

test('one changed word always shows', () => {
  const words = fc.array(fc.integer(), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(words, fc.nat(), fc.integer({ min: 0, max: 31 }), (list, at, bit) => {
      const changed = [...list];
      const place = at % list.length;
      changed[place] = (list[place] ?? 0) ^ (1 << bit);
      expect(digestOfWords(changed)).not.toBe(digestOfWords(list));
    }),
  );
});

test('ranges, single words and pieces agree', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { maxLength: 40 }), fc.nat(40), (list, cut) => {
      const words = Int32Array.from(list);
      const [single, pieces] = [new Digest(), new Digest()];
      for (const word of words) single.word(word);
      const middle = Math.min(cut, words.length);
      pieces.words(words, 0, middle);
      pieces.words(words, middle);
      expect(single.hex()).toBe(digestOfWords(list));
      expect(pieces.hex()).toBe(digestOfWords(list));
    }),
  );
});

function zeros(length: number): string {
  return digestOfBytes(new Uint8Array(length), 0, length);
}

test('zeros at the end of bytes and of texts count', () => {
  expect(new Set(Array.from({ length: 12 }, (_, length) => zeros(length))).size).toBe(12);
  const [one, two] = [new Digest(), new Digest()];
  one.text('ab');
  one.text('');
  two.text('a');
  two.text('b');
  expect(one.hex()).not.toBe(two.hex());
});

test('many short inputs give no equal digests', () => {
  const seen = new Set<string>();
  for (let a = 0; a < 300; a++) for (let b = 0; b < 100; b++) seen.add(digestOfWords([a, b]));
  expect(seen.size).toBe(30_000);
});
