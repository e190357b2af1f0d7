// What each variant of fprobe on rethook changes in a run that shows it, and that the unchanged code does not. That judges
// find it is for properties/.
import { expect, test } from 'vitest';
import { smallFprobes, type SmallFprobes } from '../../../properties/small-fprobe.ts';
import { known } from '../../assert.ts';
import { CHOICE } from '../../emu/choose.ts';
import type { Context } from '../../emu/context.ts';
import { LEVEL } from '../../emu/context.ts';
import { guestHandler } from '../../emu/interrupt.ts';
import type { Path } from '../../emu/path.ts';
import { start } from '../../emu/schedule.ts';
import type { ScriptOp } from '../../emu/script.ts';
import { sleepFor } from '../../emu/timer.ts';
import { loadNmissed } from '../fprobe-miss.ts';
import { FPROBE_FL_KPROBE_SHARED } from '../fprobe-struct.ts';
import type { Fprobe } from '../fprobe.ts';
import { kprobeBusyBegin, kprobeBusyEnd } from '../kprobe-busy.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const NAP: readonly ScriptOp[] = [{ op: 'sleep', us: 2000 }];
const REFUSE: readonly ScriptOp[] = [{ op: 'return', value: 1 }];

const calling = (...targets: readonly string[]): readonly ScriptOp[] =>
  targets.map((target) => ({ op: 'call', target }));

/** Runs `path` on CPU 0 to whatever end; what handlers did, and the end if it is none. */
function ran(m: SmallFprobes, path: (cx: Context) => Path<unknown>): readonly string[] {
  const task = m.machine.newTask('control', 'task', known(m.machine.cpus[0], 'it exists'));
  start(task, () => path(task.context));
  m.machine.run();
  return m.story().filter((line) => !line.endsWith(' returns'));
}

/** One story with and without the variant. */
function both(
  variant: string,
  tell: (variants: readonly string[]) => readonly string[],
): readonly (readonly string[])[] {
  return [tell([]), tell([variant])];
}

function pool(m: SmallFprobes, fp: Fprobe): string {
  const { free, nodes } = m.k.fn.fprobeState(m.k, fp);
  return `${free} of ${nodes}`;
}

/** f sleeps while its fprobe is unregistered; then the waits last until `late` has called f again. */
function outlived(variants: readonly string[]): readonly string[] {
  const m = smallFprobes({ variants, functions: { f: NAP } });
  const fp = m.fprobe('A');
  m.thread('sleeper', 1, function* (cx) {
    yield* sleepFor(cx, 500);
    yield* m.call(cx, 'f');
  });
  const story = ran(m, function* (cx) {
    yield* m.register(cx, fp, 'f');
    yield* sleepFor(cx, 1000);
    yield* m.unregister(cx, fp);
  });
  return [...story, pool(m, fp)];
}

function tellM35(variants: readonly string[]): readonly string[] {
  const m = smallFprobes({
    variants,
    functions: { f: NAP },
    chooser: { choose: ({ kind }, count) => (kind === CHOICE.wait ? count - 1 : 0) },
  });
  const fp = m.fprobe('A');
  m.thread('sleeper', 1, function* (cx) {
    yield* sleepFor(cx, 500);
    yield* m.call(cx, 'f');
  });
  return ran(m, function* (cx) {
    yield* m.register(cx, fp, 'f');
    yield* sleepFor(cx, 2000);
    yield* m.unregister(cx, fp);
  });
}

test('M-35, H-03: an exit handler starts between the waits and the stop', () => {
  for (const variant of ['M-35', 'H-03']) {
    expect(both(variant, tellM35)).toEqual([
      ['A.entry f', 'A skips f: removed'],
      ['A.entry f', 'A.exit f'],
    ]);
  }
});

/** Holds ftrace_lock until the pool has had the time to go. */
function* lateCall(m: SmallFprobes, cx: Context): Path<void> {
  yield* sleepFor(cx, 2000);
  yield* m.call(cx, 'f');
  cx.make(() => {
    const next = m.k.ftrace.ftraceLock.queue.shift();
    m.k.ftrace.ftraceLock.holder = next?.cx;
    next?.granted.set(1);
  });
}

function tellM36(variants: readonly string[]): readonly string[] {
  const m = smallFprobes({
    variants,
    functions: { f: WORK },
    chooser: { choose: ({ kind }, count) => (kind === CHOICE.wait ? count - 1 : 0) },
  });
  const fp = m.fprobe('A');
  // Frees right away, waits long, and unhooks later still: whoever comes meanwhile is late.
  const lock = m.k.ftrace.ftraceLock;
  const story = ran(m, function* (cx) {
    yield* m.register(cx, fp, 'f');
    cx.make(() => {
      const other = m.machine.newTask('other', 'task', known(m.machine.cpus[1], 'it exists'));
      start(other, () => lateCall(m, other.context));
      lock.holder = other.context;
    });
    yield* m.unregister(cx, fp);
  });
  return story.map((line) => line.replace(/ f: .*/u, ''));
}

test('M-36, H-04: a hit finds a rethook that is gone', () => {
  for (const variant of ['M-36', 'H-04']) {
    expect(both(variant, tellM36)).toEqual([['A skips'], ['oops: freed']]);
  }
});

function tellM38(variants: readonly string[]): readonly string[] {
  const m = smallFprobes({ variants, functions: { f: calling('g'), g: WORK } });
  const fp = m.fprobe('A', { nrMaxactive: 1 });
  const story = ran(m, function* (cx) {
    yield* m.register(cx, fp, '*');
    yield* m.call(cx, 'f');
  });
  return [...story, `${loadNmissed(m.k, fp)}`];
}

test('M-38: an empty pool is not counted', () => {
  const story = ['A.entry f', 'A skips g: no_node', 'A.exit f'];
  expect(both('M-38', tellM38)).toEqual([
    [...story, '1'],
    [...story, '0'],
  ]);
});

/** Two calls that the entry handler refuses. */
function refused(variants: readonly string[]): readonly string[] {
  const m = smallFprobes({ variants, functions: { f: WORK }, callbacks: { entry: REFUSE } });
  const fp = m.fprobe('A', { nrMaxactive: 2 });
  const story = ran(m, function* (cx) {
    yield* m.register(cx, fp, 'f');
    yield* m.call(cx, 'f');
    yield* m.call(cx, 'f');
  });
  return [...story, pool(m, fp)];
}

test('M-39: a call that was refused has its exit', () => {
  const once = ['A.entry f', 'A skips f: rejected'];
  expect(both('M-39', refused)).toEqual([
    [...once, ...once, '2 of 2'],
    ['A.entry f', 'A.exit f', 'A.entry f', 'A.exit f', '2 of 2'],
  ]);
});

test('M-40: a call that was refused keeps its node', () => {
  const once = ['A.entry f', 'A skips f: rejected'];
  expect(both('M-40', refused)).toEqual([
    [...once, ...once, '2 of 2'],
    [...once, ...once, '0 of 2'],
  ]);
});

function tellM41(variants: readonly string[]): readonly string[] {
  const m = smallFprobes({
    variants,
    functions: { f: WORK, g: WORK },
  });
  return interruptedExit(m);
}

test('M-41: an interrupt takes the node of an exit handler that runs', () => {
  expect(both('M-41', tellM41)).toEqual([
    ['A.entry f', 'A.exit f', 'A skips g: no_node'],
    ['A.entry f', 'A.exit f', 'A.entry g', 'A.exit g'],
  ]);
});

/** While the exit handler of f runs, an interrupt calls g. */
function interruptedExit(m: SmallFprobes): readonly string[] {
  const fp = m.fprobe('A', { nrMaxactive: 1 });
  const { machine } = m;
  const handler = m.fn('g').address;
  let raised = false;
  const emit = machine.emitFrom.bind(machine);
  machine.emitFrom = (cx, id, ...words): void => {
    emit(cx, id, ...words);
    if (raised || m.events('cb_begin').length < 2) return;
    raised = true;
    cx.cpu.pending.push({ level: LEVEL.hardirq, handler, body: guestHandler(handler) });
    machine.touchCpu(cx.cpu);
  };
  return ran(m, function* (cx) {
    yield* m.register(cx, fp, '*');
    yield* m.call(cx, 'f');
  });
}

test('M-42: a pool waits for ever for nodes that it has already', () => {
  expect(both('M-42', outlived)).toEqual([
    ['A.entry f', 'A skips f: removed', '0 of 0'],
    ['A.entry f', 'A skips f: removed', '0 of 1'],
  ]);
});

function tellM43(variants: readonly string[]): readonly string[] {
  const m = smallFprobes({ variants, functions: { f: WORK } });
  const all = [m.fprobe('A'), m.fprobe('B')];
  ran(m, function* (cx) {
    for (const fp of all) yield* m.register(cx, fp, 'f');
    yield* m.call(cx, 'f');
  });
  const called = known(
    m.events('func_enter').find(({ func }) => func === m.fn('f').address),
    'f',
  );
  const exits = m.events('cb_begin').filter(({ kind }) => kind === 'fprobe_exit');
  return exits.map(({ parent_ip: at }) => (at === called.ra ? 'real' : 'trampoline'));
}

test('M-43: the real return address is missed where two returns are taken', () => {
  expect(both('M-43', tellM43)).toEqual([
    ['real', 'real'],
    ['trampoline', 'real'],
  ]);
});

function tellM44(variants: readonly string[]): readonly string[] {
  const m = smallFprobes({ variants, functions: { f: NAP } });
  const fp = m.fprobe('A');
  m.thread('sleeper', 1, function* (cx) {
    yield* sleepFor(cx, 500);
    yield* m.call(cx, 'f');
  });
  return ran(m, function* (cx) {
    yield* m.register(cx, fp, 'f');
    yield* sleepFor(cx, 1000);
    yield* m.ask(cx, fp, { op: 'disable_fprobe' });
  });
}

test('M-44: who is disabled while a call is under way has its exit', () => {
  expect(both('M-44', tellM44)).toEqual([
    ['A.entry f', 'A skips f: exit_disabled'],
    ['A.entry f', 'A.exit f'],
  ]);
});

test('E-7: handlers are loaded before preemption is off, and nobody notices', () => {
  expect(both('E-7', outlived)).toEqual([
    ['A.entry f', 'A skips f: removed', '0 of 0'],
    ['A.entry f', 'A skips f: removed', '0 of 0'],
  ]);
});

function tellH07(variants: readonly string[]): readonly string[] {
  const callbacks = { exit: calling('g') };
  const m = smallFprobes({ variants, functions: { f: WORK, g: WORK }, callbacks });
  const fp = m.fprobe('A', { nrMaxactive: 5 });
  const story = ran(m, function* (cx) {
    yield* m.register(cx, fp, '*');
    yield* m.call(cx, 'f');
  });
  return story.filter((line) => line.includes('skips'));
}

test('H-07: an exit handler that calls a probed function nests until the pool is empty', () => {
  expect(both('H-07', tellH07)).toEqual([['A skips g: recursion'], ['A skips g: no_node']]);
});

function tellH08(variants: readonly string[]): readonly string[] {
  const m = smallFprobes({ variants, functions: { f: WORK } });
  const fp = m.fprobe('A', { flags: FPROBE_FL_KPROBE_SHARED });
  let count = -1;
  ran(m, function* (cx) {
    yield* m.register(cx, fp, 'f');
    yield* kprobeBusyBegin(cx, m.k);
    yield* m.call(cx, 'f');
    yield* kprobeBusyEnd(cx, m.k);
    count = cx.make(() => cx.cpu.preemptCount.value);
  });
  const word = m.k.tasks.reduce((all, task) => all | (task?.recursion.value ?? 0), 0);
  return [`preempt_count ${count}, word ${word}`];
}

test('H-08: a hit while a kprobe runs leaves preemption off', () => {
  expect(both('H-08', tellH08)).toEqual([['preempt_count 0, word 0'], ['preempt_count 1, word 8']]);
});

function tellH36(variants: readonly string[]): readonly string[] {
  const m = smallFprobes({ variants, functions: { f: WORK } });
  const fp = m.fprobe('A');
  return ran(m, function* (cx) {
    yield* m.register(cx, fp, 'f');
    cx.make(() => {
      const cpu = known(m.machine.cpus[1], 'there is a second CPU');
      cpu.idleRuns = { func: m.fn('f').address, left: 1 };
      m.machine.touchCpu(cpu);
    });
    yield* sleepFor(cx, 1000);
  });
}

test('H-36: a CPU that RCU does not watch takes a node', () => {
  expect(both('H-36', tellH36)).toEqual([['A skips f: not_watching'], ['A.entry f', 'A.exit f']]);
});

function tellH47(variants: readonly string[]): readonly string[] {
  const m = smallFprobes({
    variants,
    functions: { f: WORK },
    chooser: { choose: ({ kind }, count) => (kind === CHOICE.alloc ? count - 1 : 0) },
  });
  const fp = m.fprobe('A');
  ran(m, function* (cx) {
    m.machine.slab.failing = new Set(['rethook_node']);
    yield* m.register(cx, fp, 'f');
  });
  const freed = new Set(m.events('free').map(({ object }) => object));
  return m.events('alloc').flatMap(({ kind, object }) => (freed.has(object) ? [] : [kind]));
}

test('H-47: the rethook stays when its nodes find no memory', () => {
  expect(both('H-47', tellH47)).toEqual([[], ['rethook']]);
});
