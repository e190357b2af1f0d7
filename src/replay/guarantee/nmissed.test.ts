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
