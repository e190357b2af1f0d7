import { expect, test } from 'vitest';
import { emitSample, sampleRun } from '../../properties/sample-events.ts';
import { known } from '../assert.ts';
import { EventLog } from './event-log.ts';
import { summarize } from './report-summary.ts';
import { ftraceReport, jsonReport, summaryReport } from './report.ts';
import { type EventName, kindByName } from './schema.ts';
import { Symbols } from './symbols.ts';

type Line = readonly [
  head: readonly [step: number, cpu: number, level: number, pid: number],
  name: EventName,
  ...payload: readonly (number | string)[],
];

function logOf(lines: readonly Line[]): EventLog {
  const log = new EventLog();
  for (const [head, name, ...payload] of lines)
    emitSample(log, { kind: known(kindByName(name), name), head, payload });
  return log;
}

const IP = 0x14;
const PARENT = 0x4c;

const LOG = logOf([
  [[0, 0, 0, 0], 'symbol', 'vfs_open', 0x10, 24, IP, 0],
  [[0, 0, 0, 0], 'symbol', 'do_sys_open', 0x40, 24, 0x44, 0],
  [[1, 0, 0, 0], 'task_new', 1, 'opener-with-a-long-name', 0, 'task'],
  [[1, 0, 0, 0], 'object', 'ftrace', 1, 'ops0', 0x100],
  // The tracer's own region does not show.
  [[2, 0, 0, 1], 'site_fetch', IP, 1, 1, 'call', 0x80000],
  [[3, 0, 0, 1], 'region_open', 1, 1],
  [[4, 0, 0, 1], 'cb_begin', 'ftrace', 1, 1, IP, PARENT, 0],
  // An interrupt inside the callback, an NMI inside the interrupt.
  [[5, 0, 2, 1], 'irq_enter', 0x40, IP],
  [[6, 0, 2, 1], 'cb_begin', 'ftrace', 1, 1, IP, PARENT, 1],
  [[7, 0, 3, 1], 'cb_begin', 'ftrace', 1, 1, IP, PARENT, 2],
  [[8, 0, 2, 1], 'skip', 1, 1, 'recursion', IP],
  // Softirq on the other CPU, an interrupt in it, a trap in that, the idle task.
  [[9, 1, 1, 0], 'cb_begin', 'ftrace', 1, 1, IP, 0x700000, 0],
  [[10, 1, 2, 0], 'cb_begin', 'ftrace', 1, 1, IP, PARENT, 0],
  [[11, 1, 4, 0], 'cb_begin', 'ftrace', 1, 1, IP, PARENT, 0],
  [[12, 0, 0, 1], 'region_close', 1],
  // A region of the traced code.
  [[13, 0, 0, 1], 'region_open', 2, 1],
  [[14, 0, 0, 1], 'site_fetch', IP, 1, 1, 'call', 0x80000],
  [[15, 0, 0, 1], 'cb_begin', 'ftrace', 1, 1, IP, PARENT, 0],
  [[1_000_016, 0, 0, 1], 'printk', 'hello\u001b[31m world\n'],
  [[1_000_017, 0, 0, 1], 'oops', 'bad address', 0x12, -1],
]);

test('the ftrace report has the layout of the kernel (TE-50 to TE-53)', () => {
  expect([...ftraceReport({ log: LOG })].join('\n')).toMatchInlineSnapshot(`
    "# tracer: function
    #
    # entries-in-buffer/entries-written: 9/9   #P:2
    #
    #                                _-----=> irqs-off/BH-disabled
    #                               / _----=> need-resched
    #                              | / _---=> hardirq/softirq
    #                              || / _--=> preempt-depth
    #                              ||| / _-=> migrate-disable
    #                              |||| /     delay
    #           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
    #              | |         |   |||||     |         |
     opener-with-a-l-1       [000] .....     0.000004: vfs_open <-do_sys_open
     opener-with-a-l-1       [000] d.h..     0.000006: vfs_open <-do_sys_open
     opener-with-a-l-1       [000] d.Z..     0.000007: vfs_open <-do_sys_open
              <idle>-0       [001] ..s..     0.000009: vfs_open <-0xffffffff80700000
              <idle>-0       [001] d.H..     0.000010: vfs_open <-do_sys_open
              <idle>-0       [001] d.Z..     0.000011: vfs_open <-do_sys_open
     opener-with-a-l-1       [000] ...1.     0.000015: vfs_open <-do_sys_open
     opener-with-a-l-1       [000] ...1.     1.000016: console: hello?[31m world
     opener-with-a-l-1       [000] ...1.     1.000017: console: Oops: bad address at vfs_open+0x2"
  `);
});

test('one CPU of the ftrace report', () => {
  const lines = [...ftraceReport({ log: LOG }, { cpu: 1 })];
  expect(lines[2]).toBe('# entries-in-buffer/entries-written: 3/3   #P:2');
  expect(lines.slice(12).every((line) => line.includes(' [001] '))).toBe(true);
});

test('the json report has one event per line', () => {
  const log = logOf([
    [[3, 1, 0, 2], 'func_return', 0x10, -1, -1],
    [[4, 0, 0, 2], 'printk', 'a\nb'],
  ]);
  expect([...jsonReport({ log })]).toEqual([
    '{"event":"func_return","index":0,"step":3,"cpu":1,"level":0,"pid":2,"func":16,"value":"0xffffffffffffffff"}',
    '{"event":"printk","index":1,"step":4,"cpu":0,"level":0,"pid":2,"text":"a\\nb"}',
  ]);
  expect([...jsonReport({ log }, { cpu: 0 })]).toHaveLength(1);
});

test('the summary counts kinds, hits, skips and steps', () => {
  expect([...summaryReport({ log: LOG })].join('\n')).toMatchInlineSnapshot(`
    "20 events, last step 1000017, ending: oops ("bad address" at vfs_open+0x2)

      event         count
      symbol            2
      task_new          1
      irq_enter         1
      region_open       2
      region_close      1
      site_fetch        2
      printk            1
      oops              1
      object            1
      cb_begin          7
      skip              1

      probe  kind    hits  skips
      ops0   ftrace     7  recursion 1

      cpu    events  steps  task  softirq  hardirq  nmi  trap
      CPU 0      17     15    13        0        3    1     0
      CPU 1       3      3     0        1        1    0     1"
  `);
  expect(summarize(LOG, 1).probes).toEqual([
    { object: 1, name: 'ops0', kind: 'ftrace', hits: 3, skips: {} },
  ]);
  expect(summarize(sampleRun(500)).ending).toBe('run_end');
  expect(summarize(new EventLog()).ending).toBe('none');
});

test('addresses have the name of what holds them', () => {
  const symbols = new Symbols();
  for (const event of LOG.events()) if (event.event === 'symbol') symbols.see(event);
  const names = [0x10, 0x14, 0x27, 0x28, 0x3f, 0x40, 0x80008, 0xc0010, -1, -0x7fc00000];
  expect(names.map((address) => symbols.text(address))).toEqual([
    'vfs_open',
    'vfs_open+0x4',
    'vfs_open+0x17',
    undefined,
    undefined,
    'do_sys_open',
    'trampoline+0x8',
    'preempt_disable',
    undefined,
    undefined,
  ]);
});
