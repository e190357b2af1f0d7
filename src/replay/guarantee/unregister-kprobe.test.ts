import { expect, test } from 'vitest';
import {
  answers,
  begins,
  calls,
  givenBack,
  hit,
  P0,
  P1,
  pre,
  R0,
  registers,
  returns,
  taken,
  traps,
  world,
} from './example-kprobe.ts';
import { judge, reasonOf, type Told } from './example-run.ts';
import { withKprobes } from './kprobe-part.ts';
import { kprobesUnregister } from './unregister-kprobe.ts';
import { unregister } from './unregister.ts';

function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(withKprobes(unregister, kprobesUnregister), told.flat());
  return verdict.status === 'held' ? verdict.exercised : reasonOf(verdict);
}

const gone = calls('unregister_kprobe', P0);
const goneReturn = calls('unregister_kretprobe', R0);
const executes: Told[] = [['site_fetch', { ip: 0x40 + 4 + 8, does: 'insn' }]];

test('held: its instruction is executed when it is gone', () => {
  expect(finding(world(), hit(), gone, executes)).toBe(1);
});

test('held: a call whose return was taken returns without its handler (KR-8)', () => {
  const run = [world({ object: R0 }), answers(0), [taken()], goneReturn, [givenBack()]];
  expect(finding(...run)).toBe(1);
});

test('held: each of a batch, and the next registration is another', () => {
  const two = world({}, { object: P1 });
  const both = calls('unregister_kprobes', P0, P1);
  expect(finding(two, hit(P1, P0), both, executes)).toBe(2);
  const again: Told[] = [
    ...registers(),
    ['cb_begin', { kind: 'kprobe_pre', object: P0, generation: 2, ip: 0x4c, level: 4 }],
  ];
  expect(finding(world(), hit(), gone, executes, again)).toBe(1);
});

test('held: a handler that slept', () => {
  const sleeps: Told = ['sched_switch', { prev: 1, next: 3, state: 'sleeping' }];
  expect(finding(world(), traps(), [begins('kprobe_pre'), sleeps], gone)).toBe(1);
});

test('never exercised: nothing could have run too late', () => {
  expect(finding(world(), hit(), gone)).toContain('never exercised');
  expect(finding(world(), gone, executes)).toContain('never exercised');
});

test.each<[string, RegExp, readonly (readonly Told[])[]]>([
  [
    'a pre_handler',
    /the pre_handler of p0 at vfs_read\+0xc began .* after unregister_kprobe\(p0\) had returned/u,
    [world(), gone, traps(), pre()],
  ],
  [
    'a handler that is still open',
    /the pre_handler of p0 .* was still running when unregister_kprobe\(p0\) had returned/u,
    [world(), traps(), [begins('kprobe_pre')], gone],
  ],
  [
    'the second of a batch',
    /the pre_handler of p1 .* after unregister_kprobes\(p0, p1\) had returned/u,
    [world({}, { object: P1 }), calls('unregister_kprobes', P0, P1), traps(), pre(P1)],
  ],
  [
    'a return handler',
    /the return handler of p2 at vfs_open\+0x4 began .* after unregister_kretprobe\(p2\)/u,
    [world({ object: R0 }), answers(0), [taken()], goneReturn, returns()],
  ],
  [
    'a handler of a registration that failed (KP-13)',
    /the pre_handler of p0 .* after register_kprobe\(p0\) had failed/u,
    [world({ result: -12 }), traps(), pre()],
  ],
])('broken: %s', (_what, why, run) => {
  expect(finding(...run)).toMatch(why);
});
