// Guarantee `text` where sites have two instructions and are written while all CPUs are stopped (FT-12).
import { expect, test } from 'vitest';
import { image, judge, site, type Told } from './example-run.ts';
import { text } from './text.ts';

const NOP = 0x13;
const ip = site('vfs_read');
/** Where the site is made to call: `auipc t0, 0x80; jalr t0, -ip(t0)`. */
const TRAMPOLINE = 0x80000;
const writer = { pid: 3, cpu: 0 };

function writes(version: number, target: number | undefined): Told {
  const low = (target ?? 0) - ip - (((target ?? 0) - ip + 0x800) & ~0xfff);
  const high = ((target ?? 0) - ip - low) | 0x297;
  const words = target === undefined ? [NOP, NOP] : [high, (low << 20) | 0x282e7];
  const [first = 0, second = 0] = words;
  return ['text_pair', { ...writer, ip, first, second, version }];
}

function leaves(cpu: number): Told {
  return ['stop_leave', { cpu, stop: 1 }];
}

function fetches(does: string, seen: number, cpu = 1): Told {
  const target = does === 'call' ? TRAMPOLINE : -1;
  return ['site_fetch', { cpu, ip, seen, newest: seen, does, target }];
}

function finding(...told: readonly Told[]): number | string {
  const verdict = judge(text, [...image(1), ...told]);
  return verdict.status === 'held'
    ? verdict.exercised
    : verdict.status === 'broken'
      ? verdict.why
      : '';
}

test('held: counts fetches by other CPUs than the writer', () => {
  const told = [
    writes(1, TRAMPOLINE),
    leaves(1),
    leaves(0),
    fetches('call', 1),
    fetches('call', 1, 0),
  ];
  expect(finding(...told)).toBe(1);
  expect(finding(...told, writes(2, undefined), leaves(1), fetches('nop', 2))).toBe(2);
});

test('broken: halves of two versions (H-37)', () => {
  expect(finding(writes(1, TRAMPOLINE), fetches('torn', 1))).toMatch(
    /^halves of two instructions/u,
  );
});

test('broken: an old version behind the stop (M-110)', () => {
  expect(finding(writes(1, TRAMPOLINE), leaves(1), fetches('nop', 0))).toMatch(
    /^an old version was fetched at the site of vfs_read although this CPU had been brought up to date/u,
  );
});

test('broken: a fetch of what was not written, and an illegal second half', () => {
  expect(finding(writes(1, TRAMPOLINE + 8), leaves(1), fetches('call', 1))).toMatch(
    /^a call, which/u,
  );
  expect(finding(writes(1, undefined), leaves(1), fetches('call', 1))).toMatch(/^a call, which/u);
  const oops: Told = ['oops', { cpu: 1, reason: 'illegal', pc: ip + 4, address: ip + 4 }];
  expect(finding(writes(1, TRAMPOLINE), oops)).toMatch(/is no instruction/u);
});
