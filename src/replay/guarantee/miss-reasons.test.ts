// Reasons, by the judge's own account: nodes of pools, words of shadow stacks, and what an ops keeps away.
import { expect, test } from 'vitest';
import {
  begun,
  counts,
  ended,
  enters,
  entry,
  hook,
  OTHER,
  registered,
  skips,
  SP,
  world,
} from './example-fprobe.ts';
import { judge, leaves, reasonOf, type Told } from './example-run.ts';
import { nmissed } from './nmissed.ts';

/** The parts of a verdict that held; else why not. */
function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(nmissed, told.flat());
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
}

const ONE = { maxactive: 1 };

/** As many calls of `vfs_read`, one within the other, whose returns are taken. */
function deep(count: number, hit: { readonly pid?: number } = {}): Told[] {
  return Array.from({ length: count }, (_, i) =>
    begun('vfs_read', { sp: SP - 64 * (i + 1), ...hit }),
  ).flat();
}

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
  const short = [
    ...enters('vfs_open'),
    skips('no_node', 'vfs_open'),
    counts(0),
    leaves('vfs_open'),
  ];
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

test('FP-74: one call has 32 words of data at most', () => {
  const other = registered({ object: OTHER, hook: 'fgraph', data: 120 });
  const more = registered({ object: OTHER + 1, hook: 'fgraph', data: 120 });
  const start = [world({ hook: 'fgraph', data: 120 }), other, more, begun('vfs_open')];
  const second = [...entry('vfs_open', { object: OTHER }), hook('vfs_open', { object: OTHER })];
  const third = [
    ...entry('vfs_open', { object: OTHER + 1 }),
    hook('vfs_open', { object: OTHER + 1 }),
  ];
  expect(finding(...start, second)).not.toMatch(/words of data/u);
  expect(finding(...start, second, third)).toMatch(
    /vfs_open was taken for fp2, but fprobes had 48 words of data for it, and one call may have 32/u,
  );
});

/** What is found in that era. */
function inEra(era: string, ...told: readonly (readonly Told[])[]): unknown {
  return finding([['fprobe_rules', { era }]], world({ hook: 'fgraph' }), ...told);
}

test('FP-70.7: a header behind what the hit had reserved, in eras that let it be written', () => {
  const begins: Told = ['ctl_begin', { op: 'register_fprobe', object: OTHER, text: '*', pid: 3 }];
  const lost = [skips('removed', 'vfs_open')];
  const why =
    /it was registered all the time: as another one came, its hit found more fprobes than/u;
  expect(inEra('v6.14', [begins], begun('vfs_open'), lost)).toMatch(why);
  expect(
    inEra('v6.18', enters('vfs_open'), [begins], entry('vfs_open'), [hook('vfs_open')], lost),
  ).toMatch(why);
  const plain = /it was registered all the time \(/u;
  expect(inEra('today', [begins], begun('vfs_open'), lost)).toMatch(plain);
  expect(inEra('v6.14', begun('vfs_open'), lost)).toMatch(plain);
});

/** Both recursion bits of task 1 in the group of trylocks. */
const full: Told[] = [
  ['recursion_set', { bit: 3 }],
  ['recursion_set', { bit: 4 }],
];

test('FP-20: what its ops keeps away is no miss of the fprobe', () => {
  const ops = 77;
  const refusal: Told[] = [skips('recursion', 'vfs_open', { object: ops })];
  const hit = [...enters('vfs_open'), ...refusal, leaves('vfs_open')];
  expect(finding(world({ ops }), full, hit)).toEqual({
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
