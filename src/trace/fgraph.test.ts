// The function-graph machine by itself: hooks that are paths of this test take returns.
import { expect, test } from 'vitest';
import { graphHook, hookOn } from '../../properties/graph-hook.ts';
import { smallKernel, type SmallKernel } from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import { CHOICE, type Chooser } from '../emu/choose.ts';
import { LEVEL, type Level } from '../emu/context.ts';
import { guestHandler } from '../emu/interrupt.ts';
import { REG } from '../emu/regs.ts';
import { encode } from '../emu/riscv/encode.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { randomChooser } from '../replay/explore/random.ts';
import type { FrameWords } from './fgraph-stack.ts';
import { type FgraphOps, taskStack } from './fgraph-state.ts';
import { RETURN_TO_HANDLER } from './return-to-handler.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const call = (target: string): ScriptOp => ({ op: 'call', target });

/** A hook that wants every return, and what it sees. */
function watching(m: SmallKernel, name: string, seen: string[]): FgraphOps {
  const place = (address: number): string =>
    m.k.records.find(({ ip, func }) => ip === address || func.address === address)?.func.name ??
    (address === RETURN_TO_HANDLER ? 'trampoline' : 'elsewhere');
  return graphHook(m, name, {
    entry: (_cx, { ip }) => {
      seen.push(`${name} > ${place(ip)}`);
      return true;
    },
    exit: (_cx, { ip, ret }) => {
      seen.push(`${name} < ${place(ip)}${place(ret) === 'trampoline' ? ' to trampoline' : ''}`);
    },
  });
}

/** True calls, in one word and a name each, of one task. */
function truth(m: SmallKernel, pid: number): string[] {
  const name = (func: number): string =>
    m.k.records.find((record) => record.func.address === func)?.func.name ?? '?';
  return [...m.log.events()].flatMap((e) => {
    if (e.pid !== pid) return [];
    if (e.event === 'func_enter') return [`> ${name(e.func)}`];
    if (e.event === 'func_return') return [`< ${name(e.func)}`];
    return e.event === 'func_abandon' ? [`x ${name(e.func)}`] : [];
  });
}

test('CC-H14, CC-H15: a taken return runs the hook, then goes on in the caller', () => {
  const m = smallKernel({
    functions: { a1: WORK, outer: [call('a1'), call('a1')], b1: WORK },
  });
  const seen: string[] = [];
  m.control(function* (cx) {
    const gops = watching(m, 'g', seen);
    expect(yield* hookOn(cx, m, gops, ['a1', 'outer'])).toBe(0);
    yield* m.call(cx, 'outer');
    expect(taskStack(m.k, cx.task).curr.value).toBe(0);
    expect(yield* m.k.fn.unregisterFtraceGraph(cx, m.k, gops)).toBe(0);
    yield* m.call(cx, 'outer');
  });
  expect(seen).toEqual(['g > outer', 'g > a1', 'g < a1', 'g > a1', 'g < a1', 'g < outer']);
  const once = ['> outer', '> a1', '< a1', '> a1', '< a1', '< outer'];
  expect(truth(m, 1)).toEqual([...once, ...once]);
  expect(m.hooked()).toEqual([]);
});

test('FP-1: after a tail call both hooks run before the one return, and both are told of the true caller', () => {
  const m = smallKernel({ functions: { a1: WORK, b1: WORK, outer: [call('a1')] } });
  // a1 goes on in b1 right behind its site.
  const at = m.fn('a1').site + 4;
  const jump = encode('jal', { rd: REG.zero, imm: m.fn('b1').address - at });
  m.machine.core.writeText(at, Uint16Array.of(jump & 0xffff, jump >>> 16));
  const seen: string[] = [];
  m.control(function* (cx) {
    yield* hookOn(cx, m, watching(m, 'g', seen), ['a1', 'b1']);
    yield* m.call(cx, 'outer');
  });
  expect(seen).toEqual(['g > a1', 'g > b1', 'g < b1', 'g < a1']);
  expect(truth(m, 1)).toEqual(['> outer', '> a1', '> b1', '< b1', '< a1', '< outer']);
});

test('CC-H18: a task that ends in a hooked function takes its shadow stack with it', () => {
  const m = smallKernel({
    functions: { a1: [{ op: 'call', target: 'do_exit' }], outer: [call('a1')] },
  });
  const seen: string[] = [];
  m.control(function* (cx) {
    yield* hookOn(cx, m, watching(m, 'g', seen), ['a1']);
    m.task('victim', 1, 'outer');
    yield* sleepFor(cx, 300);
  });
  expect(seen).toEqual(['g > a1']);
  const stacks = m.events('alloc').filter(({ kind }) => kind === 'ret_stack');
  // Two idle tasks, control, and the victim, which got its own when it was made.
  expect(stacks).toHaveLength(4);
  const victim = known(stacks.at(-1), 'the last one').object;
  expect(m.events('free').map(({ object }) => object)).toContain(victim);
});

test('functions that sleep, on two CPUs, return to where they were called from', () => {
  const sleeper: readonly ScriptOp[] = [{ op: 'sleep', us: 30 }];
  const m = smallKernel({
    functions: { a1: sleeper, b1: WORK, outer: [call('a1'), call('b1')] },
    chooser: randomChooser({ seed: 3, schedule: [1, 3], inject: [0, 1] }),
  });
  const seen: string[] = [];
  m.control(function* (cx) {
    yield* hookOn(cx, m, watching(m, 'g', seen), ['a1', 'b1']);
    for (const cpu of [0, 1, 1]) m.task(`t${cpu}`, cpu, 'outer', 3);
    yield* sleepFor(cx, 3000);
  });
  expect(seen.filter((line) => line === 'g < a1')).toHaveLength(9);
  expect(seen.filter((line) => line === 'g < b1')).toHaveLength(9);
  for (const pid of [2, 3, 4]) {
    const once = ['> outer', '> a1', '< a1', '> b1', '< b1', '< outer'];
    expect(truth(m, pid)).toEqual([...once, ...once, ...once]);
  }
});

/** Goes on calmly, and takes an interrupt of `level` that runs `handler` at the `nth` question about scheduling. */
function interrupting(
  m: () => SmallKernel,
  { level, nth }: { readonly level: Level; readonly nth: number },
): Chooser {
  let asked = 0;
  return {
    choose: ({ kind }) => {
      if (kind === CHOICE.schedule && ++asked === nth) {
        const cpu = known(m().machine.cpus[0], 'there is a first CPU');
        const handler = m().fn('b1').address;
        cpu.pending.push({ level, handler, body: guestHandler(handler) });
        m().machine.touchCpu(cpu);
      }
      return 0;
    },
  };
}

test.each([LEVEL.hardirq, LEVEL.nmi])(
  'CC-G22: a hooked interrupt (level %d) anywhere in a hooked call leaves its frame alone',
  (level) => {
    let hits = 0;
    for (let nth = 1; nth <= 120; nth++) {
      const chooser = interrupting(() => m, { level, nth });
      const m: SmallKernel = smallKernel({
        functions: { a1: WORK, b1: WORK, outer: [call('a1')] },
        chooser,
      });
      const seen: string[] = [];
      m.task('other', 1, 'b1', 50);
      m.control(function* (cx) {
        yield* hookOn(cx, m, watching(m, 'g', seen), ['a1', 'b1']);
        yield* m.call(cx, 'outer');
        expect(taskStack(m.k, cx.task).curr.value).toBe(0);
      });
      const control = known(
        m.events('task_new').find((e) => e.name === 'control'),
        'it is there',
      );
      const found = truth(m, control.child).filter((line) => !line.endsWith('b1'));
      expect(found).toEqual(['> outer', '> a1', '< a1', '< outer']);
      if (m.events('irq_enter').length > 0) hits++;
    }
    expect(hits).toBeGreaterThan(50);
  },
);

test('FP-71.1: who returns without its frame is an oops', () => {
  const m = smallKernel({ functions: { a1: WORK, b1: [call('a1')], outer: [call('b1')] } });
  // a1 leaves b1 out: it returns to where b1 ought to.
  const at = m.fn('a1').site + 4;
  const words = [
    encode('addi', { rd: REG.sp, rs1: REG.sp, imm: 16 }),
    encode('ld', { rd: REG.ra, rs1: REG.sp, imm: -8 }),
    encode('jalr', { rd: REG.zero, rs1: REG.ra, imm: 0 }),
  ];
  const halves = words.flatMap((word) => [word & 0xffff, word >>> 16]);
  m.machine.core.writeText(at, Uint16Array.from(halves));
  m.thread('control', 0, function* (cx) {
    yield* hookOn(cx, m, watching(m, 'g', []), ['a1', 'b1']);
    yield* m.call(cx, 'outer');
  });
  m.machine.run();
  expect(m.events('oops').map(({ reason }) => reason)).toEqual(['return without its frame']);
});

/** How many nested calls of a function take a data block of `words` words (0: none) before there is no room. */
function callsUntilFull(
  frameWords: FrameWords,
  words: readonly number[],
): readonly [number, string] {
  const m = smallKernel({
    functions: {
      r1: [
        {
          op: 'if',
          symbol: 'depth',
          offset: 0,
          body: [{ op: 'add', symbol: 'depth', offset: 0, value: -1 }, call('r1')],
        },
      ],
    },
    data: ['depth'],
    arch: { returnFrameWords: frameWords },
  });
  m.machine.memory.store64(m.data('depth'), 100, 0);
  let taken = 0;
  let failed = 0;
  let sum = 0;
  for (const one of words) sum += 1 + one;
  m.control(function* (cx) {
    const gops = graphHook(m, 'g', {
      *entry(inner, graphCall, idx) {
        const data = yield* m.k.fn.fgraphReserveData(inner, m.k, graphCall, { idx, words: sum });
        if (data === undefined) failed++;
        else if (failed === 0 && m.events('skip').length === 0) taken++;
        return data !== undefined;
      },
    });
    yield* hookOn(cx, m, gops, ['r1']);
    yield* m.call(cx, 'r1');
    expect(taskStack(m.k, cx.task).curr.value).toBe(0);
  });
  const frames = m.events('skip').filter(({ reason }) => reason === 'no_frame').length;
  expect(m.k.fgraph?.overrun.value).toBe(frames);
  return [taken, failed > 0 ? 'counted' : 'not counted'];
}

test.each([
  [3, [0], 81, 'counted'],
  [3, [1], 70, 'not counted'],
  [3, [2], 61, 'not counted'],
  [3, [3], 54, 'counted'],
  [3, [4], 49, 'not counted'],
  [3, [8], 35, 'not counted'],
  [3, [15], 23, 'counted'],
  [3, [0, 0], 70, 'not counted'],
  [3, [15, 15], 13, 'counted'],
  [3, [15, 15, 15], 0, 'counted'],
  [4, [0], 70, 'not counted'],
] as const)(
  'FP-73: frames of %d words, fprobes with %j words of data: %d calls, the next one is %s',
  (frameWords, words, calls, how) => {
    expect(callsUntilFull(frameWords, words)).toEqual([calls, how]);
  },
);

test('FP-70.2: without a frame nothing is hooked, nothing counted but the overrun', () => {
  const m = smallKernel({ functions: { a1: WORK } });
  const seen: string[] = [];
  m.control(function* (cx) {
    yield* hookOn(cx, m, watching(m, 'g', seen), ['a1']);
    const stack = taskStack(m.k, cx.task);
    stack.curr.set(487);
    yield* m.call(cx, 'a1');
    expect(stack.curr.value).toBe(487);
    stack.curr.set(0);
    stack.memory.set(undefined);
    yield* m.call(cx, 'a1');
  });
  expect(seen).toEqual([]);
  expect(m.events('skip').map(({ object, reason }) => [object, reason])).toEqual([
    [0, 'no_frame'],
    [0, 'no_frame'],
  ]);
  expect(m.k.fgraph?.overrun.value).toBe(1);
});

test('CC-H15.2: what an exit hook calls does not come back to exit hooks', () => {
  const m = smallKernel({ functions: { a1: WORK, b1: WORK } });
  const seen: string[] = [];
  m.control(function* (cx) {
    const gops = graphHook(m, 'g', {
      entry: () => {
        seen.push('>');
        return true;
      },
      *exit(inner) {
        seen.push('<');
        yield* m.call(inner, 'b1');
      },
    });
    yield* hookOn(cx, m, gops, ['a1', 'b1']);
    yield* m.call(cx, 'a1');
  });
  // The first level of recursion is let through (FT-52), the second is not.
  expect(seen).toEqual(['>', '<', '>', '<']);
  const refused = m.events('skip').map(({ object, reason }) => `${object} ${reason}`);
  expect(refused).toEqual(['0 recursion']);
});
