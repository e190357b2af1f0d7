// The faults of our own making do what they say; that they are found by judges is for properties/ to show.
import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  restless,
  setFilter,
  smallKernel,
  UNREGISTER,
} from '../../../properties/small-kernel.ts';
import { calmChooser, type Chooser } from '../../emu/choose.ts';
import type { ScriptOp } from '../../emu/script.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const CALLS: readonly ScriptOp[] = [{ op: 'call', target: 'a1' }];

/** How many calls of a hooked function by two tasks have no return, after an undisturbed registration. */
function unreturned(variant: string | undefined, chooser: Chooser): number {
  let begun = false;
  const m = smallKernel({
    functions: { a1: WORK, one: CALLS, two: [...WORK, ...CALLS] },
    variants: variant === undefined ? [] : [variant],
    chooser: { choose: (point, count) => (begun ? chooser.choose(point, count) : 0) },
  });
  const ops = m.ops('A', 'cb');
  m.thread('control', 0, function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    begun = true;
    m.task('first', 0, 'one', 3);
    m.task('second', 1, 'two', 3);
  });
  m.machine.run();
  const a1 = m.fn('a1').address;
  const [enters, returns] = (['func_enter', 'func_return'] as const).map(
    (name) => m.events(name).filter(({ func }) => func === a1).length,
  );
  return (enters ?? 0) - (returns ?? 0);
}

test('M-97: hits that overlap take the return address of each other', () => {
  const seeds = Array.from({ length: 20 }, (_, i) => i + 1);
  expect(seeds.every((seed) => unreturned(undefined, restless(seed)) === 0)).toBe(true);
  expect(seeds.some((seed) => unreturned('M-97', restless(seed)) > 0)).toBe(true);
  expect(unreturned('M-97', calmChooser)).toBe(0);
});

/** The locks that unregister takes, in order. */
function locks(variants: readonly string[]): readonly string[] {
  const m = smallKernel({ functions: { a1: WORK }, variants });
  const ops = m.ops('A', 'cb');
  let from = 0;
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    from = m.log.count;
    yield* perform(cx, m.k, ops, UNREGISTER);
  });
  return m.events('lock').flatMap(({ index, name }) => (index < from ? [] : [name]));
}

test('M-98: unregister takes text_mutex first, and once', () => {
  expect([...new Set(locks([]))]).toEqual(['ftrace_lock', 'text_mutex']);
  expect(locks(['M-98'])).toEqual(['text_mutex', 'ftrace_lock']);
});
