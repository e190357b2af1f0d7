import { expect, test } from 'vitest';
import { context } from './context.ts';
import {
  begins,
  ends,
  enters,
  image,
  judge,
  reasonOf,
  register,
  shown,
  type Told,
  type Where,
} from './example-run.ts';

const STEP = 7777;
const START: readonly Told[] = [...image(1), ...register(1, 1)];

/** A trylock that turns preemption off, in one step. */
function locks(bit: number, where: Where = {}): Told[] {
  return [
    ['region_open', { region: 1, step: STEP, ...where }],
    ['recursion_lock', { bit, step: STEP, ...where }],
  ];
}

const unlocks = (bit: number, where: Where = {}): Told => ['recursion_unlock', { bit, ...where }];
const closes: Told = ['region_close', { region: 1 }];
const CALLBACK: readonly Told[] = [begins(1, 1, 'vfs_open'), ends(1, 1, 'vfs_open')];

const interrupts = (level: number): Told => ['irq_enter', { level }];
const interruptEnds = (level: number): Told => ['irq_exit', { level }];

test('a callback between lock and unlock, with preemption off, holds', () => {
  const told = [...START, ...locks(8), ...CALLBACK, unlocks(8), closes];
  expect(judge(context, told)).toMatchObject({ status: 'held', exercised: 1 });
});

test('a callback of a task that runs preemptible, as it may, exercises nothing', () => {
  expect(judge(context, START)).toMatchObject({ why: 'No callback ran.' });
  expect(reasonOf(judge(context, [...START, ...CALLBACK]))).toMatch(
    /^never exercised: No recursion lock was what kept/u,
  );
});

test('a lock that does not turn preemption off is broken', () => {
  const told: Told[] = [...START, ['recursion_lock', { bit: 3, cpu: 1 }]];
  const verdict = judge(context, told);
  expect(reasonOf(verdict)).toMatch(
    /^broken: the recursion lock of bit 3 \(.*CPU 1.*\) left preemption on$/u,
  );
  expect(shown(verdict, told)).toEqual(['recursion_lock']);
});

test('preemption that comes on before the unlock is broken; after it, and on another CPU, not', () => {
  const told = [...START, ...locks(3), closes];
  const verdict = judge(context, told);
  expect(reasonOf(verdict)).toMatch(/^broken: preemption came on .* of bit 3/u);
  expect(shown(verdict, told)).toEqual(['recursion_lock', 'region_close']);
  const twice = [...START, ...locks(3), ...locks(4), unlocks(4), unlocks(3), closes];
  expect(judge(context, twice)).toMatchObject({ status: 'held' });
  const other: Told = ['region_close', { cpu: 1, pid: 2 }];
  expect(judge(context, [...START, ...locks(3), other])).toMatchObject({ status: 'held' });
});

test('a lock in an interrupt is held by that interrupt, and exercises nothing by itself', () => {
  const irq = { level: 2 };
  const inside = [interrupts(2), ...locks(6, irq), unlocks(6, irq), interruptEnds(2)];
  expect(judge(context, [...START, ...inside, closes])).toMatchObject({
    status: 'never exercised',
  });
  const forgotten = [interrupts(2), ...locks(6, irq), interruptEnds(2), closes];
  expect(judge(context, [...START, ...forgotten])).toMatchObject({ status: 'never exercised' });
});

test('a callback of an interrupt ends before it does, on its CPU', () => {
  const irq = { level: 2 };
  const hit = begins(1, 1, 'vfs_open', irq);
  const end = ends(1, 1, 'vfs_open', irq);
  const sound = [...START, interrupts(2), hit, end, interruptEnds(2)];
  expect(judge(context, sound)).toMatchObject({ status: 'held', exercised: 1 });
  const late = [...START, interrupts(2), hit, interruptEnds(2), end];
  expect(reasonOf(judge(context, late))).toMatch(
    /^broken: .*of ops1 for vfs_open had not ended when its interrupt did/u,
  );
  const moved = [...START, begins(1, 1, 'vfs_open'), ends(1, 1, 'vfs_open', { cpu: 1 })];
  expect(reasonOf(judge(context, moved))).toMatch(
    /^broken: .*ended \(.*CPU 1.*\) on another CPU than CPU 0$/u,
  );
});

const moves = (moved: number, to: number): Told => ['task_migrate', { cpu: 1, pid: 3, moved, to }];

test('a task whose CPU goes takes its callback along, and to nowhere else', () => {
  const begin = begins(1, 1, 'vfs_open', { cpu: 1 });
  const end = ends(1, 1, 'vfs_open');
  expect(judge(context, [...START, begin, moves(1, 0), end]).status).toBe('never exercised');
  for (const other of [moves(2, 0), moves(1, 2)])
    expect(judge(context, [...START, begin, other, end]).status).toBe('broken');
  expect(judge(context, [...START, moves(1, 0), begin, end]).status).toBe('broken');
});

const turns = (on: boolean, asked: boolean): Told => ['irqs', { on, asked }];

test('interrupts are at the end of a callback as at its beginning, unless it asked', () => {
  const [begin, end] = [begins(1, 1, 'vfs_open'), ends(1, 1, 'vfs_open')];
  const told = [...START, begin, turns(false, false), end];
  const verdict = judge(context, told);
  expect(reasonOf(verdict)).toMatch(/^broken: .*interrupts off, unlike it began$/u);
  expect(shown(verdict, told)).toEqual(['cb_begin', 'irqs', 'cb_end']);
  const own = [...START, begin, turns(false, true), end];
  expect(judge(context, own)).toMatchObject({ status: 'never exercised' });
  const back = [...START, begin, turns(false, false), turns(true, false), end];
  expect(judge(context, back)).toMatchObject({ status: 'never exercised' });
});

test('what an interrupt does to the interrupt state is over with it', () => {
  const trap: Told[] = [
    ['trap_enter', { level: 4 }],
    ['trap_exit', { level: 4 }],
  ];
  const inside = [interrupts(2), interruptEnds(2), interrupts(1), interruptEnds(1), ...trap];
  const told = [...START, ...locks(8), CALLBACK[0], ...inside, CALLBACK[1]].filter(
    (one): one is Told => one !== undefined,
  );
  expect(judge(context, told)).toMatchObject({ status: 'held', exercised: 1 });
});

const asksFor = (flags: number): Told => ['ops_flags', { object: 1, flags }];
const RECURSION = 1 << 4;
const RCU = 1 << 14;

test('the callback of an ops with RECURSION runs with preemption off', () => {
  const hit = [begins(1, 1, 'vfs_open'), ends(1, 1, 'vfs_open')];
  expect(reasonOf(judge(context, [...START, asksFor(RECURSION), ...hit]))).toMatch(
    /^broken: the callback of ops1 for vfs_open began \(.*\) with preemption on$/u,
  );
  const off: Told = ['region_open', { region: 1 }];
  expect(judge(context, [...START, asksFor(RECURSION), off, ...hit]).status).not.toBe('broken');
});

test('the callback of an ops with RCU runs only where RCU watches; where it does not, that is the situation', () => {
  const away: Told = ['rcu_watching', { watching: false }];
  const set = [...START, asksFor(RCU), ...register(1, 1), away, ...enters('vfs_open')];
  expect(judge(context, set)).toMatchObject({ status: 'held', parts: { unwatched: 1 } });
  expect(reasonOf(judge(context, [...set, begins(1, 1, 'vfs_open')]))).toMatch(
    /^broken: .*began \(.*\) where RCU was not watching$/u,
  );
  const back: Told = ['rcu_watching', { watching: true }];
  expect(judge(context, [...set, back, begins(1, 1, 'vfs_open')])).toMatchObject({
    status: 'held',
  });
});

test('broken: call_rcu where RCU does not watch (H-36)', () => {
  const away: Told = ['rcu_watching', { watching: false }];
  const queues: Told = ['call_rcu', { callback: 1 }];
  expect(reasonOf(judge(context, [...START, away, queues]))).toMatch(
    /^broken: call_rcu was called \(.*\) where RCU was not watching$/u,
  );
  expect(reasonOf(judge(context, [...START, queues, away]))).not.toMatch(/^broken/u);
  const dead: Told = ['sched_switch', { prev: 2, next: 1, state: 'dead', step: 7 }];
  const buries: Told = ['call_rcu', { callback: 1, step: 7 }];
  expect(reasonOf(judge(context, [...START, dead, away, buries]))).not.toMatch(/^broken/u);
});

test('a trap within a trap ends without what runs in the outer one (KP-43)', () => {
  const trap: Where = { level: 4 };
  const opens: Told = ['trap_enter', trap];
  const closes4: Told = ['trap_exit', trap];
  const outer = [...START, opens, ...locks(3, trap), begins(1, 1, 'vfs_open', trap)];
  const over = [ends(1, 1, 'vfs_open', trap), unlocks(3, trap)];
  const told = [...outer, opens, closes4, ...over, closes4];
  expect(judge(context, told)).toMatchObject({ status: 'held', exercised: 1 });
  expect(reasonOf(judge(context, [...outer, opens, closes4, closes4]))).toMatch(
    /^broken: the callback of ops1 for vfs_open had not ended when its interrupt did/u,
  );
});
