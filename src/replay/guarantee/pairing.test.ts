import { expect, test } from 'vitest';
import {
  begun,
  call,
  ended,
  enters,
  entry,
  exit,
  exitBegins,
  exitEnds,
  FP,
  hook,
  OTHER,
  registered,
  skips,
  SP,
  unhook,
  world,
} from './example-fprobe.ts';
import { judge, leaves, reasonOf, type Told } from './example-run.ts';
import { pairing } from './pairing.ts';

/** The parts of a verdict that held; else why not. */
function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(pairing, told.flat());
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
}

const inner = { sp: SP - 64, ret: 0x140 };

test('held: exits of nested calls, inner calls first; a call that was refused owes none', () => {
  const run = [
    begun('vfs_open'),
    begun('vfs_read', inner),
    ended('vfs_read', inner),
    ended('vfs_open'),
    enters('vfs_read'),
    entry('vfs_read', { result: 1 }),
    [leaves('vfs_read')],
  ];
  expect(finding(world(), ...run)).toEqual({ paired: 2, nested: 1, refused: 1, ordered: 0 });
});

test('held: an interrupt has calls of its own, above those of its task', () => {
  const irq = { level: 2, sp: SP - 200 };
  const run = [
    begun('vfs_open'),
    begun('vfs_open', irq),
    ended('vfs_open', irq),
    ended('vfs_open'),
  ];
  expect(finding(world(), ...run)).toEqual({ paired: 2, nested: 0, refused: 0, ordered: 0 });
});

test.each(['rethook', 'fgraph'] as const)('FP-35, FP-75: several fprobes on one call, %s', (by) => {
  const other = { object: OTHER };
  const start = [world({ hook: by }), registered({ hook: by, ...other })];
  const [first, second] = [
    [...entry('vfs_open', other), hook('vfs_open', other)],
    entry('vfs_open'),
  ];
  const entries = [enters('vfs_open'), first, second, [hook('vfs_open')]];
  const back = [unhook('vfs_open'), unhook('vfs_open', other), leaves('vfs_open')];
  const [own, its] = [exit('vfs_open'), exit('vfs_open', other)];
  const [right, wrong] = by === 'rethook' ? [own, its] : [its, own];
  expect(finding(...start, ...entries, right, wrong, back)).toEqual({
    paired: 2,
    nested: 0,
    refused: 0,
    ordered: 2,
  });
  const name = by === 'rethook' ? 'reverse order' : 'order';
  expect(finding(...start, ...entries, wrong, right, back)).toMatch(
    new RegExp(`ran before that of fp\\d, and not in the ${name} of the entries`, 'u'),
  );
  const swapped = [enters('vfs_open'), second, first];
  expect(finding(...start, ...swapped)).toMatch(
    /the entry handler of fp1 for vfs_open ran after that of fp0, which had been registered before it/u,
  );
  // Nobody knows who is the newer one of two that came at the same time.
  const [object, begin, struct, end] = registered({ hook: by, ...other });
  const late = [object, begin].filter((one) => one !== undefined);
  const rest = [struct, end].filter((one) => one !== undefined);
  expect(finding(late, world({ hook: by }), rest, ...swapped)).not.toMatch(/registered before it/u);
});

test('held: an exit handler for an entry handler that was skipped as a kprobe ran, with the graph hook (FP-76)', () => {
  const rest = [[hook('vfs_open')], exit('vfs_open'), [unhook('vfs_open'), leaves('vfs_open')]];
  const run = [enters('vfs_open'), [skips('kprobe_running', 'vfs_open')], ...rest];
  expect(finding(world({ hook: 'fgraph', flags: 2 }), ...run)).toMatchObject({ paired: 1 });
  for (const start of [world({ hook: 'fgraph' }), world({ flags: 2 })]) {
    expect(finding(start, ...run)).toMatch(/although its entry handler did not run/u);
  }
});

test('held: a tail call returns to where the return of its caller is taken', () => {
  const trampoline = 0x9f000;
  const callee = { ret: trampoline };
  const run = [
    begun('vfs_open'),
    begun('vfs_read', callee),
    [leaves('vfs_read')],
    exit('vfs_read', callee),
    [unhook('vfs_read')],
    ended('vfs_open'),
  ];
  expect(finding(world(), ...run)).toEqual({ paired: 2, nested: 1, refused: 0, ordered: 0 });
});

test('held: what is owed by a call that never returns; a task that ends', () => {
  const away: Told = ['func_abandon', { func: 0x40 }];
  const run = [begun('vfs_open'), begun('vfs_read', inner), [away], ended('vfs_open')];
  expect(finding(world(), ...run)).toMatchObject({ paired: 1 });
  const end: Told = ['task_exit', {}];
  expect(
    finding(world(), begun('vfs_open'), ended('vfs_open'), begun('vfs_read'), [end]),
  ).toMatchObject({
    paired: 1,
  });
});

test('held: an exit that was passed over with a word', () => {
  const other = { sp: SP - 64, ret: 0x140, object: FP };
  const run = [
    begun('vfs_open'),
    begun('vfs_read', other),
    [skips('exit_disabled', 'vfs_read'), unhook('vfs_read', other), leaves('vfs_read')],
    ended('vfs_open'),
  ];
  expect(finding(world(), ...run)).toMatchObject({ paired: 1 });
});

test('FP-77: by the pointer alone an exit finds the next registration; a rethook does not (FP-43)', () => {
  const again = [
    call('unregister_fprobe', 0),
    registered({ generation: 2, hook: 'fgraph' }),
  ].flat();
  const late = { generation: 2 };
  const run = [
    begun('vfs_open'),
    again,
    exit('vfs_open', late),
    [unhook('vfs_open'), leaves('vfs_open')],
  ];
  expect(finding(world({ hook: 'fgraph' }), ...run)).toMatchObject({ paired: 1 });
  const rethook = [call('unregister_fprobe', 0), registered({ generation: 2 })].flat();
  expect(finding(world(), begun('vfs_open'), rethook, exit('vfs_open', late))).toContain(
    'owed it none',
  );
});

test('never exercised', () => {
  expect(finding()).toBe('never exercised: There was no fprobe.');
  expect(finding(world())).toContain('No exit handler ran');
});

test.each<[string, RegExp, readonly (readonly Told[])[]]>([
  [
    'an exit without an entry',
    /fp0 ran for vfs_open, which owed it none/u,
    [enters('vfs_open'), exit('vfs_open')],
  ],
  ['a second exit', /owed it none/u, [begun('vfs_open'), exit('vfs_open'), exit('vfs_open')]],
  [
    'an outer exit first',
    /fp0 for vfs_open ran before that of vfs_read, which is further in/u,
    [begun('vfs_open'), begun('vfs_read', inner), exit('vfs_open')],
  ],
  [
    'a return that is taken for a refused call (M-39)',
    /although its entry handler refused/u,
    [enters('vfs_open'), entry('vfs_open', { result: 1 }), [hook('vfs_open')]],
  ],
  [
    'a return that is taken without an entry',
    /although its entry handler did not run/u,
    [enters('vfs_open'), [hook('vfs_open')]],
  ],
  [
    'another place of the stack',
    /at another place of the stack/u,
    [enters('vfs_open'), entry('vfs_open'), [hook('vfs_open', { sp: SP - 8 })]],
  ],
  [
    'addresses of another call',
    /was given the addresses of another call/u,
    [begun('vfs_open'), exit('vfs_open', { ret: 0x44 })],
  ],
  [
    'data of another call (M-41)',
    /is given other data than the entry handler was/u,
    [begun('vfs_open', { data: 0x500 }), exitBegins('vfs_open', { data: 0x540 })],
  ],
  [
    'data that is in use',
    /data that the call of vfs_open still uses is given to another entry handler/u,
    [
      begun('vfs_open', { data: 0x500 }),
      exitBegins('vfs_open', { data: 0x500 }),
      enters('vfs_read', { level: 2 }),
      entry('vfs_read', { level: 2, data: 0x500 }),
    ],
  ],
  [
    'given back before the exit handler is over',
    /was given back while it ran/u,
    [begun('vfs_open'), exitBegins('vfs_open'), [unhook('vfs_open'), exitEnds('vfs_open')]],
  ],
  [
    'an exit that is lost',
    /was passed over without a word/u,
    [begun('vfs_open'), [unhook('vfs_open')]],
  ],
  [
    'a return with something owed',
    /vfs_open returned and what it owed was not given back/u,
    [begun('vfs_open'), exit('vfs_open'), [leaves('vfs_open')]],
  ],
])('broken: %s', (_what, why, run) => {
  expect(finding(world(), ...run)).toMatch(why);
});

test('broken: the return is taken for a probe without an exit handler', () => {
  const run = [enters('vfs_open'), entry('vfs_open'), [hook('vfs_open')]];
  expect(finding(world({ exit: -1 }), ...run)).toMatch(/which has no exit handler/u);
});

test('FP-76: with the graph hook an entry that a kprobe kept away has its exit; with a rethook not', () => {
  const run = [
    [...enters('vfs_open'), skips('kprobe_running', 'vfs_open'), hook('vfs_open')],
    ended('vfs_open'),
  ];
  expect(finding(world({ hook: 'fgraph', flags: 2 }), ...run)).toMatchObject({ paired: 1 });
  expect(finding(world({ flags: 2 }), ...run)).toMatch(/although its entry handler did not run/u);
  const strict: Told[] = [['fprobe_strict', {}]];
  expect(finding(strict, world({ hook: 'fgraph', flags: 2 }), ...run)).toMatch(
    /although its entry handler did not run/u,
  );
});
