import { expect, test } from 'vitest';
import { calls, R0, world } from './example-kprobe.ts';
import { judge, reasonOf, register, site, type Told } from './example-run.ts';
import { kprobesFilterSwap } from './filter-swap-kprobe.ts';
import { filterSwap } from './filter-swap.ts';
import { withKprobes } from './kprobe-part.ts';

function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(withKprobes(filterSwap, kprobesFilterSwap), told.flat());
  return verdict.status === 'held' ? verdict.exercised : reasonOf(verdict);
}

const onSite = world({ object: R0 });
const [going, gone] = calls('unregister_kretprobe', R0).map((one) => [one]);
const elsewhere = (does: string): Told[] => [['site_fetch', { ip: site('kmalloc'), does }]];
const there: Told[] = [['site_fetch', { ip: site('vfs_open'), does: 'call' }]];

test('held: its own site is hooked; others are not while it goes', () => {
  expect(finding(onSite, there, going ?? [], elsewhere('nop'), gone ?? [])).toBe(1);
});

test('never exercised: an ftrace_ops may be what hooks it', () => {
  expect(finding(onSite, register(1, 1), elsewhere('call'))).toContain('never exercised');
});

test('broken: all functions are hooked while the last one goes (M-74)', () => {
  expect(finding(onSite, going ?? [], elsewhere('call'))).toMatch(
    /the call site of kmalloc was hooked, although no probe is on it/u,
  );
});
