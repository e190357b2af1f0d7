import { expect, test } from 'vitest';
import {
  begun,
  call,
  ended,
  enters,
  entry,
  exit,
  exitBegins,
  FP,
  registered,
  unhook,
  world,
} from './example-fprobe.ts';
import { judge, leaves, reasonOf, type Told } from './example-run.ts';
import { unregister } from './unregister.ts';

function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(unregister, told.flat());
  return verdict.status === 'held' ? verdict.exercised : reasonOf(verdict);
}

const gone = call('unregister_fprobe', 0);

test('held: a call that is under way when its fprobe goes returns without its exit handler (FP-6)', () => {
  const silent = [unhook('vfs_open'), leaves('vfs_open')];
  expect(finding(world(), begun('vfs_open'), gone, silent)).toBe(1);
});

test('held: what it hooked is entered again; the next registration is another', () => {
  const run = [
    begun('vfs_open'),
    ended('vfs_open'),
    gone,
    enters('vfs_open'),
    [leaves('vfs_open')],
  ];
  expect(finding(world(), ...run)).toBe(1);
  const again = registered({ generation: 2 });
  expect(finding(world(), ...run, again, begun('vfs_read', { generation: 2 }))).toBe(1);
});

test('held: unregister_fprobe_async promises nothing (FP-57)', () => {
  const run = [begun('vfs_open'), call('unregister_fprobe_async', 0), exit('vfs_open')];
  expect(finding(world(), ...run)).toContain('never exercised');
});

test('held: a handler that slept', () => {
  const sleeps: Told = ['sched_switch', { prev: 1, next: 3, state: 'sleeping' }];
  const open: Told[] = [['cb_begin', { kind: 'fprobe_entry', object: FP, generation: 1, ip: 4 }]];
  expect(finding(world(), enters('vfs_open'), open, [sleeps], gone)).toBe(1);
});

test('never exercised: nothing could have run too late', () => {
  expect(finding(world(), gone)).toContain('No callback or handler ran before its probe');
  expect(finding(world(), call('unregister_fprobe', -22))).toContain(
    'unregister_fprobe returned 0',
  );
  expect(finding(world(), begun('vfs_open'), ended('vfs_open'), gone)).toContain(
    'No hooked function was entered during or after the unregister',
  );
});

test.each<[string, RegExp, readonly (readonly Told[])[]]>([
  [
    'an entry handler',
    /the entry handler of fp0 for vfs_open began .* after unregister_fprobe\(fp0\) had returned 0/u,
    [gone, enters('vfs_open'), entry('vfs_open')],
  ],
  [
    'an exit handler of a call under way',
    /the exit handler of fp0 for vfs_open began .* after unregister_fprobe\(fp0\) had returned 0/u,
    [begun('vfs_open'), gone, exit('vfs_open')],
  ],
  [
    'an exit handler that is still open',
    /the exit handler of fp0 for vfs_open .* was still running when unregister_fprobe\(fp0\) returned 0/u,
    [begun('vfs_open'), exitBegins('vfs_open'), gone],
  ],
])('broken: %s', (_what, why, run) => {
  expect(finding(world(), ...run)).toMatch(why);
});
