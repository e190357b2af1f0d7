import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  beginChange,
  type Change,
  endChange,
  ever,
  type Hash,
  hashesSince,
  newHashHistory,
  sameHash,
  selects,
  spares,
} from './selection.ts';

const NOTHING: Change = { reset: false, added: [], removed: [], possible: true, strict: false };

function adds(...added: readonly number[]): Change {
  return { ...NOTHING, added };
}

function swaps(...added: readonly number[]): Change {
  return { ...NOTHING, reset: true, added };
}

function shown(hashes: readonly Hash[]): string[] {
  return hashes.map((hash) => [...hash].toSorted((a, b) => a - b).join(' ')).toSorted();
}

test('the empty set selects all as filter and excludes nothing as notrace (FT-37)', () => {
  expect([selects(new Set(), 1), selects(new Set([1]), 1), selects(new Set([2]), 1)]).toEqual([
    true,
    true,
    false,
  ]);
  expect([spares(new Set(), 1), spares(new Set([1]), 1)]).toEqual([true, false]);
});

test('between begin and end both the old and the new set may be in force', () => {
  const history = newHashHistory();
  const change = swaps(1, 2);
  beginChange(history, change, 10);
  expect(shown(history.now)).toEqual(['', '1 2']);
  endChange(history, change, { succeeded: true, index: 20 });
  expect(shown(history.now)).toEqual(['1 2']);
});

test('a call that failed never took effect, one that is refused cannot', () => {
  const history = newHashHistory();
  const change = swaps(1);
  beginChange(history, change, 10);
  endChange(history, change, { succeeded: false, index: 20 });
  expect(shown(history.now)).toEqual(['']);

  const refused = { ...swaps(1), possible: false };
  beginChange(history, refused, 30);
  expect(shown(history.now)).toEqual(['']);
  endChange(history, refused, { succeeded: true, index: 40 });
  expect(shown(history.now)).toEqual(['']);
});

test('removing by ip what is absent is refused, removing by pattern is not (FT-44, FT-49)', () => {
  const history = newHashHistory();
  const strict = { ...NOTHING, reset: true, removed: [1], strict: true };
  const first = swaps(2);
  beginChange(history, first, 1);
  endChange(history, first, { succeeded: true, index: 2 });
  beginChange(history, strict, 3);
  expect(shown(history.now)).toEqual(['2']);
  endChange(history, strict, { succeeded: false, index: 4 });
  beginChange(history, { ...strict, strict: false }, 5);
  expect(shown(history.now)).toEqual(['', '2']);
});

function has(site: number): (hash: Hash) => boolean {
  return (hash) => hash.has(site);
}

test('looks back exactly as far as it is asked to', () => {
  const history = newHashHistory();
  const first = swaps(1);
  const second = swaps(2);
  beginChange(history, first, 10);
  endChange(history, first, { succeeded: true, index: 20 });
  beginChange(history, second, 30);
  endChange(history, second, { succeeded: true, index: 40 });
  expect(ever(history, 39, has(1))).toBe(true);
  expect(ever(history, 41, has(1))).toBe(false);
  expect(ever(history, 41, has(2))).toBe(true);
  expect(ever(history, 21, (hash) => hash.size === 0)).toBe(false);
  expect(ever(history, 19, (hash) => hash.size === 0)).toBe(true);
  expect(shown(hashesSince(history, 35))).toEqual(['1', '2']);
  expect(shown(hashesSince(history, -1))).toEqual(['', '1', '2']);
});

test('two calls at once: each order, and one order only once one of them returned', () => {
  const history = newHashHistory();
  const one = swaps(1);
  const two = adds(2);
  beginChange(history, one, 1);
  beginChange(history, two, 2);
  expect(shown(history.now)).toEqual(['', '1', '1 2', '2']);
  endChange(history, one, { succeeded: true, index: 3 });
  expect(shown(history.now)).toEqual(['1', '1 2']);
  endChange(history, two, { succeeded: true, index: 4 });
  expect(shown(history.now)).toEqual(['1', '1 2']);
});

test('follows every order of five calls at once, and blames nobody when there are more', () => {
  const history = newHashHistory();
  const changes = [1, 2, 3, 4, 5, 6].map((site) => swaps(site));
  for (const [index, change] of changes.slice(0, 5).entries()) beginChange(history, change, index);
  expect(history.states).toHaveLength(326);
  expect(shown(history.now)).toEqual(['', '1', '2', '3', '4', '5']);
  expect(ever(history, 4, (hash) => selects(hash, 7) && hash.size > 0)).toBe(false);
  for (const change of changes.slice(5)) beginChange(history, change, 5);
  expect(shown(history.now)).toEqual(['']);
  expect(ever(history, 5, (hash) => selects(hash, 7))).toBe(true);
  for (const change of changes) endChange(history, change, { succeeded: true, index: 6 });
  expect(ever(history, 6, (hash) => selects(hash, 7) && spares(hash, 7))).toBe(true);
});

test('a hundred calls that never end are judged at once', () => {
  const history = newHashHistory();
  for (let site = 0; site < 100; site++) beginChange(history, adds(site), site);
  expect(history.past.length).toBeLessThan(100);
});

test('forgets which order it was once it does not matter', () => {
  const history = newHashHistory();
  for (let index = 0; index < 40; index += 4) {
    const [one, two] = [swaps(1), swaps(2)];
    beginChange(history, one, index);
    beginChange(history, two, index + 1);
    endChange(history, one, { succeeded: true, index: index + 2 });
    endChange(history, two, { succeeded: true, index: index + 3 });
  }
  expect(shown(history.now)).toEqual(['1', '2']);
  expect(history.states.length).toBe(2);
});

interface Step {
  readonly change: Change;
  readonly kind: 'begin' | 'end';
}

/** Each set that is in force at the end in some order of commits, each within its call. */
function byBruteForce(steps: readonly Step[]): Hash[] {
  const found: Hash[] = [];
  const go = (at: number, hash: Hash, open: readonly Change[]): void => {
    for (const change of open) {
      const next = new Set([...(change.reset ? [] : hash), ...change.added]);
      for (const site of change.removed) next.delete(site);
      const rest = open.filter((other) => other !== change);
      go(at, next, rest);
    }
    const step = steps[at];
    if (step === undefined) found.push(hash);
    else if (step.kind === 'begin') go(at + 1, hash, [...open, step.change]);
    else if (!open.includes(step.change)) go(at + 1, hash, open);
  };
  go(0, new Set(), []);
  return found;
}

test('is what every order of overlapping calls together allows', () => {
  const sites = fc.uniqueArray(fc.integer({ min: 1, max: 3 }), { maxLength: 2 });
  const change = fc.record({ reset: fc.boolean(), added: sites, removed: sites });
  const story = fc.array(fc.tuple(change, fc.nat(2)), { maxLength: 5 });
  fc.assert(
    fc.property(story, (told) => {
      const history = newHashHistory();
      const steps: Step[] = [];
      const open: Change[] = [];
      for (const [made, endsOf] of told) {
        const next: Change = { ...NOTHING, ...made };
        open.push(next);
        steps.push({ change: next, kind: 'begin' });
        beginChange(history, next, steps.length);
        for (const over of open.length > 2 ? open.splice(0, Math.max(1, endsOf)) : []) {
          steps.push({ change: over, kind: 'end' });
          endChange(history, over, { succeeded: true, index: steps.length });
        }
      }
      const expected = byBruteForce(steps);
      for (const hash of expected) expect(history.now.some((h) => sameHash(h, hash))).toBe(true);
      for (const hash of history.now) expect(expected.some((h) => sameHash(h, hash))).toBe(true);
    }),
    { numRuns: 200 },
  );
});
