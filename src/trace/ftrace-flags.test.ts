// What ops->flags ask for: SAVE_REGS, RECURSION and RCU. IPMODIFY is in `ftrace-ipmodify.test.ts`.
import { expect, test } from 'vitest';
import {
  perform,
  REGISTER,
  setFilter,
  smallKernel,
  type SmallKernel,
  type SmallKernelOptions,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import { CHOICE } from '../emu/choose.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { ScriptOp } from '../emu/script.ts';
import { EINVAL } from './errno.ts';
import {
  FTRACE_OPS_FL_RCU,
  FTRACE_OPS_FL_RECURSION,
  FTRACE_OPS_FL_SAVE_REGS,
  FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED,
} from './ftrace-ops-flags.ts';
import { PT_REGS } from './ftrace-regs.ts';
import type { Variant } from './variants/variant.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const ARGUMENTS = Array.from({ length: 8 }, (_, i) => `a${i}`);
const ALL = PT_REGS.map(({ name }) => name);

function small(options: Partial<SmallKernelOptions> = {}): SmallKernel {
  return smallKernel({
    functions: { a1: WORK, a2: WORK },
    callbacks: { cb: [], shows: [{ op: 'regs' }] },
    ...options,
  });
}

/** Registers that callbacks of the ops named `name` showed. */
function shown(m: SmallKernel, name: string): readonly string[] {
  const object = m.events('object').find((e) => e.name === name)?.object;
  return m
    .events('regs')
    .filter((e) => e.object === object)
    .map((e) => e.register);
}

/** What registering an ops with `flags` and calling its function gives. */
function tried(m: SmallKernel, flags: number): { readonly result: number; readonly regs: number } {
  const ops = m.ops('A', 'shows', false, flags);
  let result = 0;
  m.control(function* (cx) {
    result = yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
  });
  return { result, regs: shown(m, 'A').length };
}

test('FT-14: SAVE_REGS gives all registers, and each is what the function came with', () => {
  const m = small();
  expect(tried(m, FTRACE_OPS_FL_SAVE_REGS)).toEqual({ result: 0, regs: ALL.length });
  expect(shown(m, 'A')).toEqual(ALL);
  const truth = new Map(m.events('func_arg').map((e) => [e.register, e.value]));
  for (const { register, value } of m.events('regs')) expect(truth.get(register)).toBe(value);
});

test('FT-15: without SAVE_REGS there are the argument registers only, and writing is an oops', () => {
  const m = small({
    callbacks: { shows: [{ op: 'regs' }], sets: [{ op: 'set_reg', register: 8, value: 1 }] },
  });
  expect(tried(m, 0)).toEqual({ result: 0, regs: 8 });
  expect(shown(m, 'A')).toEqual(ARGUMENTS);
  const other = small({ callbacks: { sets: [{ op: 'set_reg', register: 8, value: 1 }] } });
  const ops = other.ops('A', 'sets');
  other.thread('control', 0, function* (cx) {
    yield* perform(cx, other.k, ops, REGISTER);
    yield* other.call(cx, 'a1');
  });
  expect(other.machine.run()).toBe('oops');
  expect(other.events('oops').map((e) => e.reason)).toEqual(['no pt_regs']);
});

const { SAVE, IF_SUPPORTED } = {
  SAVE: FTRACE_OPS_FL_SAVE_REGS,
  IF_SUPPORTED: FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED,
};

test.each([
  ['SAVE_REGS_IF_SUPPORTED alone gives none', {}, IF_SUPPORTED, 0, 8],
  ['both give them', {}, SAVE | IF_SUPPORTED, 0, ALL.length],
  [
    'the option has IF_SUPPORTED as the document does',
    { ifSupportedGivesRegs: true },
    IF_SUPPORTED,
    0,
    ALL.length,
  ],
  ['where none can be saved SAVE_REGS is refused', { regs: false }, SAVE, -EINVAL, 0],
  ['and together with IF_SUPPORTED it is not', { regs: false }, SAVE | IF_SUPPORTED, 0, 8],
  ['nor IF_SUPPORTED alone', { regs: false }, IF_SUPPORTED, 0, 8],
])('FT-14, FT-25.5: %s', (_what, arch, flags, result, regs) => {
  expect(tried(small({ arch }), flags)).toEqual({ result, regs });
});

test('FT-5, FT-23: one ops that wants registers has every ops of the site entered with them', () => {
  const m = small();
  const plain = m.ops('A', 'shows');
  const saving = m.ops('B', 'shows', false, SAVE);
  m.control(function* (cx) {
    yield* perform(cx, m.k, saving, setFilter('a1'));
    yield* perform(cx, m.k, plain, REGISTER);
    expect(m.hooked()).toEqual(['a1 -> A', 'a2 -> A']);
    yield* perform(cx, m.k, saving, REGISTER);
    expect(m.hooked()).toEqual(['a1 -> regs list', 'a2 -> A']);
    yield* m.call(cx, 'a1');
    yield* perform(cx, m.k, plain, UNREGISTER);
    expect(m.hooked()).toEqual(['a1 -> B']);
  });
  expect(shown(m, 'B')).toEqual(ALL);
  expect(shown(m, 'A')).toEqual(ALL);
});

test('FT-5: what a record wants decides, and two that want no registers share the plain caller', () => {
  const m = small();
  const all = [m.ops('A', 'cb'), m.ops('B', 'cb'), m.ops('C', 'cb', false, SAVE)];
  const seen: (readonly string[])[] = [];
  m.control(function* (cx) {
    for (const ops of all) {
      yield* perform(cx, m.k, ops, REGISTER);
      seen.push(m.hooked().slice(0, 1));
    }
    yield* perform(cx, m.k, known(all[2], 'C'), UNREGISTER);
    seen.push(m.hooked().slice(0, 1));
  });
  expect(seen.flat()).toEqual(['a1 -> A', 'a1 -> list', 'a1 -> regs list', 'a1 -> list']);
});

test('FT-16: on a site that is being upgraded an ops that wants registers is passed over in silence', () => {
  // CPU 1 calls a1 all the time while CPU 0 registers the third ops.
  let turn = 0;
  const m = small({
    chooser: {
      choose: ({ kind }, count) => (kind === CHOICE.schedule ? turn++ % count : 0),
    },
  });
  const all = [m.ops('A', 'cb'), m.ops('B', 'cb'), m.ops('C', 'shows', false, SAVE)];
  m.task('caller', 1, 'a1', 60);
  m.control(function* (cx) {
    for (const ops of all) yield* perform(cx, m.k, ops, REGISTER);
  });
  const skips = m.events('skip').filter((e) => e.reason === 'regs');
  expect(skips.length).toBeGreaterThan(0);
  const end = known(m.events('ctl_end').at(-1), 'C was registered').index;
  expect(known(skips.at(-1), 'one was passed over').index).toBeLessThan(end);
  expect(shown(m, 'C').length).toBeGreaterThan(0);
});

test.each([
  ['its own trampoline', 1],
  ['the caller of several', 2],
])(
  'FT-14: what a callback makes of a register is what the function goes on with, by %s',
  (_by, count) => {
    const m = small({
      callbacks: { cb: [], sets: [{ op: 'set_reg', register: 9, value: 77 }] },
    });
    const all = [m.ops('A', 'sets', false, SAVE), m.ops('B', 'cb')].slice(0, count);
    const s1: number[] = [];
    m.control(function* (cx) {
      for (const ops of all) yield* perform(cx, m.k, ops, REGISTER);
      yield* m.call(cx, 'a1');
      s1.push(known(m.machine.cpus[0], 'CPU 0').hart.lo[9] ?? 0);
    });
    expect(s1).toEqual([77]);
  },
);

test('FT-53, FT-54: with RECURSION the callback runs with preemption off and under the INTERNAL bit', () => {
  const m = small({
    functions: { a1: WORK },
    callbacks: { cb: [{ op: 'trylock', body: [{ op: 'work', count: 1 }] }] },
  });
  const ops = m.ops('A', 'cb', false, FTRACE_OPS_FL_RECURSION);
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    expect(m.hooked()).toEqual(['a1 -> A']);
    yield* m.call(cx, 'a1');
  });
  // INTERNAL of a task is bit 8, and the callback's own lock takes bit 3.
  const names = new Set([
    'recursion_lock',
    'recursion_unlock',
    'cb_begin',
    'cb_end',
    'region_open',
    'region_close',
  ]);
  const seen = [...m.log.events()].filter((e) => names.has(e.event));
  const begin = seen.findIndex((e) => e.event === 'cb_begin');
  expect(
    seen.slice(begin - 2, begin + 6).map((e) => ('bit' in e ? `${e.event} ${e.bit}` : e.event)),
  ).toEqual([
    'region_open',
    'recursion_lock 8',
    'cb_begin',
    'recursion_lock 3',
    'recursion_unlock 3',
    'cb_end',
    'recursion_unlock 8',
    'region_close',
  ]);
});

test('FT-52, FT-54, CC-H3.3b: with RECURSION a callback that hits itself runs twice, and is refused in silence', () => {
  const m = small({
    functions: { a1: WORK },
    callbacks: { cb: [{ op: 'call', target: 'a1' }] },
  });
  const ops = m.ops('A', 'cb', false, FTRACE_OPS_FL_RECURSION);
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
  });
  expect(m.events('cb_begin').map((e) => [e.object, e.generation, e.depth])).toEqual([
    [ops.object, 1, 0],
    [ops.object, 1, 1],
  ]);
  expect(m.events('skip').map((e) => [e.object, e.reason])).toEqual([[ops.object, 'recursion']]);
});

/** After `path` the CPU falls idle, and its idle task calls a1. */
function idleHits(m: SmallKernel, path: (cx: Context) => Path<unknown>): void {
  m.control(function* (cx) {
    yield* path(cx);
    const idle = known(m.machine.cpus[0], 'CPU 0');
    idle.idleRuns = { func: m.fn('a1').address, left: 1 };
  });
}

/** An ops with RCU, alone or with one without, whose function a task calls, and then the idle task: who ran, and who did not. */
function rcuHits(count: number, faults: readonly Variant[] = []): { ran: string; skipped: string } {
  const m = small({ functions: { a1: WORK }, variants: faults });
  const all = [m.ops('A', 'cb', false, FTRACE_OPS_FL_RCU), m.ops('B', 'cb')].slice(0, count);
  idleHits(m, function* (cx) {
    for (const ops of all) yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
  });
  const name = (object: number): string => (object === all[0]?.object ? 'A' : 'B');
  return {
    ran: m
      .events('cb_begin')
      .map((e) => name(e.object))
      .join(''),
    skipped: m
      .events('skip')
      .map((e) => `${name(e.object)} ${e.reason}`)
      .join(),
  };
}

/** Nobody asks whether RCU watches. */
const ASKS_NOT: Variant = { id: 'test', about: 'a test', links: { rcuRefuses: () => undefined } };

test('FT-55, CC-H3.3a: an ops with RCU is not called in the idle task, by its own trampoline', () => {
  expect(rcuHits(1)).toEqual({ ran: 'A', skipped: 'A rcu' });
  expect(rcuHits(1, [ASKS_NOT])).toEqual({ ran: 'AA', skipped: '' });
});

test('FT-55, CC-H4.5, FT-21: an ops with RCU is not called in the idle task by the list function, the others are', () => {
  expect(rcuHits(2)).toEqual({ ran: 'BAB', skipped: 'A rcu' });
  expect(rcuHits(2, [ASKS_NOT])).toEqual({ ran: 'BABA', skipped: '' });
});

test('FT-24: a static ops with RECURSION is called by the list function, alone or not', () => {
  const m = small({ functions: { a1: WORK }, trampolines: false });
  const ops = m.ops('A', 'cb', true, FTRACE_OPS_FL_RECURSION);
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
  });
  expect(m.events('recursion_lock')).toHaveLength(1);
  expect(m.events('cb_begin')).toHaveLength(1);
});
