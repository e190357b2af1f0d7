import { expect, test } from 'vitest';
import { type Argument, call, kmalloc, pointer } from '../../properties/guest-call.ts';
import { smallMachine, type SmallMachine } from '../../properties/small-machine.ts';
import type { Address } from './address.ts';
import { CellSpace } from './cell.ts';
import type { Context } from './context.ts';
import { Mutex } from './lock.ts';
import type { Path } from './path.ts';
import { sleepFor } from './timer.ts';

const LOCK_CALLS = [
  'mutex_lock',
  'mutex_unlock',
  '_raw_spin_lock_irqsave',
  '_raw_spin_unlock_irqrestore',
] as const;

function machine(): SmallMachine {
  return smallMachine({ functions: { f: [] }, data: ['lock'] });
}

function address(m: SmallMachine): Address {
  return m.image.dataSymbols.get('lock')?.address ?? -1;
}

/** Runs `path` in a task; how the run ended, with the reason of an oops. */
function ending(m: SmallMachine, path: (cx: Context) => Path<unknown>): string {
  m.thread('t', 0, path);
  const end = m.machine.run();
  const oops = [...m.log.events()].flatMap((e) => (e.event === 'oops' ? [e.reason] : []));
  return [end, ...oops].join(' ');
}

test.each(LOCK_CALLS)('%s of no lock is an oops', (name) => {
  const cases: readonly (readonly [string, (m: SmallMachine) => Argument])[] = [
    ['unmapped', () => 0],
    ['unmapped', () => pointer(0x7000000)],
    ['readonly', (m) => pointer(m.at('f'))],
    // The last bytes of the data: half of a lock.
    ['unmapped', (m) => pointer(address(m) + 12)],
  ];
  for (const [reason, argument] of cases) {
    const m = machine();
    expect(ending(m, (cx) => call(m, cx, name, [argument(m), 0]))).toBe(`oops ${reason}`);
  }
});

test.each(LOCK_CALLS)('%s of a lock in freed memory is a use of what was freed', (name) => {
  const m = machine();
  const end = ending(m, function* (cx) {
    const at = yield* kmalloc(m, cx, 32);
    yield* call(m, cx, 'kfree', [pointer(at)]);
    yield* call(m, cx, name, [pointer(at), 0]);
  });
  expect(end).toBe('oops freed');
  const events = [...m.log.events()];
  expect(events.slice(-2).map((e) => e.event)).toEqual(['touch', 'oops']);
});

test('a lock is released by who holds it, and a spinlock is taken once', () => {
  for (const [end, names] of [
    ['oops unlock by another', ['mutex_unlock']],
    ['oops unlock by another', ['_raw_spin_unlock_irqrestore']],
    ['oops spinlock recursion', ['_raw_spin_lock_irqsave', '_raw_spin_lock_irqsave']],
    ['deadlock', ['mutex_lock', 'mutex_lock']],
  ] as const) {
    const m = machine();
    const found = ending(m, function* (cx) {
      for (const name of names) yield* call(m, cx, name, [pointer(address(m)), 1]);
    });
    expect(found).toBe(end);
  }
});

test('a lock that is freed while it is held is not released any more', () => {
  for (const [lock, unlock] of [LOCK_CALLS.slice(0, 2), LOCK_CALLS.slice(2)]) {
    const m = machine();
    const end = ending(m, function* (cx) {
      const at = yield* kmalloc(m, cx, 32);
      if (lock !== undefined) yield* call(m, cx, lock, [pointer(at)]);
      yield* call(m, cx, 'kfree', [pointer(at)]);
      if (unlock !== undefined) yield* call(m, cx, unlock, [pointer(at), 1]);
    });
    expect(end).toBe('oops freed');
  }
});

test('a lock in memory that is used again is a new lock', () => {
  const m = machine();
  const end = ending(m, function* (cx) {
    const at = yield* kmalloc(m, cx, 32);
    yield* call(m, cx, 'mutex_lock', [pointer(at)]);
    yield* call(m, cx, 'kfree', [pointer(at)]);
    expect(yield* kmalloc(m, cx, 32)).toBe(at);
    yield* call(m, cx, 'mutex_lock', [pointer(at)]);
    yield* call(m, cx, 'mutex_unlock', [pointer(at)]);
  });
  expect(end).toBe('run_end');
});

test('two tasks take turns at a lock in their memory', () => {
  const m = machine();
  const order: string[] = [];
  const visit = (name: string, us: number) =>
    function* (cx: Context): Path<void> {
      yield* call(m, cx, 'mutex_lock', [pointer(address(m))]);
      order.push(`${name} in`);
      yield* sleepFor(cx, us);
      order.push(`${name} out`);
      yield* call(m, cx, 'mutex_unlock', [pointer(address(m))]);
    };
  m.thread('second', 1, function* (cx) {
    yield* sleepFor(cx, 20);
    yield* visit('second', 1)(cx);
  });
  expect(ending(m, visit('first', 100))).toBe('run_end');
  expect(order).toEqual(['first in', 'first out', 'second in', 'second out']);
});

test('each lock has a name of its own, whatever symbols and memory are called', () => {
  const m = machine();
  expect(new Mutex(m.machine.cells, 'taken').name).toBe('taken');
  m.machine.nameOf = () => 'taken';
  const end = ending(m, function* (cx) {
    for (const spin of [false, true, true]) {
      const at = yield* kmalloc(m, cx, 32);
      const way = spin ? '_raw_spin' : 'mutex';
      for (const what of ['lock', 'unlock', 'lock', 'unlock'] as const)
        yield* call(m, cx, `${way}_${what}`, [pointer(at)]);
      yield* call(m, cx, 'kfree', [pointer(at)]);
    }
  });
  expect(end).toBe('run_end');
  const names = [...m.log.events()].flatMap((e) => (e.event === 'lock' ? [e.name] : []));
  expect(names).toEqual([2, 2, 3, 3, 4, 4].map((number) => `taken#${number}`));
});

test('a symbol that is called as a second lock would be has a name of its own, too', () => {
  const cells = new CellSpace();
  const names = ['l#2', 'l', 'l', 'l#2', 'l'].map((name) => new Mutex(cells, name).name);
  expect(names).toEqual(['l#2', 'l', 'l#3', 'l#2#2', 'l#4']);
});
