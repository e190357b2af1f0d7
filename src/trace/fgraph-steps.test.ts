// The steps of the function-graph machine as docs/spec/concurrency.md numbers them: which shared state each touches, in
// which order.
import { expect, test } from 'vitest';
import { folded, watchAccesses } from '../../properties/accesses.ts';
import { addFilter, graphHook } from '../../properties/graph-hook.ts';
import { smallKernel, type SmallKernel } from '../../properties/small-kernel.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { ScriptOp } from '../emu/script.ts';
import { loadDescriptor } from './fgraph-stack.ts';
import { type FgraphOps, fgraphOf, taskStack } from './fgraph-state.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];

/** A hook that reserves `words` words of data. */
function hook(
  m: SmallKernel,
  name: string,
  { words = 0, wants = true }: { words?: number; wants?: boolean } = {},
): FgraphOps {
  return graphHook(m, name, {
    *entry(cx, call, idx) {
      if (words > 0) yield* m.k.fn.fgraphReserveData(cx, m.k, call, { idx, words });
      return wants;
    },
  });
}

/** The steps of the last of `operations`, with `facts`. */
function stepsOf(
  m: SmallKernel,
  operations: readonly ((cx: Context) => Path<number>)[],
  facts: () => string,
): readonly string[] {
  let last = false;
  m.thread('control', 0, function* (cx) {
    for (const [i, operation] of operations.entries()) {
      last = i === operations.length - 1;
      expect(yield* operation(cx)).toBe(0);
    }
  });
  const seen = watchAccesses(m.machine, () => (last ? `from here: ${facts()}` : ''));
  const before = seen.findIndex((line) => line.startsWith('-> from here: '));
  return folded(seen.slice(before + 1).map((line) => line.replace('-> from here: ', '-> ')));
}

/** How many slots are in use, and how many sites serve the manager. */
function state(m: SmallKernel): string {
  const { array } = fgraphOf(m.k);
  const used = array.filter(({ value }) => value !== undefined).length;
  const served = m.k.records.filter(({ users }) => users.value.length > 0).length;
  return `${used} used, ${served} served`;
}

test('CC-S18.1-4: the steps of register_ftrace_graph', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const gops = hook(m, 'g');
  const steps = [
    (cx: Context) => addFilter(cx, m, gops, ['a1']),
    (cx: Context) => m.k.fn.registerFtraceGraph(cx, m.k, gops),
  ];
  expect(stepsOf(m, steps, () => state(m))).toEqual([
    'act ftrace_lock',
    // Shadow stacks: of two idle tasks, each allocated and given, and of `control`.
    ...Array.from({ length: 6 }, () => 'act slab'),
    'act slab', // The manager's filter.
    'write filter_hash/graph_ops',
    // CC-S4.
    'write next/graph_ops',
    'write ftrace_ops_list',
    'act slab', // The trampoline.
    '-> 0 used, 1 served',
    'act text_mutex',
    'PATCH',
    'PATCH',
    'act function_trace_op',
    'SYNC',
    'PATCH',
    'act text_mutex',
    'write fgraph_array[0]',
    '-> 1 used, 1 served',
    'act fgraph_array_bitmask',
    'write fgraph_direct_gops',
    'act ftrace_lock',
  ]);
});

test('CC-S18.1-2, FT-58: the steps of unregister_ftrace_graph while another hook stays', () => {
  const m = smallKernel({ functions: { a1: WORK, a2: WORK } });
  const [one, two] = [hook(m, 'one'), hook(m, 'two')];
  const steps = [
    (cx: Context) => addFilter(cx, m, one, ['a1']),
    (cx: Context) => m.k.fn.registerFtraceGraph(cx, m.k, one),
    (cx: Context) => addFilter(cx, m, two, ['a2']),
    (cx: Context) => m.k.fn.registerFtraceGraph(cx, m.k, two),
    (cx: Context) => m.k.fn.unregisterFtraceGraph(cx, m.k, two),
  ];
  expect(stepsOf(m, steps, () => state(m))).toEqual([
    'act ftrace_lock',
    'write fgraph_array[1]',
    '-> 1 used, 2 served',
    'act fgraph_array_bitmask',
    'act slab', // The manager's filter.
    '-> 1 used, 0 served',
    'write filter_hash/graph_ops',
    '-> 1 used, 1 served',
    'act text_mutex',
    'PATCH',
    'act text_mutex',
    'act cpu', // call_rcu on the old one.
    'act slab',
    'write fgraph_direct_gops',
    'act ftrace_lock',
  ]);
});

test('CC-S18.1-2, FT-60: the last one takes the manager off without a wait', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const gops = hook(m, 'g');
  const steps = [
    (cx: Context) => addFilter(cx, m, gops, ['a1']),
    (cx: Context) => m.k.fn.registerFtraceGraph(cx, m.k, gops),
    (cx: Context) => m.k.fn.unregisterFtraceGraph(cx, m.k, gops),
  ];
  const seen = stepsOf(m, steps, () => state(m));
  expect(seen.slice(0, 5)).toEqual([
    'act ftrace_lock',
    'write fgraph_direct_gops',
    'write fgraph_array[0]',
    '-> 0 used, 1 served',
    'act fgraph_array_bitmask',
  ]);
  expect(seen).toContain('write ftrace_ops_list');
  expect(seen.filter((line) => line.startsWith('sleep'))).toEqual([]);
  expect(m.events('wait_begin')).toEqual([]);
});

/** What a call of a1 does to the shadow stack, from trylock to unlock or from the return on. */
function hitSteps(m: SmallKernel, hooks: readonly FgraphOps[]): readonly string[] {
  const all: ((cx: Context) => Path<number>)[] = hooks.flatMap((gops) => [
    (cx: Context) => addFilter(cx, m, gops, ['a1']),
    (cx: Context) => m.k.fn.registerFtraceGraph(cx, m.k, gops),
  ]);
  const task = (): ReturnType<typeof taskStack> => {
    const [first] = m.machine.tasks;
    if (first === undefined) throw new Error('there is a task');
    return taskStack(m.k, first);
  };
  const facts = (): string => {
    const { memory, curr } = task();
    if (memory.value === undefined) return 'no stack';
    const stack = { memory: m.machine.memory, base: memory.value.address, frameWords: 4 } as const;
    return `curr ${curr.value}, ${loadDescriptor(stack, 4).type}`;
  };
  all.push(function* (cx) {
    yield* m.call(cx, 'a1');
    return 0;
  });
  const seen = stepsOf(m, all, facts);
  // The last one: the task is over.
  return seen.slice(0, -1).filter((line) => line !== 'call cpu');
}

test('CC-H14.1-8, CC-H15.1-6, FP-71.6: the steps of a hooked call with data', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  expect(hitSteps(m, [hook(m, 'g', { words: 3 })])).toEqual([
    'update trace_recursion/control',
    'act preempt_count',
    'read curr_ret_stack/control',
    'act ret_stack_words/control',
    'write curr_ret_stack/control',
    '-> curr 5, reserved',
    'act ret_stack_words/control',
    'read fgraph_direct_gops',
    'act ret_stack_words/control',
    'write curr_ret_stack/control',
    '-> curr 9, reserved',
    'act ret_stack_words/control',
    'act ret_stack_words/control',
    '-> curr 9, bitmap',
    'act ret_stack_words/control',
    'act preempt_count',
    'update trace_recursion/control',
    // The return.
    'read curr_ret_stack/control',
    'act ret_stack_words/control',
    'update trace_recursion/control',
    'act preempt_count',
    'read fgraph_array[0]',
    'act preempt_count',
    'update trace_recursion/control',
    'write curr_ret_stack/control',
    '-> curr 0, bitmap',
  ]);
});

test('CC-H14.6-7, FP-70.8, FT-59: two hooks, neither of which wants the return', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const hooks = [hook(m, 'one', { words: 1, wants: false }), hook(m, 'two', { wants: false })];
  const seen = hitSteps(m, hooks);
  expect(seen.slice(seen.indexOf('read fgraph_direct_gops'))).toEqual([
    'read fgraph_direct_gops',
    'read fgraph_array_bitmask',
    'read fgraph_array[0]',
    'read filter_hash/one',
    'read notrace_hash/one',
    'act ret_stack_words/control',
    'write curr_ret_stack/control',
    '-> curr 7, reserved',
    'act ret_stack_words/control',
    'write curr_ret_stack/control', // What it has reserved is given back.
    '-> curr 5, reserved',
    'read fgraph_array[1]',
    'read filter_hash/two',
    'read notrace_hash/two',
    'write curr_ret_stack/control',
    '-> curr 0, reserved',
    'act preempt_count',
    'update trace_recursion/control',
  ]);
});

test('FP-80: at the return nobody is asked who did not want it, hook number 0 included', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const seen = hitSteps(m, [hook(m, 'one', { wants: false }), hook(m, 'two')]);
  const atReturn = seen.slice(seen.lastIndexOf('read curr_ret_stack/control'));
  expect(seen).toContain('read fgraph_array[0]');
  expect(atReturn).toContain('read fgraph_array[1]');
  expect(atReturn).not.toContain('read fgraph_array[0]');
});
