// Every reason of a miss, explained from a real run: its rule, whether it was counted, and who held what.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { known } from '../../assert.ts';
import { record, type RecordOptions } from '../api/record.ts';
import { type Salvage, salvageRecording } from '../recording.ts';
import { explainMiss, type MissExplanation } from './explain-miss.ts';
import { missesOf } from './misses.ts';

const GOLDEN = join(import.meta.dirname, '../../../golden');

function golden(name: string): Salvage {
  return salvageRecording(readFileSync(join(GOLDEN, `${name}.trace`)));
}

function ran(yaml: string, options: RecordOptions = {}): Salvage {
  return salvageRecording(record({ yaml }, { chooser: 'calm', ...options }).bytes);
}

/** The first miss for this reason. */
function why({ log }: Salvage, reason: string): MissExplanation {
  const miss = missesOf(log).find(({ event }) => event.reason === reason);
  return explainMiss(log, known(miss, `a hit is missed for this reason: ${reason}`));
}

/** What it shows, without the numbers of events. */
function shown({ evidence }: MissExplanation): readonly string[] {
  return evidence.map(({ text }) => text);
}

function workload(functions: string, probes: string, more = ''): string {
  return `name: missing
machine: { cpus: 1 }
functions:
  round: { body: [call f, sleep 50], notrace: true }
${functions}
tasks: { t: { cpu: 0, run: round, times: 3 } }
probes:
${probes}
timeline:
  - { at: start, register: fp }
${more}`;
}

const NEST = `  f: { body: [work 2] }
callbacks:
  again: { body: [call f] }`;
const AGAIN = '  fp: { kind: fprobe, filter: f, entry: again, exit: count }';

test('recursion: both bits, and who took them', () => {
  const miss = why(ran(workload(NEST, AGAIN), { profile: 'v6.12' }), 'recursion');
  expect(miss).toMatchObject({
    task: 't',
    level: 'task',
    function: 'f',
    probe: 'fp',
    rules: ['FP-30.2', 'FT-51'],
    counted: { from: 0, to: 1 },
  });
  expect(shown(miss)).toEqual([
    't has NORMAL of the trylock of users, taken by f in task, which this hit needed',
    't has TRANSITION of the trylock of users, taken by f in task, which this hit needed',
  ]);
  const graph = why(ran(workload(NEST, AGAIN)), 'recursion');
  expect(graph).toMatchObject({ probe: '(nobody yet)', rules: ['FP-70.1', 'FP-72', 'FT-51'] });
  expect(graph.counted).toBeNull();
  expect(shown(graph)).toEqual(shown(miss));
});

test('recursion of ftrace_ops: the bits of both groups, and the interrupt that the CPU is in', () => {
  const miss = why(golden('recursion-groups'), 'recursion');
  expect(miss).toMatchObject({ probe: 'ops0', rules: ['FT-51', 'FT-57'], counted: null });
  expect(shown(miss).filter((text) => text.endsWith('which this hit needed'))).toHaveLength(2);
  const { log } = golden('recursion-entry-window');
  const all = missesOf(log).map((one) => shown(explainMiss(log, one)));
  expect(all.some((texts) => texts.some((text) => /^CPU \d is in hardirq \w/u.test(text)))).toBe(
    true,
  );
});

test('exit_recursion: the bits were taken while the call was under way', () => {
  const body =
    '  f: { body: [call ftrace_test_recursion_trylock, call ftrace_test_recursion_trylock] }';
  const probe = '  fp: { kind: fprobe, filter: f, entry: count, exit: count }';
  const rethook = why(ran(workload(body, probe), { profile: 'v6.12' }), 'exit_recursion');
  expect(rethook).toMatchObject({ rules: ['FP-31.3', 'FT-51'], counted: { from: 0, to: 1 } });
  const graph = why(ran(workload(body, probe)), 'exit_recursion');
  expect(graph).toMatchObject({ rules: ['FP-71.2', 'FT-51'], counted: null });
  expect(shown(graph)).toEqual([
    't has NORMAL of the trylock of users, taken by f in task, which this hit needed',
    't has TRANSITION of the trylock of users, taken by f in task, which this hit needed',
  ]);
});

test('no_node: the size of the pool, and which call holds its node since when', () => {
  const { log } = golden('memory-rethook-pool');
  const miss = why(golden('memory-rethook-pool'), 'no_node');
  expect(miss).toMatchObject({ probe: 'fp0', function: 'vfs_read', counted: { from: 0, to: 1 } });
  expect(shown(miss)).toEqual([
    'nodes of the pool: nr_maxactive 1',
    'a node is held by the call of vfs_read in reader1 (task, CPU 1)',
  ]);
  const held = known(miss.evidence[1]?.event, 'the holder names its event');
  expect(log.at(held)).toMatchObject({ event: 'hook', cpu: 1, pid: 2 });
});

const CALLS_DOWN = `  f: { body: [work 1] }
  g: { body: [call h] }
  h: { body: [work 1] }
callbacks:
  down: { body: [call g] }`;

test.each([
  ['v6.12', 'g', 'an entry handler runs, and has a node, for f in t (task, CPU 0)'],
  ['v5.18', 'h', 'a node is held by the call of g in t (task, CPU 0)'],
])(
  'no_node in %s: a handler that runs has a node where that comes first',
  (profile, hit, holder) => {
    const probe =
      '  fp: { kind: fprobe, syms: [f, g, h], entry: down, exit: count, nr_maxactive: 1 }';
    const miss = why(ran(workload(CALLS_DOWN, probe), { profile }), 'no_node');
    expect(miss).toMatchObject({ function: hit, counted: { to: expect.any(Number) as number } });
    expect(shown(miss)).toEqual(['nodes of the pool: nr_maxactive 1', holder]);
  },
);

test('no_node: how large the pool is and how that came about: two for each CPU and function of the filter', () => {
  const sleepers = Array.from(
    { length: 14 },
    (_, i) => `s${i}: { cpu: ${i % 2}, run: f, times: 1 }`,
  );
  const yaml = (target: string): string =>
    workload(
      '  f: { body: [sleep 900] }\n  f2: { body: [work 1] }\n  f3: { body: [work 1] }',
      `  fp: { kind: fprobe, ${target}, exit: count, entry_data_size: 24 }`,
    )
      .replace('cpus: 1', 'cpus: 2')
      .replace('tasks: {', `tasks: { ${sleepers.join(', ')},`)
      .replace(/run: f,/gu, 'run: later,')
      .replace('functions:', 'functions:\n  later: { body: [sleep 300, call f], notrace: true }');
  const sizes = ['v6.12', 'v6.1'].flatMap((profile) =>
    ["filter: 'f'", "filter: 'f*', notfilter: 'f?'"].map((target) => {
      const { log } = ran(yaml(target), { profile });
      const first = missesOf(log).find(({ event }) => event.reason === 'no_node');
      return first === undefined ? 'none' : shown(explainMiss(log, first))[0];
    }),
  );
  const all = '2 for each CPU (2) and function of the filter';
  const small = `nodes of the pool: 4, ${all} (1) (nr_maxactive 0)`;
  const large = `nodes of the pool: 12, ${all} (3); notfilter does not count (nr_maxactive 0)`;
  expect(sizes).toEqual([small, large, small, large]);
});

test('no_node: a handler that runs without a node holds none (missPolicy)', () => {
  const probe =
    '  fp: { kind: fprobe, syms: [f, g, h], entry: down, exit: count, nr_maxactive: 1 }';
  const yaml = workload(CALLS_DOWN, probe);
  const holders = (policy: string, profile: string): readonly string[] => {
    const asked = yaml.replace('cpus: 1', `cpus: 1, missPolicy: ${policy}`);
    const { log } = ran(asked, { profile });
    const all = missesOf(log).filter(({ event }) => event.reason === 'no_node');
    return shown(explainMiss(log, known(all.at(-1), 'nodes are short')));
  };
  const holder = 'an entry handler runs, and has a node, for f in t (task, CPU 0)';
  for (const profile of ['v6.12', 'v5.18'])
    expect(holders('both', profile)).toEqual(['nodes of the pool: nr_maxactive 1', holder]);
  expect(holders('exitOnly', 'v6.12')).toEqual(['nodes of the pool: nr_maxactive 1', holder]);
});

test('no_node: a pool that unregister has stopped', () => {
  const yaml = workload(
    '  f: { body: [sleep 9] }\n  other: { body: [call f, call f, call f, call f], notrace: true }',
    '  fp: { kind: fprobe, filter: f, entry: count, exit: count }',
    '  - { at: { step: 400 }, unregister: fp }\n',
  )
    .replace('cpus: 1', 'cpus: 2')
    .replace('tasks: {', 'tasks: { u: { cpu: 1, run: other, times: 90 },');
  const runs = Array.from({ length: 9 }, (_, seed) =>
    ran(yaml, { profile: 'v6.12', chooser: 'random', seed }),
  );
  const stopped = runs.flatMap(({ log }) =>
    missesOf(log)
      .filter(({ event }) => event.reason === 'no_node')
      .map((miss) => shown(explainMiss(log, miss))),
  );
  expect(stopped.length).toBeGreaterThan(0);
  for (const texts of stopped) {
    expect(texts).toContain(
      'unregister_fprobe(fp) had begun: a stopped pool gives no nodes (FP-40.2)',
    );
  }
});

test('disabled and exit_disabled: the call that disabled it, or how it was registered', () => {
  const recording = golden('memory-rethook-pool');
  for (const reason of ['disabled', 'exit_disabled']) {
    const miss = why(recording, reason);
    expect(miss).toMatchObject({ probe: 'fp1', rules: ['FP-9'], counted: null });
    expect(shown(miss)).toEqual(['disable_fprobe(fp1)']);
  }
  const probe = '  fp: { kind: fprobe, filter: f, entry: count, flags: [DISABLED] }';
  const silent = why(ran(workload('  f: { body: [work 2] }', probe)), 'disabled');
  expect(shown(silent)).toEqual(['it was registered with FPROBE_FL_DISABLED']);
});

test.each([
  ['v6.12', ['FP-40.2', 'FP-42']],
  ['today', ['FP-55.3', 'FP-71.4']],
])('removed in %s: the unregister', (profile, rules) => {
  const yaml = workload(
    '  f: { body: [sleep 300] }',
    '  fp: { kind: fprobe, filter: f, entry: count, exit: count }',
    '  - { on: { enter: fp.entry }, unregister: fp }\n',
  );
  const miss = why(ran(yaml, { profile }), 'removed');
  expect(miss).toMatchObject({ rules, counted: null });
  expect(shown(miss)).toEqual(['unregister_fprobe(fp)']);
});

test('rejected: what the entry handler returned', () => {
  const probe = '  fp: { kind: fprobe, filter: f, entry: count, entry_returns: 7, exit: count }';
  const miss = why(ran(workload('  f: { body: [work 2] }', probe)), 'rejected');
  expect(miss).toMatchObject({ rules: ['FP-7'], counted: null });
  expect(shown(miss)).toEqual(['its entry handler returned 7']);
});

function sized(name: string): string {
  return `  ${name}: { kind: fprobe, filter: f, exit: count, entry_data_size: 120 }`;
}

test('no_data: what all probes of the function have asked for', () => {
  const miss = why(
    ran(
      workload(
        '  f: { body: [work 2] }',
        ['fp', 'b', 'c'].map(sized).join('\n'),
        '  - { at: start, register: b }\n  - { at: start, register: c }\n',
      ),
    ),
    'no_data',
  );
  expect(miss).toMatchObject({ rules: ['FP-70.4', 'FP-74'], counted: { from: 0, to: 1 } });
  expect(shown(miss)).toEqual([
    'shadow stack of t: 0 words held; word 491 is not to be reached',
    'asked for: a frame of 4 + 1, and 48 data words + 1 (c 16, b 16, fp 16), and no call may have more than 32',
  ]);
});

/** 99 functions that call each other, the last one first to return. */
const CHAIN = Array.from({ length: 99 }, (_, index) => {
  const body = index === 98 ? 'work 1' : `call f${index + 1}`;
  return `  f${index}: { body: [${body}] }`;
}).join('\n');

test.each([
  ['no_frame', 8, 'FP-70.2', null, 8],
  ['no_data', 32, 'FP-70.4', { from: 0, to: 1 }, 11],
])(
  '%s in a deep call with %i bytes of data: the words of each call',
  (reason, bytes, rule, counted, each) => {
    const probe = `  fp: { kind: fprobe, filter: 'f*', exit: count, entry_data_size: ${bytes} }`;
    const yaml = workload(CHAIN, probe).replace('call f,', 'call f0,');
    const miss = why(ran(yaml), reason);
    expect(miss).toMatchObject({ counted, rules: expect.arrayContaining([rule]) as unknown });
    const [total, ...calls] = shown(miss);
    expect(total).toBe(
      `shadow stack of t: ${each * Number(miss.function.slice(1))} words held; word 491 is not to be reached`,
    );
    expect(calls[0]).toMatch(new RegExp(`^${each} words are held by the call of f0 `, 'u'));
  },
);

test('kprobe_running: a CPU that is busy', () => {
  const yaml = workload(
    '  f: { body: [call kprobe_busy_begin, call g, call kprobe_busy_end] }\n  g: { body: [work 2] }',
    '  fp: { kind: fprobe, filter: g, entry: count, flags: [KPROBE_SHARED] }',
  );
  const miss = why(ran(yaml), 'kprobe_running');
  expect(miss).toMatchObject({ rules: ['FP-30.3', 'FP-70.5'], counted: { from: 0, to: 1 } });
  expect(shown(miss)).toEqual(['CPU 0 is busy by kprobe_busy_begin in f of t (task)']);
});

test('kprobe_running: an interrupt where a task is busy, and one in a handler that is shared', () => {
  const probe =
    '  fp: { kind: fprobe, filter: g, entry: slow, exit: count, flags: [KPROBE_SHARED] }';
  const body = `  f: { body: [call kprobe_busy_begin, call calm, call kprobe_busy_end, call g] }
  calm: { body: [work 2] }
  g: { body: [work 2] }
callbacks:
  slow: { body: [work 9] }
handlers: { tick: { irq: g } }`;
  const outer = ran(workload(body, probe, '  - { on: { enter: calm }, irq: tick }\n'), {
    profile: 'v6.12',
  });
  const miss = why(outer, 'kprobe_running');
  expect(miss).toMatchObject({ level: 'hardirq', counted: { from: 0, to: 1 } });
  expect(shown(miss)).toEqual([
    'CPU 0 is in hardirq g',
    'CPU 0 is busy by kprobe_busy_begin in f of t (task)',
  ]);
  expect(
    outer.log.at(known(miss.evidence[1]?.event, 'the evidence names its event')),
  ).toMatchObject({ event: 'current_kprobe', level: 0 });
  const inner = why(
    ran(workload(body, probe, '  - { on: { enter: fp.entry }, irq: tick }\n')),
    'kprobe_running',
  );
  expect(shown(inner)).toEqual([
    'CPU 0 is in hardirq g',
    'CPU 0 is busy: the entry handler of fp runs, which is KPROBE_SHARED',
  ]);
});

test.each([
  ['v6.12', ['FP-30.4', 'CC-G8'], true],
  ['today', ['CC-G8'], false],
])('not_watching in %s: since when', (profile, rules, isCounted) => {
  const yaml = workload(
    '  f: { body: [work 2] }',
    '  fp: { kind: fprobe, filter: f, exit: count }',
  ).replace('tasks:', 'idle:\n  - { cpu: 0, run: f, times: 9 }\ntasks:');
  const miss = why(ran(yaml, { profile }), 'not_watching');
  expect(miss.rules).toEqual(rules);
  expect(miss.counted !== null).toBe(isCounted);
  expect(shown(miss)).toEqual(['RCU does not watch CPU 0']);
});

test('grew: the registration between the two walks', () => {
  const yaml = workload(
    '  f: { body: [work 1] }\n  spin: { body: [{ loop: 40, body: [call f] }], notrace: true }',
    '  fp: { kind: fprobe, filter: f, exit: count }\n  late: { kind: fprobe, filter: f, exit: count }',
    Array.from(
      { length: 8 },
      (_, index) =>
        `  - { at: { step: ${500 + 300 * index} }, ${index % 2 === 0 ? 'register' : 'unregister'}: late }\n`,
    ).join(''),
  )
    .replace('cpus: 1', 'cpus: 2')
    .replace('tasks: {', 'tasks: { u: { cpu: 1, run: spin, times: 9 },');
  const miss = why(ran(yaml, { chooser: 'random', seed: 1 }), 'grew');
  expect(miss).toMatchObject({ rules: ['FP-70.7'] });
  expect(shown(miss)).toEqual(['register_fprobe(late, "f")']);
});

test.each([
  ['filter', 'notrace-shared', 'ops2', ['ftrace_set_filter(ops2, "vfs_write")']],
  ['notrace', 'notrace-shared', 'ops0', ['ftrace_set_notrace(ops0, "vfs_[wc]*")']],
  ['pid', 'filter-swap-pid', 'ops0', ['the hit was in beta (pid 2)', 'set_ftrace_pid("1", reset)']],
  ['rcu', 'context-rcu-idle', 'careful', ['flags of the ops: 0x4000', 'RCU does not watch CPU 1']],
])('%s: the setting that kept the ops out', (reason, name, probe, texts) => {
  const miss = why(golden(name), reason);
  expect(miss).toMatchObject({ probe, counted: null });
  expect(shown(miss)).toEqual(texts);
});

test('regs: what the ops asks for', () => {
  const yaml = workload(
    '  f: { body: [work 1] }\n  spin: { body: [{ loop: 40, body: [call f] }], notrace: true }',
    ['fp', 'b', 'c']
      .map(
        (name) =>
          `  ${name}: { kind: ftrace, filter: f, callback: count${name === 'c' ? ', flags: [SAVE_REGS]' : ''} }`,
      )
      .join('\n'),
    '  - { at: start, register: b }\n  - { at: { step: 400 }, register: c }\n',
  )
    .replace('cpus: 1', 'cpus: 2')
    .replace('tasks: {', 'tasks: { u: { cpu: 1, run: spin, times: 9 },');
  const miss = why(ran(yaml, { chooser: 'random', seed: 1 }), 'regs');
  expect(miss).toMatchObject({ probe: 'c', rules: ['FT-16'], counted: null });
  expect(shown(miss)).toEqual(['flags of the ops: 0x4']);
});
