import { expect, test } from 'vitest';
import { context } from './context.ts';
import { enters, exitBegins, exitEnds, FP, hook, world } from './example-fprobe.ts';
import { judge, reasonOf, shown, site, type Told, type Where } from './example-run.ts';

const locks = (where: Where = {}): Told[] => [
  ['region_open', { region: 1, ...where }],
  ['recursion_lock', { bit: 8, ...where }],
];
const UNLOCKS: readonly Told[] = [
  ['recursion_unlock', { bit: 8 }],
  ['region_close', { region: 1 }],
];
const turns = (on: boolean, asked = false): Told => ['irqs', { on, asked }];

function entry(part: 'cb_begin' | 'cb_end', where: Where = {}): Told {
  return [
    part,
    { kind: 'fprobe_entry', object: FP, generation: 1, ip: site('vfs_open'), ...where },
  ];
}

const ENTRY: readonly Told[] = [entry('cb_begin'), entry('cb_end')];
const BEGUN: readonly Told[] = [
  ...world(),
  ...enters('vfs_open'),
  ...locks(),
  ...ENTRY,
  hook('vfs_open'),
  ...UNLOCKS,
];
const OPENS: Told = ['region_open', { region: 2 }];

test('held: the entry handler under a lock, the exit handler with preemption off', () => {
  const told = [...BEGUN, OPENS, ...exitBegins('vfs_open'), exitEnds('vfs_open')];
  expect(judge(context, told)).toMatchObject({ status: 'held', parts: { entry: 1, exit: 1 } });
});

test('broken: a handler of a task that can be preempted', () => {
  const told = [...world(), ...enters('vfs_open'), ...ENTRY];
  const verdict = judge(context, told);
  expect(reasonOf(verdict)).toMatch(
    /^broken: the entry handler of fp0 for vfs_open began \(.*\) with preemption on$/u,
  );
  expect(shown(verdict, told)).toEqual(['cb_begin']);
  expect(reasonOf(judge(context, [...BEGUN, ...exitBegins('vfs_open')]))).toMatch(
    /^broken: the exit handler .* with preemption on$/u,
  );
});

test('broken: an entry handler without a recursion lock of its own context', () => {
  const bare = [...world(), ...enters('vfs_open'), OPENS, ...ENTRY];
  expect(reasonOf(judge(context, bare))).toMatch(/^broken: .*outside of any recursion lock$/u);
  const irq = { level: 2 };
  const above = [...world(), ...locks(), ...enters('vfs_open', irq), entry('cb_begin', irq)];
  expect(reasonOf(judge(context, above))).toMatch(/^broken: .*outside of any recursion lock$/u);
});

test('broken: interrupts are turned on the way to a handler, or by it', () => {
  const before = [...world(), ...enters('vfs_open'), turns(false), ...locks(), ...ENTRY];
  expect(reasonOf(judge(context, before))).toMatch(/^broken: .*began .*turned off on its way$/u);
  const within = [
    ...world(),
    ...enters('vfs_open'),
    ...locks(),
    entry('cb_begin'),
    turns(false),
    entry('cb_end'),
  ];
  expect(reasonOf(judge(context, within))).toMatch(/^broken: .*ended .*interrupts turned off$/u);
});

test('who asks for interrupts to be turned gets that, and what is turned back is as it was', () => {
  const asked = [...world(), ...enters('vfs_open'), turns(false, true), ...locks(), ...ENTRY];
  const back = [...world(), ...enters('vfs_open'), turns(false), turns(true), ...locks(), ...ENTRY];
  for (const told of [asked, back])
    expect(judge(context, told)).toMatchObject({ status: 'held', parts: { entry: 1 } });
});

test('in an interrupt nothing but the lock keeps the handler, and no part is counted', () => {
  const irq = { level: 2 };
  const told = [
    ...world(),
    ...enters('vfs_open', irq),
    ...locks(irq),
    entry('cb_begin', irq),
    entry('cb_end', irq),
  ];
  expect(judge(context, told).status).toBe('never exercised');
});
