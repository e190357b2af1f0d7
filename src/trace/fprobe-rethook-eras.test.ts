// What fprobe did before v6.6 (fprobe.md 8): each test says what another era does with the same calls.
import { expect, test } from 'vitest';
import { smallFprobes, type SmallFprobes } from '../../properties/small-fprobe.ts';
import { known } from '../assert.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { EINVAL } from './errno.ts';
import { loadNmissed } from './fprobe-miss.ts';
import { FPROBE_FL_DISABLED, FPROBE_FL_KPROBE_SHARED } from './fprobe-struct.ts';
import { kprobeBusyBegin, kprobeBusyEnd } from './kprobe-busy.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const NAP: readonly ScriptOp[] = [{ op: 'sleep', us: 2000 }];

/** The story of one call of f, whose callee is probed too, and how many misses there were. */
function callOf(m: SmallFprobes, fill: Parameters<SmallFprobes['fprobe']>[1]): readonly string[] {
  const fp = m.fprobe('A', fill);
  m.control(function* (cx) {
    yield* m.register(cx, fp, '*');
    yield* m.call(cx, 'f');
  });
  return [...m.story(), `nmissed ${loadNmissed(m.k, fp)}`];
}

test('FP-7: before v6.5 an entry handler is void: whatever it leaves, the exit follows', () => {
  const callbacks: Record<string, readonly ScriptOp[]> = { entry: [{ op: 'return', value: 1 }] };
  const run = (era: string): readonly string[] =>
    callOf(smallFprobes({ era, functions: { f: WORK }, callbacks }), {});
  expect(run('v6.12')).toEqual(['A.entry f', 'A skips f: rejected', 'f returns', 'nmissed 0']);
  const both = ['A.entry f', 'A.exit f', 'f returns', 'nmissed 0'];
  expect(run('v6.1')).toEqual(both);
  expect(run('v5.18')).toEqual(both);
});

function misses(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => /skips|nmissed/u.test(line));
}

/** Is the data of each handler NULL? */
function nullData(era: string): readonly boolean[] {
  const m = smallFprobes({ era, functions: { f: WORK } });
  callOf(m, { entryDataSize: 8 });
  return m.events('fprobe_data').map(({ entry_data: at }) => at === NO_ADDRESS);
}

test('FP-2: before v6.4 there is no entry_data, whatever its size', () => {
  expect(nullData('v6.12')).toEqual([false, false]);
  expect(nullData('v6.1')).toEqual([true, true]);
  expect(nullData('v5.18')).toEqual([true, true]);
});

test('FP-31.3: before v6.5 an exit handler takes no lock: the functions that it calls are hit as any other', () => {
  const callbacks: Record<string, readonly ScriptOp[]> = {
    entry: [{ op: 'return', value: 0 }],
    exit: [{ op: 'call', target: 'g' }],
  };
  const run = (era: string): readonly string[] => {
    const m = smallFprobes({ era, functions: { f: WORK, g: WORK }, callbacks });
    return callOf(m, { nrMaxactive: 4 });
  };
  expect(misses(run('v6.12'))).toEqual(['A skips g: recursion', 'nmissed 1']);
  // Only the pool puts an end to it.
  expect(misses(run('v6.1'))).toEqual(['A skips g: no_node', 'nmissed 1']);
});

test('FP-30.4: in v5.18 a shortage of nodes skips the exit handler only', () => {
  const functions = { f: [{ op: 'call', target: 'g' }], g: WORK } as const;
  const run = (era: string): readonly string[] =>
    callOf(smallFprobes({ era, functions }), { nrMaxactive: 1 });
  const missed = 'A skips g: no_node';
  const rest = ['g returns', 'A.exit f', 'f returns', 'nmissed 1'];
  expect(run('v6.1')).toEqual(['A.entry f', missed, ...rest]);
  expect(run('v5.18')).toEqual(['A.entry f', 'A.entry g', missed, ...rest]);
});

test('missPolicy: what a shortage skips is for the option to say, whatever the era is used to', () => {
  const functions = { f: [{ op: 'call', target: 'g' }], g: WORK } as const;
  const run = (era: string, missPolicy: 'both' | 'exitOnly'): readonly string[] =>
    callOf(smallFprobes({ era, functions, fprobe: { missPolicy } }), { nrMaxactive: 1 });
  for (const era of ['v6.12', 'v6.1', 'v5.18']) {
    const rest = ['g returns', 'A.exit f', 'f returns', 'nmissed 1'];
    expect(run(era, 'both')).toEqual(['A.entry f', 'A skips g: no_node', ...rest]);
    // In v5.18 the node comes after the entry handler.
    const missed = ['A skips g: no_node', 'A.entry g'];
    const order = era === 'v5.18' ? missed.toReversed() : missed;
    expect(run(era, 'exitOnly')).toEqual(['A.entry f', ...order, ...rest]);
  }
});

function busyCall(era: string): readonly string[] {
  const m = smallFprobes({ era, functions: { f: WORK } });
  const fp = m.fprobe('A', { flags: FPROBE_FL_KPROBE_SHARED | FPROBE_FL_DISABLED });
  m.control(function* (cx) {
    yield* m.register(cx, fp, 'f');
    yield* kprobeBusyBegin(cx, m.k);
    yield* m.call(cx, 'f');
    yield* kprobeBusyEnd(cx, m.k);
    yield* m.ask(cx, fp, { op: 'enable_fprobe' });
    yield* m.call(cx, 'f');
  });
  return [...m.story(), `nmissed ${loadNmissed(m.k, fp)}`];
}

test('FP-30.3: before v6.5 a running kprobe is looked for first, whether the fprobe is disabled or not', () => {
  const second = ['A.entry f', 'A.exit f', 'f returns'];
  expect(busyCall('v6.12')).toEqual(['A skips f: disabled', 'f returns', ...second, 'nmissed 0']);
  expect(busyCall('v6.1')).toEqual([
    'A skips f: kprobe_running',
    'f returns',
    ...second,
    'nmissed 1',
  ]);
});

function idleCall(era: string): readonly string[] {
  const m = smallFprobes({ era, functions: { f: WORK } });
  const fp = m.fprobe('A');
  m.control(function* (cx) {
    yield* m.register(cx, fp, 'f');
    cx.make(() => {
      const cpu = known(m.machine.cpus[1], 'there is a second CPU');
      cpu.idleRuns = { func: m.fn('f').address, left: 1 };
      m.machine.touchCpu(cpu);
    });
    yield* sleepFor(cx, 1000);
  });
  return m.story();
}

test('FP-30.4: in v5.18 nodes are taken also where RCU does not watch', () => {
  expect(idleCall('v6.1')).toEqual(['A skips f: not_watching', 'f returns']);
  expect(idleCall('v5.18')).toEqual(['A.entry f', 'A.exit f', 'f returns']);
});

function unregistered(era: string, flags: number): readonly unknown[] {
  const m = smallFprobes({ era, functions: { f: NAP } });
  const fp = m.fprobe('A', { flags });
  let result = 0;
  m.control(function* (cx) {
    yield* m.register(cx, fp, 'f');
    result = yield* m.unregister(cx, fp);
  });
  const of = (kind: string): number =>
    m.events('alloc').find((made) => made.kind === kind)?.object ?? 0;
  const freed = m.events('free').map(({ object }) => object);
  const isPoolFirst = freed.indexOf(of('rethook')) < freed.indexOf(of('trampoline'));
  return [result, result === 0 && isPoolFirst ? 'pool first' : 'hook first'];
}

test('FP-40: v5.18 cannot unregister who is shared with kprobes, and frees the pool before the hook is gone', () => {
  expect(unregistered('v6.12', FPROBE_FL_KPROBE_SHARED)).toEqual([0, 'hook first']);
  expect(unregistered('v6.1', FPROBE_FL_KPROBE_SHARED)).toEqual([0, 'hook first']);
  expect(unregistered('v5.18', 0)).toEqual([0, 'pool first']);
  expect(unregistered('v5.18', FPROBE_FL_KPROBE_SHARED)[0]).toBe(-EINVAL);
});
