// The registry of guarantees, the judges, the properties and the goldens agree; and the check can fail.
import { expect, test } from 'vitest';
import { GUARANTEES } from '../src/replay/guarantee/index.ts';
import type { Guarantee } from '../src/replay/guarantee/judge.ts';
import { missingPlaces } from './guarantees.ts';
import { names } from './source.ts';

test('every registered guarantee has a judge, a property and a golden', () => {
  expect(
    missingPlaces({
      registered: GUARANTEES.map(({ name }) => name),
      judges: names('src/replay/guarantee'),
      properties: names('properties'),
      goldens: names('golden'),
    }),
  ).toEqual([]);
});

test('every judge is registered', async () => {
  const files = names('src/replay/guarantee').filter((name) => /^[^.]+\.ts$/u.test(name));
  const modules: unknown[] = await Promise.all(
    files.map((name) => import(`../src/replay/guarantee/${name}`)),
  );
  const judges = modules.flatMap((module) => Object.values(Object(module)).filter(isGuarantee));
  expect(new Set(judges)).toEqual(new Set(GUARANTEES));
});

function isGuarantee(value: unknown): value is Guarantee {
  return typeof value === 'object' && value !== null && 'sentence' in value && 'start' in value;
}

const whole = {
  registered: ['memory'],
  judges: ['index.ts', 'judge.ts', 'memory.ts'],
  properties: ['memory.test.ts', 'setup.ts'],
  goldens: ['memory-free.trace', 'memory-free.txt', 'memory-free.yaml', 'truth'],
};

test('a guarantee with all three is complete', () => {
  expect(missingPlaces(whole)).toEqual([]);
});

test.each([
  ['judges', 'memory.ts', ['src/replay/guarantee/memory.ts is missing']],
  ['properties', 'memory.test.ts', ['properties/memory.test.ts is missing']],
  [
    'goldens',
    'memory-free.yaml',
    ['golden/memory-*.yaml is missing', 'golden/memory-free.yaml is missing'],
  ],
  ['goldens', 'memory-free.trace', ['golden/memory-free.trace is missing']],
  ['goldens', 'memory-free.txt', ['golden/memory-free.txt is missing']],
] as const)('%s without %s is found', (place, name, found) => {
  const rest = whole[place].filter((one) => one !== name);
  expect(missingPlaces({ ...whole, [place]: rest })).toEqual(found);
});
