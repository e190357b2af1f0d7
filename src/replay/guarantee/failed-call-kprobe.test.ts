import { expect, test } from 'vitest';
import { calls, P0, P1, registers, switches, world } from './example-kprobe.ts';
import { judge, reasonOf, type Told } from './example-run.ts';
import { kprobesFailedCall } from './failed-call-kprobe.ts';
import { failedCall } from './failed-call.ts';
import { withKprobes } from './kprobe-part.ts';

function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(withKprobes(failedCall, kprobesFailedCall), told.flat());
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
}

/** A call on `text`, which plants nobody, and returns `result`. */
function answers(op: string, text: string, result: number): Told[] {
  const object = Number(text.split(' ')[0]);
  return [
    ['ctl_begin', { op, object, text, pid: 3 }],
    ['ctl_end', { op, object, result, pid: 3 }],
  ];
}

function ends(flags: number, planted = true): Told[] {
  return [['kprobe_state', { object: P0, planted, flags }]];
}

const DISABLED = 2;

test('held: what is known beforehand', () => {
  const run = [
    answers('register_kprobe', `${P0}`, -22),
    answers('register_kprobes', '', -22),
    answers('register_kprobes', `${P1} ${P1}`, -22),
    answers('disable_kprobe', `${P1}`, -22),
    answers('enable_kprobe', `${P0}`, 0),
    switches('off'),
    switches('Y'),
    ends(0),
  ];
  expect(finding(world(), ...run)).toEqual({ 'kprobe calls': 7, 'kprobe flags': 1 });
});

test('held: what is enabled while all are disarmed may stay disabled (KP-24)', () => {
  const off = [switches('0'), calls('disable_kprobe', P0), calls('enable_kprobe', P0)];
  expect(finding(world(), ...off, switches('1'), ends(DISABLED))).toMatchObject({
    'kprobe flags': 0,
  });
});

test('never exercised: a text that is no boolean, a call that may fail for many reasons', () => {
  expect(finding(world(), switches('2'))).toContain('never exercised');
  expect(finding(registers({ result: -12 }))).toContain('never exercised');
});

test.each<[string, RegExp, readonly (readonly Told[])[]]>([
  [
    'a registration of what is registered',
    /register_kprobe\(p0\) returned 0, which had to be -EINVAL/u,
    [world(), registers()],
  ],
  [
    'a batch that names one twice',
    /register_kprobes\(p1\) returned 0, which had to be an error/u,
    [
      world({ object: P1 }),
      calls('unregister_kprobe', P1),
      registers({ object: P1 }).slice(0, 1),
      [['ctl_begin', { op: 'register_kprobes', object: P1, text: `${P1} ${P1}`, pid: 3 }]],
      registers({ object: P1 }).slice(2, 3),
      [['ctl_end', { op: 'register_kprobes', object: P1, pid: 3 }]],
    ],
  ],
  [
    'one that plants nobody',
    /register_kprobe\(p0\) returned 0 without planting p0/u,
    [registers().slice(0, 2), registers().slice(3)],
  ],
  [
    'enabling what is not registered',
    /enable_kprobe\(p0\) returned 0, which had to be -EINVAL/u,
    [world(), calls('unregister_kprobe', P0), calls('enable_kprobe', P0)],
  ],
  [
    'disabling that fails',
    /disable_kprobe\(p0\) returned -16, which had to be 0/u,
    [world(), answers('disable_kprobe', `${P0}`, -16)],
  ],
  [
    'a boolean that is refused',
    /which had to be 0/u,
    [world(), answers('kprobes_enabled', 'on', -22)],
  ],
  [
    'a failed enable that leaves it enabled (M-73)',
    /p0 is not DISABLED, although a call had disabled it at the end/u,
    [
      world({ flags: DISABLED }),
      [['ctl_begin', { op: 'enable_kprobe', object: P0, text: `${P0}`, pid: 3 }]],
      [['alloc_failed', { pid: 3 }]],
      [['ctl_end', { op: 'enable_kprobe', object: P0, result: -12, pid: 3 }]],
      ends(0),
    ],
  ],
  [
    'a switch that disables it (M-80)',
    /p0 is DISABLED at the end/u,
    [world(), switches('0'), ends(DISABLED)],
  ],
  [
    'planted by a call that failed',
    /p0 is planted although no call has registered it at the end/u,
    [world({ result: -12 }), ends(0)],
  ],
  ['not planted', /p0 is not planted at the end/u, [world(), ends(0, false)]],
])('broken: %s', (_what, why, run) => {
  expect(finding(...run)).toMatch(why);
});
