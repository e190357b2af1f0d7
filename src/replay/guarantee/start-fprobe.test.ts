import { expect, test } from 'vitest';
import {
  begun,
  call,
  ended,
  enters,
  entry,
  hook,
  registered,
  skips,
  world,
} from './example-fprobe.ts';
import { judge, leaves, reasonOf, type Told } from './example-run.ts';
import { filterSwap } from './filter-swap.ts';
import { notrace } from './notrace.ts';
import { start } from './start.ts';

function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(start, told.flat());
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
}

const left = [leaves('vfs_open')];

test('held: a handler, a return that is taken, or a listed reason', () => {
  const run = [begun('vfs_open'), ended('vfs_open')];
  expect(finding(world(), ...run)).toEqual({ alone: 0, besides: 0, fprobes: 1 });
  const exitOnly = [enters('vfs_open'), [hook('vfs_open')], left];
  expect(finding(world({ entry: -1 }), ...exitOnly)).toMatchObject({ fprobes: 1 });
  const plain = [enters('vfs_open'), entry('vfs_open'), left];
  expect(finding(world({ hook: 'fgraph', exit: -1 }), ...plain)).toMatchObject({ fprobes: 1 });
});

test.each<['rethook' | 'fgraph', string, number]>([
  ['rethook', 'no_node', 40],
  ['rethook', 'disabled', 40],
  ['rethook', 'recursion', 77],
  ['rethook', 'rcu', 77],
  ['fgraph', 'no_frame', 0],
  ['fgraph', 'no_data', 40],
  ['fgraph', 'grew', 40],
])('held: with %s a hit is passed over: %s', (by, reason, object) => {
  const run = [enters('vfs_open'), [skips(reason, 'vfs_open', { object })], left];
  expect(finding(world({ hook: by, ops: 77 }), ...run)).toMatchObject({ fprobes: 1 });
});

test.each<['rethook' | 'fgraph', string, number]>([
  ['rethook', 'no_data', 40],
  ['rethook', 'removed', 40],
  ['fgraph', 'no_node', 40],
  ['fgraph', 'filter', 40],
])('broken: with %s no hit is passed over as %s', (by, reason, object) => {
  const run = [enters('vfs_open'), [skips(reason, 'vfs_open', { object })], left];
  expect(finding(world({ hook: by, ops: 77 }), ...run)).toMatch(
    new RegExp(
      `vfs_open returned .* without a handler of fp0, .* but as ${reason}, which is none`,
      'u',
    ),
  );
});

test('broken: no handler, and no reason; nothing is owed while calls are under way', () => {
  const silent = [enters('vfs_open'), left];
  expect(finding(world(), ...silent)).toMatch(
    /vfs_open returned .* without a handler of fp0, which was registered and selects it, and no reason was given/u,
  );
  const during = [enters('vfs_open'), call('unregister_fprobe', 0), left];
  expect(finding(world(), ...during)).toContain('No selected function was entered and left');
  const elsewhere = registered({ text: 'kmalloc' });
  expect(finding(world({ text: 'kmalloc' }), elsewhere, ...silent)).toMatch(/^never exercised/u);
});

test.each([notrace, filterSwap])('$name says what it has not looked at', (guarantee) => {
  expect(reasonOf(judge(guarantee, world()))).toMatch(
    /^never exercised: No .*\. What fprobes hook is not looked at here/u,
  );
  expect(reasonOf(judge(guarantee, []))).not.toContain('fprobes');
});
