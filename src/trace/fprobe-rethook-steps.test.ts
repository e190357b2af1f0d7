// fprobe on rethook, step by step, as docs/spec/concurrency.md lists it: registering, unregistering, a hit on its way in
// and on its way back, a node on its way to the pool or out of it.
import { expect, test } from 'vitest';
import { folded, watchAccesses } from '../../properties/accesses.ts';
import { smallFprobes, type SmallFprobes } from '../../properties/small-fprobe.ts';
import { known } from '../assert.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { ScriptOp } from '../emu/script.ts';
import { FPROBE_FL_KPROBE_SHARED } from './fprobe-struct.ts';
import type { Fprobe } from './fprobe.ts';
import type { Rethook } from './rethook.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];

/** The accesses of the last of `parts`, with `facts`. */
function stepsOf(
  m: SmallFprobes,
  parts: readonly ((cx: Context) => Path<unknown>)[],
  facts: () => string = () => '',
): readonly string[] {
  let last = false;
  m.thread('control', 0, function* (cx) {
    for (const [i, part] of parts.entries()) {
      last = i === parts.length - 1;
      yield* part(cx);
    }
  });
  const seen = watchAccesses(m.machine, () => (last ? `from here: ${facts()}` : ''));
  const before = seen.findIndex((line) => line.startsWith('-> from here: '));
  return folded(seen.slice(before + 1).map((line) => line.replace('-> from here: ', '-> ')));
}

function rethookOf(m: SmallFprobes, fp: Fprobe): Rethook | undefined {
  return m.k.rethook.fprobes.get(fp)?.rethook.value;
}

/** How far a registration is. */
function stateOf(m: SmallFprobes, fp: Fprobe): string {
  const rethook = rethookOf(m, fp);
  const handler = rethook?.handler.value === undefined ? 'no handler' : 'a handler';
  const pool = rethook === undefined ? 'no pool' : `pool of ${rethook.refs.value - 1}`;
  const { opsList } = m.k.ftrace;
  return `${pool}, ${handler}, ${opsList.value === undefined ? 'not listed' : 'listed'}`;
}

test('CC-S8.1-3, FP-21: register sets the filters, then makes the pool, then hooks', () => {
  const m = smallFprobes({ functions: { a1: WORK, a2: WORK } });
  const fp = m.fprobe('A');
  const seen = stepsOf(m, [(cx) => m.register(cx, fp, 'a*', 'a2')], () => stateOf(m, fp));
  const filter = ['act ftrace_lock', 'act regex_lock/A'];
  expect(seen.slice(0, seen.indexOf('act direct_mutex'))).toEqual([
    'act nmissed/A',
    'read ftrace_disabled',
    'act regex_lock/A',
    'act slab',
    'act ftrace_lock',
    'write filter_hash/A',
    ...filter,
    'read ftrace_disabled',
    'act regex_lock/A',
    'act slab',
    'act ftrace_lock',
    'write notrace_hash/A',
    ...filter,
    'act slab', // The rethook.
    'act slab', // Its nodes: one function, the other is not looked at as excluded (FP-21).
    'write rethook/A',
    '-> pool of 8, a handler, not listed',
  ]);
  expect(seen.at(-1)).toBe('act direct_mutex');
  expect(stateOf(m, fp)).toBe('pool of 8, a handler, listed');
});

test('CC-S8.1-5, FP-40.2-5: unregister stops returns, unhooks and waits, gives up the pool, frees the filters', () => {
  const m = smallFprobes({ functions: { a1: WORK } });
  const fp = m.fprobe('A');
  const parts = [(cx: Context) => m.register(cx, fp, 'a1'), (cx: Context) => m.unregister(cx, fp)];
  const seen = stepsOf(m, parts, () => stateOf(m, fp));
  const waits = ['sleep synchronize_rcu_tasks_rude', 'act cpu', 'sleep synchronize_rcu_tasks'];
  expect(seen.slice(0, 5)).toEqual([
    'write rethook_handler/A',
    '-> pool of 4, no handler, listed',
    'act ftrace_lock',
    'write ftrace_ops_list',
    '-> pool of 4, no handler, not listed',
  ]);
  const waited = seen.indexOf('sleep synchronize_rcu_tasks_rude');
  expect(seen.slice(waited, waited + 3)).toEqual(waits);
  expect(seen.slice(seen.lastIndexOf('act ftrace_lock') + 1)).toEqual([
    'write rethook_handler/A',
    'act cpu', // call_rcu
    'update rethook_pool/A',
    'add rethook_refs/A',
    '-> pool of -1, no handler, not listed',
    'act slab', // The nodes.
    'act slab', // The rethook.
    'read filter_hash/A',
    'act slab',
    'read notrace_hash/A',
  ]);
});

test('CC-S8: disabling is one write, and so is enabling', () => {
  const m = smallFprobes({ functions: { a1: WORK } });
  const fp = m.fprobe('A');
  const parts = [
    (cx: Context) => m.register(cx, fp, 'a1'),
    function* (cx: Context): Path<void> {
      yield* m.ask(cx, fp, { op: 'disable_fprobe' });
      yield* m.ask(cx, fp, { op: 'enable_fprobe' });
    },
  ];
  expect(stepsOf(m, parts)).toEqual(['act flags/A', 'act flags/A']);
});

/** The accesses of one call of a1, with the preemption count, from its first. */
function callOf(m: SmallFprobes, fp: Fprobe): readonly string[] {
  const count = known(m.machine.cpus[0], 'there is a first CPU').preemptCount;
  const parts = [(cx: Context) => m.register(cx, fp, 'a1'), (cx: Context) => m.call(cx, 'a1')];
  return stepsOf(m, parts, () => `preempt_count ${count.value}`);
}

test('CC-H11.1-2, CC-H11.4-8, CC-H12.1-7, CC-S16, FP-11, FP-30.8, FP-31.5: a call with both handlers', () => {
  const m = smallFprobes({ functions: { a1: WORK } });
  expect(callOf(m, m.fprobe('A'))).toEqual([
    'call cpu', // The function.
    'read flags/A',
    'update trace_recursion/control',
    'act preempt_count',
    '-> preempt_count 1',
    'read rethook_handler/A',
    'update rethook_pool/A',
    'call cpu', // The entry handler.
    'act rethook_node/A',
    'write rethooks/control',
    'act preempt_count',
    '-> preempt_count 0',
    'update trace_recursion/control',
    'read rethooks/control', // It has returned.
    'act preempt_count',
    '-> preempt_count 1',
    'read rethook_handler/A',
    'read flags/A',
    'update trace_recursion/control',
    'act preempt_count',
    '-> preempt_count 2',
    'call cpu', // The exit handler.
    'act preempt_count',
    '-> preempt_count 1',
    'update trace_recursion/control',
    'act rethook_node/A',
    'write rethooks/control',
    'read rethook_handler/A',
    'update rethook_pool/A',
    'act preempt_count',
    '-> preempt_count 0',
  ]);
});

test('CC-H11.3, FP-30.3, FP-33: shared with kprobes it is busy around the entry handler only', () => {
  const m = smallFprobes({ functions: { a1: WORK } });
  const fp = m.fprobe('A', { flags: FPROBE_FL_KPROBE_SHARED });
  const seen = callOf(m, fp).filter((line) => !line.startsWith('->'));
  const entered = seen.lastIndexOf('call cpu', seen.indexOf('act rethook_node/A'));
  const from = seen.indexOf('read current_kprobe');
  expect(seen.slice(from - 1, entered)).toEqual([
    'act preempt_count', // The lock.
    'read current_kprobe',
    'act preempt_count',
    'act current_kprobe',
    'read rethook_handler/A',
    'update rethook_pool/A',
  ]);
  expect(seen.slice(entered + 1, seen.indexOf('read rethooks/control'))).toEqual([
    'act rethook_node/A',
    'write rethooks/control',
    'act current_kprobe',
    'act preempt_count',
    'act preempt_count',
    'update trace_recursion/control',
  ]);
  expect(seen.lastIndexOf('read current_kprobe')).toBe(from);
});

test('CC-H11.7, CC-S16, FP-30.7: a call that the entry handler refuses gives its node back at once', () => {
  const refuse: readonly ScriptOp[] = [{ op: 'return', value: 1 }];
  const m = smallFprobes({ functions: { a1: WORK }, callbacks: { entry: refuse } });
  const seen = callOf(m, m.fprobe('A'));
  expect(seen.slice(seen.lastIndexOf('call cpu') + 1)).toEqual([
    'read rethook_handler/A',
    'update rethook_pool/A',
    'act preempt_count',
    '-> preempt_count 0',
    'update trace_recursion/control',
  ]);
});
