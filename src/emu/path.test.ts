import { expect, test } from 'vitest';
import { smallMachine } from '../../properties/small-machine.ts';
import { known } from '../assert.ts';
import type { PathActivity } from './context.ts';
import { tick } from './loop.ts';
import { andThen, fetchAdd, readOnce, update, waitUntil, writeOnce } from './path.ts';

test('reads, writes, additions and updates are atomic steps in program order (CC-M1)', () => {
  const m = smallMachine({ functions: {} });
  const cell = m.machine.cells.cell('x', 1);
  const seen: unknown[] = [];
  m.thread('t', 0, function* () {
    seen.push(yield* readOnce(cell));
    yield* writeOnce(cell, 5);
    seen.push(yield* fetchAdd(cell, 2));
    seen.push(yield* update(cell, (old) => old * 3));
    seen.push(yield* waitUntil(cell, (value) => value === 21));
  });
  expect(m.machine.run()).toBe('run_end');
  expect(seen).toEqual([1, 5, 7, 21]);
});

test('what follows an access belongs to its step, and what follows that, too (CC-M1)', () => {
  const m = smallMachine({ functions: {} });
  const { machine } = m;
  const cell = machine.cells.cell('x', 1);
  const seen: unknown[] = [];
  const task = m.thread('t', 0, function* (cx) {
    const twice = andThen(readOnce(cell), (value) => cx.make(() => 2 * value));
    seen.push(yield* andThen(twice, (value) => value + 1));
  });
  tick(machine); // Switches to the task, which begins.
  expect(seen).toEqual([]);
  tick(machine);
  expect(seen).toEqual([3]);
  expect(task.context.top).toBeUndefined();
});

test('a path that is rewound stands where it stood, silently, with the objects that it made', () => {
  const m = smallMachine({ functions: {} });
  const { machine } = m;
  const cells = [machine.cells.cell('a', 1), machine.cells.cell('b', 2)] as const;
  const made: object[] = [];
  const task = m.thread('t', 0, function* (cx) {
    const object = cx.make(() => ({}));
    made.push(object);
    for (let i = 0; i < 3; i++) {
      const a = yield* andThen(readOnce(cells[0]), (value) => cx.make(() => value));
      cx.emit(30, machine.strings.id(`read ${a}`));
      yield* writeOnce(cells[1], a + i);
    }
  });
  tick(machine); // Switches to the task, which begins.
  const { context } = task;
  const activity = (): PathActivity => {
    const { top } = context;
    if (top?.kind !== 'path') throw new Error('the task runs its path');
    return top;
  };
  const pendingNow = (): unknown => {
    const { pending } = activity();
    return [pending?.kind, pending?.cell.name, pending?.operand];
  };
  const stops: { length: number; pending: unknown }[] = [];
  while (context.top !== undefined) {
    const { fed } = activity();
    const [whole, events] = [fed.slice(), m.log.count];
    stops.push({ length: fed.length, pending: pendingNow() });
    for (const stop of stops) {
      context.rewind(whole.slice(0, stop.length));
      expect(pendingNow()).toEqual(stop.pending);
      expect(activity().cursor).toBe(-1);
    }
    context.rewind(whole);
    expect(m.log.count).toBe(events);
    tick(machine);
  }
  const first = known(made[0], 'the path made an object');
  expect(made.every((object) => object === first)).toBe(true);
  expect(made.length).toBeGreaterThan(10);
});
