// Handlers of fprobes as calls of guest code, misses, and the dummy kprobe.
import { expect, test } from 'vitest';
import { call } from '../../properties/guest-call.ts';
import {
  perform,
  REGISTER,
  setFilter,
  smallKernel,
  type SmallKernel,
} from '../../properties/small-kernel.ts';
import { type Address, addressLo, NO_ADDRESS } from '../emu/address.ts';
import { CHOICE } from '../emu/choose.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { ScriptOp } from '../emu/script.ts';
import {
  callFprobeEntry,
  callFprobeExit,
  callFprobeVoidEntry,
  type FprobeCall,
} from './fprobe-callback.ts';
import { loadNmissed, missFprobe, setNmissed, skipFprobe } from './fprobe-miss.ts';
import { readFprobeStruct, writeEntryDataSize } from './fprobe-struct.ts';
import { type Fprobe, newFprobe } from './fprobe.ts';
import { PT_REGS_IP, PT_REGS_MARK } from './ftrace-regs.ts';
import { KPROBE_BUSY, kprobeBusyBegin, kprobeBusyEnd, kprobeRunning } from './kprobe-busy.ts';
import { strictUnregister } from './strict.ts';

const CALLS_B: readonly ScriptOp[] = [{ op: 'call', target: 'b1' }];

interface Handlers {
  readonly m: SmallKernel;
  readonly fp: Fprobe;
  readonly at: FprobeCall;
}

/** An fprobe whose handlers call a function that an ordinary ops hooks. */
function handlers(racyCounters = false, seed = 0): Handlers {
  let asked = seed;
  const m = smallKernel({
    functions: { a1: [], b1: [] },
    callbacks: { cb: [], entry: CALLS_B, exit: CALLS_B },
    data: ['regs', 'own'],
    fprobe: { racyCounters },
    chooser: {
      // Another CPU at every chance.
      choose: ({ kind }, count) => (kind === CHOICE.schedule ? asked++ % count : 0),
    },
  });
  const entryHandler = m.fn('entry').address;
  const fp = newFprobe(m.k, { name: 'fp0', entryHandler, exitHandler: m.fn('exit').address });
  const at = {
    handler: entryHandler,
    generation: 3,
    entryIp: m.fn('a1').site,
    retIp: m.fn('b1').address + 4,
    regs: m.data('regs'),
    entryData: NO_ADDRESS,
  };
  return { m, fp, at };
}

/** As a trampoline leaves them. */
function saveRegs(m: SmallKernel, ip: Address, full: boolean): void {
  const { memory } = m.machine;
  const at = m.data('regs');
  memory.store64(at + 72, full ? PT_REGS_MARK : addressLo(ip), full ? 0 : -1);
  memory.store64(at + PT_REGS_IP, full ? addressLo(ip) : 0, full ? -1 : 0);
}

test('a handler is reported when it executes, with its arguments and what it returned', () => {
  const { m, fp, at } = handlers();
  const ops = m.ops('ops', 'cb');
  const { entryIp, retIp } = at;
  m.control(function* (cx) {
    yield* perform(cx, m.k, ops, setFilter('b1'));
    yield* perform(cx, m.k, ops, REGISTER);
    readFprobeStruct(cx, m.k, fp);
    saveRegs(m, entryIp + 4, false);
    // The last call of `entry` left the argument of the last call in a0.
    const result = yield* callFprobeEntry(cx, fp, at);
    expect(m.events('entry_result')).toMatchObject([{ object: 1, generation: 3, value: result }]);
    saveRegs(m, retIp, true);
    const exit = { ...at, handler: m.fn('exit').address, entryData: m.data('own') };
    yield* callFprobeExit(cx, fp, exit);
    yield* callFprobeVoidEntry(cx, fp, at);
  });
  // A void handler refuses nothing.
  expect(m.events('entry_result')).toMatchObject([{}, { object: 1, value: 0 }]);
  const begins = m.events('cb_begin').map(({ kind, object, depth }) => [kind, object, depth]);
  expect(begins).toEqual([
    ['fprobe_entry', 1, 0],
    ['ftrace_ops', 2, 1],
    ['fprobe_exit', 1, 0],
    ['ftrace_ops', 2, 1],
    ['fprobe_entry', 1, 0],
    ['ftrace_ops', 2, 1],
  ]);
  expect(m.events('cb_begin')[0]).toMatchObject({ generation: 3, ip: entryIp, parent_ip: retIp });
  expect(m.events('fprobe_data').slice(0, 2)).toMatchObject([
    { object: 1, entry_data: NO_ADDRESS, regs_ip: entryIp + 4 },
    { object: 1, entry_data: m.data('own'), regs_ip: retIp },
  ]);
  expect(m.events('cb_end').map(({ kind }) => kind)).toEqual([
    'ftrace_ops',
    'fprobe_entry',
    'ftrace_ops',
    'fprobe_exit',
    'ftrace_ops',
    'fprobe_entry',
  ]);
});

test('a call of a handler that no fprobe makes is no callback', () => {
  const { m, fp } = handlers();
  m.control(function* (cx) {
    readFprobeStruct(cx, m.k, fp);
    yield* m.call(cx, 'entry');
  });
  expect(m.events('cb_begin')).toEqual([]);
  expect(m.events('fprobe_data')).toEqual([]);
});

test('strict: an fprobe is not unregistered from its own handler (FT-35)', () => {
  const m = smallKernel({
    functions: { a1: [] },
    callbacks: { entry: [{ op: 'call', target: 'unregister_fprobe' }] },
    data: ['regs'],
    strict: true,
  });
  const handler = m.fn('entry').address;
  const fp = newFprobe(m.k, { name: 'fp0', entryHandler: handler });
  const [entryIp, regs] = [m.fn('a1').site, m.data('regs')];
  m.thread('t', 0, function* (cx) {
    readFprobeStruct(cx, m.k, fp);
    strictUnregister(cx, m.k, fp); // No handler is open.
    const at = { handler, generation: 1, entryIp, retIp: entryIp, regs, entryData: NO_ADDRESS };
    yield* callFprobeEntry(cx, fp, at); // a0 is still the fprobe when it unregisters.
  });
  expect(m.machine.run()).toBe('oops');
  expect(m.events('oops').map((e) => e.reason)).toEqual([
    'strict: unregister of fp0 from its own callback',
  ]);
});

function* missTwice(cx: Context, { m, fp, at }: Handlers): Path<void> {
  for (let i = 0; i < 2; i++) {
    yield* missFprobe(cx, m.k, fp, { reason: 'no_node', ip: at.entryIp });
  }
}

test('a miss says why and counts; a skip only says why', () => {
  const all = handlers();
  const { m, fp, at } = all;
  m.thread('other', 1, (cx) => missTwice(cx, all));
  m.control(function* (cx) {
    skipFprobe(cx, fp, 'disabled', at.entryIp);
    yield* missTwice(cx, all);
  });
  expect(loadNmissed(m.k, fp)).toBe(4);
  expect(m.events('skip').map((e) => e.reason)).toEqual([
    'disabled',
    ...Array.from({ length: 4 }, () => 'no_node'),
  ]);
  expect(m.events('count').map((e) => [e.object, e.counter, e.old, e.new])).toEqual([
    [1, 'nmissed', 0, 1],
    [1, 'nmissed', 1, 2],
    [1, 'nmissed', 2, 3],
    [1, 'nmissed', 3, 4],
  ]);
  expect(m.events('fprobe_state').map((e) => e.nmissed)).toEqual([4]);
});

/** What `nmissed` says of four misses on two CPUs, in several interleavings. */
function counted(racy: boolean): ReadonlySet<number> {
  const counts = Array.from({ length: 8 }, (_, seed) => {
    const all = handlers(racy, seed);
    all.m.thread('other', 1, (cx) => missTwice(cx, all));
    all.m.control((cx) => missTwice(cx, all));
    return loadNmissed(all.m.k, all.fp);
  });
  return new Set(counts);
}

test('counters that race lose misses of two CPUs; atomic ones never do (fprobe.md 9)', () => {
  expect(counted(false)).toEqual(new Set([4]));
  expect(Math.min(...counted(true))).toBeLessThan(4);
});

test('registration sets nmissed to 0 and may round entry_data_size', () => {
  const all = handlers();
  const { m, fp } = all;
  m.control(function* (cx) {
    yield* missTwice(cx, all);
    yield* setNmissed(cx, m.k, fp, 0);
    writeEntryDataSize(cx, m.k, fp, 16);
    expect(readFprobeStruct(cx, m.k, fp).entryDataSize).toBe(16);
  });
  expect(m.events('count').at(-1)).toMatchObject({ old: 2, new: 0 });
});

test('the dummy kprobe runs on one CPU, with preemption off', () => {
  const { m } = handlers();
  const seen: Address[] = [];
  m.control(function* (cx) {
    seen.push(yield* kprobeRunning(cx, m.k));
    yield* kprobeBusyBegin(cx, m.k);
    expect(cx.cpu.preemptCount.value).toBe(1);
    seen.push(yield* kprobeRunning(cx, m.k));
    yield* kprobeBusyEnd(cx, m.k);
    seen.push(yield* kprobeRunning(cx, m.k));
    yield* call(m, cx, 'kprobe_busy_begin', []);
    seen.push(yield* call(m, cx, 'kprobe_running', []));
    yield* call(m, cx, 'kprobe_busy_end', []);
    seen.push(yield* call(m, cx, 'kprobe_running', []));
  });
  expect(seen).toEqual([NO_ADDRESS, KPROBE_BUSY, NO_ADDRESS, addressLo(KPROBE_BUSY), 0]);
  expect(m.events('current_kprobe').map(({ kprobe }) => kprobe)).toEqual([
    KPROBE_BUSY,
    NO_ADDRESS,
    KPROBE_BUSY,
    NO_ADDRESS,
  ]);
});

test('an end without its begin is an oops', () => {
  const { m } = handlers();
  m.thread('guest', 0, (cx) => call(m, cx, 'kprobe_busy_end', []));
  expect(m.machine.run()).toBe('oops');
  expect(m.events('oops').map((e) => e.reason)).toEqual(['preempt imbalance']);
});
