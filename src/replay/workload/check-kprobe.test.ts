import { expect, test } from 'vitest';
import { InputError } from '../../assert.ts';
import { check } from './check.ts';
import { makePlan } from './make-plan.ts';
import { parseWorkload } from './parse.ts';

const BASE = `name: a
machine: { cpus: 2 }
data: { counter: 8 }
functions:
  vfs_open: { body: [work 4] }
  vfs_read: { body: [work 2], symbol: do_read }
  helper: { body: [], notrace: true, nokprobe: true }
callbacks:
  note: { body: [regs] }
  carry: { body: [store_data a1, show_data] }
`;

/** What is wrong with the base workload and `more`, which begins in line 11. */
function errors(more: string): string[] {
  try {
    const { workload, positions } = parseWorkload(BASE + more, 'f.yaml');
    check(workload, positions);
  } catch (error) {
    if (error instanceof InputError) return error.message.split('\n');
    throw error;
  }
  return [];
}

function probe(text: string, timeline = '[]'): string[] {
  return errors(`probes:\n  p: { ${text} }\ntimeline: ${timeline}\n`);
}

function kprobe(text: string, timeline = '[]'): string[] {
  return probe(`kind: kprobe, ${text}`, timeline);
}

function failing(errno: string): string {
  return `[{ at: start, register: p, expect: ${errno} }]`;
}

test('a kprobe is where its symbol, or its address, says', () => {
  expect(kprobe('symbol: vfs_open')).toEqual([]);
  expect(kprobe('symbol: do_read, offset: 8')).toEqual([]);
  expect(kprobe('addr: vfs_read+8')).toEqual([]);
  expect(kprobe('addr: note')).toEqual([]);
  expect(kprobe('symbol: vfs_opn')).toEqual([
    "f.yaml:12:30: no function is named 'vfs_opn', did you mean 'vfs_open'? expect: -ENOENT if that is the point",
  ]);
  expect(kprobe('symbol: vfs_opn', failing('-ENOENT'))).toEqual([]);
  expect(kprobe('addr: vfs_opn')[0]).toMatch(
    /^f.yaml:12:28: unknown function 'vfs_opn', did you mean 'vfs_open'\?/u,
  );
  expect(kprobe('addr: counter')[0]).toMatch(/'counter' is data, expected a function/u);
  expect(kprobe('addr: counter', failing('-EINVAL'))).toEqual([]);
  expect(kprobe('addr: +8')[0]).toMatch(/expected a name such as vfs_open or vfs_open\+8/u);
});

test('exactly one of them, unless that fails as it should', () => {
  expect(kprobe('symbol: vfs_open, addr: vfs_open')[0]).toMatch(
    /^f.yaml:12:6: expected exactly one of symbol, addr, found both; expect: -EINVAL/u,
  );
  expect(kprobe('pre: count')[0]).toMatch(/exactly one of symbol, addr, found none/u);
  expect(kprobe('pre: count', failing('-EINVAL'))).toEqual([]);
});

test('an instruction begins at the offset', () => {
  expect(kprobe('symbol: vfs_open, offset: 24')).toEqual([]);
  expect(kprobe('symbol: vfs_open, offset: 10')).toEqual([
    "f.yaml:12:48: no instruction of 'vfs_open' begins at offset 10: expected one up to 28 such as 8; expect: -EILSEQ if that is the point",
  ]);
  expect(kprobe('symbol: vfs_open, offset: 10', failing('-EILSEQ'))).toEqual([]);
  expect(kprobe('symbol: vfs_open, offset: 400')[0]).toMatch(/up to 28 such as 28/u);
  expect(kprobe('addr: vfs_open+4, offset: 2')[0]).toMatch(/begins at offset 6/u);
  expect(kprobe('addr: vfs_open+6')[0]).toMatch(/^f.yaml:12:28: no instruction/u);
});

test('inside of a site of two instructions nothing begins', () => {
  const long = BASE.replace('cpus: 2', 'cpus: 2, patching: stopMachine, trampolines: false');
  const at = (offset: number): readonly string[] => {
    const text = `${long}probes: { p: { kind: kprobe, symbol: vfs_open, offset: ${offset} } }`;
    const { workload, positions } = parseWorkload(text, 'f.yaml');
    try {
      check(workload, positions);
      return [];
    } catch (error) {
      return error instanceof InputError ? [error.message] : [];
    }
  };
  expect(at(4)).toEqual([]);
  expect(at(8)[0]).toMatch(/no instruction of 'vfs_open' begins at offset 8/u);
  expect(at(12)).toEqual([]);
});

test('what built-in handlers return is said at the probe; flags and handlers are named', () => {
  expect(kprobe('symbol: vfs_open, pre: count, pre_returns: 1')).toEqual([]);
  expect(kprobe('symbol: vfs_open, pre: note, pre_returns: 1')[0]).toMatch(
    /'pre_returns' belongs to count and nothing: 'note' ends with return 1/u,
  );
  expect(kprobe('symbol: vfs_open, flags: [GONE]')[0]).toMatch(/expected DISABLED, found 'GONE'/u);
  expect(kprobe('symbol: vfs_open, pr: count')[0]).toMatch(/'pr', did you mean 'pre'\?/u);
  expect(kprobe('symbol: vfs_open, pre: nte')[0]).toMatch(/unknown callback 'nte'/u);
});

test('lines about data serve kretprobes that have room for it', () => {
  const sized = (bytes: number): string[] =>
    probe(`kind: kretprobe, symbol: vfs_open, handler: carry, data_size: ${bytes}`);
  expect(sized(8)).toEqual([]);
  expect(sized(4)[0]).toMatch(/expected at least 8 bytes, which 'carry' uses, found 4/u);
  expect(probe('kind: kretprobe, symbol: vfs_open, handler: carry')[0]).toMatch(/found 0/u);
  expect(kprobe('symbol: vfs_open, pre: carry')[0]).toMatch(
    /'carry' uses 'store_data', which belongs to handlers of an fprobe or kretprobe/u,
  );
});

/** With a handler of a kprobe that shows registers. */
function both(other: string): string[] {
  return errors(`probes:\n  p: { kind: kprobe, symbol: vfs_open, pre: note }\n  q: { ${other} }\n`);
}

test('a callback that uses its arguments serves handlers of one kind', () => {
  expect(both('kind: kretprobe, symbol: vfs_open, handler: note')).toEqual([]);
  expect(both('kind: fprobe, filter: vfs_open, entry: note')[0]).toMatch(
    /^f.yaml:12:45: 'note' uses 'regs' and is a handler of an fprobe too/u,
  );
  expect(both('kind: ftrace, callback: note')[0]).toMatch(
    /^f.yaml:13:32: 'note' uses 'regs' and is a handler of a kprobe too/u,
  );
});

function item(text: string): string[] {
  return errors(`probes:
  p: { kind: kprobe, symbol: vfs_open, pre: count }
  r: { kind: kretprobe, symbol: vfs_open, handler: nothing }
  o: { kind: ftrace, callback: count }
timeline: [{ at: start, ${text} }]
`);
}

test('a batch is of one kind; operations belong to kinds', () => {
  expect(item('register: [p, p]')).toEqual([]);
  expect(item('disable: r')).toEqual([]);
  expect(item('register: [p, r]')).toEqual([
    "f.yaml:15:39: expected a probe of kind kprobe, found 'r' of kind kretprobe",
  ]);
  expect(item('unregister: [o, r]')).toEqual([
    "f.yaml:15:38: expected a probe of kind kretprobe, found 'o' of kind ftrace",
  ]);
  expect(item('register: [q]')[0]).toMatch(/unknown probe 'q'/u);
  expect(item('register: []')[0]).toMatch(/expected a list of 1 to/u);
  expect(item('unregister_async: p')[0]).toMatch(/expected a probe of kind fprobe/u);
});

function withBoth(more: string): string[] {
  return errors(`probes:
  p: { kind: kprobe, symbol: vfs_open, pre: count }
  r: { kind: kretprobe, symbol: vfs_open, handler: nothing }
${more}
`);
}

function on(target: string): string[] {
  return withBoth(`timeline: [{ on: { enter: ${target} }, enable: p }]`);
}

function counter(name: string): string[] {
  return withBoth(`expect: [{ counter: ${name}, is: 0 }]`);
}

test('triggers and counters name handlers and misses', () => {
  expect(on('p.pre')).toEqual([]);
  expect(on('r.handler')).toEqual([]);
  expect(on('p.post')[0]).toMatch(/unknown function 'p.post'/u);
  for (const name of ['p.pre', 'p.nmissed', 'r.nmissed', 'r.kp.nmissed'])
    expect(counter(name)).toEqual([]);
  expect(counter('r.handler')[0]).toMatch(/unknown counter 'r.handler'/u);
});

test('a plan has places, handlers, batches and the misses of either struct', () => {
  const { workload } = parseWorkload(
    `${BASE}probes:
  p: { kind: kprobe, addr: vfs_open+8, offset: 4, pre: count, pre_returns: 1, flags: [DISABLED] }
  r: { kind: kretprobe, symbol: do_read, entry: carry, handler: count, maxactive: 2, data_size: 8 }
timeline:
  - { at: start, register: [p] }
  - { on: { return: r.handler }, kprobes_enabled: 0 }
expect: [{ counter: r.nmissed, is: 0 }, { counter: r.kp.nmissed, is: 0 }]
`,
    'f.yaml',
  );
  const plan = makePlan(workload);
  expect(plan.probes).toEqual([
    {
      name: 'p',
      kind: 'kprobe',
      symbol: null,
      addr: { symbol: 'vfs_open', offset: 8 },
      offset: 4,
      flags: ['DISABLED'],
      reuse: false,
      pre: 'p.pre_handler',
      post: null,
    },
    {
      name: 'r',
      kind: 'kretprobe',
      symbol: 'do_read',
      addr: null,
      offset: 0,
      flags: [],
      reuse: false,
      entry: 'carry',
      handler: 'r.return_handler',
      maxactive: 2,
      dataSize: 8,
    },
  ]);
  expect(plan.data.map(({ name }) => name)).toEqual(['counter', 'p.pre', 'r.handler']);
  expect(plan.functions.find(({ name }) => name === 'carry')?.convention).toBe('kprobe');
  expect(plan.functions.find(({ name }) => name === 'helper')?.nokprobe).toBe(true);
  expect(plan.timeline.map(({ trigger, action }) => [trigger, action])).toMatchObject([
    [{ kind: 'start' }, { operation: { op: 'register', probes: [0] } }],
    [
      { kind: 'callback', edge: 'return', probe: 1, call: 'kretprobe' },
      { operation: { op: 'kprobes_enabled', text: '0' } },
    ],
  ]);
  expect(plan.counters.map(({ place }) => place)).toEqual([
    { nmissed: 1 },
    { nmissed: 1, kp: true },
  ]);
});
