// Graph hooks: their slots, the shadow stacks of tasks, and the manager ops behind them.
import { expect, test } from 'vitest';
import { graphHook, hookOn } from '../../properties/graph-hook.ts';
import { smallKernel, type SmallKernel } from '../../properties/small-kernel.ts';
import { CHOICE, type Chooser, calmChooser } from '../emu/choose.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { ENOMEM, ENOSPC } from './errno.ts';
import { type FgraphOps, fgraphOf, taskStack } from './fgraph-state.ts';
import type { HashChange } from './ftrace-filter.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];

function* filter(
  cx: Context,
  m: SmallKernel,
  gops: FgraphOps,
  names: readonly string[],
  change: Partial<HashChange> = {},
): Path<number> {
  const ips = names.map((name) => m.fn(name).address);
  const all = { which: 'filterHash', ips, reset: false, ...change } as const;
  return yield* m.k.fn.ftraceSetHash(cx, m.k, gops.ops, all);
}

function unregister(cx: Context, m: SmallKernel, gops: FgraphOps): Path<number> {
  return m.k.fn.unregisterFtraceGraph(cx, m.k, gops);
}

test('FP-70: 16 hooks at once, the 17th gets -ENOSPC; a slot is used again as late as it can be (CC-S18)', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const slots: number[] = [];
  m.control(function* (cx) {
    const all = Array.from({ length: 17 }, (_, i) => graphHook(m, `g${i}`));
    const results: number[] = [];
    for (const gops of all) results.push(yield* hookOn(cx, m, gops, ['a1']));
    expect(results).toEqual([...Array.from({ length: 16 }, () => 0), -ENOSPC]);
    for (const i of [3, 7]) yield* unregister(cx, m, all[i] as FgraphOps);
    for (const i of [16, 7]) {
      yield* m.k.fn.registerFtraceGraph(cx, m.k, all[i] as FgraphOps);
      slots.push((all[i] as FgraphOps).idx.value);
    }
  });
  expect(slots).toEqual([3, 7]);
});

test('FT-58, FT-60, H-28: the manager hooks the union, never all because it is empty, and nothing when the last hook goes', () => {
  const m = smallKernel({ functions: { a1: WORK, a2: WORK, a3: WORK } });
  const found: string[] = [];
  m.control(function* (cx) {
    const [one, two] = [graphHook(m, 'one'), graphHook(m, 'two')];
    const note = (): void => {
      found.push(m.hooked().join(', '));
    };
    for (let round = 0; round < 2; round++) {
      yield* hookOn(cx, m, one, ['a1']);
      note();
      yield* hookOn(cx, m, two, ['a1', 'a2']);
      note();
      yield* filter(cx, m, one, ['a3']);
      note();
      yield* unregister(cx, m, two);
      note();
      yield* filter(cx, m, one, ['a3'], { remove: true });
      yield* unregister(cx, m, one);
      note();
    }
    expect(fgraphOf(m.k).manager.filterHash.value.ips.value.size).toBe(0);
  });
  const round = [
    'a1 -> graph_ops',
    'a1 -> graph_ops, a2 -> graph_ops',
    'a1 -> graph_ops, a2 -> graph_ops, a3 -> graph_ops',
    'a1 -> graph_ops, a3 -> graph_ops',
    '',
  ];
  expect(found).toEqual([...round, ...round]);
  // One trampoline for ever: nobody waits, so nobody may free it (FT-31).
  expect(m.events('alloc').filter(({ kind }) => kind === 'kernel_trampoline')).toHaveLength(1);
  expect(m.events('wait_begin')).toEqual([]);
});

test('FT-58: notrace sets of hooks are intersected; a hook without a filter makes the union all', () => {
  const m = smallKernel({ functions: { a1: WORK, a2: WORK, a3: WORK } });
  const found: string[] = [];
  m.control(function* (cx) {
    const [one, two] = [graphHook(m, 'one'), graphHook(m, 'two')];
    yield* filter(cx, m, one, ['a1', 'a2'], { which: 'notraceHash' });
    yield* filter(cx, m, two, ['a2', 'a3'], { which: 'notraceHash' });
    yield* m.k.fn.registerFtraceGraph(cx, m.k, one);
    found.push(m.hooked().join(', '));
    yield* m.k.fn.registerFtraceGraph(cx, m.k, two);
    found.push(m.hooked().join(', '));
  });
  expect(found).toEqual(['a3 -> graph_ops', 'a1 -> graph_ops, a3 -> graph_ops']);
});

test('FT-59: with several hooks each is asked for its own functions only', () => {
  const m = smallKernel({ functions: { a1: WORK, a2: WORK } });
  const seen: string[] = [];
  const asking = (name: string): FgraphOps =>
    graphHook(m, name, {
      entry: () => {
        seen.push(name);
        return false;
      },
      exit: () => {
        seen.push(`${name} return`);
      },
    });
  m.control(function* (cx) {
    const [one, two] = [asking('one'), asking('two')];
    yield* hookOn(cx, m, one, ['a1']);
    yield* hookOn(cx, m, two, ['a2']);
    yield* m.call(cx, 'a1');
    yield* m.call(cx, 'a2');
    yield* unregister(cx, m, one);
    yield* m.call(cx, 'a1');
    yield* m.call(cx, 'a2');
    expect(fgraphOf(m.k).direct.value).toBe(two);
  });
  expect(seen).toEqual(['one', 'two', 'two']);
});

/** Fails the `nth` allocation of a shadow stack. */
function failing(nth: number): Chooser {
  let asked = 0;
  return {
    choose: (point, count) =>
      point.kind === CHOICE.alloc && ++asked === nth ? 1 : calmChooser.choose(point, count),
  };
}

test('CC-S18.2: without memory for a task nothing is left behind; an idle task goes without', () => {
  for (let nth = 1; nth <= 4; nth++) {
    const m = smallKernel({ functions: { a1: WORK }, chooser: failing(nth) });
    m.machine.slab.failing = new Set(['ret_stack']);
    let result = 1;
    m.task('other', 1, 'a1', 200);
    m.control(function* (cx) {
      const gops = graphHook(m, 'g');
      result = yield* hookOn(cx, m, gops, ['a1']);
      if (result < 0) expect(m.hooked()).toEqual([]);
      // It works at the second try.
      if (result < 0) expect(yield* m.k.fn.registerFtraceGraph(cx, m.k, gops)).toBe(0);
      yield* m.call(cx, 'a1');
    });
    expect(result).toBe(nth <= 2 ? 0 : -ENOMEM);
    expect(m.events('hook')).toEqual([]);
    const idle = m.machine.cpus.map(({ idle: task }) => taskStack(m.k, task).memory.value);
    expect(idle.filter((page) => page === undefined)).toHaveLength(nth <= 2 ? 1 : 0);
  }
});

test('a task that is made while there is a hook has its shadow stack; one made before or after the hooks gets one at the next', () => {
  const m = smallKernel({ functions: { a1: [{ op: 'sleep', us: 500 }] } });
  m.control(function* (cx) {
    const gops = graphHook(m, 'g');
    const has = (): boolean[] =>
      m.machine.tasks.map((task) => taskStack(m.k, task).memory.value !== undefined);
    yield* hookOn(cx, m, gops, ['a1']);
    m.task('during', 1, 'a1', 3);
    yield* unregister(cx, m, gops);
    m.task('after', 1, 'a1', 3);
    expect(has()).toEqual([true, true, false]);
    yield* m.k.fn.registerFtraceGraph(cx, m.k, gops);
    expect(has()).toEqual([true, true, true]);
    yield* sleepFor(cx, 5000);
    // They are over.
    expect(has()).toEqual([true, false, false]);
  });
});
