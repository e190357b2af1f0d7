import { expect, test } from 'vitest';
import { GUARANTEES } from '../guarantee/index.ts';
import { workloadJsonSchema } from './json-schema.ts';
import { GUARANTEE_NAMES, type Workload } from './model.ts';
import { readWorkload } from './parse.ts';

/** Uses every key of the model: one that the schema forgot would be refused as unknown. */
const everyKey: Required<Workload> = {
  name: 'every-key',
  story: 'Everything at once.',
  machine: {
    cpus: 2,
    seed: 42,
    preempt: true,
    landingPad: false,
    grain: 'instruction',
    steps_max: 5000,
    patching: 'breakpoint',
    trampolines: false,
    regs: false,
    ifSupportedGivesRegs: true,
    recordRecursion: true,
    strict: false,
    missPolicy: 'both',
    countRecursion: true,
    racyCounters: false,
    sharedStrict: true,
    fprobeNonWatching: false,
    optprobes: true,
    detourTasksWait: false,
    fail_alloc: ['heap', 'ftrace_hash', 'trampoline'],
    random: { schedule: [1, 4], inject: [0, 1], alloc: [1, 2] },
  },
  image: 'c/store.elf',
  modules: { sample: { image: 'c/ftrace_sample.ko', params: { func: 'vfs_*', nest: true } } },
  data: { counter: 16 },
  functions: {
    vfs_open: { body: ['work 4', { loop: 2, body: ['add counter+8 1'] }], notrace: false },
  },
  tasks: { opener: { cpu: 0, run: 'vfs_open', times: 3 }, 'control-1': { cpu: 1 } },
  idle: [{ cpu: 1, run: 'vfs_open', times: 2 }],
  handlers: {
    tick: { irq: 'vfs_open', cpu: 1, inject: 2 },
    bottom: { softirq: 'vfs_open' },
    dog: { nmi: 'vfs_open' },
    clock: { timer: 'vfs_open', cpu: 0, first: 10, every: 20, times: 3 },
  },
  callbacks: {
    note: {
      body: [
        'regs',
        'set_reg a0 1',
        'redirect vfs_open',
        'store_data a0',
        'show_data',
        { trylock: ['work 1'] },
      ],
      notrace: true,
    },
  },
  typescript: { audit: 3 },
  probes: {
    ops0: { kind: 'ftrace', filter: 'vfs_*', notrace: ['vfs_read'], callback: 'note' },
    ops1: { kind: 'ftrace', callback: 'count', static: true, flags: ['SAVE_REGS', 'RCU'] },
    fp0: {
      kind: 'fprobe',
      filter: 'vfs_*',
      notfilter: 'vfs_read',
      entry: 'count',
      exit: 'note',
      entry_returns: 1,
      entry_data_size: 8,
      nr_maxactive: -1,
      flags: ['DISABLED', 'KPROBE_SHARED'],
      ops_flags: ['RECURSION', 'RCU'],
    },
    fp1: { kind: 'fprobe', ips: ['vfs_open'], exit: 'count' },
    fp2: { kind: 'fprobe', syms: ['vfs_open'] },
  },
  timeline: [
    { at: 'start', register: 'ops0', expect: 0 },
    { at: 'end', unregister: 'ops0', expect: '-EBUSY' },
    { on: { enter: 'fp0.entry' }, disable: 'fp0' },
    { at: 'end', enable: 'fp0' },
    { at: 'end', unregister_async: 'fp0' },
    { at: { step: 4, cpu: 1 }, set_filter: { probe: 'ops0', pattern: null, reset: true } },
    { on: { enter: 'vfs_open', cpu: 1, nth: 2 }, set_notrace: { probe: 'ops0', pattern: 'x' } },
    {
      on: { return: 'ops0.callback' },
      set_filter_ip: { probe: 'ops0', function: 'vfs_open', remove: true, reset: false },
      by: 'control-1',
    },
    { on: { begin: 'register', probe: 'ops0' }, irq: 'tick', cpu: 1 },
    { on: { end: 'set_filter' }, softirq: { run: 'vfs_open' } },
    { on: { event: 'text_write' }, nmi: 'dog' },
    { at: 'start', init_module: { module: 'sample', params: { func: 'vfs_open' } } },
    { at: { step: 90 }, init_module: 'sample', expect: '-EEXIST' },
    { on: { end: 'init_module', module: 'sample' }, delete_module: 'sample', by: 'control-1' },
  ],
  expect: [
    'unregister',
    { counter: 'counter+8', is: 3 },
    { counter: 'ops1.count', at_least: 1 },
    { counter: 'ops1.count', at_most: 9 },
  ],
};

test('every key of the model is a key of the schema, and nothing is changed by reading', () => {
  expect(readWorkload(everyKey, 'test').workload).toEqual(everyKey);
});

/** Paths of properties that lack something. */
function lacking(schema: unknown, word: string, path = ''): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  if (Array.isArray(schema)) {
    return schema.flatMap((one, index) => lacking(one, word, `${path}[${index}]`));
  }
  const found: string[] = [];
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties') {
      for (const [name, property] of Object.entries(value as Record<string, object>)) {
        if (!(word in property)) found.push(`${path}.${name}`);
      }
    }
    if (key !== 'examples') found.push(...lacking(value, word, `${path}.${key}`));
  }
  return found;
}

test('the JSON schema describes every key', () => {
  expect(lacking(workloadJsonSchema(), 'description')).toEqual([]);
});

test('the JSON schema has an example for every key', () => {
  const without = lacking(workloadJsonSchema(), 'examples').map((path) => path.split('.').at(-1));
  expect(without).toEqual([]);
});

test('the JSON schema names its dialect and knows every key of a workload', () => {
  const schema = workloadJsonSchema();
  expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema');
  expect(schema['additionalProperties']).toBe(false);
  expect(Object.keys(schema['properties'] as object)).toEqual(
    expect.arrayContaining(Object.keys(everyKey)),
  );
});

test('the guarantees that a workload can expect are those that there are judges for', () => {
  expect([...GUARANTEE_NAMES]).toEqual(GUARANTEES.map(({ name }) => name));
});
