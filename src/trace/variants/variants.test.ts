// Each variant makes the change that it says, and nothing else stops working: run alone, every one of them
// still registers, filters and unregisters. That they are found by judges is for properties/ to show.
import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  setFilter,
  setNotrace,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../../properties/small-kernel.ts';
import { CHOICE } from '../../emu/choose.ts';
import { fetchAdd, waitUntil } from '../../emu/path.ts';
import type { ScriptOp } from '../../emu/script.ts';
import { sleepFor } from '../../emu/timer.ts';
import { EINVAL } from '../errno.ts';
import type { FtraceOps } from '../ftrace-ops.ts';
import type { OperationRequest } from '../operation.ts';
import { VARIANTS } from './variants.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FUNCTIONS = { a1: WORK, a2: WORK, b1: WORK } as const;

type Step = readonly [ops: number, request: OperationRequest];

interface Story {
  readonly m: SmallKernel;
  readonly results: readonly number[];
  /** Waits, patches, frees and ends of calls, in order. */
  readonly order: readonly string[];
  /** Whether the observed fact held at any boundary. */
  readonly seen: boolean;
}

/** Something that may be true of the kernel and the three ops at a boundary. */
type Fact = (m: SmallKernel, ops: readonly FtraceOps[]) => boolean;

/** Performs `steps` on three ops under `variant`, looking at `fact` at every boundary. */
function play(
  variant: string | undefined,
  steps: readonly Step[],
  fact: Fact = () => false,
): Story {
  let seen = false;
  let looking = false;
  const m = smallKernel({
    functions: FUNCTIONS,
    variants: variant === undefined ? [] : [variant],
    chooser: {
      choose: ({ kind, options }, count) => {
        if (looking && fact(m, ops)) seen = true;
        // CPU 0 whenever it can run: the other one is there to be waited for.
        return kind === CHOICE.schedule ? Math.max(0, options.subarray(0, count).indexOf(0)) : 0;
      },
    },
  });
  const ops = ['A', 'B', 'C'].map((name) => m.ops(name, 'cb'));
  // Somebody else to run, so that every boundary is a choice.
  m.task('busy', 1, 'b1', 300);
  const results: number[] = [];
  m.control(function* (cx) {
    looking = true;
    for (const [index, request] of steps) {
      const target = ops[index];
      if (target !== undefined) results.push(yield* perform(cx, m.k, target, request));
    }
    looking = false;
  });
  return { m, results, order: orderOf(m), seen };
}

function orderOf(m: SmallKernel): string[] {
  const order: string[] = [];
  for (const e of m.log.events()) {
    if (e.event === 'wait_begin') order.push(e.kind.replace('synchronize_rcu_', ''));
    else if (e.event === 'ctl_end') order.push(e.op.replace('_ftrace_function', ''));
    else if (e.event === 'free') order.push(`free at level ${e.level}`);
    else if (e.event === 'text_write' && e.part === 1) {
      if (e.ip !== m.k.caller.innerCall) order.push('patch');
    }
  }
  return order;
}

const LIFE: readonly Step[] = [
  [0, setFilter('a1')],
  [0, REGISTER],
  [0, UNREGISTER],
];
const SHARED: readonly Step[] = [
  [0, setFilter('a1')],
  [1, setFilter('a1')],
  [2, setFilter('a1')],
  [0, REGISTER],
  [1, REGISTER],
  [2, REGISTER],
  [0, UNREGISTER],
];
const SWAP: readonly Step[] = [
  [0, setFilter('a1')],
  [0, REGISTER],
  [0, setFilter('a2', true)],
];

/** What follows the last registration. */
function ending(variant: string | undefined, steps: readonly Step[]): readonly string[] {
  const { order } = play(variant, steps);
  return order.slice(order.lastIndexOf('register') + 1);
}

test('ids are those of docs/spec/mutants.md, each with its sentence', () => {
  for (const [id, variant] of VARIANTS) {
    expect(id).toBe(variant.id);
    expect(id).toMatch(/^[EMH]-\d+$/u);
    expect(variant.about).not.toBe('');
  }
});

test.each([...VARIANTS.keys()])('%s still does its work when nothing comes in between', (id) => {
  const { m, results } = play(id, [
    ...SWAP,
    [1, REGISTER],
    [0, setFilter('b1', true)],
    [0, setFilter('!nobody')],
    [0, UNREGISTER],
    [1, UNREGISTER],
  ]);
  expect(results).toEqual([0, 0, 0, 0, 0, -EINVAL, 0, 0]);
  expect(m.hooked()).toEqual([]);
});

test('waits: M-01, M-02, M-03, M-04, E-1, E-6', () => {
  const [rude, tasks, free] = ['tasks_rude', 'tasks', 'free at level 0'];
  expect(ending(undefined, LIFE)).toEqual(['patch', rude, tasks, free, 'unregister']);
  expect(ending('M-01', LIFE)).toEqual(['patch', tasks, free, 'unregister']);
  expect(ending('M-02', LIFE)).toEqual(['patch', rude, free, 'unregister']);
  expect(ending('E-6', LIFE)).toEqual(ending('M-01', LIFE));
  expect(ending('M-04', LIFE)).toEqual([rude, tasks, 'patch', free, 'unregister']);
  expect(ending('E-1', LIFE)).toEqual(['patch', tasks, rude, free, 'unregister']);
  expect(ending('M-03', LIFE)).toEqual(ending(undefined, LIFE));
  expect(ending(undefined, SHARED)).toEqual([rude, tasks, free, 'unregister']);
  expect(ending('M-03', SHARED)).toEqual([free, 'unregister']);
});

/** Still listed although nothing serves it any more. */
function lingers(): Fact {
  let wasUp = false;
  return ({ k: { ftrace } }, [a]) => {
    if (ftrace.startUp.value === 1) wasUp = true;
    return wasUp && ftrace.startUp.value === 0 && ftrace.opsList.value === a;
  };
}

/** The second ops is on the list, and the first is not behind it. */
const cutOff: Fact = (m, [a, b]) => m.k.ftrace.opsList.value === b && b?.next.value !== a;

test('the list: M-05 unlinks after the waits, M-12 links too early', () => {
  expect(play(undefined, LIFE, lingers()).seen).toBe(false);
  expect(play('M-05', LIFE, lingers()).seen).toBe(true);
  const two: readonly Step[] = [
    [0, REGISTER],
    [1, REGISTER],
  ];
  expect(play(undefined, two, cutOff).seen).toBe(false);
  expect(play('M-12', two, cutOff).seen).toBe(true);
});

/** The first ops can be found, and nothing is in its filter yet. */
const listedEmpty: Fact = (m, [a]) => m.k.ftrace.opsList.value === a && filterSize(a) === 0;

test('H-40 puts the ops on the list before its filter is there', () => {
  expect(play(undefined, LIFE, listedEmpty).seen).toBe(false);
  expect(play('H-40', LIFE, listedEmpty).seen).toBe(true);
  expect(play('H-40', SWAP).m.hooked()).toEqual(['a2 -> A']);
});

/** How many sites the filter of `ops` names. */
function filterSize(ops: FtraceOps | undefined): number {
  return ops?.filterHash.value.ips.value.size ?? -1;
}

const emptied: Fact = (m, [a]) => m.k.ftrace.startUp.value === 1 && filterSize(a) === 0;
const both: Fact = (_m, [a]) => filterSize(a) === 2;

/** The new site calls something while the old set is in force. */
const patchedFirst: Fact = (m, [a]) =>
  (m.machine.text.word(m.fn('a2').site) & 0xfff) === 0x2ef &&
  a?.filterHash.value.ips.value.has(m.fn('a1').site) === true;

test('filters: what is in force between the old set and the new one (M-13, M-14, E-2, E-3)', () => {
  expect(play(undefined, SWAP, emptied).seen).toBe(false);
  expect(play('M-13', SWAP, emptied).seen).toBe(true);
  expect(play('M-14', SWAP, emptied).seen).toBe(true);
  expect(play(undefined, SWAP, both).seen).toBe(false);
  expect(play('E-3', SWAP, both).seen).toBe(true);
  expect(play(undefined, SWAP, patchedFirst).seen).toBe(false);
  expect(play('E-2', SWAP, patchedFirst).seen).toBe(true);
  for (const id of [undefined, 'M-13', 'M-14', 'E-2', 'E-3']) {
    expect(play(id, SWAP).m.hooked()).toEqual(['a2 -> A']);
  }
});

test('M-15 frees the old hash at once, not in softirq', () => {
  const late = ['free at level 1', 'ftrace_set_filter'];
  expect(play(undefined, SWAP).order.slice(-2).toSorted()).toEqual(late);
  expect(play('M-15', SWAP).order.slice(-2)).toEqual(['free at level 0', 'ftrace_set_filter']);
});

/** Whose callbacks a call of a1 begins, when A excludes it and, if `shared`, others do not. */
function begun(id: string | undefined, shared: boolean): string[] {
  const m = smallKernel({ functions: FUNCTIONS, variants: id === undefined ? [] : [id] });
  const ops = ['A', 'B', 'C'].map((name) => m.ops(name, 'cb'));
  m.control(function* (cx) {
    for (const [i, own] of ops.entries()) {
      if (i > 0 && !shared) break;
      if (i === 0) yield* perform(cx, m.k, own, setNotrace('a1'));
      yield* perform(cx, m.k, own, REGISTER);
    }
    yield* m.call(cx, 'a1');
  });
  return m.events('cb_begin').map((e) => 'ABC'[e.object - 1] ?? '?');
}

test('notrace: M-16 is blind in the list, M-17 in the records', () => {
  expect(begun(undefined, false)).toEqual([]);
  expect(begun('M-16', false)).toEqual([]);
  expect(begun('M-17', false)).toEqual(['A']);
  expect(begun(undefined, true)).toEqual(['C', 'B']);
  expect(begun('M-16', true)).toEqual(['C', 'B', 'A']);
  expect(begun('M-17', true)).toEqual(['C', 'B']);
});

test('M-18 forgets the filter when a call fails', () => {
  const steps: readonly Step[] = [...LIFE.slice(0, 2), [0, setFilter('nobody', true)]];
  const [sound, faulty] = [play(undefined, steps), play('M-18', steps)];
  expect(sound.results).toEqual(faulty.results);
  expect(sound.m.hooked()).toEqual(['a1 -> A']);
  expect(faulty.m.hooked()).toHaveLength(3);
});

const early: Fact = (m) => m.k.poke.refs.value > 0 && m.k.poke.vec.value.length === 0;

/** Who is done first: a trap that looks at the descriptor for long, or the registration. */
function first(id: string | undefined): string | undefined {
  const order: string[] = [];
  const m = smallKernel({ functions: FUNCTIONS, variants: id === undefined ? [] : [id] });
  const ops = m.ops('A', 'cb');
  const { refs } = m.k.poke;
  m.thread('trap', 1, function* (cx) {
    yield* waitUntil(refs, (count) => count > 0);
    yield* fetchAdd(refs, 1);
    yield* sleepFor(cx, 2000);
    yield* fetchAdd(refs, -1);
    order.push('trap');
  });
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    order.push('register');
  });
  return order[0];
}

test('the descriptor: M-06 publishes it too early, M-07 does not wait for traps', () => {
  expect(play(undefined, LIFE, early).seen).toBe(false);
  expect(play('M-06', LIFE, early).seen).toBe(true);
  expect(first(undefined)).toBe('trap');
  expect(first('M-07')).toBe('register');
});

/** Writes to the site (w) and SYNCs (s) of a registration, from the first write on. */
function syncs(id: string | undefined): string {
  const { m } = play(id, LIFE.slice(0, 2));
  const phases = [...m.log.events()].flatMap((e) => {
    if (e.event === 'sync_done') return ['s'];
    return e.event === 'text_write' && e.ip === m.fn('a1').site ? ['w'] : [];
  });
  return phases.join('').replace(/^s*/u, '');
}

test('M-08, M-09 and M-10 each leave one SYNC out', () => {
  expect(syncs(undefined)).toBe('wswsws');
  expect(syncs('M-08')).toBe('wwsws');
  expect(syncs('M-09')).toBe('wswws');
  expect(syncs('M-10')).toBe('wswsw');
});
