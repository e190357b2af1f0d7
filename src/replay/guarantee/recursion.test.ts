import { expect, test } from 'vitest';
import { exitBegins, exitEnds, world } from './example-fprobe.ts';
import {
  enters,
  image,
  judge,
  leaves,
  reasonOf,
  shown,
  type Told,
  type Where,
} from './example-run.ts';
import { recursion } from './recursion.ts';

const irq = { level: 2 };
const nmi = { level: 3 };
const trap = { level: 4 };
const [NORMAL, TRANSITION, IRQ, NMI] = [8, 9, 6, 5];

function sets(bit: number, where: Where = {}): Told {
  return ['recursion_set', { bit, ...where }];
}

function clears(bit: number, where: Where = {}): Told {
  return ['recursion_clear', { bit, ...where }];
}

function refused(where: Where = {}): Told {
  return ['skip', { object: 0, reason: 'recursion', ip: 4, ...where }];
}

function letIn(bit: number, where: Where = {}): Told {
  return ['trylock', { bit, ...where }];
}

function within(where: Where, told: readonly Told[]): Told[] {
  return [['irq_enter', where], ...told, ['irq_exit', where]];
}

/** An interrupt whose level does not show while `told` happens. */
function early(where: Where, told: readonly Told[]): Told[] {
  return within(where, [['level_shown', { shown: false, ...where }], ...told]);
}

function verdictOf(told: readonly Told[]): string {
  return reasonOf(judge(recursion, [...image(), ...told])).replace(/ \(step[^)]*\)/gu, '');
}

test('held: TRANSITION behind the own bit, and a refusal behind both', () => {
  const run = [sets(NORMAL), sets(TRANSITION), refused(), clears(TRANSITION), clears(NORMAL)];
  expect(judge(recursion, [...image(), ...run])).toEqual({
    status: 'held',
    exercised: 2,
    parts: { 'let in': 1, refused: 1 },
  });
});

test('held: an interrupt whose level does not show has the bits of what it interrupted', () => {
  const before = early(irq, [
    sets(TRANSITION, irq),
    refused(irq),
    clears(TRANSITION, irq),
    ['level_shown', { shown: true, ...irq }],
    sets(IRQ, irq),
    clears(IRQ, irq),
  ]);
  expect(verdictOf([sets(NORMAL), ...before, clears(NORMAL)])).toBe('held');
  const twice = early(nmi, [sets(TRANSITION, nmi), clears(TRANSITION, nmi)]);
  const nested = within(irq, [sets(IRQ, irq), ...twice, clears(IRQ, irq)]);
  expect(verdictOf([sets(NORMAL), ...nested, clears(NORMAL)])).toBe('held');
});

test('held: a trap counts as an NMI, and each task has a word of its own', () => {
  const trapped: Told[] = [['trap_enter', trap], sets(NMI, trap), sets(TRANSITION, trap)];
  expect(verdictOf([sets(NORMAL), ...trapped])).toBe('held');
  const other = { pid: 2, cpu: 1 };
  expect(verdictOf([sets(NORMAL), sets(NORMAL, other), sets(TRANSITION, other)])).toBe('held');
});

test('broken: a hit is refused while TRANSITION or the own bit is free', () => {
  expect(verdictOf([sets(NORMAL), refused()])).toBe(
    'broken: a hit was refused for recursion, but only these were set: NORMAL of the list function',
  );
  expect(verdictOf([refused()])).toBe(
    'broken: a hit was refused for recursion, but no bit was set',
  );
  expect(verdictOf([sets(NORMAL), sets(TRANSITION), ...within(irq, [refused(irq)])])).toMatch(
    /^broken: a hit was refused/u,
  );
});

test('broken: an interrupt in its entry code is refused beside one bit alone', () => {
  const run = [...image(), sets(NORMAL), ...early(irq, [refused(irq)])];
  const verdict = judge(recursion, run);
  expect(shown(verdict, run)).toEqual(['recursion_set', 'skip']);
});

test('broken: an NMI takes the bit of interrupts', () => {
  expect(verdictOf(within(nmi, [sets(IRQ, nmi)]))).toBe(
    'broken: a trylock took IRQ of the list function, but its own level is NMI of the list function',
  );
});

test('broken: TRANSITION is taken although the own bit is free, or any bit a second time', () => {
  expect(verdictOf([sets(TRANSITION)])).toMatch(/although NORMAL of the list function was free$/u);
  const twice = [sets(NORMAL), sets(TRANSITION), sets(TRANSITION)];
  expect(verdictOf(twice)).toMatch(/set already: nothing bounds it$/u);
});

test('broken: an interrupt ends and leaves a bit of the list function', () => {
  expect(verdictOf(within(irq, [sets(IRQ, irq)]))).toBe(
    'broken: an interrupt ended and left IRQ of the list function set',
  );
});

test('not flagged: a bit that guest code keeps, or that an abandoned callback leaves', () => {
  expect(verdictOf(within(irq, [sets(1, irq)]))).toMatch(/^never exercised/u);
  const jump: Told = ['func_abandon', { func: 0x4040 }];
  const run = [...image(1), ...within(irq, [sets(IRQ, irq), jump])];
  expect(judge(recursion, run).status).toBe('never exercised');
});

test('never exercised: no lock at all, or none that finds its bit set', () => {
  expect(verdictOf([])).toBe('never exercised: No recursion lock was taken.');
  expect(verdictOf([sets(NORMAL), clears(NORMAL)])).toBe(
    'never exercised: No trylock found the bit of its level set: nothing recursed.',
  );
});

test('held: each trylock is told of the bit that it has set, and another one meanwhile of its own', () => {
  const own = [sets(3), letIn(3), sets(4), letIn(4), clears(4), sets(4), letIn(4)];
  expect(verdictOf([sets(3), ...within(irq, [sets(1, irq), letIn(1, irq)]), letIn(3)])).toMatch(
    /^never exercised/u,
  );
  expect(verdictOf(own)).toBe('held');
});

test.each([
  ['no bit is set', [letIn(15)]],
  ['the bit was told of before', [sets(3), letIn(3), letIn(3)]],
  ['somebody else has set it', [sets(3), ...within(irq, [letIn(3, irq)])]],
])('broken: a trylock lets its caller in, and %s (H-12)', (_, run) => {
  expect(verdictOf(run)).toMatch(/^broken: a trylock let its caller in and set no bit/u);
});

test('broken: a third exit handler inside of two others of its context (H-25)', () => {
  const [outer, inner] = [exitBegins('vfs_open'), exitBegins('vfs_read')];
  const run = [...world(), ...outer, ...inner, ...exitBegins('vfs_read')];
  expect(reasonOf(judge(recursion, run))).toMatch(
    /^broken: a handler of fp0 began .* inside of 2 others: nothing bounds it$/u,
  );
  const other = exitBegins('vfs_read', { level: 2 });
  const held = [...world(), ...outer, ...inner, ...other, exitEnds('vfs_read')];
  expect(reasonOf(judge(recursion, held))).toMatch(/^never exercised/u);
});

const NOT_BROKEN = /^(?:held|never exercised)/u;

test('broken: a function returns, and a bit that its hit has taken stays (H-08)', () => {
  const [bit, own] = [3, 8];
  const hit = [...enters('vfs_open'), sets(bit)];
  expect(verdictOf([...hit, leaves('vfs_open')])).toBe(
    'broken: vfs_open returned and left NORMAL of trylock set',
  );
  expect(verdictOf([...hit, clears(bit), leaves('vfs_open')])).toMatch(NOT_BROKEN);
  // What guest code takes, and what was taken before, is the affair of others.
  expect(verdictOf([...hit, letIn(bit), leaves('vfs_open')])).toMatch(NOT_BROKEN);
  const inner = [...enters('kmalloc', {}, 0x900), leaves('kmalloc')];
  expect(verdictOf([...enters('vfs_open'), sets(own), ...inner, clears(own)])).toMatch(NOT_BROKEN);
});
