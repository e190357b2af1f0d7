// The help texts, as a user sees them.
import { expect, test } from 'vitest';
import { capture } from './captured-shell.ts';
import { main } from './cli.ts';

async function help(...argv: string[]): Promise<string> {
  const { shell, out, err } = capture();
  expect(await main(argv, shell)).toBe(0);
  expect(err()).toBe('');
  return out();
}

test('reprobe --help', async () => {
  expect(await help('--help')).toMatchInlineSnapshot();
  expect(await help('-h')).toBe(await help('--help'));
});

test('reprobe record --help', async () => {
  expect(await help('record', '--help')).toMatchInlineSnapshot();
});

test('reprobe report --help', async () => {
  expect(await help('report', '--help')).toMatchInlineSnapshot();
});

test('reprobe --version', async () => {
  expect(await help('--version')).toMatch(/^\d+\.\d+\.\d+\n$/u);
});

test('reprobe schema prints a JSON schema', async () => {
  const schema: unknown = JSON.parse(await help('schema'));
  expect(schema).toMatchObject({ type: 'object', properties: { name: {}, machine: {} } });
});

test('reprobe completion prints a script that calls reprobe', async () => {
  expect(await help('completion')).toContain('reprobe --get-yargs-completions');
});
