import { expect, test } from 'vitest';
import {
  answers,
  begins,
  calls,
  counts,
  givenBack,
  hit,
  over,
  P0,
  P1,
  pre,
  R0,
  skips,
  steps,
  switches,
  taken,
  traps,
  world,
} from './example-kprobe.ts';
import { enters, judge, leaves, reasonOf, type Told } from './example-run.ts';
import { withKprobes } from './kprobe-part.ts';
import { kprobesNmissed } from './nmissed-kprobe.ts';
import { nmissed } from './nmissed.ts';

function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(withKprobes(nmissed, kprobesNmissed), told.flat());
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
}

const two = world({}, { object: P1 });
const off = world({ flags: 2 }, { object: P1 });
const runs: Told = ['current_kprobe', { ip: 4, status: 1, level: 4 }];
/** A hit inside a handler: no second `current_kprobe` says that it runs. */
const nested: Told[] = [runs, ...traps().slice(0, 3)];

test('held: handled, missed by both, passed over', () => {
  const missed = [
    skips('kprobe_running', P1),
    counts(P1, 0),
    skips('kprobe_running'),
    counts(P0, 0),
  ];
  expect(finding(two, hit(P1, P0), nested, missed, steps(), over())).toEqual({
    'kprobe handled': 4,
    'kprobe missed': 2,
    'kprobe uncounted': 0,
  });
  expect(finding(off, traps(), pre(P1), [skips('disabled')], steps(), over())).toEqual({
    'kprobe handled': 1,
    'kprobe missed': 0,
    'kprobe uncounted': 1,
  });
});

test('held: one that was disabled has missed, too (KP-35); one behind a refusal has not (KP-32)', () => {
  const missed = [
    skips('kprobe_running', P1),
    counts(P1, 0),
    skips('kprobe_running'),
    counts(P0, 0),
  ];
  expect(finding(off, nested, missed, steps(), over())).toMatchObject({ 'kprobe missed': 2 });
  const stop = [...pre(P1, 1n), skips('stopped')];
  expect(finding(two, traps(), stop, over())).toMatchObject({ 'kprobe uncounted': 1 });
});

test('held: a call without an instance while another one has it (KR-4)', () => {
  const short: Told[] = [
    taken(),
    skips('no_node', R0, { level: 0 }),
    ['count', { object: R0, counter: 'rp_nmissed', old: 0, new: 1 }],
    givenBack(),
    ['kprobe_state', { object: R0, rp_nmissed: 1, nodes: 1, free: 1 }],
  ];
  expect(finding(world({ object: R0 }), short)).toMatchObject({ 'kprobe missed': 1 });
});

const onSite = world({ object: R0 });

test.each<[string, RegExp, readonly (readonly Told[])[]]>([
  [
    'a hit without a word',
    /a hit at vfs_read\+0xc was neither handled nor missed by p0/u,
    [two, traps(), pre(P1), steps(), over()],
  ],
  [
    'a miss that only one has (M-67)',
    /a hit at vfs_read\+0xc was missed by others, but not by p0/u,
    [two, nested, [skips('kprobe_running', P1), counts(P1, 0)], steps(), over()],
  ],
  [
    'a miss while nothing runs',
    /p0 was passed over at vfs_read\+0xc \(kprobe_running\), but no kprobe ran on this CPU/u,
    [world(), traps().slice(0, 3), [skips('kprobe_running')]],
  ],
  [
    'a miss because of what was over before the CPU was preemptible',
    /but no kprobe ran on this CPU/u,
    [
      world(),
      [runs, ['region_close', { region: 1 }]],
      traps().slice(0, 3),
      [skips('kprobe_running')],
    ],
  ],
  [
    'a miss that is not counted',
    /p0 missed a hit \(kprobe_running\) and nmissed was not increased/u,
    [world(), nested, [skips('kprobe_running')], steps(), over(), [['run_end', {}]]],
  ],
  [
    'a count without a miss',
    /p0\.nmissed went from 0 to 1, but nothing was missed/u,
    [world(), [counts(P0, 0)]],
  ],
  [
    'a count of two',
    /p0\.nmissed went from 0 to 2 for one miss/u,
    [world(), nested, [skips('kprobe_running'), counts(P0, 0, 2)]],
  ],
  [
    'a counter that goes back',
    /p0\.nmissed went from 3 to 4, but it had been counted to 0/u,
    [world(), nested, [skips('kprobe_running'), counts(P0, 3)]],
  ],
  [
    'a counter that ends as something else',
    /p0\.nmissed is 7 at the end, but it was counted to 0/u,
    [world(), [['kprobe_state', { object: P0, nmissed: 7 }]]],
  ],
  [
    'enabled, and passed over as disabled (M-80)',
    /p0 was passed over at vfs_read\+0xc \(disabled\), but it was enabled/u,
    [two, switches('0'), switches('1'), traps(), [skips('disabled')]],
  ],
  [
    'disabled, and run',
    /the pre_handler of p0 at vfs_read\+0xc ran although it had been disabled/u,
    [two, calls('disable_kprobe', P0), traps(), pre(P0)],
  ],
  [
    'stopped by nobody',
    /p0 was passed over at vfs_read\+0xc \(stopped\), but no pre_handler before it refused/u,
    [two, traps(), pre(P1), [skips('stopped')]],
  ],
  [
    'no instance although none is in use (M-81)',
    /p2 was passed over at vfs_open\+0x4 \(no_node\), but instances were free/u,
    [onSite, [skips('no_node', R0, { level: 0 })]],
  ],
  [
    'no instance although there are more',
    /p2 had no instance for a call while 1 of 2 were in use/u,
    [onSite, [taken(), skips('no_node', R0), ['kprobe_state', { object: R0, nodes: 2 }]]],
  ],
  [
    'rejected by an entry handler that accepted',
    /p2 was passed over at vfs_open\+0x4 \(rejected\), but its entry handler returned 0/u,
    [onSite, answers(0), [skips('rejected', R0, { level: 0 })]],
  ],
  [
    'removed while registered',
    /p2 was passed over at vfs_open\+0x4 \(removed\), but it was registered all the time/u,
    [onSite, [taken(), skips('removed', R0, { level: 0 })]],
  ],
  [
    'a call of a probed function without a handler (M-72)',
    /a call of vfs_open\+0x4 returned without a handler of p2, and nobody said why/u,
    [onSite, enters('vfs_open'), [leaves('vfs_open')]],
  ],
])('broken: %s', (_what, why, run) => {
  expect(finding(...run)).toMatch(why);
});

test('never exercised: nobody came to its instruction', () => {
  expect(finding(world())).toContain('never exercised');
  expect(finding(world(), [begins('kretprobe', P0)])).toContain('never exercised');
});
