// `nmissed` where there is no node or no room: which handlers a shortage skips is for the option `missPolicy` to say.
import { expect, test } from 'vitest';
import { begun, counts, enters, entry, skips, SP, world } from './example-fprobe.ts';
import { judge, leaves, reasonOf, type Told } from './example-run.ts';
import { nmissed } from './nmissed.ts';

/** The only node of a pool is taken by a call that goes on. */
function spent(): Told[] {
  return [...world({ maxactive: 1 }), ...begun('vfs_read', { pid: 3, sp: SP - 64 })];
}

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
  const verdict = judge(nmissed, [rules, ...spent(), ...run]);
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
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
