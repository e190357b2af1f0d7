import { expect, test } from 'vitest';
import { check } from './check.ts';
import { makePlan } from './make-plan.ts';
import { parseWorkload } from './parse.ts';
import { ANY_CPU, type Plan } from './plan.ts';

function plan(text: string): Plan {
  const { workload, positions } = parseWorkload(text, 'f.yaml');
  check(workload, positions);
  return makePlan(workload);
}

/** The example of ARCHITECTURE.md, word for word. */
const design = plan(`
name: vfs-filter-swap
machine: { cpus: 2, seed: 42 }
functions:
  do_sys_open: { body: [call vfs_open, work 3] }
  vfs_open:    { body: [work 4] }
  ksys_read:   { body: [call vfs_read] }
  vfs_read:    { body: [work 6, call kmalloc] }
  kmalloc:     { body: [work 2] }
  timer_tick:  { body: [call vfs_open] }
tasks:
  opener: { cpu: 0, run: do_sys_open, times: 20 }
  reader: { cpu: 1, run: ksys_read,   times: 20 }
probes:
  ops0: { kind: ftrace, filter: "vfs_*", notrace: "vfs_read", callback: count }
timeline:
  - { at: start, register: ops0 }
  - { at: { step: 40, cpu: 1 }, irq: timer_tick }
  - { on: { enter: ops0.callback, cpu: 1, nth: 1 }, nmi: { run: kmalloc } }
  - { at: { step: 90 }, set_filter: { probe: ops0, pattern: "kmalloc", reset: true } }
  - { at: end, unregister: ops0 }
expect: [unregister, notrace, filter-swap]
`);

test('defaults are filled in', () => {
  expect(design.machine).toEqual({
    cpus: 2,
    seed: 42,
    preempt: true,
    landingPad: true,
    grain: 'visible',
    stepsMax: 1_000_000,
    patching: 'breakpoint',
    failAlloc: [],
    trampolines: true,
    regs: true,
    ifSupportedGivesRegs: false,
    recordRecursion: false,
    strict: false,
    fprobe: {},
    kprobe: { optprobes: false, detourTasksWait: false },
    schedule: [1, 8],
    inject: [1, 32],
    alloc: [1, 32],
  });
  expect(design.image).toBeNull();
});

test('functions keep their order, and a counting callback is made for the probe', () => {
  expect(design.functions.map(({ name }) => name)).toEqual([
    'do_sys_open',
    'vfs_open',
    'ksys_read',
    'vfs_read',
    'kmalloc',
    'timer_tick',
    'ops0.callback',
  ]);
  expect(design.functions.at(-1)).toEqual({
    name: 'ops0.callback',
    body: [{ op: 'amoadd', symbol: 'ops0.count', offset: 0, value: 1 }],
    notrace: true,
    callback: true,
  });
  expect(design.data).toEqual([{ name: 'ops0.count', bytes: 8 }]);
  expect(design.probes).toEqual([
    { name: 'ops0', kind: 'ftrace', callback: 'ops0.callback', flags: [], static: false },
  ]);
});

test('filters of probes are the set-up', () => {
  expect(design.setup).toEqual([
    { op: 'set_filter', probe: 0, pattern: 'vfs_*', reset: false },
    { op: 'set_notrace', probe: 0, pattern: 'vfs_read', reset: false },
  ]);
});

test('functions that the timeline raises become sources', () => {
  expect(design.sources).toEqual([
    { name: 'timer_tick', kind: 'irq', run: 'timer_tick', cpu: ANY_CPU, inject: 0 },
    { name: 'kmalloc', kind: 'nmi', run: 'kmalloc', cpu: ANY_CPU, inject: 0 },
  ]);
});

test('the timeline has its names resolved', () => {
  const control = { kind: 'operation', by: -1, expect: null };
  expect(design.timeline.map(({ trigger }) => trigger)).toEqual([
    { kind: 'start' },
    { kind: 'step', step: 40, cpu: 1 },
    { kind: 'callback', edge: 'enter', probe: 0, cpu: 1, nth: 1 },
    { kind: 'step', step: 90, cpu: ANY_CPU },
    { kind: 'end' },
  ]);
  expect(design.timeline.map(({ action }) => action)).toEqual([
    { ...control, operation: { op: 'register', probe: 0 } },
    { kind: 'interrupt', source: 0, cpu: ANY_CPU },
    { kind: 'interrupt', source: 1, cpu: ANY_CPU },
    {
      ...control,
      operation: { op: 'set_filter', probe: 0, pattern: 'kmalloc', reset: true },
    },
    { ...control, operation: { op: 'unregister', probe: 0 } },
  ]);
  expect(design.timeline.map(({ item }) => item)).toEqual([0, 1, 2, 3, 4]);
  expect(design.guarantees).toEqual(['unregister', 'notrace', 'filter-swap']);
});

const rest = plan(`
name: rest
machine: { cpus: 2, preempt: false, steps_max: 9, random: { inject: [1, 2] } }
data: { counter: 16 }
functions: { f: { body: [], notrace: true }, g: { body: [] } }
callbacks: { count: { body: [regs] }, open: { body: [], notrace: false } }
tasks: { t: { cpu: 1, run: f }, c: { cpu: 1 } }
idle: [{ cpu: 0, run: g, times: 5 }]
handlers:
  tick: { irq: f, cpu: 1, inject: 2 }
  clock: { timer: g, cpu: 0, first: 10 }
  soft: { softirq: g }
probes:
  a: { kind: ftrace, filter: ["g", "1"], callback: count }
  b: { kind: ftrace, callback: nothing }
  c: { kind: ftrace, callback: open }
timeline:
  - { at: start, set_filter_ip: { probe: b, function: f, remove: true }, by: c, expect: ENOENT }
  - { on: { begin: set_filter_ip, probe: b }, irq: tick }
  - { on: { end: set_filter_ip, nth: 3 }, irq: { run: f }, cpu: 0 }
  - { on: { return: g }, softirq: soft }
  - { on: { event: text_write, cpu: 1 }, set_notrace: { probe: c, pattern: null, reset: true } }
expect: [{ counter: counter+8, at_most: 4 }]
`);

test('a defined callback is used as it is, even when it is called count', () => {
  expect(rest.probes.map((one) => (one.kind === 'ftrace' ? one.callback : ''))).toEqual([
    'count',
    'b.callback',
    'open',
  ]);
  expect(rest.data).toEqual([{ name: 'counter', bytes: 16 }]);
  expect(rest.functions.map(({ name, notrace, callback }) => [name, notrace, callback])).toEqual([
    ['f', true, false],
    ['g', false, false],
    ['count', true, true],
    ['open', false, true],
    ['b.callback', true, true],
  ]);
});

test('tasks, control threads, idle functions, timers and handlers', () => {
  expect(rest.tasks).toEqual([
    { name: 't', cpu: 1, run: 'f', times: 1, user: null },
    { name: 'c', cpu: 1, run: null, times: 1, user: null },
  ]);
  expect(rest.idle).toEqual([{ cpu: 0, run: 'g', times: 5 }]);
  expect(rest.timers).toEqual([{ name: 'clock', run: 'g', cpu: 0, first: 10, every: 0, times: 1 }]);
  expect(rest.sources).toEqual([
    { name: 'tick', kind: 'irq', run: 'f', cpu: 1, inject: 2 },
    { name: 'soft', kind: 'softirq', run: 'g', cpu: ANY_CPU, inject: 0 },
    { name: 'f', kind: 'irq', run: 'f', cpu: ANY_CPU, inject: 0 },
  ]);
});

test('every kind of trigger and operation', () => {
  expect(rest.timeline.map(({ trigger, action }) => [trigger, action])).toEqual([
    [
      { kind: 'start' },
      {
        kind: 'operation',
        operation: { op: 'set_filter_ip', probe: 1, function: 'f', remove: true, reset: false },
        by: 1,
        expect: -2,
      },
    ],
    [
      {
        kind: 'operation',
        edge: 'begin',
        op: 'set_filter_ip',
        probe: 1,
        module: -1,
        cpu: ANY_CPU,
        nth: 1,
      },
      { kind: 'interrupt', source: 0, cpu: 1 },
    ],
    [
      {
        kind: 'operation',
        edge: 'end',
        op: 'set_filter_ip',
        probe: -1,
        module: -1,
        cpu: ANY_CPU,
        nth: 3,
      },
      { kind: 'interrupt', source: 2, cpu: 0 },
    ],
    [
      { kind: 'function', edge: 'return', function: 'g', cpu: ANY_CPU, nth: 1 },
      { kind: 'interrupt', source: 1, cpu: ANY_CPU },
    ],
    [
      { kind: 'event', event: 'text_write', cpu: 1, nth: 1 },
      {
        kind: 'operation',
        operation: { op: 'set_notrace', probe: 2, pattern: null, reset: true },
        by: -1,
        expect: null,
      },
    ],
  ]);
});

test('counters say where they are', () => {
  expect(rest.counters).toEqual([
    {
      counter: 'counter+8',
      place: { symbol: 'counter', offset: 8 },
      relation: 'at_most',
      value: 4,
    },
  ]);
  const own = plan(`
name: n
machine: { cpus: 1 }
functions: { f: { body: [] } }
probes: { ops0: { kind: ftrace, callback: count } }
expect: [{ counter: ops0.count, is: 0 }]
`);
  expect(own.counters).toEqual([
    { counter: 'ops0.count', place: { symbol: 'ops0.count', offset: 0 }, relation: 'is', value: 0 },
  ]);
});

const fprobes = plan(`
name: n
machine: { cpus: 1, missPolicy: exitOnly, racyCounters: true }
functions: { f: { body: [] }, g: { body: [] } }
callbacks: { note: { body: [store_data a1, show_data] } }
probes:
  fp0: { kind: fprobe, filter: '*', notfilter: g, entry: count, entry_returns: 2, exit: note, entry_data_size: 8 }
  fp1: { kind: fprobe, ips: [f], exit: count, nr_maxactive: -1, flags: [DISABLED] }
  fp2: { kind: fprobe, syms: [g, f], entry: nothing }
  fp3: { kind: fprobe, filter: null }
timeline:
  - { at: start, register: fp0 }
  - { on: { enter: fp0.exit }, disable: fp0 }
  - { on: { begin: disable }, unregister_async: fp1 }
expect: [{ counter: fp0.entry, is: 1 }, { counter: fp1.nmissed, at_most: 2 }]
`);

test('an fprobe has handlers, counters and a target; other handlers are NULL', () => {
  const plain = { kind: 'fprobe', entryDataSize: 0, nrMaxactive: 0, flags: [], opsFlags: [] };
  expect(fprobes.probes).toEqual([
    {
      ...plain,
      name: 'fp0',
      entry: 'fp0.entry_handler',
      exit: 'note',
      entryDataSize: 8,
      target: { filter: '*', notfilter: 'g' },
    },
    {
      ...plain,
      name: 'fp1',
      entry: null,
      exit: 'fp1.exit_handler',
      nrMaxactive: -1,
      flags: ['DISABLED'],
      target: { ips: ['f'] },
    },
    {
      ...plain,
      name: 'fp2',
      entry: 'fp2.entry_handler',
      exit: null,
      target: { syms: ['g', 'f'] },
    },
    {
      ...plain,
      name: 'fp3',
      entry: null,
      exit: null,
      target: { filter: null, notfilter: null },
    },
  ]);
  expect(fprobes.setup).toEqual([]);
  expect(fprobes.machine.fprobe).toEqual({ missPolicy: 'exitOnly', racyCounters: true });
});

test('handlers of fprobes that nobody defined count and return; those that are defined are called as such', () => {
  expect(fprobes.data).toEqual(['fp0.entry', 'fp1.exit'].map((name) => ({ name, bytes: 8 })));
  expect(fprobes.functions.slice(2)).toEqual([
    {
      name: 'note',
      body: [{ op: 'store_data', register: 11 }, { op: 'show_data' }],
      notrace: true,
      callback: true,
      convention: 'fprobe',
    },
    {
      name: 'fp0.entry_handler',
      body: [
        { op: 'amoadd', symbol: 'fp0.entry', offset: 0, value: 1 },
        { op: 'return', value: 2 },
      ],
      notrace: true,
      callback: true,
    },
    {
      name: 'fp1.exit_handler',
      body: [{ op: 'amoadd', symbol: 'fp1.exit', offset: 0, value: 1 }],
      notrace: true,
      callback: true,
    },
    { name: 'fp2.entry_handler', body: [], notrace: true, callback: true },
  ]);
});

test('triggers tell the handlers of an fprobe apart, and nmissed lies in its struct', () => {
  expect(fprobes.timeline.map(({ trigger, action }) => [trigger, action])).toMatchObject([
    [{ kind: 'start' }, { operation: { op: 'register', probe: 0 } }],
    [
      { kind: 'callback', edge: 'enter', probe: 0, call: 'fprobe_exit' },
      { operation: { op: 'disable', probe: 0 } },
    ],
    [
      { kind: 'operation', edge: 'begin', op: 'disable', probe: -1 },
      { operation: { op: 'unregister_async', probe: 1 } },
    ],
  ]);
  expect(fprobes.counters).toEqual([
    { counter: 'fp0.entry', place: { symbol: 'fp0.entry', offset: 0 }, relation: 'is', value: 1 },
    { counter: 'fp1.nmissed', place: { nmissed: 1 }, relation: 'at_most', value: 2 },
  ]);
});
