import { expect, test } from 'vitest';
import { image, judge, shown, site, type Told, type Where } from './example-run.ts';
import { returns } from './return.ts';

/** As `image` has them; 0x40 bytes each. */
const ADDRESS = { vfs_open: 0, vfs_read: 0x40, kmalloc: 0x80, schedule: 0xc0 } as const;
type Name = keyof typeof ADDRESS;
/** Where a call by the kernel returns to, and a place in a trampoline. */
const [KERNEL, TRAMPOLINE] = [0x70000, 0x80020];
const SP = 0x9000;

/** The run's symbols with their sizes, then what is told. */
function run(...told: readonly (Told | readonly Told[])[]): Told[] {
  const symbols = image(1).map((one): Told => {
    return one[0] === 'symbol' ? ['symbol', { ...one[1], size: 0x40 }] : one;
  });
  return [...symbols, ...told.flatMap((one) => (isTold(one) ? [one] : one))];
}

function isTold(one: Told | readonly Told[]): one is Told {
  return typeof one[0] === 'string';
}

interface Call extends Where {
  readonly ra?: number;
  readonly sp?: number;
  readonly step?: number;
}

/** Called by the kernel when not said otherwise. */
function enters(name: Name, call: Call = {}): Told {
  return ['func_enter', { func: ADDRESS[name], ra: KERNEL, sp: SP, ...call }];
}

function leaves(name: Name, call: Call = {}): Told {
  return ['func_return', { func: ADDRESS[name], ...call }];
}

function fetches(name: Name, does: string, at: Where = {}): Told {
  return ['site_fetch', { ip: site(name), does, ...at }];
}

/** An address behind a call in the text of a function. */
function inside(name: Name, offset = 0x10): number {
  return ADDRESS[name] + offset;
}

/** vfs_open calls vfs_read, which is hooked. */
const outer = enters('vfs_open');
const inner: Told[] = [
  enters('vfs_read', { ra: inside('vfs_open'), sp: SP - 16 }),
  fetches('vfs_read', 'call'),
];

/** Held: how often. Broken: why. */
function finding(...told: readonly (Told | readonly Told[])[]): number | string {
  const verdict = judge(returns, run(...told));
  return verdict.status === 'held' ? verdict.exercised : verdict.why;
}

const LOST = /^vfs_read did not return to where it was called: /u;

test('held: hooked functions return, by a call and by a breakpoint', () => {
  const broken: Told[] = [
    enters('kmalloc', { ra: inside('vfs_open', 0x20), sp: SP - 16 }),
    fetches('kmalloc', 'break'),
    leaves('kmalloc'),
  ];
  expect(finding(outer, inner, leaves('vfs_read'), broken, leaves('vfs_open'))).toBe(2);
});

test('held: interrupts and traps above it end before it goes on, each with its own stack', () => {
  const irq = { level: 2 };
  const interrupt: Told[] = [
    ['irq_enter', irq],
    enters('vfs_open', { ...irq, sp: SP - 80 }),
    ['trap_enter', { level: 4 }],
    ['irq_enter', { level: 3 }],
    enters('vfs_open', { level: 3, sp: SP - 200 }),
    leaves('vfs_open', { level: 3 }),
    ['irq_exit', { level: 3 }],
    ['trap_exit', { level: 4 }],
    leaves('vfs_open', irq),
    ['irq_exit', irq],
  ];
  const other = { pid: 2, cpu: 1 };
  const idle = { pid: 0, cpu: 1 };
  const elsewhere = [enters('schedule', other), enters('schedule', idle), leaves('schedule', idle)];
  const told = [outer, inner, interrupt, elsewhere, leaves('vfs_read'), leaves('vfs_open')];
  expect(finding(...told, leaves('schedule', other))).toBe(1);
});

test('held: a tail call returns for both, in one step', () => {
  const tail = enters('kmalloc', { ra: inside('vfs_open'), sp: SP - 16 });
  const both = [leaves('kmalloc', { step: 7 }), leaves('vfs_read', { step: 7 })];
  expect(finding(outer, inner, tail, both, leaves('vfs_open'))).toBe(1);
});

test('held: calls before there is a frame, by the function itself or by a trampoline', () => {
  const early = enters('kmalloc', { ra: inside('vfs_read'), sp: SP - 16 });
  const handler = enters('schedule', { ra: TRAMPOLINE, sp: SP - 16 });
  const told = [outer, inner, early, handler, leaves('schedule'), leaves('kmalloc')];
  expect(finding(...told, leaves('vfs_read'))).toBe(1);
});

test('broken: its caller returns although it did not (M-97)', () => {
  const told = run(outer, inner, leaves('vfs_open'));
  const verdict = judge(returns, told);
  expect(verdict).toMatchObject({
    status: 'broken',
    at: told.length - 1,
    why:
      'vfs_read did not return to where it was called: vfs_open returned ' +
      '(step 120, CPU 0, task opener) and it is still open',
  });
  expect(shown(verdict, told)).toEqual(['func_enter', 'func_return']);
});

test('broken: its caller calls again', () => {
  const again = enters('kmalloc', { ra: inside('vfs_open', 0x20), sp: SP - 16 });
  expect(finding(outer, inner, again)).toMatch(/: kmalloc was entered on its stack \(/u);
});

test('broken: another function calls from its place on the stack', () => {
  const stray = enters('kmalloc', { ra: inside('schedule'), sp: SP - 16 });
  expect(finding(outer, inner, stray)).toMatch(LOST);
});

test('broken: a function is entered above it on the stack', () => {
  expect(finding(outer, inner, enters('kmalloc', { sp: SP }))).toMatch(LOST);
  expect(finding(outer, inner, enters('kmalloc', { sp: SP + 16 }))).toMatch(LOST);
});

test('broken: the kernel calls again a function that never came back', () => {
  const again = [outer, leaves('vfs_open', { step: 7 })];
  const why = /^vfs_open did not return to where it was called: /u;
  expect(finding(outer, again, outer)).toMatch(why);
  expect(finding(outer, again, leaves('vfs_open', { step: 8 }))).toMatch(why);
  expect(finding(outer, again, ['task_exit', {}])).toMatch(/: its task ended \(/u);
});

test('broken: its interrupt or its trap is over', () => {
  const irq = { level: 2 };
  const open: Told[] = [['irq_enter', irq], enters('vfs_read', irq)];
  expect(finding(outer, open, ['irq_exit', irq])).toMatch(/: its interrupt was over \(/u);
  const trap: Told[] = [['trap_enter', { level: 4 }], enters('vfs_read', { level: 4 })];
  expect(finding(outer, trap, ['trap_exit', { level: 4 }])).toMatch(/: its trap was over \(/u);
});

test('broken: the return machine has lost the frame of a call (M-53)', () => {
  const oops: Told = ['oops', { reason: 'return without its frame' }];
  expect(finding(outer, inner, oops)).toMatch(
    /^vfs_read did not find its frame when it returned /u,
  );
  expect(finding(outer, inner, ['oops', { reason: 'unwind' }])).toMatch(/found what is no frame/u);
  expect(finding(outer, inner, leaves('vfs_read'), ['oops', { reason: 'freed' }])).toBe(1);
});

test('CC-G22: an unwinder finds where the open calls of its task return to', () => {
  const irq = { level: 2 };
  const above = [['irq_enter', irq] as Told, enters('kmalloc', { ...irq, sp: SP - 80 })];
  const finds = (ret: number): Told => ['unwind', { ...irq, depth: 0, ret }];
  const over = [leaves('kmalloc', irq), ['irq_exit', irq] as Told, leaves('vfs_read')];
  const all = [finds(KERNEL), finds(inside('vfs_open'))];
  expect(finding(outer, inner, above, all, over)).toBe(1);
  const wrong = finds(inside('vfs_read'));
  expect(finding(outer, inner, above, wrong)).toMatch(/^the unwinder found .*, where none does /u);
});

test('not flagged: what is open when its task or the run ends, and what was entered before the run', () => {
  expect(finding(outer, inner, leaves('vfs_read'), ['task_exit', {}], outer)).toBe(1);
  expect(finding(leaves('kmalloc'), outer, inner, leaves('vfs_read'), leaves('schedule'))).toBe(1);
});

test('not flagged: a callback that jumps out of its frame, into the hooked function or beyond', () => {
  const callback = 0x4040;
  const begins: Told = ['func_enter', { func: callback, ra: TRAMPOLINE, sp: SP - 96 }];
  const helper = enters('kmalloc', { ra: callback + 8, sp: SP - 112 });
  expect(finding(outer, inner, begins, helper, leaves('vfs_read'))).toBe(1);
  const beyond = [outer, inner, leaves('vfs_read'), inner, begins];
  expect(finding(...beyond, leaves('vfs_open'))).toBe(1);
  expect(finding(...beyond, enters('schedule', { ra: inside('vfs_open', 0x20) }))).toBe(1);
  const within = [begins, helper, ['func_return', { func: callback }] as Told];
  expect(finding(outer, inner, within)).toMatch(/^kmalloc did not return/u);
});

test('never exercised: nothing was hooked, or nothing of it returned', () => {
  const idle = [outer, fetches('vfs_open', 'nop'), leaves('vfs_open')];
  expect(finding(...idle)).toBe('No function was entered whose site led into a hook.');
  expect(finding(outer, inner)).toBe('No function whose site led into a hook returned.');
  expect(finding(fetches('vfs_read', 'call'))).toBe(
    'No function was entered whose site led into a hook.',
  );
});
