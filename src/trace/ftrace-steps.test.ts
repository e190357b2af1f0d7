// The control operations of docs/spec/concurrency.md, step by step: which shared state each step touches, in
// which order, and what else is done with it.
import { expect, test } from 'vitest';
import { folded, watchAccesses } from '../../properties/accesses.ts';
import {
  perform,
  REGISTER,
  setFilter,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import type { ScriptOp } from '../emu/script.ts';
import { EBUSY, EINVAL, ENODEV } from './errno.ts';
import {
  FTRACE_OPS_FL_ADDING,
  FTRACE_OPS_FL_DELETED,
  FTRACE_OPS_FL_DYNAMIC,
  FTRACE_OPS_FL_ENABLED,
  FTRACE_OPS_FL_PERMANENT,
  FTRACE_OPS_FL_REMOVING,
  FTRACE_OPS_FL_SAVE_REGS,
} from './ftrace-ops-flags.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { OperationRequest } from './operation.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];

type Step = readonly [ops: FtraceOps, request: OperationRequest];

/** The steps of the last operation, which returns `result`, with `facts`. */
function stepsOf(
  m: SmallKernel,
  operations: readonly Step[],
  facts: () => string,
  result = 0,
): readonly string[] {
  let last = false;
  m.thread('control', 0, function* (cx) {
    for (const [i, [ops, request]] of operations.entries()) {
      last = i === operations.length - 1;
      expect(yield* perform(cx, m.k, ops, request)).toBe(last ? result : 0);
    }
  });
  const seen = watchAccesses(m.machine, () => (last ? `from here: ${facts()}` : ''));
  const before = seen.findIndex((line) => line.startsWith('-> from here: '));
  return folded(seen.slice(before + 1).map((line) => line.replace('-> from here: ', '-> ')));
}

/** The flags that calls set for a while. */
function flags(ops: FtraceOps): string {
  const names = {
    ENABLED: FTRACE_OPS_FL_ENABLED,
    ADDING: FTRACE_OPS_FL_ADDING,
    REMOVING: FTRACE_OPS_FL_REMOVING,
  };
  const set = Object.entries(names).filter(([, bit]) => (ops.flags.value & bit) !== 0);
  return set.map(([name]) => name).join(' ');
}

/** How many ops each record serves: its count. */
function counts({ k }: SmallKernel): string {
  return k.records.map(({ func, users }) => `${func.name} ${users.value.length}`).join(' ');
}

/** What the inner call of the generic caller reaches, and how many sites hold a call. */
function text(m: SmallKernel): string {
  const { caller, ftrace, records } = m.k;
  const inner = ftrace.innerCalls.value === caller.stub ? 'stub' : 'list';
  return `inner ${inner}, sites ${records.filter(({ calls }) => calls.value !== NO_ADDRESS).length}`;
}

test('CC-S4.2-5, CC-S4.7-9, FT-25.8, FT-25.10-11, FT-25.13-15: the steps of register_ftrace_function', () => {
  const m = smallKernel({ functions: { a1: WORK, a2: WORK } });
  const ops = m.ops('A', 'cb');
  const { opsList, startUp, traceFunction } = m.k.ftrace;
  const seen = stepsOf(m, [[ops, REGISTER]], () => {
    const chosen = traceFunction.value === m.k.caller.listFunc ? 'list' : 'stub';
    const listed = opsList.value === ops ? 'listed' : 'not listed';
    const saved = ops.savedFunc.value === m.fn('cb').address ? 'saved' : 'not saved';
    const trampoline = ops.trampoline.value === undefined ? 'no' : 'a';
    const own = `${saved}, ${trampoline} trampoline, ${flags(ops)}`;
    return `${listed}, ${chosen}, ${startUp.value} started, ${counts(m)}, ${own}`;
  });
  const started = 'listed, list, 1 started, a1 1 a2 1, saved, a trampoline, ENABLED';
  expect(seen).toEqual([
    'act direct_mutex',
    'act ftrace_lock',
    'write next/A',
    'write ftrace_ops_list',
    '-> listed, stub, 0 started, a1 0 a2 0, saved, no trampoline, ',
    'act slab', // The trampoline.
    `-> ${started} ADDING`,
    'act text_mutex',
    'PATCH',
    'PATCH',
    'act text_mutex',
    `-> ${started}`,
    'act ftrace_lock',
    'act direct_mutex',
  ]);
});

const REFUSALS: readonly (readonly [
  what: string,
  result: number,
  flags: number,
  setUp: (m: SmallKernel) => void,
])[] = [
  ['that ftrace is dead', -ENODEV, 0, ({ k }) => k.ftrace.disabled.set(true)],
  ['that core code is about to delete it', -EINVAL, FTRACE_OPS_FL_DELETED, () => undefined],
  ['that registers cannot be saved', -EINVAL, FTRACE_OPS_FL_SAVE_REGS, () => undefined],
  [
    'PERMANENT while ftrace_enabled is 0',
    -EBUSY,
    FTRACE_OPS_FL_PERMANENT,
    ({ k }) => k.ftrace.enabled.set(false),
  ],
];

test.each(REFUSALS)(
  'CC-S4.1: %s is seen under both locks, before anything changes',
  (_, result, own, setUp) => {
    const m = smallKernel({ functions: { a1: WORK }, arch: { regs: false } });
    const ops = m.ops('A', 'cb', false, own);
    setUp(m);
    const seen = stepsOf(m, [[ops, REGISTER]], () => `${text(m)}, ${kernelState(m, ops)}`, result);
    expect(seen).toEqual(LOCKS_ONLY);
    expect(kernelState(m, ops)).toBe('nobody listed, 0 started, a1 0, 0 lives, , not DYNAMIC');
  },
);

test('CC-S4.1, FT-25.4: a second registration is refused under both locks, before anything changes', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const ops = m.ops('A', 'cb');
  const state = (): string => `${text(m)}, ${kernelState(m, ops)}`;
  const twice: readonly Step[] = [
    [ops, REGISTER],
    [ops, REGISTER],
  ];
  expect(stepsOf(m, twice, state, -EBUSY)).toEqual(LOCKS_ONLY);
  expect(kernelState(m, ops)).toBe('A listed, 1 started, a1 1, 1 lives, ENABLED, DYNAMIC');
  expect(m.events('printk').map((e) => e.text)).toEqual(['WARNING: __register_ftrace_function']);
});

test('CC-S4.1, FT-25.7: DYNAMIC is set under both locks, before the ops can be found', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const ops = m.ops('A', 'cb');
  const isDynamic = (): string => `${(ops.flags.value & FTRACE_OPS_FL_DYNAMIC) !== 0}`;
  const seen = stepsOf(m, [[ops, REGISTER]], isDynamic);
  expect(seen.slice(0, 4)).toEqual([
    'act direct_mutex',
    'act ftrace_lock',
    '-> true',
    'write next/A',
  ]);
});

const LOCKS_ONLY = ['act direct_mutex', 'act ftrace_lock', 'act ftrace_lock', 'act direct_mutex'];

/** All that a registration changes but the text. */
function kernelState(m: SmallKernel, ops: FtraceOps): string {
  const { opsList, startUp } = m.k.ftrace;
  const dynamic = (ops.flags.value & FTRACE_OPS_FL_DYNAMIC) === 0 ? 'not DYNAMIC' : 'DYNAMIC';
  const listed = `${opsList.value?.name ?? 'nobody'} listed, ${startUp.value} started`;
  return `${listed}, ${counts(m)}, ${ops.generation.value} lives, ${flags(ops)}, ${dynamic}`;
}

test('CC-S5.1-2, CC-S5.4-9, FT-29.2, FT-29.4, FT-29.6, FT-29.8: the steps of unregister_ftrace_function', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const [a, b] = [m.ops('A', 'cb'), m.ops('B', 'cb')];
  const { opsList, startUp } = m.k.ftrace;
  const before: readonly Step[] = [
    [a, REGISTER],
    [b, REGISTER],
  ];
  const seen = stepsOf(m, [...before, [b, UNREGISTER]], () => {
    const head = opsList.value?.name ?? 'nobody';
    const trampoline = b.trampoline.value === undefined ? 'no' : 'a';
    return `head ${head}, ${startUp.value} started, ${counts(m)}, ${trampoline} trampoline, ${flags(b)}`;
  });
  expect(seen).toEqual([
    'act ftrace_lock',
    'write ftrace_ops_list',
    '-> head A, 1 started, a1 1, a trampoline, REMOVING',
    'act text_mutex',
    'PATCH',
    'act text_mutex',
    '-> head A, 1 started, a1 1, a trampoline, ',
    'act cpu',
    'sleep synchronize_rcu_tasks_rude',
    'act cpu',
    'sleep synchronize_rcu_tasks',
    'act cpu',
    'sleep synchronize_rcu',
    'act slab',
    '-> head A, 1 started, a1 1, no trampoline, ',
    'act ftrace_lock',
  ]);
  // A walker that stands on B goes on to A.
  expect(b.next.value).toBe(a);
  expect(m.hooked()).toEqual(['a1 -> A']);
});

test('CC-S6.1, CC-S6.3-8, FT-38, FT-39: the steps of a filter change', () => {
  const m = smallKernel({ functions: { a1: WORK, a2: WORK, a3: WORK } });
  const ops = m.ops('A', 'cb');
  const before: readonly Step[] = [
    [ops, setFilter('a[12]')],
    [ops, REGISTER],
  ];
  const old: unknown[] = [];
  const seen = stepsOf(m, [...before, [ops, setFilter('a[23]', true)]], () => {
    if (old.length === 0) old.push(ops.filterHash.value);
    const hash = ops.filterHash.value === old[0] ? 'old' : 'new';
    return `${hash} hash, ${counts(m)}`;
  });
  expect(seen).toEqual([
    'read ftrace_disabled',
    'act regex_lock/A',
    'act slab', // The private hash.
    'act ftrace_lock',
    '-> old hash, a1 0 a2 0 a3 0',
    'write filter_hash/A',
    '-> new hash, a1 0 a2 1 a3 1',
    'act text_mutex',
    'PATCH',
    'act text_mutex',
    'act cpu', // call_rcu on the old hash.
    'act slab', // Its grace period is over at once.
    'act ftrace_lock',
    'act regex_lock/A',
  ]);
  expect(m.events('call_rcu')).toHaveLength(1);
  expect(m.hooked()).toEqual(['a2 -> A', 'a3 -> A']);
});

test('CC-S3.1-2, FT-13, FT-24, FT-27: the first ops brings the inner call to the list function, then the sites', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const ops = m.ops('A', 'cb');
  const seen = stepsOf(m, [[ops, REGISTER]], () => text(m));
  expect(seen.slice(seen.indexOf('act text_mutex'))).toEqual([
    'act text_mutex',
    'PATCH',
    '-> inner list, sites 0',
    'PATCH',
    '-> inner list, sites 1',
    'act text_mutex',
    'act ftrace_lock',
    'act direct_mutex',
  ]);
});

test('CC-S3.2-5, CC-S5.3, FT-13, FT-24, FT-27, FT-29.3: the last one takes the sites away, then the inner call goes to the stub', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const ops = m.ops('A', 'cb');
  const { functionTraceOp } = m.k.ftrace;
  functionTraceOp.set(ops);
  const seen = stepsOf(
    m,
    [
      [ops, REGISTER],
      [ops, UNREGISTER],
    ],
    () => `${text(m)}, ${functionTraceOp.value === undefined ? 'no' : 'an'} ops`,
  );
  expect(seen.slice(seen.indexOf('act text_mutex'), seen.indexOf('act cpu'))).toEqual([
    'act text_mutex',
    'PATCH',
    '-> inner list, sites 0, an ops',
    'act function_trace_op',
    '-> inner list, sites 0, no ops',
    'SYNC',
    'PATCH',
    '-> inner stub, sites 0, no ops',
    'act text_mutex',
  ]);
});

test('FT-2: the count of a record is the number of enabled ops that select it', () => {
  const m = smallKernel({ functions: { a1: WORK, a2: WORK } });
  const [a, b] = [m.ops('A', 'cb'), m.ops('B', 'cb')];
  const found: string[] = [];
  m.control(function* (cx) {
    for (const [ops, request] of [
      [a, setFilter('a1')],
      [a, REGISTER],
      [b, REGISTER],
      [b, setFilter('a2', true)],
      [a, setFilter('a2')],
      [b, UNREGISTER],
      [b, setFilter('a1', true)],
      [a, UNREGISTER],
    ] as const) {
      yield* perform(cx, m.k, ops, request);
      found.push(counts(m));
    }
  });
  expect(found).toEqual([
    'a1 0 a2 0',
    'a1 1 a2 0',
    'a1 2 a2 1',
    'a1 1 a2 1',
    'a1 1 a2 2',
    'a1 1 a2 1',
    'a1 1 a2 1',
    'a1 0 a2 0',
  ]);
});
