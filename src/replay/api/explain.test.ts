import { expect, test } from 'vitest';
import { workload } from '../workload/build.ts';
import { explainMiss, misses } from './explain.ts';
import { record } from './record.ts';

const w = workload('refusing', { cpus: 1 });
const open = w.function('vfs_open', (f) => [f.work(4)]);
w.task('t', { cpu: 0, run: w.function('round', (f) => [f.call(open), f.sleep(90)]), times: 5 });
const probe = {
  kind: 'fprobe',
  filter: 'vfs_open',
  entry: 'count',
  entry_returns: 3,
  exit: 'count',
} as const;
w.at('start', { register: w.probe('fp', probe) });
const { bytes } = record(w);

test('misses are grouped, and each number is explained', () => {
  const [group, ...more] = misses(bytes);
  expect(more).toEqual([]);
  expect(group).toMatchObject({ probe: 'fp', reason: 'rejected', counted: 0 });
  const numbers = group?.numbers ?? [];
  expect(numbers.length).toBeGreaterThan(2);
  for (const number of numbers) {
    expect(explainMiss(bytes, number)).toMatchObject({
      number,
      function: 'vfs_open',
      rules: ['FP-7'],
      evidence: [{ text: 'its entry handler returned 3' }],
    });
  }
});

test.each([0, 6, 1.5, -1])('there is no miss %d', (number) => {
  expect(() => explainMiss(bytes, number)).toThrow(
    expect.objectContaining({ name: 'InputError', where: 'number' }),
  );
});

test('what lies before the damage is explained', () => {
  expect(misses(bytes.subarray(0, -5))).toEqual(misses(bytes));
});
