import { expect, test } from 'vitest';
import {
  begun,
  call,
  counts,
  ended,
  enters,
  entry,
  exit,
  FP,
  hook,
  OTHER,
  registered,
  skips,
  SP,
  unhook,
  world,
} from './example-fprobe.ts';
import { judge, leaves, reasonOf, type Told, type Where } from './example-run.ts';
import { nmissed } from './nmissed.ts';

/** The parts of a verdict that held; else why not. */
function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(nmissed, told.flat());
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
}

/** Both recursion bits of task 1 in the group of trylocks. */
const full: Told[] = [
  ['recursion_set', { bit: 3 }],
  ['recursion_set', { bit: 4 }],
];
const END: Told = ['run_end', {}];

function state(value: number): Told {
  return ['fprobe_state', { object: FP, nmissed: value }];
}

/** A call that is missed for this reason, and counted. */
function missed(reason: string, old: number): Told[] {
  return [...enters('vfs_open'), skips(reason, 'vfs_open'), counts(old), leaves('vfs_open')];
}

const ONE = { maxactive: 1 };

/** The only node of a pool is taken by a call that goes on. */
function spent(generation = 1): Told[] {
  const told = { ...ONE, generation };
  const at = { generation, pid: 3, sp: SP - 64 * generation };
  return [...(generation === 1 ? world(told) : registered(told)), ...begun('vfs_read', at)];
}

/** As many calls of `vfs_read`, one within the other, whose returns are taken. */
function deep(count: number, hit: { readonly pid?: number } = {}): Told[] {
  return Array.from({ length: count }, (_, i) =>
    begun('vfs_read', { sp: SP - 64 * (i + 1), ...hit }),
  ).flat();
}

function passed(reason: string): Told[] {
  return [...enters('vfs_open'), skips(reason, 'vfs_open'), leaves('vfs_open')];
}

test('held: handled, missed and passed over, and the counter at the end', () => {
  const at = { pid: 2 };
  const run = [begun('vfs_open', at), missed('no_node', 0), ended('vfs_open', at)];
  expect(finding(world(ONE), ...run, [state(1), END])).toEqual({
    handled: 2,
    missed: 1,
    uncounted: 0,
  });
  const disabled = call('disable_fprobe', 0);
  expect(finding(world(), disabled, passed('disabled'))).toEqual({
    handled: 1,
    missed: 0,
    uncounted: 1,
  });
});

test('FP-32, FP-72: recursion counts with a rethook; with the graph hook nobody knows whose hit it was', () => {
  expect(finding(world(), full, missed('recursion', 0), [state(1), END])).toMatchObject({
    missed: 1,
  });
  const graph = world({ hook: 'fgraph' });
  const nobody = [
    ...enters('vfs_open'),
    skips('recursion', 'vfs_open', { object: 0 }),
    leaves('vfs_open'),
  ];
  expect(finding(graph, full, nobody, [state(0), END])).toEqual({
    handled: 1,
    missed: 0,
    uncounted: 1,
  });
});

test('held: a miss that is counted later than another CPU counts its own', () => {
  const far = { cpu: 1, pid: 2 };
  const run = [
    ...enters('vfs_open'),
    ...enters('vfs_open', far),
    skips('no_node', 'vfs_open'),
    skips('no_node', 'vfs_open', far),
    counts(0, 1, far),
    counts(1),
  ];
  expect(finding(spent(), run, [state(2), END])).toMatchObject({ missed: 2 });
});

test('held: a call under way on the fprobe, and functions that it does not hook, owe nothing', () => {
  const unhooked = [...enters('kmalloc'), leaves('kmalloc')];
  const during: Told[] = [
    ['ctl_begin', { op: 'unregister_fprobe', object: FP, pid: 3 }],
    ...enters('vfs_open'),
    leaves('vfs_open'),
    ['ctl_end', { op: 'unregister_fprobe', object: FP, generation: 1, pid: 3 }],
    ...enters('vfs_open'),
    leaves('vfs_open'),
  ];
  expect(finding(world(), unhooked, during)).toContain('never exercised: No hooked function');
  expect(
    finding(world({ text: 'vfs_*\nvfs_open' }), enters('vfs_open'), [leaves('vfs_open')]),
  ).toContain('never exercised');
});

test('FP-4: registration sets the counter to 0', () => {
  const zero: Told = ['count', { object: FP, counter: 'nmissed', old: 7, new: 0, pid: 3 }];
  const [object, begin, told, end] = registered();
  const again = [begin, told, zero, end].filter((one) => one !== undefined);
  expect(object).toBeDefined();
  const first = [...world({ maxactive: 1 }), ...call('unregister_fprobe', 0)];
  expect(finding(first, again, spent(2), missed('no_node', 0), [state(1)])).toMatchObject({
    missed: 1,
  });
});

test('FP-4: a registration that leaves the counter as it was', () => {
  const first = [spent(), missed('no_node', 0), call('unregister_fprobe', 0)];
  const second = spent(2);
  expect(finding(...first, second, [state(1), END])).toMatch(
    /fp0.nmissed is 1 at the end, but since it was registered it was counted to 0/u,
  );
  expect(finding(...first, second, missed('no_node', 1))).toMatch(
    /fp0.nmissed went from 1 to 2, but since it was registered it had been counted to 0/u,
  );
  // A call that is refused may change nothing.
  const refused = call('register_fprobe', -17);
  expect(finding(spent(), missed('no_node', 0), refused, [state(1), END])).toMatchObject({
    missed: 1,
  });
});

test('FP-20: what its ops keeps away is no miss of the fprobe', () => {
  const ops = 77;
  const refusal: Told[] = [skips('recursion', 'vfs_open', { object: ops })];
  const hit = [...enters('vfs_open'), ...refusal, leaves('vfs_open')];
  expect(finding(world({ ops }), full, hit, [state(0), END])).toEqual({
    handled: 1,
    missed: 0,
    uncounted: 1,
  });
  expect(finding(world({ ops }), hit)).toMatch(
    /passed over \(recursion\), but a recursion bit was free/u,
  );
  const counting = [...enters('vfs_open'), ...refusal, counts(0)];
  expect(finding(world({ ops }), full, counting)).toMatch(/but nothing was missed that counts/u);
  const unwatched: Told[] = [...enters('vfs_open'), skips('rcu', 'vfs_open', { object: ops })];
  expect(finding(world({ ops }), unwatched)).toMatch(/passed over \(rcu\), but RCU was watching/u);
});

test('racyCounters: two CPUs may overwrite each other', () => {
  const rules: Told = ['fprobe_rules', { era: 'v6.12', racy: true }];
  const run = [missed('no_node', 0), missed('no_node', 0), [state(1), END]];
  expect(finding([rules], spent(), ...run)).toMatchObject({ missed: 2 });
});

test('never exercised without an fprobe', () => {
  expect(finding()).toBe('never exercised: There was no fprobe.');
});

const SHARED = { flags: 2 };
const BUSY = 0x250000;

function kprobe(which: number, where: Where = {}): Told {
  return ['current_kprobe', { kprobe: which, pid: 1, ...where }];
}

test('FP-30.3: held where a kprobe runs, and where the fprobe itself makes the CPU busy', () => {
  const busy = [kprobe(BUSY), ...missed('kprobe_running', 0), kprobe(-1)];
  const own = [
    ...enters('vfs_open'),
    kprobe(BUSY),
    ...entry('vfs_open'),
    kprobe(-1),
    hook('vfs_open'),
  ];
  expect(finding(world(SHARED), busy, own, ended('vfs_open'), [state(1), END])).toEqual({
    handled: 2,
    missed: 1,
    uncounted: 0,
  });
  // An interrupt has its own: the end of it leaves nobody busy.
  const irq = { level: 2 } as const;
  const between = [kprobe(BUSY, irq), kprobe(-1, irq)];
  const late = [...enters('vfs_open'), kprobe(BUSY), ...between, ...entry('vfs_open')];
  expect(finding(world(SHARED), late, [hook('vfs_open')], ended('vfs_open'))).toMatchObject({
    handled: 1,
  });
});

test.each<[string, RegExp, readonly Told[], readonly (readonly Told[])[]]>([
  [
    'a hit that nobody handled',
    /vfs_open returned without a handler of fp0/u,
    world(),
    [enters('vfs_open'), [leaves('vfs_open')]],
  ],
  [
    'a miss that is not counted (M-38)',
    /fp0 missed a hit \(no_node\) and nmissed was not increased/u,
    spent(),
    [enters('vfs_open'), [skips('no_node', 'vfs_open'), leaves('vfs_open'), END]],
  ],
  ['a count without a miss', /but nothing was missed that counts/u, world(), [[counts(0)]]],
  [
    'a count of a disabled one (M-58)',
    /but nothing was missed that counts/u,
    world({ flags: 1 }),
    [[...enters('vfs_open'), skips('disabled', 'vfs_open'), counts(0)]],
  ],
  [
    'a lost count (M-96)',
    /but since it was registered it had been counted to 1/u,
    spent(),
    [missed('no_node', 0), missed('no_node', 0)],
  ],
  [
    'two for one miss',
    /went from 0 to 2 for one miss/u,
    spent(),
    [[...enters('vfs_open'), skips('no_node', 'vfs_open'), counts(0, 2)]],
  ],
  [
    'another value at the end',
    /nmissed is 3 at the end, but since it was registered it was counted to 1/u,
    spent(),
    [missed('no_node', 0), [state(3)]],
  ],
  [
    'disabled, but it was not',
    /passed over \(disabled\), but it was enabled/u,
    world(),
    [passed('disabled')],
  ],
  [
    'recursion with a free bit',
    /a recursion bit was free/u,
    world(),
    [[...enters('vfs_open'), skips('recursion', 'vfs_open')]],
  ],
  [
    'an empty pool that was not',
    /nodes of its pool were free/u,
    world(),
    [[...enters('vfs_open'), skips('no_node', 'vfs_open')]],
  ],
  [
    'no room, but there was',
    /the shadow stack had room/u,
    world({ hook: 'fgraph' }),
    [[...enters('vfs_open'), skips('no_data', 'vfs_open')]],
  ],
  [
    'no kprobe ran',
    /no kprobe ran there/u,
    world(SHARED),
    [[kprobe(BUSY), kprobe(-1), ...enters('vfs_open'), skips('kprobe_running', 'vfs_open')]],
  ],
  [
    'a kprobe ran on another CPU',
    /no kprobe ran there/u,
    world(SHARED),
    [[kprobe(BUSY, { cpu: 1 }), ...enters('vfs_open'), skips('kprobe_running', 'vfs_open')]],
  ],
  [
    'a kprobe ran, and nobody cared (M-45)',
    /the entry handler of fp0 ran although a kprobe did, and it is KPROBE_SHARED/u,
    world(SHARED),
    [[kprobe(BUSY), ...enters('vfs_open'), kprobe(BUSY), ...entry('vfs_open')]],
  ],
  [
    'shared, but it is not',
    /it is not KPROBE_SHARED/u,
    world(),
    [[...enters('vfs_open'), skips('kprobe_running', 'vfs_open')]],
  ],
  [
    'RCU was watching',
    /RCU was watching/u,
    world(),
    [[...enters('vfs_open'), skips('not_watching', 'vfs_open')]],
  ],
  [
    'refused, but it was not',
    /its entry handler returned 0/u,
    world(),
    [[...enters('vfs_open'), ...entry('vfs_open'), skips('rejected', 'vfs_open')]],
  ],
  [
    'removed, but it was not',
    /it was registered all the time/u,
    world(),
    [begun('vfs_open'), [skips('removed', 'vfs_open')]],
  ],
  [
    'nobody was registered meanwhile',
    /no fprobe was registered meanwhile/u,
    world({ hook: 'fgraph' }),
    [[...enters('vfs_open'), skips('grew', 'vfs_open')]],
  ],
])('broken: %s', (_what, why, start, run) => {
  expect(finding(start, ...run)).toMatch(why);
});

/** A call for which there is no node, in a run with this option; its entry handler runs before or behind that, or not. */
function shortOfNodes(policy: string, order: 'before' | 'behind' | 'never'): unknown {
  const rules: Told = ['fprobe_rules', { era: 'v6.12', miss_policy: policy }];
  const handler = entry('vfs_open');
  const run = [
    ...enters('vfs_open'),
    ...(order === 'before' ? handler : []),
    skips('no_node', 'vfs_open'),
    counts(0),
    ...(order === 'behind' ? handler : []),
    leaves('vfs_open'),
  ];
  return finding([rules], spent(), run);
}

test('missPolicy: a shortage skips both handlers, or the exit handler alone', () => {
  const held = { handled: 1, missed: 1, uncounted: 0 };
  expect(shortOfNodes('both', 'never')).toEqual(held);
  const ran = /the entry handler of fp0 ran for a call that was missed \(no_node\)/u;
  expect(shortOfNodes('both', 'before')).toMatch(ran);
  expect(shortOfNodes('both', 'behind')).toMatch(ran);
  expect(shortOfNodes('exitOnly', 'before')).toEqual(held);
  expect(shortOfNodes('exitOnly', 'behind')).toEqual(held);
  expect(shortOfNodes('exitOnly', 'never')).toMatch(/the entry handler of fp0 did not run/u);
});

test('FP-9, M-44: whoever is disabled before the function goes on runs neither handler', () => {
  const off = call('disable_fprobe', 0);
  const on: Told[] = [...enters('kmalloc', { sp: 0x8000 }), leaves('kmalloc')];
  const late = [begun('vfs_open'), off, on, exit('vfs_open')];
  expect(finding(world(), ...late)).toMatch(
    /the exit handler of fp0 ran although it had been disabled/u,
  );
  expect(finding(world(), off, enters('vfs_open'), entry('vfs_open'))).toMatch(
    /the entry handler of fp0 ran/u,
  );
  const meanwhile = [
    begun('vfs_open'),
    off,
    exit('vfs_open'),
    [unhook('vfs_open'), leaves('vfs_open')],
  ];
  expect(finding(world(), begun('vfs_read'), ended('vfs_read'), ...meanwhile)).toMatchObject({
    handled: 1,
  });
});

test('M-57: a shortage that only the first fprobe of the function is told of', () => {
  const other = registered({ object: OTHER, hook: 'fgraph' });
  const short = [
    ...enters('vfs_open', { sp: 0x100 }),
    skips('no_data', 'vfs_open'),
    counts(0),
    leaves('vfs_open'),
  ];
  expect(finding(world({ hook: 'fgraph', data: 120 }), deep(22), other, short)).toMatch(
    /without a handler of fp1/u,
  );
});

test('FP-22: two nodes for each function and CPU are there, and no more are said to be taken', () => {
  const pool = { maxactive: 0 };
  const short = missed('no_node', 0);
  expect(finding(world(pool), deep(4, { pid: 2 }), short)).toMatchObject({ missed: 1 });
  expect(finding(world(pool), deep(3, { pid: 2 }), short)).toMatch(/nodes of its pool were free/u);
  // Functions of notfilter have nodes, too; a call under way that was missed has none.
  const filter = { ...pool, text: '*\nkmalloc' };
  expect(finding(world(filter), deep(7, { pid: 2 }), short)).toMatch(
    /nodes of its pool were free/u,
  );
  expect(finding(world(filter), deep(8, { pid: 2 }), short)).toMatchObject({ missed: 1 });
  const outer = [...enters('vfs_open'), skips('no_node', 'vfs_open'), counts(0)];
  const inner = [...enters('vfs_read', { sp: SP - 64 }), skips('no_node', 'vfs_read'), counts(1)];
  const back = ended('vfs_read', { pid: 2 });
  expect(finding(world(ONE), deep(1, { pid: 2 }), outer, back, inner)).toMatch(
    /nodes of its pool were free/u,
  );
  // A hit whose handler runs has one.
  const bit: Told[] = [['recursion_set', { bit: 3 }]];
  const runs = [...enters('vfs_open'), ...bit, ...entry('vfs_open')];
  expect(finding(world(ONE), runs, inner.slice(0, 3))).toMatch(/^never exercised/u);
  expect(finding(world({ ...ONE, maxactive: 2 }), deep(3, { pid: 2 }))).toMatch(
    /vfs_read was taken for fp0, but 3 calls had a node of its pool then/u,
  );
});

test.each([
  // Calls that fit, words of data, and what the next one has no room for: FP-73 with frames of 4 words.
  [70, 0, 'no_frame'],
  [22, 15, 'no_data'],
])('FP-73: %i calls with %i words of data fit, and no more', (fit, words, reason) => {
  const graph = world({ hook: 'fgraph', data: 8 * words });
  const at = { sp: 0x100 };
  const own = reason === 'no_frame' ? { ...at, object: 0 } : at;
  const short = [...enters('vfs_open', at), skips(reason, 'vfs_open', own)];
  const next = reason === 'no_frame' ? short : [...short, counts(0)];
  expect(finding(graph, deep(fit), next)).toMatchObject({ handled: 0 });
  expect(finding(graph, deep(fit - 1), next)).toMatch(/the shadow stack had room/u);
  expect(finding(graph, deep(fit), begun('vfs_open', at))).toMatch(
    /vfs_open was taken for fp0, but the shadow stack had no room for \d+ words/u,
  );
});

test('held: the exit of a call whose probe went meanwhile', () => {
  const run = [
    begun('vfs_open'),
    call('unregister_fprobe', 0),
    [skips('removed', 'vfs_open'), unhook('vfs_open')],
  ];
  expect(
    finding(
      world(),
      begun('vfs_open'),
      exit('vfs_open'),
      [unhook('vfs_open'), leaves('vfs_open')],
      ...run,
    ),
  ).toEqual({
    handled: 1,
    missed: 0,
    uncounted: 1,
  });
});

function enabled(text: string): Told[] {
  return [
    ['ctl_begin', { op: 'ftrace_enabled', text, pid: 3 }],
    ['ctl_end', { op: 'ftrace_enabled', pid: 3 }],
  ];
}

test('not flagged: a task that is late at its site, which was not hooked for a while', () => {
  const [entered, fetched] = enters('vfs_open');
  if (entered === undefined || fetched === undefined) throw new Error('it enters and fetches');
  const late = [[entered], enabled('0'), [fetched, leaves('vfs_open')], enabled('1')];
  expect(finding(world(), ...late)).not.toMatch(/nobody said why/u);
  const again = [[entered], enabled('0'), enabled('1'), [fetched, leaves('vfs_open')]];
  expect(finding(world(), ...again)).not.toMatch(/nobody said why/u);
  expect(
    finding(world(), enabled('0'), enabled('1'), [...enters('vfs_open'), leaves('vfs_open')]),
  ).toMatch(/nobody said why/u);
});

test('not flagged: a hit in the midst of a registration that began before it', () => {
  const begins: Told = ['ctl_begin', { op: 'register_fprobe', object: OTHER, text: '*', pid: 3 }];
  const told = [
    world({ hook: 'fgraph' }),
    [begins],
    [...enters('vfs_open'), skips('grew', 'vfs_open')],
  ];
  expect(finding(...told)).not.toMatch(/no fprobe was registered/u);
});
