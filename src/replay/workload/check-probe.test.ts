import { expect, test } from 'vitest';
import { InputError } from '../../assert.ts';
import { check } from './check.ts';
import { parseWorkload } from './parse.ts';

const BASE = `name: a
machine: { cpus: 2 }
functions:
  vfs_open: { body: [work 4] }
  vfs_read: { body: [work 2] }
  helper: { body: [], notrace: true }
callbacks:
  note: { body: [regs] }
  plain: { body: [work 1] }
  locked: { body: [{ trylock: [work 1] }] }
  carry: { body: [store_data a1, show_data] }
`;

/** What is wrong with the base workload and `more`: by line and column in what was added. */
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

/** What is wrong with an fprobe, and with a timeline behind it. */
function fprobe(text: string, timeline = '[]'): string[] {
  return errors(`probes:\n  fp: { kind: fprobe, ${text} }\ntimeline: ${timeline}\n`);
}

test('an fprobe hooks by exactly one of filter, ips and syms', () => {
  expect(fprobe("filter: '*', notfilter: vfs_read")).toEqual([]);
  expect(fprobe('filter: null')).toEqual([]);
  expect(fprobe('ips: []')).toEqual([]);
  expect(fprobe('syms: [vfs_open]')).toEqual([]);
  expect(fprobe('entry: count')[0]).toMatch(/exactly one of filter, ips, syms, found none/u);
  expect(fprobe('filter: vfs_open, syms: [vfs_open]')[0]).toMatch(
    /^f.yaml:13:41: expected exactly one of filter, ips, syms, found filter and syms/u,
  );
  expect(fprobe('ips: [vfs_open], notfilter: vfs_read')[0]).toMatch(
    /^f.yaml:13:40: 'notfilter' belongs to filter/u,
  );
});

test('keys and words that are not there are named with the nearest that are', () => {
  expect(fprobe('filter: vfs_open, entr: count')[0]).toMatch(/'entr', did you mean 'entry'\?/u);
  expect(fprobe('filter: vfs_open, flags: [SHARED]')[0]).toMatch(
    /expected one of DISABLED, KPROBE_SHARED, found 'SHARED'/u,
  );
  expect(fprobe('filter: vfs_open, nr_maxactive: 1.5')[0]).toMatch(
    /whole number from -2147483648 to 2147483647, found 1.5/u,
  );
  expect(errors('probes: { p: { kind: frobe, filter: vfs_open } }')[0]).toMatch(
    /^f.yaml:12:22: expected a map with kind: ftrace, kind: fprobe, kind: kprobe or kind: kretprobe/u,
  );
});

test('what is hooked exists, unless its registration is expected to fail', () => {
  const fails = '[{ at: start, register: fp, expect: -ENOENT }]';
  expect(fprobe('filter: vfs_opn')[0]).toMatch(/matches no traceable function.*'vfs_open'\?/u);
  const notfilter = fprobe("filter: '*', notfilter: vfs_opn")[0];
  expect(notfilter).toMatch(
    /matches no traceable function, did you mean 'vfs_open'\? expect: 0 if/u,
  );
  const nothing = '[{ at: start, register: fp, expect: 0 }]';
  expect(fprobe("filter: '*', notfilter: vfs_opn", nothing)).toEqual([]);
  expect(fprobe("filter: '*', notfilter: vfs_opn", fails)).toEqual([]);
  expect(fprobe('filter: vfs_opn', nothing)[0]).toMatch(/matches no traceable function/u);
  const again =
    "[{ at: start, register: { probe: fp, filter: '*', notfilter: vfs_opn }, expect: 0 }]";
  expect(fprobe('filter: vfs_open', again)).toEqual([]);
  expect(fprobe('filter: vfs_opn', fails)).toEqual([]);
  expect(fprobe('ips: [helper]')[0]).toMatch(/'helper' is notrace/u);
  expect(fprobe('ips: [helper]', fails)).toEqual([]);
  expect(fprobe('ips: [vfs_opn]', fails)[0]).toMatch(/unknown function 'vfs_opn'/u);
  expect(fprobe('syms: [vfs_open, vfs_raed]')[0]).toBe(
    "f.yaml:13:40: no traceable function is named 'vfs_raed', did you mean 'vfs_read'? expect: -ENOENT if that is the point",
  );
  expect(fprobe('syms: [vfs_raed]', fails)).toEqual([]);
});

test('handlers are callbacks', () => {
  expect(fprobe('filter: vfs_open, entry: note, exit: count')).toEqual([]);
  expect(fprobe('filter: vfs_open, entry: nte')[0]).toMatch(/unknown callback 'nte'.*'note'\?/u);
  expect(fprobe('filter: vfs_open, exit: vfs_read')[0]).toMatch(/is a function, expected a callb/u);
});

test('what a handler returns is said where it is written', () => {
  expect(fprobe('filter: vfs_open, entry: count, entry_returns: 1')).toEqual([]);
  expect(fprobe('filter: vfs_open, entry: note, entry_returns: 1')[0]).toBe(
    "f.yaml:13:54: 'entry_returns' belongs to count and nothing: 'note' ends with return 1",
  );
  expect(fprobe('filter: vfs_open, exit: count, entry_returns: 1')[0]).toMatch(
    /'entry_returns' belongs to entry/u,
  );
});

test('a callback that uses its arguments serves probes of one kind', () => {
  const both = (callback: string): string[] =>
    errors(`probes:
  ops: { kind: ftrace, callback: ${callback} }
  fp: { kind: fprobe, filter: vfs_open, exit: ${callback} }
`);
  expect(both('plain')).toEqual([]);
  expect(both('count')).toEqual([]);
  expect(both('note')[0]).toMatch(/'note' uses 'regs' and is a handler of an fprobe too/u);
  expect(both('locked')[0]).toMatch(/'locked' uses 'trylock' and is a handler of an fprobe too/u);
  expect(errors('probes: { ops: { kind: ftrace, callback: carry } }')[0]).toBe(
    "f.yaml:12:42: 'carry' uses 'store_data', which belongs to handlers of an fprobe or kretprobe",
  );
});

test('lines about entry_data have room for what they keep', () => {
  const sized = (bytes: number): string[] =>
    fprobe(`filter: vfs_open, exit: carry, entry_data_size: ${bytes}`);
  expect(sized(0)).toEqual([]);
  expect(sized(8)).toEqual([]);
  expect(sized(7)).toEqual([
    "f.yaml:13:71: expected at least 8 bytes, which 'carry' uses, found 7",
  ]);
  expect(fprobe('filter: vfs_open, exit: note, entry_data_size: 7')).toEqual([]);
});

const PROBES = `probes:
  ops: { kind: ftrace, callback: count }
  fp: { kind: fprobe, filter: vfs_open, entry: count, exit: nothing }
`;

function item(text: string): string[] {
  return errors(`${PROBES}timeline: [{ at: start, ${text} }]`);
}

function on(target: string): string[] {
  return errors(`${PROBES}timeline: [{ on: { enter: ${target} }, disable: fp }]`);
}

function counter(name: string): string[] {
  return errors(`${PROBES}expect: [{ counter: ${name}, is: 1 }]`);
}

test('operations belong to the kind of probe that has them', () => {
  for (const op of ['register', 'unregister', 'unregister_async', 'disable', 'enable']) {
    expect(item(`${op}: fp`)).toEqual([]);
  }
  expect(item('disable: ops')).toEqual([
    "f.yaml:15:34: expected a probe of kind fprobe or kprobe or kretprobe, found 'ops' of kind ftrace",
  ]);
  expect(item('free_filter: fp')).toEqual([
    "f.yaml:15:38: expected a probe of kind ftrace, found 'fp' of kind fprobe",
  ]);
  expect(item('set_filter: { probe: fp, pattern: vfs_open }')).toEqual([
    "f.yaml:15:46: expected a probe of kind ftrace, found 'fp' of kind fprobe",
  ]);
  expect(item('enable: fpp')[0]).toMatch(/unknown probe 'fpp', did you mean 'fp'\?/u);
});

test('triggers wait for handlers that are there, and counters for those that count', () => {
  expect(on('fp.entry')).toEqual([]);
  expect(on('fp.exit')).toEqual([]);
  expect(on('fp.callback')[0]).toMatch(/unknown function 'fp.callback'/u);
  expect(counter('fp.entry')).toEqual([]);
  expect(counter('fp.nmissed')).toEqual([]);
  expect(counter('fp.exit')[0]).toMatch(/unknown counter 'fp.exit'/u);
});
