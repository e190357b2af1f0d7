// Files of debugfs at an event of a recording. What a real kernel showed in the same situations is in golden/truth.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { known } from '../assert.ts';
import { cat } from './api/cat.ts';
import { record } from './api/record.ts';
import { readDebugFile } from './debug-file.ts';
import { readRecording } from './recording.ts';
import type { EventOf } from './schema.ts';

interface TruthStep {
  readonly see?: string;
  readonly lines?: readonly string[];
}
interface Truth {
  readonly scenarios: readonly {
    readonly name: string;
    readonly steps: readonly TruthStep[];
  }[];
}

const TRUTH = JSON.parse(
  readFileSync(new URL('../../golden/truth/api.json', import.meta.url), 'utf8'),
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this project's own file
) as Truth;

/** What a real kernel's `kprobes/list` held in a scenario, each time that somebody looked. */
function listsOf(scenario: string): (readonly string[])[] {
  const { steps } = known(
    TRUTH.scenarios.find(({ name }) => name === scenario),
    'the scenario is there',
  );
  return steps.flatMap(({ see, lines }) => (see === 'kprobes/list' ? [lines ?? []] : []));
}

/** As the scripts of the scenarios make it the same everywhere: `sed` and `sort`. */
function comparable(text: string): string[] {
  const lines = text.split('\n').slice(0, -1);
  return lines
    .map((line) => line.replace(/^[0-9a-f]{16}/u, 'ADDR').replace(/0x[0-9a-f]{16}/u, 'ADDR'))
    .toSorted((a, b) => (a < b ? -1 : 1));
}

interface Model {
  readonly functions?: object;
  readonly modules?: object;
  readonly probes: object;
  readonly timeline: readonly object[];
}

function run(model: Model, profile?: string): Uint8Array {
  const functions = {
    tgt_a1: { module: 'oracle', body: ['work 4'] },
    caller: { body: ['work 3'] },
    ...model.functions,
  };
  const modules = { oracle: {}, ...model.modules };
  const tasks = { t: { cpu: 1, run: 'caller', times: 2 } };
  const start = [{ at: 'start', init_module: 'oracle', expect: 0 }];
  const timeline = [...start, ...model.timeline];
  const whole = {
    name: 'listed',
    machine: { cpus: 2 },
    ...model,
    functions,
    modules,
    tasks,
    timeline,
  };
  return record(whole as never, { chooser: 'calm', ...(profile === undefined ? {} : { profile }) })
    .bytes;
}

/** The event at which the n-th call of `op` returns. */
function ended(bytes: Uint8Array, op: string, nth: number): number {
  const ends = [...readRecording(bytes).log.events()].filter(
    (event): event is EventOf<'ctl_end'> => event.event === 'ctl_end' && event.op === op,
  );
  return known(ends[nth - 1], `there are so many calls of ${op}`).index;
}

function list(bytes: Uint8Array, op: string, nth: number): string[] {
  return comparable(cat(bytes, 'kprobes/list', { at: ended(bytes, op, nth) }));
}

const at = (operation: object): object => ({ at: 'start', ...operation });

test('KP-70, as K01 and R01: symbol, offset, module, and FTRACE on a site', () => {
  const bytes = run({
    probes: {
      a: { kind: 'kprobe', symbol: 'tgt_a1', pre: 'count', post: 'count' },
      c: { kind: 'kprobe', symbol: 'tgt_a1', offset: 12, pre: 'count', post: 'count' },
      r: { kind: 'kretprobe', symbol: 'tgt_a1', handler: 'count' },
    },
    timeline: [
      at({ register: 'a', expect: 0 }),
      at({ unregister: 'a' }),
      at({ register: 'c', expect: 0 }),
      at({ unregister: 'c' }),
      at({ register: 'r', expect: 0 }),
    ],
  });
  // Its second probe is at another instruction there: sizes differ.
  const [first, second] = listsOf('K01');
  expect(list(bytes, 'register_kprobe', 1)).toEqual(first);
  expect(list(bytes, 'register_kprobe', 2)).toEqual(
    second?.map((line) => line.replace('+0xa', '+0xc')),
  );
  expect(list(bytes, 'unregister_kprobe', 1)).toEqual([]);
  expect([list(bytes, 'register_kretprobe', 1)]).toEqual(listsOf('R01'));
});

test('KP-70, as K05 and K06: DISABLED is each probe’s own, also of two at one address', () => {
  const bytes = run({
    probes: {
      a: { kind: 'kprobe', symbol: 'tgt_a1', pre: 'count' },
      b: { kind: 'kprobe', symbol: 'tgt_a1', pre: 'count' },
      c: { kind: 'kprobe', symbol: 'tgt_a1', pre: 'count', flags: ['DISABLED'] },
    },
    timeline: [
      at({ register: 'a', expect: 0 }),
      at({ register: 'b', expect: 0 }),
      at({ disable: 'a', expect: 0 }),
      at({ disable: 'b', expect: 0 }),
      at({ enable: 'a', expect: 0 }),
      at({ unregister: ['a', 'b'] }),
      at({ register: 'c', expect: 0 }),
    ],
  });
  expect([
    list(bytes, 'disable_kprobe', 1),
    list(bytes, 'disable_kprobe', 2),
    list(bytes, 'enable_kprobe', 1),
  ]).toEqual(listsOf('K06'));
  expect([list(bytes, 'register_kprobe', 3)]).toEqual(listsOf('K05'));
});

test('KP-70, KP-71, as K19: GONE with the module, which comes back without it', () => {
  const bytes = run({
    modules: { victim: { init: 'victim_init', exit: 'victim_exit' } },
    functions: {
      victim_init: { module: 'victim', body: ['call victim_fn'] },
      victim_exit: { module: 'victim', body: ['call victim_fn'] },
      victim_fn: { module: 'victim', body: ['work 2'] },
    },
    probes: {
      a: { kind: 'kprobe', symbol: 'victim_fn', pre: 'count', post: 'count' },
      b: { kind: 'kprobe', symbol: 'victim_fn', pre: 'count', post: 'count' },
    },
    timeline: [
      at({ init_module: 'victim', expect: 0 }),
      at({ register: 'a', expect: 0 }),
      at({ delete_module: 'victim', expect: 0 }),
      at({ enable: 'a', expect: '-EINVAL' }),
      at({ init_module: 'victim', expect: 0 }),
      at({ register: 'b', expect: 0 }),
      at({ unregister: 'a' }),
      at({ delete_module: 'victim', expect: 0 }),
      at({ unregister: 'b' }),
    ],
  });
  expect([
    list(bytes, 'register_kprobe', 1),
    list(bytes, 'delete_module', 1),
    list(bytes, 'init_module', 3),
    list(bytes, 'register_kprobe', 2),
    list(bytes, 'unregister_kprobe', 2),
  ]).toEqual(listsOf('K19'));
});

test('KP-70: without a module there is a blank in its place, and the address is the guest’s', () => {
  const bytes = run({
    probes: { p: { kind: 'kprobe', symbol: 'caller', offset: 8, pre: 'count' } },
    timeline: [at({ register: 'p', expect: 0 })],
  });
  expect(cat(bytes, 'kprobes/list')).toMatch(
    /^ffffffff800000[0-9a-f]{2} {2}k {2}caller\+0x8 {4}\n$/u,
  );
});

test('KP-26, KP-72: the switch shows in `enabled`, and nowhere in the list', () => {
  const bytes = run({
    probes: { p: { kind: 'kprobe', symbol: 'caller', offset: 8, pre: 'count' } },
    timeline: [
      at({ register: 'p', expect: 0 }),
      at({ kprobes_enabled: 0 }),
      at({ kprobes_enabled: 1 }),
    ],
  });
  const moments = [0, ended(bytes, 'kprobes_enabled', 1), ended(bytes, 'kprobes_enabled', 2)];
  expect(moments.map((event) => cat(bytes, 'kprobes/enabled', { at: event }))).toEqual([
    '1\n',
    '0\n',
    '1\n',
  ]);
  const lists = moments.slice(1).map((event) => cat(bytes, 'kprobes/list', { at: event }));
  expect(lists[0]).toBe(lists[1]);
  expect(lists[0]).not.toBe('');
});

test('KP-73: the blacklist names functions with their addresses; those of a module while it is there', () => {
  const bytes = run({
    functions: {
      hidden: { body: ['work 2'], nokprobe: true },
      inside: { module: 'oracle', body: ['work 2'], nokprobe: true },
    },
    probes: {},
    timeline: [],
  });
  const names = (event: number): string[] =>
    cat(bytes, 'kprobes/blacklist', { at: event })
      .split('\n')
      .map((line) => line.replace(/^0xffffffff80[0-9a-f]{6}-0xffffffff80[0-9a-f]{6}\t/u, ''));
  expect(names(0)).toEqual(['hidden', '']);
  expect(names(ended(bytes, 'init_module', 1))).toEqual(['hidden', 'inside', '']);
});

test('every line that the real kernel showed is of the layout of KP-70 and KP-71', () => {
  const lines = TRUTH.scenarios.flatMap(({ name }) => listsOf(name).flat());
  expect(lines.length).toBeGreaterThan(15);
  const place = String.raw`(?:\w+\+0x[0-9a-f]+ {2}\w+|ADDR)`;
  const status = String.raw`(?:\[GONE\]|\[DISABLED\])?(?:\[OPTIMIZED\])?(?:\[FTRACE\])?`;
  for (const line of lines)
    expect(line).toMatch(new RegExp(`^ADDR {2}[kr] {2}${place} ${status}$`, 'u'));
});

test('an unknown file, an event that there is not, and a blacklist in an era without are refused', () => {
  const model = { probes: {}, timeline: [] };
  const bytes = run(model);
  const last = readRecording(bytes).log.count - 1;
  expect(() => cat(bytes, 'kprobe/list')).toThrow(
    "no file 'kprobe/list', did you mean 'kprobes/list'? expected one of kprobes/list, kprobes/enabled, kprobes/blacklist",
  );
  for (const event of [-1, last + 1, 0.5]) {
    expect(() => cat(bytes, 'kprobes/list', { at: event })).toThrow(
      `expected an event from 0 to ${last}, found ${event}`,
    );
  }
  expect(() => cat(run(model, 'v2.6.31'), 'kprobes/blacklist')).toThrow(
    'expected one of kprobes/list, kprobes/enabled',
  );
});

test('a recording that was cut short shows what was there at its last event', () => {
  const probes = { p: { kind: 'kprobe', symbol: 'caller', offset: 8, pre: 'count' } };
  const bytes = run({ probes, timeline: [at({ register: 'p', expect: 0 })] });
  const cut = bytes.subarray(0, bytes.length - 1);
  expect(cat(cut, 'kprobes/list')).toBe(cat(bytes, 'kprobes/list'));
});

test('a run that is not the recorded one is refused', () => {
  const probes = { p: { kind: 'kprobe', symbol: 'caller', offset: 8, pre: 'count' } };
  const recording = readRecording(run({ probes, timeline: [at({ register: 'p', expect: 0 })] }));
  const header = { ...recording.header, profile: 'v2.6.31' };
  const file = 'kprobes/list';
  expect(() => readDebugFile({ ...recording, header }, { file })).toThrow(
    /^the run is not the recorded one up to event \d+: replay says where it differs$/u,
  );
});

test('KP-70, JP-9: a jprobe has the letter j', () => {
  const path = new URL('../../golden/arguments-c-jprobe.trace', import.meta.url);
  const bytes = new Uint8Array(readFileSync(path));
  const [begun, over] = [ended(bytes, 'register_jprobe', 1), ended(bytes, 'unregister_jprobe', 1)];
  expect(cat(bytes, 'kprobes/list', { at: begun })).toBe('ffffffff80000000  j  do_fork+0x0    \n');
  expect(cat(bytes, 'kprobes/list', { at: over })).toBe('');
});
