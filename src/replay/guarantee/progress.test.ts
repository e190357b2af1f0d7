import { expect, test } from 'vitest';
import { image, judge, shown, type Told, type Where } from './example-run.ts';
import { progress } from './progress.ts';

const control = { pid: 3, cpu: 0 };
const reader = { pid: 2, cpu: 1 };
const RUDE = 'synchronize_rcu_tasks_rude';

function locks(...names: readonly string[]): Told[] {
  return names.map((name) => ['lock', { ...control, name }]);
}

function unlocks(...names: readonly string[]): Told[] {
  return names.map((name) => ['unlock', { ...control, name }]);
}

/** The same by another task. */
function by(at: Where, told: readonly Told[]): Told[] {
  return told.map(([name, fields]) => [name, { ...fields, ...at }] as Told);
}

function run(...told: readonly (readonly Told[])[]): Told[] {
  return [...image(1), ...told.flat()];
}

/** Held: how often. Broken: why. */
function finding(...told: readonly (readonly Told[])[]): number | string {
  const verdict = judge(progress, run(...told));
  return verdict.status === 'held' ? verdict.exercised : verdict.why;
}

const inOrder = [
  ...locks('regex_lock/ops0', 'ftrace_lock', 'text_mutex'),
  ...unlocks('text_mutex', 'ftrace_lock', 'regex_lock/ops0'),
];

test('held: locks in one order, whoever takes them', () => {
  const other = locks('regex_lock/ops1', 'text_mutex');
  expect(finding(inOrder, by(reader, other))).toBe(4);
});

test('held: what was given back does not count, nor what another task or an interrupt holds', () => {
  const alone = [...locks('text_mutex'), ...unlocks('text_mutex'), ...locks('ftrace_lock')];
  expect(finding(inOrder, alone)).toBe(3);
  const others = [...locks('text_mutex'), ...by(reader, locks('ftrace_lock'))];
  expect(finding(inOrder, others)).toBe(3);
  const above = [...locks('text_mutex'), ...by({ ...control, level: 2 }, locks('ftrace_lock'))];
  expect(finding(inOrder, above)).toBe(3);
});

test('held: grace periods end', () => {
  const wait: Told[] = [
    ['wait_begin', { ...control, kind: RUDE, wait: 1 }],
    ['wait_end', { ...control, kind: RUDE, wait: 1 }],
  ];
  expect(finding(wait, wait)).toBe(2);
});

test('broken: two locks in both orders, although nobody is stuck (M-98)', () => {
  const told = run(inOrder, by(reader, locks('text_mutex', 'ftrace_lock')));
  const verdict = judge(progress, told);
  expect(verdict).toMatchObject({
    status: 'broken',
    at: told.length - 1,
    why:
      'locks are taken in a circle: ' +
      'ftrace_lock inside text_mutex (step 160, CPU 1, task reader), ' +
      'text_mutex inside ftrace_lock (step 110, CPU 0, task control)',
  });
  expect(shown(verdict, told)).toEqual(['lock', 'lock', 'lock', 'lock']);
});

test('broken: three locks in a circle', () => {
  const first = [...locks('a', 'b'), ...unlocks('b', 'a')];
  const second = [...locks('b', 'c'), ...unlocks('c', 'b')];
  expect(finding(first, second, by(reader, locks('c', 'a')))).toMatch(
    /: a inside c \(.*, b inside a \(.*, c inside b \(/u,
  );
});

test('broken: two locks of one class, one inside the other', () => {
  expect(finding(locks('regex_lock/ops0', 'regex_lock/ops1'))).toMatch(
    /^locks are taken in a circle: regex_lock inside regex_lock \(/u,
  );
});

test('broken: a lock is taken by a reader, and held by someone who waits for readers', () => {
  const reads: Told[] = [['rcu_read_lock', { ...reader, section: 1 }]];
  const waits: Told[] = [['wait_begin', { ...control, kind: 'synchronize_rcu', wait: 1 }]];
  const why = /^locks are taken in a circle: RCU readers inside m \(.*, m inside RCU readers \(/u;
  expect(finding(reads, by(reader, locks('m')), locks('m'), waits)).toMatch(why);
  const over: Told[] = [['rcu_read_unlock', { ...reader, section: 1 }]];
  expect(finding(reads, over, by(reader, locks('m')), locks('m'), waits)).toBe(1);
  const rude: Told[] = [['wait_begin', { ...control, kind: RUDE, wait: 1 }]];
  expect(finding(reads, by(reader, locks('m')), locks('m'), rude)).toBe(1);
});

test('held: a lock inside a read section here, a read section inside that lock there', () => {
  const opens: Told[] = [['rcu_read_lock', { ...reader, section: 1 }]];
  const closes: Told[] = [['rcu_read_unlock', { ...reader, section: 1 }]];
  const inside = [...opens, ...by(reader, [...locks('l'), ...unlocks('l')]), ...closes];
  const around = by(reader, [...locks('l'), ...by(reader, [...opens, ...closes]), ...unlocks('l')]);
  expect(finding(inside, around)).toBe(1);
  expect(finding(opens, by(reader, opens), closes, closes)).toMatch(/^No lock/u);
});

test('broken: a deadlock, with who holds what is waited for', () => {
  const stuck: Told[] = [['deadlock', { waiting: 2, on: 'ftrace_lock' }]];
  const told = run(locks('ftrace_lock'), stuck);
  const verdict = judge(progress, told);
  expect(verdict).toMatchObject({
    status: 'broken',
    at: told.length - 1,
    why:
      'nobody can run (step 100): task reader waits for ftrace_lock, ' +
      'held since step 90, CPU 0, task control',
  });
  expect(shown(verdict, told)).toEqual(['lock', 'deadlock']);
  expect(finding([['deadlock', { waiting: 0, on: 'poke/refs' }]])).toBe(
    'nobody can run (step 90): an idle CPU waits for poke/refs',
  );
});

interface Switch extends Where {
  readonly prev: number;
  readonly next?: number;
  readonly state: string;
}

function switches({ pid, cpu, prev, next = 0, state }: Switch): Told {
  return ['sched_switch', { pid: pid ?? prev, cpu: cpu ?? 0, prev, next, state }];
}

/** `control` waits; `reader` runs on CPU 1, `opener` has ended. */
const waiting: Told[] = [
  switches({ prev: 0, next: 3, state: 'idle' }),
  switches({ pid: 0, cpu: 1, prev: 0, next: 2, state: 'idle' }),
  switches({ prev: 1, state: 'dead', cpu: 1 }),
  ['wait_begin', { ...control, kind: RUDE, wait: 1 }],
  switches({ prev: 3, state: 'sleeping' }),
];
const readerSleeps = switches({ prev: 2, cpu: 1, state: 'sleeping' });

function limit(step: number): Told[] {
  return [['no_progress', { step, steps: step }]];
}

test('broken: at the step limit a waiter sleeps although all it can wait for is over', () => {
  const told = run(waiting, [readerSleeps], limit(5000));
  const verdict = judge(progress, told);
  expect(verdict).toMatchObject({
    status: 'broken',
    at: told.length - 1,
    why:
      'synchronize_rcu_tasks_rude (begun at step 120, CPU 0, task control) does not end although ' +
      'all that it can be waiting for was over at step 140',
  });
  expect(shown(verdict, told)).toEqual(['wait_begin', 'sched_switch', 'no_progress']);
});

test('not flagged: a step limit while somebody is in the way, or was until shortly before', () => {
  const never = 'No lock was taken while another was held, and no grace period ended.';
  expect(finding(waiting, [readerSleeps], limit(1000))).toBe(never);
  expect(finding(waiting, limit(5000))).toBe(never);
  const preempted = switches({ prev: 2, cpu: 1, next: 1, state: 'preempted' });
  expect(finding(waiting, [preempted], limit(5000))).toBe(never);
  const reads: Told = ['rcu_read_lock', { ...reader, section: 1 }];
  expect(finding([reads], waiting, [readerSleeps], limit(5000))).toBe(never);
  const over: Told = ['rcu_read_unlock', { ...reader, section: 1 }];
  expect(finding([reads], waiting, [readerSleeps, over], limit(5000))).toMatch(/does not end/u);
});

test('not flagged: a step limit when the waiter was woken, or fell asleep again', () => {
  const wakes: Told = ['task_wake', { pid: 0, woken: 3 }];
  expect(finding(waiting, [readerSleeps, wakes], limit(5000))).toMatch(/^No lock/u);
  const again = [wakes, switches({ prev: 3, state: 'sleeping' })];
  expect(finding(waiting, [readerSleeps, ...again], limit(5000))).toMatch(/^No lock/u);
  const passed = switches({ prev: 0, pid: 0, cpu: 1, next: 2, state: 'idle' });
  expect(finding(waiting, [readerSleeps, ...again, passed], limit(5000))).toMatch(/does not end/u);
});

test('broken: a wait outlasts CPUs that are gone, and programs in user mode', () => {
  const gone: Told = ['cpu_online', { which: 1, on: false }];
  const user: Told = ['user_mode', { ...reader, on: true }];
  expect(finding(waiting, [gone, user], limit(5000))).toMatch(/over at step 150$/u);
  expect(finding(waiting, [user, gone], limit(5000))).toMatch(/over at step 150$/u);
  expect(finding([user], waiting, [gone], limit(5000))).toMatch(/over at step 150$/u);
  for (const one of [gone, user]) expect(finding(waiting, [one], limit(5000))).toMatch(/^No lock/u);
});

test('not flagged: a program is back in the kernel, and a CPU that came up', () => {
  const [away, back]: Told[] = [true, false].map((on) => ['user_mode', { ...reader, on }]);
  const up: Told = ['cpu_online', { which: 2, on: true }];
  const [begin, sleep] = [waiting.slice(0, -1), waiting.slice(-1)];
  const elsewhere = switches({ prev: 0, pid: 0, cpu: 1, next: 2, state: 'idle' });
  const told = (...between: readonly (Told | undefined)[]): number | string =>
    finding(
      begin,
      between.filter((one): one is Told => one !== undefined),
      sleep,
      [elsewhere],
      limit(5000),
    );
  expect(told(away)).toMatch(/does not end/u);
  expect(told(away, back)).toMatch(/^No lock/u);
  expect(told(away, up)).toMatch(/^No lock/u);
});

test('never exercised: a run that is only long', () => {
  expect(finding(limit(5000))).toBe(
    'No lock was taken while another was held, and no grace period ended.',
  );
});
