import { expect, test } from 'vitest';
import { image, judge, shown, site, type Told } from './example-run.ts';
import { text } from './text.ts';

const CPUS = [0, 1, 2] as const;
const BREAKPOINT = 0x9002;
const NOP = 0x13;
/** Where the site is made to call. */
const TRAMPOLINE = 0x80000;
const ip = site('vfs_read');
const control = { pid: 3, cpu: 0 };

/** `jal t0, target` at the site. */
function call(target: number): number {
  const offset = target - ip;
  const high = ((offset >> 20) & 1) << 31;
  const middle = ((offset >> 1) & 0x3ff) << 21;
  return (high | middle | (((offset >> 11) & 1) << 20) | (offset & 0xff000) | 0x2ef) >>> 0;
}

const CALL = call(TRAMPOLINE);

function writes(part: number, value: number, version: number): Told {
  return ['text_write', { ...control, ip, part, value, version }];
}

const breakpoint = writes(0, BREAKPOINT, 1);
const tail = writes(1, CALL >>> 16, 1);
const head = writes(0, CALL & 0xffff, 2);

/** CPU 0 brings all CPUs up to date, but those in `without`. */
function syncs(sync: number, ...without: readonly number[]): Told[] {
  const others = CPUS.filter((cpu) => cpu > 0 && !without.includes(cpu));
  return [
    ['sync_send', { ...control, sync }],
    ...others.map((cpu): Told => ['sync_ack', { cpu, sync }]),
    ['sync_done', { ...control, sync }],
  ];
}

type Fetch = Extract<Told, readonly ['site_fetch', unknown]>[1];

function fetches(does: string, seen: number, more: Fetch = {}): Told {
  const target = does === 'call' ? TRAMPOLINE : -1;
  return ['site_fetch', { cpu: 1, ip, seen, newest: seen, does, target, ...more }];
}

/** The site becomes a call; `between` happens before each of its phases is over. */
function patch(...between: readonly (readonly Told[])[]): Told[] {
  const [first = [], second = [], third = []] = between;
  return [
    breakpoint,
    ...first,
    ...syncs(1),
    tail,
    ...second,
    ...syncs(2),
    head,
    ...third,
    ...syncs(3),
  ];
}

function run(...told: readonly (Told | readonly Told[])[]): Told[] {
  return [...image(1), ...told.flatMap((one) => (isTold(one) ? [one] : one))];
}

function isTold(one: Told | readonly Told[]): one is Told {
  return typeof one[0] === 'string';
}

/** Held: counts the fetches. Broken: why. */
function finding(...told: readonly (Told | readonly Told[])[]): number | string {
  const verdict = judge(text, run(...told));
  return verdict.status === 'held' ? verdict.exercised : verdict.why;
}

test('a CPU that is gone is asked by no sync, and is up to date when it comes', () => {
  const [off, on]: Told[] = [false, true].map((up) => ['cpu_online', { which: 2, on: up }]);
  const early = syncs(7);
  const without: Told[] = [breakpoint, ...syncs(1, 2), tail, ...syncs(2, 2), head, ...syncs(3, 2)];
  const old = fetches('nop', 0, { cpu: 2 });
  expect(finding(early, without)).toMatch(/CPU 2/u);
  expect(finding(early, off ?? [], without, on ?? [])).not.toMatch(/CPU 2/u);
  expect(finding(early, off ?? [], without, on ?? [], old)).toMatch(
    /^an old version was fetched .* although this CPU had been brought up to date/u,
  );
});

test('held: each phase is fetched as old or new, and afterwards as new', () => {
  const phases = [
    [fetches('nop', 0), fetches('break', 1, { cpu: 2 }), fetches('break', 1)],
    [fetches('break', 1)],
    [fetches('break', 1), fetches('call', 2), fetches('call', 2, control)],
  ];
  expect(finding(patch(...phases), fetches('call', 2))).toBe(7);
});

test('held: a call is replaced by another one, and that by a nop', () => {
  const [other, third] = [call(0x80080), [0, NOP] as const];
  const again = [
    writes(0, BREAKPOINT, 3),
    fetches('call', 2),
    syncs(4),
    writes(1, other >>> 16, 2),
    syncs(5),
    writes(0, other & 0xffff, 4),
    fetches('break', 3),
    syncs(6),
    fetches('call', 4, { target: 0x80080 }),
    writes(1, third[0], 3),
    writes(0, third[1], 5),
    syncs(7),
    fetches('nop', 5),
  ];
  expect(finding(patch(), ...again)).toBe(2);
});

test('broken: a torn fetch (M-08, M-09)', () => {
  const told = run(breakpoint, tail, fetches('torn', 0));
  const verdict = judge(text, told);
  expect(verdict).toMatchObject({
    status: 'broken',
    at: told.length - 1,
    why:
      'halves of two instructions were fetched together at the site of vfs_read ' +
      '(step 110, CPU 1, task opener)',
  });
  expect(shown(verdict, told)).toEqual(['text_write', 'site_fetch']);
});

test('broken: a breakpoint that nobody claims (M-10)', () => {
  const trap: Told[] = [
    fetches('break', 1),
    ['trap_enter', { cpu: 1, level: 4, pc: ip }],
    ['oops', { cpu: 1, level: 4, reason: 'breakpoint', pc: ip }],
  ];
  const told = run(breakpoint, syncs(1), tail, syncs(2), head, ...trap);
  const verdict = judge(text, told);
  expect(verdict).toMatchObject({
    status: 'broken',
    at: told.length - 1,
    why: 'nobody claimed the breakpoint at the site of vfs_read (step 220, CPU 1, task opener)',
  });
  expect(shown(verdict, told)).toEqual(['text_write', 'site_fetch', 'oops']);
});

test('not flagged: a breakpoint in the code of a guest, and other faults', () => {
  const own: Told = ['oops', { reason: 'breakpoint', pc: 0x2000 }];
  const other: Told = ['oops', { reason: 'illegal', pc: 0x2000 }];
  expect(finding(patch([fetches('nop', 0)]), own)).toBe(1);
  expect(finding(patch([fetches('nop', 0)]), other)).toBe(1);
});

test('broken: what stands at a site is no instruction', () => {
  const oops: Told = ['oops', { cpu: 1, reason: 'illegal', pc: ip + 2 }];
  expect(finding(patch(), oops)).toMatch(/^what stands at the site of vfs_read is no instruction/u);
});

test('broken: an old version after this CPU has answered a sync', () => {
  const told = run(breakpoint, syncs(1), fetches('nop', 0));
  const verdict = judge(text, told);
  expect(verdict).toMatchObject({
    why:
      'an old version was fetched at the site of vfs_read although this CPU had been brought up to date ' +
      'since it was replaced (step 140, CPU 1, task opener)',
  });
  expect(shown(verdict, told)).toEqual(['text_write', 'sync_ack', 'site_fetch']);
});

test.each<[string, Told]>([
  ['an interrupt', ['irq_exit', { cpu: 1, level: 2 }]],
  ['a trap', ['trap_exit', { cpu: 1, level: 4, pc: ip, to: ip + 4 }]],
  ['its own sync', ['sync_send', { cpu: 1, sync: 9 }]],
])('broken: an old version after %s', (_, end) => {
  expect(finding(breakpoint, end, fetches('nop', 0))).toMatch(/had been brought up to date since/u);
  expect(finding(breakpoint, end, fetches('nop', 0, { cpu: 2 }))).toBe(1);
});

test('broken: an old version after a sync of all CPUs, answered or not', () => {
  const why = /although a sync of all CPUs had been done since it was replaced/u;
  expect(finding(breakpoint, syncs(1, 2), fetches('nop', 0, { cpu: 2 }))).toMatch(why);
});

test('broken: a CPU goes back behind what it had seen, or had written', () => {
  const why = /although this CPU had seen a newer one/u;
  expect(finding(breakpoint, fetches('break', 1), fetches('nop', 0))).toMatch(why);
  expect(finding(breakpoint, fetches('nop', 0, control))).toMatch(why);
});

test('broken: a sync is done before a CPU has answered that took part in another', () => {
  const told = run(syncs(1), breakpoint, syncs(2, 2));
  const verdict = judge(text, told);
  expect(verdict).toMatchObject({
    why: 'a sync of all CPUs was done before CPU 2 had answered (step 160, CPU 0, task control)',
  });
  expect(shown(verdict, told)).toEqual(['sync_send', 'sync_done']);
});

test('broken: a fetch is not what was written', () => {
  const why = /which is not what was written there, was fetched at the site of vfs_read/u;
  expect(finding(patch(), fetches('call', 2, { target: 0x80080 }))).toMatch(why);
  expect(finding(patch(), fetches('nop', 2))).toMatch(why);
  expect(finding(patch(), fetches('break', 2))).toMatch(why);
  expect(finding(breakpoint, fetches('call', 1))).toMatch(why);
});

test('the tail may be an old one only while the site is being rewritten', () => {
  const older = call(TRAMPOLINE + 0x800);
  const again = [writes(1, older >>> 16, 2), writes(0, CALL & 0xffff, 3)];
  expect(finding(patch(), ...again, fetches('call', 3))).toBe(1);
  expect(finding(patch(), ...again, syncs(4), fetches('call', 3))).toMatch(/not what was written/u);
});

test('held: a trap does what the old instruction does, or the new one', () => {
  const to = (place: number): Told => ['trap_exit', { cpu: 1, level: 4, pc: ip, to: place }];
  const both = [fetches('break', 1), to(TRAMPOLINE), fetches('break', 1), to(ip + 4)];
  expect(finding(patch(both))).toBe(2);
  expect(finding(patch([], [], [fetches('break', 1), to(TRAMPOLINE)]))).toBe(1);
});

test('broken: a trap leads elsewhere, before or after the new instruction is written', () => {
  const stray: Told = ['trap_exit', { cpu: 1, level: 4, pc: ip, to: 0x80080 }];
  const told = run(patch([fetches('break', 1), stray]));
  const verdict = judge(text, told);
  expect(verdict).toMatchObject({
    why:
      'the breakpoint at the site of vfs_read led to 0xffffffff80080080, where neither the old instruction ' +
      'nor the new one leads (step 110, CPU 1, task opener)',
  });
  expect(shown(verdict, told)).toEqual(['trap_exit', 'text_write']);
  expect(finding(patch([], [], [fetches('break', 1), stray]))).toMatch(
    /led to 0xffffffff80080080/u,
  );
});

test('not flagged: where a breakpoint leads that is not at the site of a function', () => {
  const elsewhere: Told[] = [
    ['text_write', { ...control, ip: 0x2000, value: BREAKPOINT, version: 1 }],
    ['trap_exit', { cpu: 1, level: 4, pc: 0x2000, to: 0x90000 }],
    ['text_write', { ...control, ip: 0x2000, value: NOP, version: 2 }],
  ];
  expect(finding(patch([fetches('nop', 0)]), elsewhere)).toBe(1);
});

test('never exercised: no text was written, or nobody fetched it meanwhile', () => {
  expect(finding(fetches('nop', 0))).toBe('No text was written.');
  const late = finding(patch(), fetches('call', 2));
  expect(late).toBe('No site was fetched while it was being rewritten.');
});
