// `set_ftrace_pid`: whom a PID ops calls back for, from when on, and what is in its struct meanwhile.
import { expect, test } from 'vitest';
import { folded, watchAccesses } from '../../properties/accesses.ts';
import {
  perform,
  REGISTER,
  restless,
  setFilter,
  smallKernel,
  type SmallKernel,
  type SmallKernelOptions,
  UNREGISTER,
  writePids,
} from '../../properties/small-kernel.ts';
import { NO_ADDRESS, toAddress } from '../emu/address.ts';
import { CHOICE } from '../emu/choose.ts';
import { type Context, LEVEL } from '../emu/context.ts';
import { type Path } from '../emu/path.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { cpuOperation } from './cpu.ts';
import { EBUSY, ENOMEM } from './errno.ts';
import {
  FTRACE_OPS_FL_IPMODIFY,
  FTRACE_OPS_FL_PERMANENT,
  FTRACE_OPS_FL_PID,
  FTRACE_OPS_FL_RCU,
  FTRACE_OPS_FL_RECURSION,
  FTRACE_OPS_FL_SAVE_REGS,
} from './ftrace-ops-flags.ts';
import type { FtraceOps } from './ftrace-ops.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FUNCTIONS = { a1: WORK, a2: WORK } as const;

function kernel(options: Partial<SmallKernelOptions> = {}): SmallKernel {
  return smallKernel({ functions: FUNCTIONS, ...options });
}

function pidOps(m: SmallKernel, name = 'A', isStatic = false): FtraceOps {
  return m.ops(name, 'cb', isStatic, FTRACE_OPS_FL_PID);
}

/** ops->func as the struct in memory has it. */
function structFunc(m: SmallKernel, { address }: FtraceOps): number {
  const { memory } = m.machine;
  return toAddress(memory.loadLo(address), memory.loadHi(address));
}

/** Pids for which `object` called back at or after event `from`, and those that it skipped. */
function told(
  m: SmallKernel,
  { object }: FtraceOps,
  from = 0,
): Record<'ran' | 'skipped', number[]> {
  const own = (e: { readonly object: number; readonly index: number }): boolean =>
    e.object === object && e.index >= from;
  return {
    ran: m
      .events('cb_begin')
      .filter(own)
      .map(({ pid }) => pid),
    skipped: m
      .events('skip')
      .filter((e) => own(e) && e.reason === 'pid')
      .map(({ pid }) => pid),
  };
}

/** Two tasks, pids 1 and 2, call a1 each time that `round` is sent out. */
function* callers(cx: Context, m: SmallKernel): Path<void> {
  m.task('one', 0, 'a1');
  m.task('two', 1, 'a1');
  yield* sleepFor(cx, 500);
}

test('a listed task is called back for, the others are skipped (FT-18, CC-S21.1-6)', () => {
  const m = kernel();
  const ops = pidOps(m);
  const rounds: unknown[] = [];
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('a1'));
    yield* perform(cx, m.k, ops, REGISTER);
    rounds.push(yield* writePids(cx, m.k, [2]));
    yield* callers(cx, m);
    rounds.push(told(m, ops));
    rounds.push(yield* writePids(cx, m.k, [5], false));
    const from = m.log.count;
    yield* callers(cx, m);
    rounds.push(told(m, ops, from));
    rounds.push(yield* writePids(cx, m.k, []));
    const later = m.log.count;
    yield* callers(cx, m);
    rounds.push(told(m, ops, later).ran.toSorted((a, b) => a - b));
  });
  expect(rounds).toEqual([0, { ran: [2], skipped: [3] }, 0, { ran: [5], skipped: [4] }, 0, [6, 7]]);
});

test.each([
  ['its trampoline', {}, false, 1],
  ['the list function', {}, false, 2],
  ['the generic caller alone', { trampolines: false }, true, 1],
] as const)(
  'by %s the check comes first, in tasks that share a CPU too (FT-18)',
  (_by, options, isStatic, count) => {
    for (let seed = 1; seed <= 20; seed++) {
      const m = kernel({ ...options, chooser: restless(seed) });
      const all = Array.from({ length: count }, (_, i) => pidOps(m, `A${i}`, isStatic));
      m.control(function* (cx) {
        for (const ops of all) yield* perform(cx, m.k, ops, REGISTER);
        yield* writePids(cx, m.k, [3, 4]);
        for (const cpu of [0, 0, 1, 1]) m.task(`task${cpu}`, cpu, 'a1', 3);
      });
      for (const ops of all) {
        const { ran, skipped } = told(m, ops);
        expect(ran.toSorted((a, b) => a - b)).toEqual([3, 3, 3, 4, 4, 4]);
        expect(skipped.toSorted((a, b) => a - b)).toEqual([2, 2, 2, 5, 5, 5]);
      }
    }
  },
);

test('ops without the flag PID do not care (FT-18)', () => {
  const m = kernel();
  const [plain, obeys] = [m.ops('plain', 'cb'), pidOps(m)];
  m.control(function* (cx) {
    yield* perform(cx, m.k, plain, REGISTER);
    yield* perform(cx, m.k, obeys, REGISTER);
    yield* writePids(cx, m.k, [2]);
    yield* callers(cx, m);
  });
  expect(told(m, plain)).toEqual({ ran: [2, 3], skipped: [] });
  expect(told(m, obeys)).toEqual({ ran: [2], skipped: [3] });
});

test('func is the wrapper while there are pids, and what the user wrote otherwise (FT-18, FT-25.9, FT-29.3, CC-S4.4, CC-S5.3)', () => {
  const m = kernel();
  const ops = pidOps(m);
  const { wrapper } = m.k.pids;
  const mine = m.fn('cb').address;
  const seen: number[] = [];
  m.control(function* (cx) {
    const look = (): void => {
      expect(structFunc(m, ops)).toBe(ops.func.value);
      seen.push(ops.func.value);
    };
    yield* perform(cx, m.k, ops, REGISTER);
    look();
    yield* writePids(cx, m.k, [2]);
    look();
    yield* perform(cx, m.k, ops, UNREGISTER);
    look();
    yield* perform(cx, m.k, ops, REGISTER);
    look();
    yield* writePids(cx, m.k, []);
    look();
    yield* perform(cx, m.k, ops, UNREGISTER);
    look();
  });
  expect(seen).toEqual([mine, wrapper, mine, wrapper, mine, mine]);
  expect(wrapper).not.toBe(NO_ADDRESS);
});

const IN_THE_WAY = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY;

test('a registration that is refused restores func, whatever the flags beside PID (FT-18, FT-45, CC-S4.6, CC-G16)', () => {
  for (const more of [0, FTRACE_OPS_FL_RECURSION, FTRACE_OPS_FL_RCU, FTRACE_OPS_FL_PERMANENT]) {
    const m = kernel();
    const first = m.ops('first', 'cb', false, IN_THE_WAY);
    const ops = m.ops('A', 'cb', false, FTRACE_OPS_FL_PID | IN_THE_WAY | more);
    const results: number[] = [];
    m.control(function* (cx) {
      for (const one of [first, ops]) yield* perform(cx, m.k, one, setFilter('a1'));
      yield* writePids(cx, m.k, [2]);
      results.push(yield* perform(cx, m.k, first, REGISTER));
      results.push(yield* perform(cx, m.k, ops, REGISTER));
      expect([ops.func.value, structFunc(m, ops)]).toEqual([m.fn('cb').address, ops.func.value]);
      results.push(yield* perform(cx, m.k, first, UNREGISTER));
      results.push(yield* perform(cx, m.k, ops, REGISTER));
      expect(ops.savedFunc.value).toBe(m.fn('cb').address);
      yield* callers(cx, m);
    });
    expect(results).toEqual([0, -EBUSY, 0, 0]);
    expect(told(m, ops)).toEqual({ ran: [2], skipped: [3] });
  }
});

function* calls(cx: Context, m: SmallKernel): Path<void> {
  yield* m.call(cx, 'a2');
}

test('an interrupt counts as the task that it interrupted (FT-18)', () => {
  const m = kernel();
  const ops = pidOps(m);
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    yield* writePids(cx, m.k, [1]);
    yield* m.call(cx, 'a1');
    m.machine.cpus[1]?.pending.push({
      level: LEVEL.hardirq,
      handler: m.fn('a2').address,
      body: (irq) => () => calls(irq, m),
    });
    m.task('two', 1, 'a1', 1);
  });
  expect(told(m, ops)).toEqual({ ran: [1], skipped: [0, 2] });
});

test('without memory for a list the old one stays (CC-S21.1)', () => {
  const m = kernel({
    chooser: { choose: ({ kind }) => (kind === CHOICE.alloc ? 1 : 0) },
  });
  const ops = pidOps(m);
  const results: number[] = [];
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    results.push(yield* writePids(cx, m.k, [2]));
    m.machine.slab.failing = new Set(['heap']);
    results.push(yield* writePids(cx, m.k, [3], false));
    yield* callers(cx, m);
  });
  expect(results).toEqual([0, -ENOMEM]);
  expect(told(m, ops)).toEqual({ ran: [2], skipped: [3] });
});

test('a replaced list is freed behind a grace period, and no task switch uses it after (CC-S21.3)', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const m = kernel({ chooser: restless(seed) });
    const ops = pidOps(m);
    m.control(function* (cx) {
      for (const cpu of [0, 1, 1]) m.task(`task${cpu}`, cpu, 'a1', 20);
      yield* perform(cx, m.k, ops, REGISTER);
      yield* writePids(cx, m.k, [2]);
      yield* writePids(cx, m.k, [3], false);
      yield* writePids(cx, m.k, []);
    });
    const lists = m.events('alloc').filter(({ kind }) => kind === 'heap');
    expect(lists).toHaveLength(2);
    for (const list of lists) {
      const freed = m.events('free').find(({ object }) => object === list.object);
      const late = m
        .events('touch')
        .filter(({ object, index }) => object === list.object && index > (freed?.index ?? 0));
      expect([freed === undefined, late]).toEqual([false, []]);
    }
  }
});

test('the steps of a write (CC-S21.2, CC-S21.4-6)', () => {
  const m = smallKernel({ functions: FUNCTIONS, machine: { cpus: 1 } });
  const ops = pidOps(m);
  m.thread('control', 0, function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    yield* writePids(cx, m.k, [2]);
  });
  const seen = folded(watchAccesses(m.machine));
  const from = seen.indexOf('write function_pids');
  expect(seen.slice(from)).toEqual([
    'write function_pids',
    'act function_pids',
    'SYNC',
    'write func/A',
    'act text_mutex',
    'PATCH',
    'act text_mutex',
    'act ftrace_lock',
  ]);
});

test('M-34: who comes back calls the check, and the check itself (FT-18)', () => {
  const m = kernel({ variants: ['M-34'], machine: { stepsMax: 5000 } });
  const ops = pidOps(m);
  m.thread('control', 0, function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    yield* writePids(cx, m.k, [1]);
    yield* m.call(cx, 'a1');
    yield* perform(cx, m.k, ops, UNREGISTER);
    yield* perform(cx, m.k, ops, REGISTER);
    yield* m.call(cx, 'a1');
  });
  const ending = m.machine.run();
  const entered = m.events('func_enter').map(({ func }) => func);
  expect(entered).toContain(m.fn('cb').address);
  expect(entered.lastIndexOf(m.k.pids.wrapper)).toBeGreaterThan(
    entered.lastIndexOf(m.fn('cb').address),
  );
  expect(ending).not.toBe('run_end');
});

test('a CPU that was gone when a list came goes by what it knew until it changes tasks (CC-N4)', () => {
  const m = kernel({ patching: 'stopMachine' });
  const ops = pidOps(m);
  const move = (cx: Context, name: 'cpu_down' | 'cpu_up', func: number): Path<number> =>
    cpuOperation(cx, m.k, { op: name, which: 1, func });
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, REGISTER);
    yield* move(cx, 'cpu_down', m.fn('a1').address);
    yield* writePids(cx, m.k, [77]);
    yield* move(cx, 'cpu_up', m.fn('a2').address);
    m.task('other', 1, 'a1');
    yield* sleepFor(cx, 500);
    yield* move(cx, 'cpu_down', m.fn('a1').address);
  });
  const hits = (name: 'cb_begin' | 'skip'): unknown[] =>
    m.events(name).map(({ cpu, ip, pid }) => [cpu, pid, ip === m.fn('a2').site ? 'a2' : 'a1']);
  expect(hits('cb_begin')).toEqual([
    [1, 0, 'a1'],
    [1, 0, 'a2'],
  ]);
  const other = m.machine.tasks.find(({ name }) => name === 'other')?.pid;
  expect(hits('skip')).toEqual([
    [1, other, 'a1'],
    [1, 0, 'a1'],
  ]);
});
