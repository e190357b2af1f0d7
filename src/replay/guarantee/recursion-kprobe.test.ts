import { expect, test } from 'vitest';
import {
  answers,
  begins,
  over,
  P1,
  pre,
  R0,
  skips,
  steps,
  traps,
  world,
} from './example-kprobe.ts';
import { judge, reasonOf, type Told } from './example-run.ts';
import { withKprobes } from './kprobe-part.ts';
import { kprobesRecursion } from './recursion-kprobe.ts';
import { recursion } from './recursion.ts';

function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(withKprobes(recursion, kprobesRecursion), told.flat());
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
}

const two = world({}, { object: P1 });
const locks: Told[] = [['recursion_set', { bit: 3 }]];

test('held: a hit inside a handler is missed; the other CPU has handlers of its own', () => {
  const nested = [...traps(), skips('kprobe_running')];
  const run = [two, traps(), [begins('kprobe_pre')], nested];
  expect(finding(...run)).toEqual({ 'kprobe nested': 1, 'kprobe locked': 0 });
  const other = pre(P1, 0n, { cpu: 1, pid: 2 });
  expect(finding(...run, other)).toMatchObject({ 'kprobe nested': 1 });
});

test('held: an entry handler on an ftrace site, under its lock', () => {
  expect(finding(world({ object: R0 }), locks, answers(0))).toMatchObject({ 'kprobe locked': 1 });
});

test.each<[string, RegExp, readonly (readonly Told[])[]]>([
  [
    'a handler inside another (M-68)',
    /the pre_handler of p1 .* began .* while the pre_handler of p0 .* ran on this CPU/u,
    [two, traps(), [begins('kprobe_pre')], traps(), pre(P1)],
  ],
  [
    'a handler inside a return handler (M-86)',
    /the pre_handler of p0 .* began .* while the return handler of p2 .* ran on this CPU/u,
    [world({}, { object: R0 }), [begins('kretprobe', R0, { level: 0 })], traps(), pre()],
  ],
  [
    'a handler while an instruction is stepped',
    /the pre_handler of p1 .* began .* while the instruction at vfs_read\+0xc was stepped/u,
    [two, traps(), pre(), steps().slice(0, 2), traps(), pre(P1)],
  ],
  [
    'a handler on an ftrace site without a lock (M-75)',
    /the entry_handler of p2 at vfs_open\+0x4 began .* without a recursion lock/u,
    [world({ object: R0 }), answers(0)],
  ],
])('broken: %s', (_what, why, run) => {
  expect(finding(...run)).toMatch(why);
});

test('never exercised: hits one after the other', () => {
  const hits = [traps(), pre(), steps(), over()];
  expect(finding(world(), ...hits, ...hits)).toContain('never exercised');
});
