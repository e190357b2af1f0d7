import { expect, test } from 'vitest';
import type { EraComparison } from '../eras.ts';
import { workload, type WorkloadBuilder } from '../workload/build.ts';
import { compareEras } from './eras.ts';

/** A pool of one node, and two tasks that are in the function at once. */
function crowded(): WorkloadBuilder {
  const w = workload('crowded', { cpus: 2, seed: 3 });
  const read = w.function('vfs_read', (f) => [f.sleep(200)]);
  const round = w.function('round', (f) => [f.call(read)], { notrace: true });
  for (const cpu of [0, 1]) w.task(`t${cpu}`, { cpu, run: round, times: 5 });
  const fp = w.probe('fp', { kind: 'fprobe', filter: 'vfs_read', exit: 'count', nr_maxactive: 1 });
  return w.at('start', { register: fp }).at('end', { unregister: fp });
}

function valuesOf({ rows }: EraComparison, topic: string, what: string): readonly unknown[] {
  return rows
    .filter((row) => row.topic === topic && row.what === what)
    .flatMap((row) => row.values);
}

test('a pool runs dry where there is one, and is ignored elsewhere', () => {
  const eras = compareEras(crowded(), { profiles: ['v6.12', 'today'] });
  expect(eras).toMatchObject({ profiles: ['v6.12', 'today'], seed: 3, chooser: 'random' });
  const [missed] = valuesOf(eras, 'skips', 'fp: no_node');
  expect(missed).toBeGreaterThan(0);
  expect(valuesOf(eras, 'skips', 'fp: no_node')).toEqual([missed, 0]);
  expect(valuesOf(eras, 'nmissed', 'fp')).toEqual([missed, 0]);
});

test('the same eras are the same comparison, and the seed makes it another', () => {
  const options = { profiles: ['v6.12', 'v6.1'] };
  expect(compareEras(crowded(), options)).toEqual(compareEras(crowded(), options));
  expect(compareEras(crowded(), { ...options, seed: 8 })).toMatchObject({ seed: 8 });
});

test('without fprobes every era takes part', () => {
  const { profiles } = compareEras(workload('empty', { cpus: 1 }));
  expect(profiles.at(0)).toBe('today');
  expect(profiles.at(-1)).toBe('v2.6.31');
});

test.each([
  [['v6.12', 'todya'], "unknown profile 'todya', did you mean 'today'?"],
  [['v2.6.31'], 'probe fp: profile v2.6.31 has no fprobe, which came with v5.18'],
  [[], 'expected at least one profile, found none'],
])('profiles %j are refused', (profiles, message) => {
  expect(() => compareEras(crowded(), { profiles })).toThrow(
    expect.objectContaining({ name: 'InputError', message }),
  );
});
