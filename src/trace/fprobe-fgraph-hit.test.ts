// Hits of fprobes on the function-graph machine: who is called, who misses what, and what is counted.
import { expect, test } from 'vitest';
import {
  call,
  DISABLE,
  fprobeKernel,
  type FprobeKernel,
  WORK,
} from '../../properties/fgraph-kernel.ts';
import { known } from '../assert.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import { CHOICE, type Chooser } from '../emu/choose.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { FPROBE_FL_KPROBE_SHARED, loadStruct } from './fprobe-struct.ts';
import { kprobeBusyBegin, kprobeBusyEnd } from './kprobe-busy.ts';

/** Calls itself as often as `depth` says. */
const RECURSIVE: readonly ScriptOp[] = [
  {
    op: 'if',
    symbol: 'depth',
    offset: 0,
    body: [{ op: 'add', symbol: 'depth', offset: 0, value: -1 }, call('r1')],
  },
];
const FUNCTIONS = { a1: WORK, b1: WORK, r1: RECURSIVE } as const;
const BOTH = { fp0In: WORK, fp0Out: WORK, fp1In: WORK, fp1Out: WORK } as const;

function small(options: Partial<Parameters<typeof fprobeKernel>[0]> = {}): FprobeKernel {
  const callbacks = { ...BOTH, in0In: WORK, out0Out: WORK };
  return fprobeKernel({ functions: FUNCTIONS, callbacks, data: ['depth'], ...options });
}

/** How often each line of the story is there. */
function counted(m: FprobeKernel): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const line of m.story()) found[line] = (found[line] ?? 0) + 1;
  return found;
}

/** What becomes of one hit of four fprobes, three of which want more data than there may be. */
function withoutRoom(era: string, missPolicy: 'both' | 'exitOnly' = 'both'): readonly unknown[] {
  const m = small({ era, fprobe: { missPolicy } });
  const probes = ['fp0', 'fp1', 'out0'].map((name) => m.fprobe(name, { entryDataSize: 120 }));
  const plain = m.fprobe('in0');
  m.control(function* (cx) {
    for (const fp of [...probes, plain]) yield* m.register(cx, fp, ['a1']);
    yield* m.perform(cx, known(probes[1], 'there are three'), DISABLE);
    yield* m.call(cx, 'a1');
  });
  return [m.story(), [...probes, plain].map((fp) => m.nmissed(fp))];
}

test('FP-70.4, FP-72, FP-74: without room for the data of all, all who are enabled miss', () => {
  const misses = ['out0 no_data a1', 'fp1 disabled a1', 'fp0 no_data a1'];
  expect(withoutRoom('today')).toEqual([
    ['in0 > a1', ...misses],
    [1, 0, 1, 0],
  ]);
  // One hook for all: the one without exit handler misses the hit as well.
  expect(withoutRoom('v6.14')).toEqual([
    ['in0 no_data a1', ...misses],
    [1, 0, 1, 1],
  ]);
});

test('missPolicy exitOnly: without room for the data of all the entry handlers run, and exits are missed', () => {
  const called = ['out0 no_data a1', 'fp1 disabled a1', 'fp0 no_data a1', 'fp0 > a1'];
  expect(withoutRoom('today', 'exitOnly')).toEqual([
    ['in0 > a1', ...called],
    [1, 0, 1, 0],
  ]);
  expect(withoutRoom('v6.18', 'exitOnly')).toEqual([
    ['in0 > a1', ...called],
    [1, 0, 1, 0],
  ]);
  // Who has no exit handler has lost nothing.
  expect(withoutRoom('v6.14', 'exitOnly')).toEqual([
    ['in0 > a1', ...called],
    [1, 0, 1, 0],
  ]);
});

test('missPolicy exitOnly: so it is where there is no room for a frame, and it counts', () => {
  const m = small({ fprobe: { missPolicy: 'exitOnly' } });
  const fp = m.fprobe('fp0', { entryDataSize: 8 });
  m.machine.memory.store64(m.data('depth'), 80, 0);
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['r1']);
    yield* m.call(cx, 'r1');
  });
  const { 'fp0 > r1': entries, 'fp0 < r1': exits, ...skips } = counted(m);
  expect(entries).toBe(81);
  expect(exits).toBe(81 - m.nmissed(fp));
  expect(skips).toEqual({ 'fp0 no_frame r1': m.nmissed(fp) });
  const data = m.events('fprobe_data').filter(({ entry_data: at }) => at === NO_ADDRESS);
  expect(data).toHaveLength(m.nmissed(fp));
});

test('missPolicy exitOnly: a call is missed once, be it for a kprobe', () => {
  const m = small({ fprobe: { missPolicy: 'exitOnly' } });
  const probes = ['fp0', 'fp1', 'out0'].map((name) =>
    m.fprobe(name, { entryDataSize: 120, flags: FPROBE_FL_KPROBE_SHARED }),
  );
  m.control(function* (cx) {
    for (const fp of probes) yield* m.register(cx, fp, ['a1']);
    yield* kprobeBusyBegin(cx, m.k);
    yield* m.call(cx, 'a1');
    yield* kprobeBusyEnd(cx, m.k);
    yield* m.call(cx, 'a1');
  });
  const shared = ['out0', 'fp1', 'fp0'].map((name) => `${name} kprobe_running a1`);
  const short = ['out0 no_data a1', 'fp1 no_data a1', 'fp1 > a1', 'fp0 no_data a1', 'fp0 > a1'];
  expect(m.story()).toEqual([...shared, ...short]);
  expect(probes.map((fp) => m.nmissed(fp))).toEqual([2, 2, 2]);
});

test('FP-70.2, FP-72: without room for a frame nobody is counted, and calls return to where they came from', () => {
  const m = small();
  const fp = m.fprobe('fp0');
  m.machine.memory.store64(m.data('depth'), 80, 0);
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['r1']);
    yield* m.call(cx, 'r1');
  });
  // FP-73, with frames of four words: 70 calls, and the next is not counted.
  expect(counted(m)).toEqual({ 'fp0 > r1': 70, 'fp0 < r1': 70, 'nobody no_frame r1': 11 });
  expect(m.nmissed(fp)).toBe(0);
  expect(m.events('func_return')).toHaveLength(m.events('func_enter').length);
});

/** One hit without, one with a kprobe running. */
function underKprobe(sharedStrict: boolean): readonly unknown[] {
  const m = small({ fprobe: { sharedStrict } });
  const fp = m.fprobe('fp0', { flags: FPROBE_FL_KPROBE_SHARED });
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    yield* m.call(cx, 'a1');
    yield* kprobeBusyBegin(cx, m.k);
    yield* m.call(cx, 'a1');
    yield* kprobeBusyEnd(cx, m.k);
  });
  return [m.story(), m.nmissed(fp)];
}

test('FP-70.5, FP-76: a running kprobe skips the entry handler, not the exit, unless sharedStrict', () => {
  const normal = ['fp0 > a1', 'fp0 < a1', 'fp0 kprobe_running a1'];
  expect(underKprobe(false)).toEqual([[...normal, 'fp0 < a1'], 1]);
  expect(underKprobe(true)).toEqual([normal, 1]);
});

/** Hits of two fprobes whose entry handlers call what they probe. */
function recursing(countRecursion: boolean): readonly unknown[] {
  const m = small({
    callbacks: { fp0In: [call('a1')], fp0Out: WORK, in0In: [call('b1')] },
    fprobe: { countRecursion },
  });
  const [fp, plain] = [m.fprobe('fp0'), m.fprobe('in0')];
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    yield* m.register(cx, plain, ['b1']);
    yield* m.call(cx, 'a1');
    yield* m.call(cx, 'b1');
  });
  return [m.story(), m.nmissed(fp), m.nmissed(plain)];
}

/** The same with these two lines for what is refused. */
function recursionStory(refused: string, plain: string): string[] {
  return [
    'fp0 > a1',
    'fp0 > a1',
    refused,
    // Inside of the outer entry handler, which has taken the bit.
    'fp0 < a1',
    'fp0 < a1',
    'in0 > b1',
    'in0 > b1',
    plain,
  ];
}

test('FP-70.1, FP-71.2, FT-51: recursion is let through once, and not counted unless countRecursion', () => {
  expect(recursing(false)).toEqual([
    recursionStory('nobody recursion a1', 'nobody recursion b1'),
    0,
    0,
  ]);
  expect(recursing(true)).toEqual([recursionStory('fp0 recursion a1', 'in0 recursion b1'), 1, 1]);
});

/** How often what runs when an exit handler calls the probed function, up to five times. */
function exitsCalling(era: string): Readonly<Record<string, number>> {
  const m = small({
    era,
    callbacks: {
      fp0In: [],
      fp0Out: [
        {
          op: 'if',
          symbol: 'depth',
          offset: 0,
          body: [{ op: 'add', symbol: 'depth', offset: 0, value: -1 }, call('a1')],
        },
      ],
    },
  });
  m.machine.memory.store64(m.data('depth'), 5, 0);
  const fp = m.fprobe('fp0');
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    yield* m.call(cx, 'a1');
  });
  return counted(m);
}

test('FP-71.2, CC-H15.2, H-25: exit handlers may call probed functions; the older eras let them come back without end', () => {
  expect(exitsCalling('today')).toEqual({ 'fp0 > a1': 2, 'fp0 < a1': 2, 'nobody recursion a1': 1 });
  expect(exitsCalling('v6.14')).toEqual({ 'fp0 > a1': 6, 'fp0 < a1': 6 });
});

test('FP-71.2: an exit that is refused skips all exit handlers of the call, uncounted', () => {
  // The outer exit handler calls b1, whose own exit finds both bits taken.
  const m = small({
    callbacks: { fp0In: [], fp0Out: [call('b1')], fp1In: [call('a1')], fp1Out: [] },
  });
  const [fp, other] = [m.fprobe('fp0'), m.fprobe('fp1')];
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    yield* m.register(cx, other, ['b1']);
    yield* m.call(cx, 'b1');
  });
  // b1's entry handler (first bit) calls a1 (second bit), whose exit (second bit) calls b1: refused.
  expect(m.story()).toEqual([
    'fp1 > b1',
    'fp0 > a1',
    'fp0 < a1',
    'nobody recursion b1',
    'fp1 < b1',
  ]);
  expect(m.events('hook')).toHaveLength(m.events('unhook').length);
});

/** CPU 1 stops before the `nth` time that it works on its shadow stack, until the phase is over. */
function stoppingAt(m: () => FprobeKernel, nth: number, phase: () => string): Chooser {
  const seen = new Set<unknown>();
  return {
    choose: ({ kind, options }, count) => {
      if (kind !== CHOICE.schedule) return 0;
      const { top } = known(m().machine.cpus[1], 'there is a second CPU').top;
      const access = top?.kind === 'path' ? top.pending : undefined;
      if (access?.cell.name === 'ret_stack_words/runner') seen.add(access);
      const stops = phase() === 'set up' || (phase() === 'stop' && seen.size >= nth);
      return Math.max(0, options.subarray(0, count).indexOf(stops ? 0 : 1));
    },
  };
}

test('FP-70.3, FP-70.7, H-45: a probe that is linked between the two walks leaves no room for another, which is counted', () => {
  let phase = 'set up';
  // The frame is written twice; the third time is for the data.
  const chooser = stoppingAt(
    () => m,
    3,
    () => phase,
  );
  const m: FprobeKernel = small({ chooser });
  const [fp, late] = [m.fprobe('fp0'), m.fprobe('fp1')];
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    m.task('runner', 1, 'a1');
    phase = 'stop';
    yield* sleepFor(cx, 1);
    yield* m.register(cx, late, ['a1']);
    phase = 'go on';
  });
  // The newest is asked first, and takes what was reserved for the other.
  expect(m.story()).toEqual(['fp1 > a1', 'fp0 grew a1', 'fp1 < a1']);
  expect([m.nmissed(fp), m.nmissed(late)]).toEqual([1, 0]);
});

/** An idle task runs a probed function. */
function whileIdle(fprobeNonWatching: boolean): readonly string[] {
  const m = small({ fprobe: { fprobeNonWatching } });
  const [fp, plain] = [m.fprobe('fp0'), m.fprobe('in0')];
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    yield* m.register(cx, plain, ['a1']);
    const idle = known(m.machine.cpus[1], 'there is a second CPU');
    idle.idleRuns = { func: m.fn('a1').address, left: 1 };
    m.machine.touchCpu(idle);
    yield* sleepFor(cx, 300);
  });
  return m.story();
}

test('CC-G8: what runs where RCU does not watch has no fprobes, unless fprobeNonWatching', () => {
  expect(whileIdle(false)).toEqual(['nobody not_watching a1', 'nobody not_watching a1']);
  expect(whileIdle(true)).toEqual(['in0 > a1', 'fp0 > a1', 'fp0 < a1']);
});

test('FP-79, FP-70.6: a rejected call leaves no header behind, whatever lay there before', () => {
  const m = small({
    callbacks: { fp0In: WORK, fp0Out: WORK, rejIn: [{ op: 'return', value: 1 }], rejOut: WORK },
  });
  const [fp, rejects] = [
    m.fprobe('fp0', { entryDataSize: 8 }),
    m.fprobe('rej', { entryDataSize: 16 }),
  ];
  m.control(function* (cx) {
    yield* m.register(cx, rejects, ['a1']);
    yield* m.register(cx, fp, ['a1']);
    yield* m.call(cx, 'a1');
    yield* m.unregister(cx, fp);
    yield* m.call(cx, 'a1');
  });
  expect(m.story()).toEqual([
    'fp0 > a1',
    'rej > a1',
    'rej rejected a1',
    'fp0 < a1',
    'rej > a1',
    'rej rejected a1',
  ]);
  expect(loadStruct(m.k, fp).entryDataSize).toBe(8);
});

test('FP-11: preemption is off in handlers: once at the entry, twice at the exit', () => {
  const m = small();
  const fp = m.fprobe('fp0');
  const counts: number[] = [];
  const chooser = (handler: string): void => {
    m.machine.watch(m.fn(handler).address, {
      enter: ({ cpu }) => counts.push(cpu.preemptCount.value),
      leave: () => undefined,
    });
  };
  chooser('fp0In');
  chooser('fp0Out');
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    yield* m.call(cx, 'a1');
  });
  expect(counts).toEqual([1, 2]);
});

test('FP-71.5: behind the last exit handler preemption comes on and the lock is given back, then the call returns', () => {
  const m = small();
  const fp = m.fprobe('fp0');
  let after = -1;
  m.control(function* (cx) {
    yield* m.register(cx, fp, ['a1']);
    yield* m.call(cx, 'a1');
    after = cx.cpu.preemptCount.value;
  });
  expect(after).toBe(0);
  const told = [...m.log.events()];
  const ended = told.findLastIndex((e) => e.event === 'cb_end' && e.kind === 'fprobe_exit');
  const wanted = ['region_close', 'recursion_unlock', 'func_return'];
  const rest = told.slice(ended).filter(({ event }) => wanted.includes(event));
  expect(
    rest
      .slice(0, 3)
      .map(({ event }) => event)
      .toSorted(),
  ).toEqual(wanted.toSorted());
  expect(rest[2]?.event).toBe('func_return');
});
