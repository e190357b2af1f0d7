// The file table of ARCHITECTURE.md names every file of src, and none that is not there.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './source.ts';

const SPAN = /`([^`]+)`/gu;

/** What the first cells of the file table name: files, folders that end with a slash, names with a `*`. */
function namedIn(page: string): readonly string[] {
  const [, table = ''] = page.split(/^## Files$|^## Memory$/mu);
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  return rows.flatMap((row) => {
    const names = [...(row.split(' | ')[0] ?? '').matchAll(SPAN)].map(([, name = '']) => name);
    const folder = names[0]?.replace(/[^/]*$/u, '') ?? '';
    return names.map((name, i) => (i === 0 ? name : folder + name));
  });
}

function covers(name: string, file: string): boolean {
  if (name.endsWith('/')) return file.startsWith(name);
  const [before = '', after] = name.split('*');
  if (after === undefined) return file === name;
  return file.startsWith(before) && file.endsWith(after);
}

/** Files without a row, and rows without a file. */
function differences(page: string, files: readonly string[]): readonly string[] {
  const named = namedIn(page);
  const missing = files.filter((file) => !named.some((name) => covers(name, file)));
  const gone = named.filter((name) => !files.some((file) => covers(name, file)));
  return [...missing.map((file) => `no row: ${file}`), ...gone.map((name) => `no file: ${name}`)];
}

test('every file of src has a row in the file table of ARCHITECTURE.md', () => {
  const found = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const files = found.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  const page = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  expect(differences(page, files.map((file) => `src/${file}`).toSorted())).toEqual([]);
});

test('a file without a row is found, and a row without a file', () => {
  const page = '## Files\n| `src/a.ts` `b.ts` | x |\n| `src/c/` | `y` |\n| `src/d*.ts` | z |';
  expect(differences(page, ['src/a.ts', 'src/b.ts', 'src/c/e.ts', 'src/d-f.ts'])).toEqual([]);
  expect(differences(page, ['src/a.ts', 'src/c.ts', 'src/c/e.ts'])).toEqual([
    'no row: src/c.ts',
    'no file: src/b.ts',
    'no file: src/d*.ts',
  ]);
});
