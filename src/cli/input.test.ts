// Arguments that look right and are not.
import { expect, test } from 'vitest';
import { capture } from './captured-shell.ts';
import { main } from './cli.ts';

async function refused(...words: string[]): Promise<{ status: number; err: string }> {
  const { shell, err } = capture();
  return { status: await main(words, shell), err: err() };
}

test.each([
  [['record', '-'], 'cannot read the workload: expected the name of a file'],
  [['judge', '-'], 'cannot read the recording: expected the name of a file'],
  [['replay', ''], 'cannot read the recording: expected the name of a file'],
])('%j names no file', async (words, message) => {
  const { status, err } = await refused(...words);
  expect(status).toBe(2);
  expect(err).toContain(message);
});

test('a report has one format', async () => {
  const file = 'golden/unregister-idle.trace';
  const { status, err } = await refused('report', file, '--format', 'ftrace', '--json');
  expect(status).toBe(2);
  expect(err).toContain('--json: expected no --format beside it, found ftrace');
});
