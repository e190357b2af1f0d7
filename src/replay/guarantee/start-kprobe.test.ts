import { expect, test } from 'vitest';
import { calls, hit, IP, P0, P1, switches, traps, world } from './example-kprobe.ts';
import { judge, reasonOf, type Told } from './example-run.ts';
import { withKprobes } from './kprobe-part.ts';
import { kprobesStart } from './start-kprobe.ts';
import { start } from './start.ts';

function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(withKprobes(start, kprobesStart), told.flat());
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
}

const slips: Told[] = [['site_fetch', { ip: IP, does: 'insn', cpu: 1, pid: 2 }]];
const two = world({}, { object: P1 });

test('held: alone, and while another CPU is in the same hit', () => {
  expect(finding(world(), hit())).toMatchObject({ 'kprobe alone': 1, 'kprobe besides': 0 });
  expect(finding(world(), traps(), traps({ cpu: 1, pid: 2 }))).toMatchObject({
    'kprobe besides': 1,
  });
});

test('held: who is disabled, switched off or gone owes nothing', () => {
  const runs = [
    [calls('disable_kprobe', P0), slips],
    [switches('0'), slips],
    [calls('unregister_kprobe', P0), slips],
    [switches('0'), calls('enable_kprobe', P0), calls('disable_kprobe', P0), switches('1'), slips],
    [
      switches('0'),
      calls('disable_kprobe', P0),
      calls('enable_kprobe', P0),
      switches('1'),
      slips, // KP-24
    ],
  ];
  for (const run of runs) expect(finding(world(), ...run)).toContain('never exercised');
});

test.each<[string, readonly (readonly Told[])[]]>([
  ['while another CPU steps (M-70)', [world(), traps(), slips]],
  ['after a sibling was disabled (M-72)', [two, calls('disable_kprobe', P1), slips]],
  ['after the switch was on again (M-80)', [world(), switches('0'), switches('on'), slips]],
])('broken: it is executed without a hit, %s', (_when, run) => {
  expect(finding(...run)).toMatch(
    /the instruction at vfs_read\+0xc was executed without a hit of p0, which is armed/u,
  );
});
