import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Workload } from './model.ts';
import { parseWorkload } from './parse.ts';
import { toYaml } from './to-yaml.ts';

const golden = new URL('../../../golden/', import.meta.url);

test('a workload comes out as a person would write it', () => {
  const workload: Workload = {
    name: 'small',
    story: 'First line.\nSecond line.\n',
    machine: { cpus: 2, random: { schedule: [1, 4] } },
    functions: { vfs_open: { body: ['work 4', { loop: 2, body: ['add n 1'] }] } },
    data: { n: 8 },
    timeline: [
      { at: 'start', register: 'ops0', expect: '-EBUSY' },
      { on: { enter: 'ops0.callback' }, set_filter: { probe: 'ops0', pattern: null } },
    ],
    expect: ['unregister', { counter: 'n', is: 3 }],
  };
  expect(toYaml(workload)).toBe(`name: small
story: |
  First line.
  Second line.
machine:
  cpus: 2
  random: { schedule: [ 1, 4 ] }
functions:
  vfs_open: { body: [ work 4, { loop: 2, body: [ add n 1 ] } ] }
data: { n: 8 }
timeline:
  - { at: start, register: ops0, expect: -EBUSY }
  - { on: { enter: ops0.callback }, set_filter: { probe: ops0, pattern: null } }
expect:
  - unregister
  - { counter: n, is: 3 }
`);
});

test('texts that look like something else stay texts', () => {
  const workload: Workload = {
    name: 'null',
    story: '- x: [1',
    machine: { cpus: 1 },
    probes: {
      p: {
        kind: 'ftrace',
        filter: ['1', '*', '!a', '[ab]', '0x1', '~', 'true'],
        callback: 'count',
      },
    },
  };
  expect(parseWorkload(toYaml(workload), 'f').workload).toEqual(workload);
});

test('every golden workload survives the way through YAML', () => {
  const names = readdirSync(golden).filter((name) => name.endsWith('.yaml'));
  expect(names.length).toBeGreaterThan(5);
  for (const name of names) {
    const { workload } = parseWorkload(readFileSync(new URL(name, golden), 'utf8'), name);
    expect(parseWorkload(toYaml(workload), name).workload).toEqual(workload);
  }
});
