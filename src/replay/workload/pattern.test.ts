import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { globMatches, matches, readPattern } from './pattern.ts';

const NAMES = ['vfs_open', 'vfs_read', 'vfs_readv', 'ksys_read', 'kmalloc', 'a]b'];

function matched(pattern: string): string[] {
  return matches(pattern, NAMES).map((index) => NAMES[index] ?? '');
}

test('each kind of pattern selects what the table says', () => {
  expect(matched('vfs_read')).toEqual(['vfs_read']);
  expect(matched('vfs_*')).toEqual(['vfs_open', 'vfs_read', 'vfs_readv']);
  expect(matched('*_read')).toEqual(['vfs_read', 'ksys_read']);
  expect(matched('*read*')).toEqual(['vfs_read', 'vfs_readv', 'ksys_read']);
  expect(matched('v*_*v')).toEqual(['vfs_readv']);
  expect(matched('vfs_rea?')).toEqual(['vfs_read']);
  expect(matched('[kv]*s_read')).toEqual(['vfs_read', 'ksys_read']);
  expect(matched('[!v]*')).toEqual(['ksys_read', 'kmalloc', 'a]b']);
  expect(matched('a[]]b')).toEqual(['a]b']);
  expect(matched('vfs_\\read')).toEqual(['vfs_read']);
  expect(matched('[z-a]malloc')).toEqual([]);
  expect(matched('kmalloc[')).toEqual([]);
  expect(matched('VFS_open')).toEqual([]);
  expect(matched('')).toEqual([]);
  expect(matched(' vfs_open')).toEqual([]);
  expect(matched('*')).toEqual(NAMES);
});

test('a leading digit is an index from 1, a leading ! is a removal of the same matches', () => {
  expect(matched('1')).toEqual(['vfs_open']);
  expect(matched('0x5')).toEqual(['kmalloc']);
  expect(matched('0')).toEqual([]);
  expect(matched('7')).toEqual([]);
  expect(matched('!vfs_*')).toEqual(matched('vfs_*'));
  expect(readPattern('!2')).toEqual({ kind: 'index', negate: true, nth: 2 });
});

test('on patterns without classes and escapes a glob is the regular expression that it looks like', () => {
  const glob = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 10 });
  const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
  fc.assert(
    fc.property(glob, name, (pattern, text) => {
      const source = pattern.replaceAll('*', '.*').replaceAll('?', '.');
      expect(globMatches(pattern, text)).toBe(new RegExp(`^${source}$`, 'u').test(text));
    }),
  );
});

interface Case {
  readonly id: string;
  readonly group: string;
  readonly steps: readonly {
    readonly file?: string;
    readonly text?: string;
    readonly errno?: string | null;
    readonly reads?: { readonly lines: readonly string[]; readonly others?: number };
  }[];
}

interface Truth {
  readonly functions: readonly { readonly name: string; readonly line: number }[];
  readonly cases: readonly Case[];
}

test('a real kernel selected the same functions', () => {
  const file = new URL('../../../golden/truth/filters.json', import.meta.url);
  const truth = JSON.parse(readFileSync(file, 'utf8')) as Truth;
  const byLine: string[] = Array.from({ length: 43_480 }, () => '');
  for (const { name, line } of truth.functions) byLine[line - 1] = name;
  let compared = 0;
  for (const { id, steps } of truth.cases) {
    const [step] = steps;
    const pattern = step?.text?.replace(/\n$/u, '') ?? '';
    // One pattern only: the file takes lists, commands and comments too; those are not patterns.
    if (step?.reads === undefined || pattern === '' || /[\s:#]/u.test(pattern)) continue;
    if (pattern.startsWith('!') || step.file !== 'set_ftrace_filter') continue;
    const read = step.reads.lines.filter((line) => !line.startsWith('####'));
    const expected = read.map((line) => line.replace(/ \[.*/u, ''));
    const found = matches(pattern, byLine).flatMap((index) => byLine[index] || []);
    expect({ id, pattern, found }).toEqual({ id, pattern, found: expected });
    compared++;
  }
  expect(compared).toBeGreaterThan(50);
});
