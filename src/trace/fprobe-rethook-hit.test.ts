// What handlers of an fprobe are given, and which hits run none, and count: the eras of rethook (FP-30 to FP-34).
import { expect, test } from 'vitest';
import { smallFprobes, type SmallFprobes } from '../../properties/small-fprobe.ts';
import { known } from '../assert.ts';
import { type Address, NO_ADDRESS } from '../emu/address.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { TRACE_EVENTS } from './event.ts';
import { loadNmissed } from './fprobe-miss.ts';
import { FPROBE_FL_DISABLED, FPROBE_FL_KPROBE_SHARED } from './fprobe-struct.ts';
import type { Fprobe } from './fprobe.ts';
import { FTRACE_OPS_FL_RECURSION } from './ftrace-ops-flags.ts';
import { kprobeBusyBegin, kprobeBusyEnd } from './kprobe-busy.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const NAP: readonly ScriptOp[] = [{ op: 'sleep', us: 2000 }];
const SEVEN: readonly ScriptOp[] = [{ op: 'return', value: 7 }];

const calling = (...targets: readonly string[]): readonly ScriptOp[] =>
  targets.map((target) => ({ op: 'call', target }));

/** Looks at the machine when a handler begins: before its first instruction. */
function whenCalled(
  m: SmallFprobes,
  look: (kind: string, entryData: Address, regs: Address) => void,
): void {
  const { machine } = m;
  const emit = machine.emitFrom.bind(machine);
  let kind = '';
  machine.emitFrom = (cx, id, ...words): void => {
    emit(cx, id, ...words);
    if (id === TRACE_EVENTS.cb_begin.id) kind = m.log.strings.text(words[0] ?? 0);
    const regs = (cx.cpu.hart.lo[13] as number) ^ -0x80000000;
    if (id === TRACE_EVENTS.fprobe_data.id) look(kind, words[1] ?? 0, regs);
  };
}

function countOf(m: SmallFprobes, fp: Fprobe): number {
  return loadNmissed(m.k, fp);
}

test('FP-1, FP-30.5-6, FP-31.2: both handlers get the site and the real return address; regs->ip is behind the site, then the return', () => {
  const m = smallFprobes({ functions: { main: calling('f'), f: SEVEN } });
  const fp = m.fprobe('A');
  m.control(function* (cx) {
    yield* m.register(cx, fp, 'f');
    yield* m.call(cx, 'main');
  });
  const { site } = m.fn('f');
  const call = m.events('func_enter').find(({ func }) => func === m.fn('f').address);
  const ret = known(call, 'f was called').ra;
  const calls = m.events('cb_begin').map(({ kind, ip, parent_ip: at }) => [kind, ip, at]);
  expect(calls).toEqual([
    ['fprobe_entry', site, ret],
    ['fprobe_exit', site, ret],
  ]);
  expect(m.events('fprobe_data').map(({ regs_ip: ip }) => ip)).toEqual([site + 4, ret]);
});

test('FP-1: an exit handler sees the return value, and changes it', () => {
  const m = smallFprobes({ functions: { f: SEVEN } });
  const fp = m.fprobe('A');
  const seen: number[] = [];
  whenCalled(m, (kind, _data, regs) => {
    if (kind !== 'fprobe_exit') return;
    seen.push(m.machine.memory.loadLo(regs));
    m.machine.memory.store64(regs, 9, 0);
  });
  let result = 0;
  m.control(function* (cx) {
    yield* m.register(cx, fp, 'f');
    result = yield* m.call(cx, 'f');
  });
  expect([seen, result]).toEqual([[7], 9]);
});

test('FP-2: both handlers of a call share its data: zeros at first, what the last call left later', () => {
  const m = smallFprobes({ functions: { f: WORK } });
  const fp = m.fprobe('A', { entryDataSize: 24, nrMaxactive: 1 });
  const seen: string[] = [];
  whenCalled(m, (kind, data) => {
    const { memory } = m.machine;
    seen.push(`${kind} ${memory.loadLo(data + 16)}`);
    if (kind === 'fprobe_entry') memory.store64(data + 16, 90 + seen.length, 0);
  });
  m.control(function* (cx) {
    yield* m.register(cx, fp, 'f');
    yield* m.call(cx, 'f');
    yield* m.call(cx, 'f');
  });
  expect(seen).toEqual(['fprobe_entry 0', 'fprobe_exit 91', 'fprobe_entry 91', 'fprobe_exit 93']);
  expect(new Set(m.events('fprobe_data').map(({ entry_data: at }) => at)).size).toBe(1);
});

test('FP-2: without an exit handler, or without a size, there is no data', () => {
  const m = smallFprobes({ functions: { f: WORK } });
  const [a, b] = [m.fprobe('A', { entryDataSize: 8, exit: null }), m.fprobe('B')];
  m.control(function* (cx) {
    yield* m.register(cx, a, 'f');
    yield* m.register(cx, b, 'f');
    yield* m.call(cx, 'f');
  });
  expect(m.story()).toEqual(['B.entry f', 'A.entry f', 'B.exit f', 'f returns']);
  expect(m.events('fprobe_data').map(({ entry_data: at }) => at)).toEqual([
    NO_ADDRESS,
    NO_ADDRESS,
    NO_ADDRESS,
  ]);
});

test('FP-3, FP-9, FP-30.1, FP-31.3: who is disabled is silent and not counted; a call that began before is silenced too', () => {
  const m = smallFprobes({ functions: { f: NAP } });
  const fp = m.fprobe('A', { flags: FPROBE_FL_DISABLED });
  m.thread('caller', 1, function* (cx) {
    yield* sleepFor(cx, 500);
    for (let i = 0; i < 3; i++) yield* m.call(cx, 'f');
  });
  m.control(function* (cx) {
    yield* m.register(cx, fp, 'f');
    yield* sleepFor(cx, 1000);
    yield* m.ask(cx, fp, { op: 'enable_fprobe' });
    yield* sleepFor(cx, 2500);
    yield* m.ask(cx, fp, { op: 'disable_fprobe' });
  });
  expect(m.story()).toEqual([
    'A skips f: disabled',
    'f returns',
    'A.entry f',
    'A skips f: exit_disabled',
    'f returns',
    'A skips f: disabled',
    'f returns',
  ]);
  expect(countOf(m, fp)).toBe(0);
});

test('FP-30.4, FP-32, FP-37: without a free node neither handler runs, and it counts', () => {
  const m = smallFprobes({
    functions: { f: calling('g', 'g'), g: calling('h'), h: WORK },
  });
  const [a, b] = [m.fprobe('A', { nrMaxactive: 2 }), m.fprobe('B', { nrMaxactive: 1, exit: null })];
  m.control(function* (cx) {
    yield* m.register(cx, a, '*');
    yield* m.register(cx, b, 'h');
    yield* m.call(cx, 'f');
  });
  const once = [
    'A.entry g',
    'B.entry h',
    'A skips h: no_node',
    'h returns',
    'A.exit g',
    'g returns',
  ];
  expect(m.story()).toEqual(['A.entry f', ...once, ...once, 'A.exit f', 'f returns']);
  expect([countOf(m, a), countOf(m, b)]).toEqual([2, 0]);
});

test('FP-30.4: with the option missPolicy exitOnly a shortage of nodes skips the exit handler only', () => {
  const m = smallFprobes({
    functions: { f: calling('g'), g: WORK },
    fprobe: { missPolicy: 'exitOnly' },
  });
  const fp = m.fprobe('A', { nrMaxactive: 1 });
  m.control(function* (cx) {
    yield* m.register(cx, fp, '*');
    yield* m.call(cx, 'f');
  });
  expect(m.story()).toEqual([
    'A.entry f',
    'A skips g: no_node',
    'A.entry g',
    'g returns',
    'A.exit f',
    'f returns',
  ]);
  expect(countOf(m, fp)).toBe(1);
});

test('FP-30.2, FP-32, FP-34: a handler that calls what the fprobe probes is let through once; the next level is missed', () => {
  const m = smallFprobes({ functions: { f: WORK, g: WORK }, callbacks: { entry: calling('g') } });
  const fp = m.fprobe('A');
  m.control(function* (cx) {
    yield* m.register(cx, fp, '*');
    yield* m.call(cx, 'f');
  });
  expect(m.story()).toEqual([
    'A.entry f',
    'A.entry g',
    'A skips g: recursion',
    'g returns',
    'A.exit g',
    'g returns',
    'A.exit f',
    'f returns',
  ]);
  expect(countOf(m, fp)).toBe(1);
});

test('FP-34: the level is shared by all fprobes of the task: in a chain the third one misses, on its own counter', () => {
  const chain = { entryA: calling('g'), entryB: calling('h'), entryC: [] };
  const m = smallFprobes({ functions: { f: WORK, g: WORK, h: WORK }, callbacks: chain });
  const all = ['A', 'B', 'C'].map((name) => m.fprobe(name, { entry: `entry${name}`, exit: null }));
  m.control(function* (cx) {
    for (const [i, fp] of all.entries()) yield* m.register(cx, fp, 'fgh'.charAt(i));
    yield* m.call(cx, 'f');
  });
  const entries = ['A.entry f', 'B.entry g', 'C skips h: recursion'];
  expect(m.story()).toEqual([...entries, 'h returns', 'g returns', 'f returns']);
  expect(all.map((fp) => countOf(m, fp))).toEqual([0, 0, 1]);
});

test('FP-31.3, FP-34: an exit handler that calls a probed function nests no further than an entry handler', () => {
  const m = smallFprobes({ functions: { f: WORK, g: WORK }, callbacks: { exit: calling('g') } });
  const fp = m.fprobe('A');
  m.control(function* (cx) {
    yield* m.register(cx, fp, '*');
    yield* m.call(cx, 'f');
  });
  const inner = ['A.entry g', 'A.exit g', 'A skips g: recursion', 'g returns', 'g returns'];
  expect(m.story()).toEqual(['A.entry f', 'A.exit f', ...inner, 'f returns']);
  expect(countOf(m, fp)).toBe(1);
});

test('FP-31.3, FP-32: an exit that finds the recursion bits taken is missed and counted', () => {
  const m = smallFprobes({ functions: { f: [{ op: 'call', target: 'mark' }], '-mark': [] } });
  const fp = m.fprobe('A');
  let word = 0;
  m.machine.watch(m.fn('mark').address, {
    enter: () => {
      // Its return is as good a place.
    },
    leave: (cx) => {
      const { recursion } = known(m.k.tasks[cx.task.index], 'the task was traced');
      word = recursion.value;
      recursion.set(word | 0x1f);
    },
  });
  m.control(function* (cx) {
    yield* m.register(cx, fp, 'f');
    yield* m.call(cx, 'f');
    cx.make(() => known(m.k.tasks[cx.task.index], 'the task was traced').recursion.set(word));
  });
  expect(m.story()).toEqual([
    'A.entry f',
    'mark returns',
    'A skips f: exit_recursion',
    'f returns',
  ]);
  expect(countOf(m, fp)).toBe(1);
});

test('FP-20: with RECURSION in the flags of its ops the third level is refused before the fprobe hears of it', () => {
  const m = smallFprobes({ functions: { f: WORK, g: WORK }, callbacks: { entry: calling('g') } });
  const fp = m.fprobe('A', { exit: null });
  m.machine.memory.store64(fp.address + 8, FTRACE_OPS_FL_RECURSION, 0);
  m.control(function* (cx) {
    yield* m.register(cx, fp, '*');
    yield* m.call(cx, 'f');
  });
  expect(m.events('skip').map(({ reason }) => reason)).toEqual(['recursion']);
  const { ops } = known(m.events('fprobe')[0], 'it was registered');
  expect(m.events('skip').map(({ object }) => object)).toEqual([ops]);
  expect(countOf(m, fp)).toBe(0);
});

test('FP-20, FT-14: the ops asks for all registers, whatever else the user has asked for', () => {
  const m = smallFprobes({ functions: { f: WORK } });
  const fp = m.fprobe('A');
  m.machine.memory.store64(fp.address + 8, FTRACE_OPS_FL_RECURSION, 0);
  m.control(function* (cx) {
    yield* m.register(cx, fp, '*');
  });
  expect(m.events('ops_flags').map(({ flags, regs }) => [flags, regs])).toEqual([[0x14, true]]);
  expect(m.events('object').map(({ kind, name }) => [kind, name])).toEqual([
    ['fprobe', 'A'],
    ['fprobe_ops', 'A'],
  ]);
});

test('FP-3, FP-30.3, FP-32: with KPROBE_SHARED at registration it misses where a kprobe runs, and counts', () => {
  const m = smallFprobes({ functions: { f: WORK } });
  const [shared, other] = [m.fprobe('A', { flags: FPROBE_FL_KPROBE_SHARED }), m.fprobe('B')];
  m.control(function* (cx) {
    yield* m.register(cx, shared, 'f');
    yield* m.register(cx, other, 'f');
    cx.make(() => {
      m.machine.memory.store32(shared.address + 72, 0);
    });
    yield* kprobeBusyBegin(cx, m.k);
    yield* m.call(cx, 'f');
    yield* kprobeBusyEnd(cx, m.k);
    yield* m.call(cx, 'f');
  });
  expect(m.story()).toEqual([
    'B.entry f',
    'A skips f: kprobe_running',
    'B.exit f',
    'f returns',
    'B.entry f',
    'A.entry f',
    'A.exit f',
    'B.exit f',
    'f returns',
  ]);
  expect([countOf(m, shared), countOf(m, other)]).toEqual([1, 0]);
});

test('FP-30.4: where RCU does not watch no node is taken, and the miss counts', () => {
  const m = smallFprobes({ functions: { f: WORK } });
  const [a, b] = [m.fprobe('A'), m.fprobe('B', { exit: null })];
  m.control(function* (cx) {
    yield* m.register(cx, a, 'f');
    yield* m.register(cx, b, 'f');
    cx.make(() => {
      const cpu = known(m.machine.cpus[1], 'there is a second CPU');
      cpu.idleRuns = { func: m.fn('f').address, left: 1 };
      m.machine.touchCpu(cpu);
    });
    yield* sleepFor(cx, 1000);
  });
  expect(m.story()).toEqual(['B.entry f', 'A skips f: not_watching', 'f returns']);
  expect([countOf(m, a), countOf(m, b)]).toEqual([1, 0]);
});
