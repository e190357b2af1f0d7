import { expect, test } from 'vitest';
import { kprobesContext } from './context-kprobe.ts';
import { context } from './context.ts';
import { answers, begins, ends, P0, pre, R0, returns, traps, world } from './example-kprobe.ts';
import { judge, reasonOf, type Told } from './example-run.ts';
import { withKprobes } from './kprobe-part.ts';

function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(withKprobes(context, kprobesContext), told.flat());
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
}

const onSite = world({ object: R0 });
const region: Told[] = [['region_open', { region: 1, watching: true }]];

test('held: in the trap of a breakpoint, on an ftrace site, where a call returns', () => {
  expect(finding(world(), traps(), pre())).toMatchObject({ 'kprobe breakpoint': 1 });
  expect(finding(onSite, region, answers(0), returns())).toMatchObject({
    'kprobe ftrace': 1,
    kretprobe: 1,
  });
});

test('held: idle tasks of two CPUs in the same handler, the first of which ends first', () => {
  const zero = { pid: 0, cpu: 0 };
  const one = { pid: 0, cpu: 1 };
  const [first, second] = [begins('kprobe_pre', P0, zero), begins('kprobe_pre', P0, one)];
  const began = [...traps(zero), first, ...traps(one), second];
  const over = [ends('kprobe_pre', P0, zero), ends('kprobe_pre', P0, one)];
  expect(finding(world(), began, over)).toMatchObject({ 'kprobe breakpoint': 2 });
});

test.each<[string, RegExp, readonly (readonly Told[])[]]>([
  [
    'outside of a trap',
    /the pre_handler of p0 at vfs_read\+0xc began .* outside of a trap/u,
    [world(), [begins('kprobe_pre', P0, { level: 0 })]],
  ],
  [
    'with interrupts on',
    /the pre_handler of p0 .* began .* with interrupts on/u,
    [world(), traps(), [['irqs', { on: true, level: 4 }]], pre()],
  ],
  [
    'an entry handler with preemption on',
    /the entry_handler of p2 .* began .* with preemption on/u,
    [onSite, answers(0)],
  ],
  [
    'a return handler with preemption on',
    /the return handler of p2 .* began .* with preemption on/u,
    [onSite, region, [['region_close', { region: 1 }]], returns()],
  ],
  [
    'ended elsewhere',
    /the pre_handler of p0 .* ended .* on another CPU than CPU 0/u,
    [world(), traps(), [begins('kprobe_pre'), ends('kprobe_pre', P0, { cpu: 1 })]],
  ],
])('broken: %s', (_what, why, run) => {
  expect(finding(...run)).toMatch(why);
});

test('never exercised: no handler ran', () => {
  expect(finding(world())).toContain('never exercised');
});
