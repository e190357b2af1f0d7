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
  const judges = await Promise.all(files.map(guaranteesIn));
  const registered = GUARANTEES.flatMap((one) => one.joins ?? [one]);
  expect(new Set(judges.flat())).toEqual(new Set(registered));
});

async function guaranteesIn(name: string): Promise<readonly Guarantee[]> {
  const module: unknown = await import(`../src/replay/guarantee/${name.slice(0, -3)}.ts`);
  return Object.values(module ?? {}).filter(isGuarantee);
}

/** Or a part of one. */
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
