// Hits, step by step: the list walk, the trampoline, preemption around a callback (CC-H3 to CC-H5); and what
// registration promises about them (FT-26).
import { expect, test } from 'vitest';
import { watchAccesses } from '../../properties/accesses.ts';
import {
  perform,
  REGISTER,
  restless,
  setFilter,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import { CHOICE } from '../emu/choose.ts';
import type { ScriptOp } from '../emu/script.ts';
import { EINVAL } from './errno.ts';
import {
  FTRACE_OPS_FL_RCU,
  FTRACE_OPS_FL_RECURSION,
  FTRACE_OPS_FL_SAVE_REGS,
} from './ftrace-ops-flags.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import { traceGetContextBit } from './recursion.ts';
import type { Variant } from './variants/variant.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];

/** The accesses of one call of a1, with the preemption count. */
function hitOf(m: SmallKernel, all: readonly FtraceOps[]): readonly string[] {
  m.thread('control', 0, function* (cx) {
    for (const ops of all) yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
  });
  const [cpu] = m.machine.cpus;
  const count = known(cpu, 'there is a first CPU').preemptCount;
  const seen = watchAccesses(m.machine, () => `preempt_count ${count.value}`);
  return seen.slice(seen.lastIndexOf('act direct_mutex') + 1);
}

test('CC-H4.3-6, CC-H5.2-3, FT-21, FT-22: the list is walked head first, one pointer a step, preemption off', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const [a, b] = [m.ops('A', 'cb'), m.ops('B', 'cb')];
  expect(hitOf(m, [a, b])).toEqual([
    'call cpu',
    'update trace_recursion/control',
    'act preempt_count',
    '-> preempt_count 1',
    'read ftrace_ops_list',
    'read filter_hash/B',
    'read notrace_hash/B',
    'call cpu',
    'read next/B',
    'read filter_hash/A',
    'read notrace_hash/A',
    'call cpu',
    'read next/A',
    'act preempt_count',
    '-> preempt_count 0',
    'update trace_recursion/control',
  ]);
});

test('CC-H3.4, FT-20: a trampoline tests nothing, and its callback is preemptible', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  expect(hitOf(m, [m.ops('A', 'cb')])).toEqual(['call cpu']);
  expect(m.events('cb_begin')).toHaveLength(1);
});

test('CC-H3.1-2, CC-H3.6: a task can be preempted before each instruction of a trampoline', () => {
  const offered = new Set<number>();
  const m = smallKernel({
    functions: { a1: WORK },
    chooser: {
      choose: ({ kind, cpu }) => {
        if (kind === CHOICE.preempt) offered.add(known(m.machine.cpus[cpu], 'it exists').hart.pc);
        return 0;
      },
    },
  });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    m.task('other', 0, 'a1');
    yield* m.call(cx, 'a1');
  });
  const place = known(
    m.events('alloc').find((e) => e.kind === 'trampoline'),
    'it has one',
  ).address;
  const inside = [...offered].filter((pc) => pc >= place && pc < place + 128);
  // 14 to enter, 2 for the ops, the call, 12 to leave.
  expect(inside.toSorted((x, y) => x - y)).toEqual(
    Array.from({ length: 29 }, (_, i) => place + 4 * i),
  );
});

function fault(links: Variant['links']): Variant {
  return { id: 'test', about: 'a fault of this test', links };
}

/** The one call of a1 that an ops with `flags` serves by its own trampoline; `faults` in the kernel. */
function hitWith(flags: number, faults: readonly Variant[] = []): readonly string[] {
  const m = smallKernel({ functions: { a1: WORK }, variants: faults });
  return hitOf(m, [m.ops('A', 'cb', false, flags)]);
}

const ASSISTED = [
  'call cpu',
  'update trace_recursion/control',
  'act preempt_count',
  '-> preempt_count 1',
  'call cpu',
  'act preempt_count',
  '-> preempt_count 0',
  'update trace_recursion/control',
];

test('CC-H3.3, CC-H3.3b, CC-H3.4-5: a trampoline calls the callback itself, or one that locks, calls it and unlocks', () => {
  expect(hitWith(0)).toEqual(['call cpu']);
  expect(hitWith(FTRACE_OPS_FL_RECURSION)).toEqual(ASSISTED);
  expect(hitWith(FTRACE_OPS_FL_RCU)).toEqual(ASSISTED);
});

test('CC-H3.3, CC-H3.5: a trampoline that calls past the assist function, and one that keeps its lock, are noticed', () => {
  const direct = fault({ ftraceOpsGetFunc: (cx, _k, ops) => cx.read(ops.func) });
  expect(hitWith(FTRACE_OPS_FL_RECURSION, [direct])).toEqual(['call cpu']);
  const keeps = fault({ *traceClearRecursion() {} });
  expect(hitWith(FTRACE_OPS_FL_RECURSION, [keeps])).toEqual(ASSISTED.slice(0, 5));
});

/** How many of four calls of a1 an ops with RECURSION is called back for. */
function hitsOfFour(faults: readonly Variant[]): number {
  const m = smallKernel({ functions: { a1: WORK }, variants: faults });
  const ops = m.ops('A', 'cb', false, FTRACE_OPS_FL_RECURSION);
  m.thread('control', 0, function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    for (let i = 0; i < 4; i++) yield* m.call(cx, 'a1');
  });
  m.machine.run();
  return m.events('cb_begin').length;
}

test('CC-H3.5: what was locked for one hit is free for the next', () => {
  expect(hitsOfFour([])).toBe(4);
  // Its own bit, then TRANSITION.
  expect(hitsOfFour([fault({ *traceClearRecursion() {} })])).toBe(2);
});

/** The places in the generic caller at which a task on CPU 0 may be preempted, while two ops share a1. */
function offeredInCaller(): { readonly m: SmallKernel; readonly offered: ReadonlySet<number> } {
  const offered = new Set<number>();
  const m = smallKernel({
    functions: { a1: WORK },
    trampolines: false,
    chooser: {
      choose: ({ kind, cpu }) => {
        if (kind === CHOICE.preempt) offered.add(known(m.machine.cpus[cpu], 'it exists').hart.pc);
        return 0;
      },
    },
  });
  const all = [m.ops('A', 'cb'), m.ops('B', 'cb')];
  m.control(function* (cx) {
    for (const ops of all) yield* perform(cx, m.k, ops, REGISTER);
    m.task('other', 0, 'a1');
    yield* m.call(cx, 'a1');
  });
  return { m, offered };
}

test('CC-H4.1-2: a task can be preempted before each instruction of the generic caller', () => {
  const { m, offered } = offeredInCaller();
  const { entry, innerCall, stub } = m.k.caller;
  const inside = [...offered].filter((pc) => pc >= entry && pc < stub);
  expect(inside.toSorted((x, y) => x - y)).toEqual(
    Array.from({ length: (stub - entry) / 4 }, (_, i) => entry + 4 * i),
  );
  const [site, inner] = m.events('site_fetch');
  const locked = known(m.events('recursion_set')[0], 'the list function locks');
  expect([site, inner]).toMatchObject([
    { ip: m.fn('a1').site, target: entry },
    { ip: innerCall, target: m.k.caller.listFunc },
  ]);
  expect(known(inner, 'it is fetched').index).toBeLessThan(locked.index);
});

test('CC-H5.3: trylock keeps preemption off until unlock; before and after it the callback is preemptible', () => {
  const m = smallKernel({
    functions: { a1: WORK },
    callbacks: {
      cb: [
        { op: 'work', count: 1 },
        { op: 'trylock', body: [{ op: 'add', symbol: 'inside', offset: 0, value: 1 }] },
      ],
    },
    data: ['inside'],
  });
  const ops = m.ops('A', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
  });
  const names = [...m.log.events()].map((e) => e.event);
  const hit = names.slice(names.indexOf('cb_begin'), names.indexOf('cb_end') + 1);
  expect(hit.filter((name) => name !== 'func_enter' && name !== 'func_return')).toEqual([
    'cb_begin',
    'recursion_set',
    'region_open',
    'recursion_lock',
    'trylock',
    'recursion_unlock',
    'region_close',
    'recursion_clear',
    'cb_end',
  ]);
  expect(m.machine.memory.loadLo(m.data('inside'))).toBe(1);
});

test('FT-26, FT-28, CC-G2: a callback may run before register returns, and has to at every site after it', () => {
  let early = 0;
  let after = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const m = smallKernel({
      functions: {
        a1: WORK,
        a2: WORK,
        caller: [
          { op: 'call', target: 'a1' },
          { op: 'call', target: 'a2' },
        ],
      },
      chooser: restless(seed),
    });
    const ops = m.ops('A', 'cb');
    m.task('caller', 1, 'caller', 40);
    m.control(function* (cx) {
      yield* perform(cx, m.k, ops, setFilter('a*'));
      yield* perform(cx, m.k, ops, REGISTER);
    });
    const returned = known(m.events('ctl_end').at(-1), 'register returns').index;
    early += m.events('cb_begin').filter((e) => e.index < returned).length;
    const begun = m.events('cb_begin').filter((e) => e.index > returned);
    const fetched = m
      .events('site_fetch')
      .filter((e) => e.index > returned && e.ip !== m.fn('caller').site);
    for (const fetch of fetched) {
      expect(begun.find((e) => e.index > fetch.index && e.ip === fetch.ip)).toBeDefined();
    }
    // One callback for each hit: a hit on its way at the return may add one.
    expect(begun.length - fetched.length).toBeGreaterThanOrEqual(0);
    expect(begun.length - fetched.length).toBeLessThanOrEqual(1);
    after += fetched.length;
  }
  expect(early).toBeGreaterThan(0);
  expect(after).toBeGreaterThan(0);
});

test('FT-17: flags are read at registration, and again at the next', () => {
  // Where no register can be saved, SAVE_REGS is refused when it is read.
  const m = smallKernel({ functions: { a1: WORK }, arch: { regs: false } });
  const ops = m.ops('A', 'cb');
  const results: number[] = [];
  m.control(function* (cx) {
    results.push(yield* perform(cx, m.k, ops, REGISTER));
    const flags = m.machine.memory.loadLo(ops.address + 8) | FTRACE_OPS_FL_SAVE_REGS;
    m.machine.memory.store64(ops.address + 8, flags, 0);
    yield* m.call(cx, 'a1');
    results.push(yield* perform(cx, m.k, ops, UNREGISTER));
    m.machine.memory.store64(ops.address + 8, flags, 0);
    results.push(yield* perform(cx, m.k, ops, REGISTER));
  });
  expect(results).toEqual([0, 0, -EINVAL]);
  expect(m.events('cb_begin')).toHaveLength(1);
});

test('FT-56, CC-H5.1: the level of a context, where a trap counts as an NMI', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const [cpu] = m.machine.cpus;
  const { top } = known(cpu, 'there is a first CPU');
  const bits = ([0, 1, 2, 3, 4] as const).map((level) => {
    const cx = Object.create(top, { shown: { value: level } }) as typeof top;
    return traceGetContextBit(cx);
  });
  expect(bits).toEqual([3, 2, 1, 0, 0]);
});
