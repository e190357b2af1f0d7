import { expect, test } from 'vitest';
import {
  contextKey,
  type ContextStack,
  enterFunction,
  fetchSite,
  hitBegan,
  innermostSite,
  leaveFunction,
} from './hit.ts';

function stack(): ContextStack {
  return { top: undefined };
}

test('a hit begins at its fetch, or at the entry when no fetch is told', () => {
  const context = stack();
  enterFunction(context, 4, { sp: 100, ra: 0, index: 10 });
  expect(hitBegan(context, 4)).toBe(10);
  fetchSite(context, 4, 12);
  fetchSite(context, 4, 14);
  expect(hitBegan(context, 4)).toBe(12);
  expect(hitBegan(context, 8)).toBe(-1);
});

test('a nested hit of the same function hides the outer one until it returns', () => {
  const context = stack();
  enterFunction(context, 4, { sp: 100, ra: 0, index: 1 });
  enterFunction(context, 8, { sp: 90, ra: 0, index: 2 });
  enterFunction(context, 4, { sp: 80, ra: 0, index: 3 });
  expect(hitBegan(context, 4)).toBe(3);
  leaveFunction(context, 4);
  expect([hitBegan(context, 4), innermostSite(context)]).toEqual([1, 8]);
  leaveFunction(context, 4);
  expect(innermostSite(context)).toBe(-1);
});

test('what a return does not tell, the stack pointer does', () => {
  const context = stack();
  enterFunction(context, 4, { sp: 100, ra: 0, index: 1 });
  enterFunction(context, 8, { sp: 90, ra: 0, index: 2 });
  enterFunction(context, 12, { sp: 90, ra: 0, index: 3 });
  expect([hitBegan(context, 8), hitBegan(context, 4)]).toEqual([-1, 1]);
  leaveFunction(context, 99);
  expect(innermostSite(context)).toBe(12);
});

test('every task, level and idle CPU has a context of its own', () => {
  const keys = new Set<number>();
  for (const pid of [0, 1, 2])
    for (const cpu of [0, 1, 7])
      for (const level of [0, 1, 2, 3, 4]) keys.add(contextKey(pid, cpu, level));
  expect(keys.size).toBe((3 + 2) * 5);
});
