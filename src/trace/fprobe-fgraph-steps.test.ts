// The steps of registering and unregistering an fprobe on the function-graph machine, as docs/spec/concurrency.md numbers
// them (CC-S9), and what a registration that fails leaves behind.
import { expect, test } from 'vitest';
import { folded, watchAccesses } from '../../properties/accesses.ts';
import {
  fprobeKernel,
  type FprobeKernel,
  UNREGISTER,
  WORK,
} from '../../properties/fgraph-kernel.ts';
import { calmChooser, CHOICE, type Chooser } from '../emu/choose.ts';
import { ENOMEM } from './errno.ts';
import type { FprobeRequest } from './fprobe-operation.ts';
import { nodesOf, tablesOf } from './fprobe-table.ts';
import type { Fprobe } from './fprobe.ts';

function small(options: Partial<Parameters<typeof fprobeKernel>[0]> = {}): FprobeKernel {
  return fprobeKernel({
    functions: { a1: WORK, a2: WORK },
    callbacks: { fp0In: WORK, fp0Out: WORK, fp1In: WORK, fp1Out: WORK },
    ...options,
  });
}

function on(...syms: string[]): FprobeRequest {
  return { op: 'register_fprobe_syms', syms };
}

/** The steps of the last of these operations, with how many nodes and fprobes can be found. */
function stepsOf(
  m: FprobeKernel,
  operations: readonly (readonly [Fprobe, FprobeRequest])[],
): readonly string[] {
  let last = false;
  m.thread('control', 0, function* (cx) {
    for (const [i, [fp, request]] of operations.entries()) {
      last = i === operations.length - 1;
      expect(yield* m.perform(cx, fp, request)).toBe(0);
    }
  });
  const facts = (): string => {
    const nodes = ['a1', 'a2'].flatMap((name) => nodesOf(m.k, m.fn(name).site)).length;
    return `${tablesOf(m.k).existence.value.length} fprobes, ${nodes} nodes, ${m.served()} sites`;
  };
  const seen = watchAccesses(m.machine, () => (last ? `from here: ${facts()}` : ''));
  const before = seen.findIndex((line) => line.startsWith('-> from here: '));
  return folded(seen.slice(before + 1).map((line) => line.replace('-> from here: ', '-> ')));
}

/** CC-S6 on the filter of the graph hook, which the manager's follows; `sites` before, between and after. */
function filterSteps(
  state: string,
  [before, between, after]: readonly [number, number, number],
): string[] {
  return [
    'read ftrace_disabled',
    'act regex_lock/fprobe_graph_ops',
    'act slab',
    'act ftrace_lock',
    'act slab', // The manager's filter.
    ...(before === between ? [] : [`-> ${state}, ${between} sites`]),
    'write filter_hash/graph_ops',
    `-> ${state}, ${after} sites`,
    'act text_mutex',
    'PATCH',
    'act text_mutex',
    'act cpu', // call_rcu on the old one.
    'act slab',
    'write filter_hash/fprobe_graph_ops',
    'act cpu',
    'act slab',
    'act ftrace_lock',
    'act regex_lock/fprobe_graph_ops',
  ];
}

test('CC-S9.1-5, FP-4, FP-52: the steps of register_fprobe', () => {
  const m = small();
  const [fp, other] = [m.fprobe('fp0'), m.fprobe('fp1')];
  const seen = stepsOf(m, [
    [other, on('a1')],
    [fp, on('a1', 'a2')],
  ]);
  expect(seen).toEqual([
    'act fprobe_mutex',
    'act slab', // The nodes.
    'act nmissed/fp0',
    ...filterSteps('1 fprobes, 1 nodes', [1, 0, 2]),
    'read fprobe_table',
    'write fprobe_table',
    '-> 2 fprobes, 1 nodes, 2 sites',
    'write fprobe_ip_table',
    '-> 2 fprobes, 2 nodes, 2 sites',
    'write fprobe_ip_table',
    '-> 2 fprobes, 3 nodes, 2 sites',
    'act fprobe_mutex',
  ]);
  // In front of the other (FP-52).
  expect(nodesOf(m.k, m.fn('a1').site).map((node) => node.fp.value)).toEqual([fp, other]);
});

test('CC-S9.1-7, FP-55.1-6: the steps of unregister_fprobe', () => {
  const m = small();
  const [fp, other] = [m.fprobe('fp0'), m.fprobe('fp1')];
  const seen = stepsOf(m, [
    [other, on('a1')],
    [fp, on('a1', 'a2')],
    [fp, UNREGISTER],
  ]);
  expect(seen).toEqual([
    'act fprobe_mutex',
    'read fprobe_table',
    'write node_fp/fp0',
    'write fprobe_ip_table',
    '-> 2 fprobes, 2 nodes, 2 sites',
    'write node_fp/fp0',
    'write fprobe_ip_table',
    '-> 2 fprobes, 1 nodes, 2 sites',
    'write hlist_fp/fp0',
    'write fprobe_table',
    '-> 1 fprobes, 1 nodes, 2 sites',
    ...filterSteps('1 fprobes, 1 nodes', [2, 0, 1]),
    'act cpu', // call_rcu on the nodes.
    'act slab',
    'act fprobe_mutex',
    'act cpu',
    'sleep synchronize_rcu',
  ]);
});

test('CC-S9.4, FP-55.4: the last one unregisters the hook', () => {
  const m = small();
  const fp = m.fprobe('fp0');
  const seen = stepsOf(m, [
    [fp, on('a1')],
    [fp, UNREGISTER],
  ]);
  const at = seen.indexOf('write fgraph_array[0]');
  expect(at).toBeGreaterThan(seen.indexOf('write fprobe_table'));
  expect(seen.indexOf('write filter_hash/fprobe_graph_ops')).toBeGreaterThan(at);
});

/** Fails the `nth` allocation that may fail. */
function failing(nth: number): Chooser {
  let asked = 0;
  return {
    choose: (point, count) =>
      point.kind === CHOICE.alloc && ++asked === nth ? 1 : calmChooser.choose(point, count),
  };
}

test('FP-59, CC-G16: a registration that runs out of memory anywhere leaves nothing, and works at the next try', () => {
  const kinds = ['fprobe_hlist', 'ftrace_hash', 'ret_stack', 'trampoline', 'fprobe_ip_table'];
  let failures = 0;
  for (let nth = 1; nth <= 12; nth++) {
    const m = small({ chooser: failing(nth) });
    m.machine.slab.failing = new Set(kinds);
    const fp = m.fprobe('fp0');
    m.control(function* (cx) {
      const result = yield* m.perform(cx, fp, on('a1', 'a2'));
      if (result !== 0) {
        failures++;
        expect(result).toBe(-ENOMEM);
        expect(m.hooked()).toEqual([]);
        expect(tablesOf(m.k).existence.value).toEqual([]);
        expect(nodesOf(m.k, m.fn('a1').site)).toEqual([]);
        yield* m.call(cx, 'a1');
        expect(m.story()).toEqual([]);
        expect(yield* m.perform(cx, fp, on('a1', 'a2'))).toBe(0);
      }
      yield* m.call(cx, 'a1');
      yield* m.unregister(cx, fp);
    });
    expect(m.story().length).toBeGreaterThan(0);
    expect(m.hooked()).toEqual([]);
  }
  expect(failures).toBeGreaterThan(5);
});

test('FP-59: who fails behind its first node waits for those who stand on it', () => {
  const m = small({ chooser: failing(2) });
  m.machine.slab.failing = new Set(['fprobe_ip_table']);
  const fp = m.fprobe('fp0');
  m.control(function* (cx) {
    expect(yield* m.perform(cx, fp, on('a1', 'a2'))).toBe(-ENOMEM);
  });
  expect(m.events('wait_begin').map(({ kind }) => kind)).toEqual(['synchronize_rcu']);
});
