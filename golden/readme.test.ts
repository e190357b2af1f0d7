// What the README shows is what the program does.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import { readRecording } from '../src/replay/recording.ts';
import { ftraceLines } from '../src/replay/report-ftrace.ts';
import { recordRun } from '../src/replay/run.ts';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The first fenced block behind `marker`. */
function block(marker: string): string {
  const behind = readme.slice(readme.indexOf(marker));
  return known(/```[a-z]*\n([\s\S]*?)```/u.exec(behind)?.[1], `${marker} has a block`);
}

test('its report is that of the demo', () => {
  const { log } = readRecording(readFileSync(join(root, 'golden/filter-swap-interrupted.trace')));
  expect(block('<!-- report:begin -->')).toBe(`${[...ftraceLines(log)].join('\n')}\n`);
});

test('its workload runs, and holds what it expects', () => {
  const text = block('## What a run looks like');
  const result = recordRun(
    { file: 'README.md', text, image: undefined },
    { seed: 42, chooser: 'random', profile: 'today', variants: [] },
    () => undefined,
  );
  expect(result.ending).toBe('run_end');
  expect(result.expectations.filter(({ met }) => !met)).toEqual([]);
});
