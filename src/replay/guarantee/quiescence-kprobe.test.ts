import { expect, test } from 'vitest';
import { calls, hit, IP, P0, P1, R0, SLOT, taken, world } from './example-kprobe.ts';
import { judge, reasonOf, type Told } from './example-run.ts';
import { withKprobes } from './kprobe-part.ts';
import { kprobesQuiescence } from './quiescence-kprobe.ts';
import { quiescence } from './quiescence.ts';

function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(withKprobes(quiescence, kprobesQuiescence), told.flat());
  return verdict.status === 'held' ? verdict.exercised : reasonOf(verdict);
}

const gone = calls('unregister_kprobe', P0);
const over: Told[] = [
  ['ftrace_state', {}],
  ['run_end', {}],
];
const planted: Told[] = [['text_write', { ip: IP, part: 0, value: 0x9002, version: 1 }]];
const lifted: Told[] = [['text_write', { ip: IP, part: 0, value: 0x13, version: 2 }]];

test('held: all is as it was', () => {
  expect(finding(world(), planted, hit(), lifted, gone, over)).toBe(1);
});

test('held: the breakpoint goes with its module', () => {
  const run: Told[] = [
    ['symbol', { name: 'mod', address: IP - 8, size: 64, site: -1 }],
    ['symbol_gone', { name: 'mod', address: IP - 8 }],
  ];
  expect(finding(world(), planted, run, gone, over)).toBe(1);
});

test('held: claims of the ftrace_ops behind kprobes are theirs', () => {
  const claims: Told[] = [
    ['object', { kind: 'kprobe_ops', object: 99, name: 'kprobe_ipmodify_ops' }],
    ['ipmodify', { object: 99, ip: 4, claimed: true }],
    ['ipmodify', { object: 99, ip: 4, claimed: false }],
  ];
  expect(finding(world({ object: R0 }), claims, calls('unregister_kretprobe', R0), over)).toBe(1);
});

test('never exercised: one is still registered, or the run broke off', () => {
  expect(finding(world({}, { object: P1 }), planted, gone, over)).toContain('never exercised');
  expect(finding(world({ object: R0 }), over)).toContain('p2 was not unregistered');
  expect(finding(world(), planted, gone)).toContain('never exercised');
});

const aggregate: Told = ['alloc', { kind: 'kprobe_aggr', object: 5, generation: 1, bytes: 64 }];
const slot: Told = ['alloc', { kind: 'kprobe_insn_slot', object: 6, generation: 1, address: SLOT }];

test.each<[string, RegExp, readonly (readonly Told[])[]]>([
  [
    'a breakpoint',
    /the breakpoint of p0 was in the text at vfs_read\+0xc/u,
    [world(), planted, gone],
  ],
  [
    'a site that serves the ops of kprobes (M-76)',
    /1 ftrace_ops were on the list/u,
    [world(), gone, [['ftrace_state', { listed: 1 }]]],
  ],
  ['a site', /2 sites still served/u, [world(), gone, [['ftrace_state', { served: 2 }]]]],
  ['an aggregate', /kprobe_aggr 5\.1 was not freed/u, [world(), [aggregate], gone]],
  ['a slot', /kprobe_insn_slot 6\.1 was not freed/u, [world(), [slot], hit(), gone]],
  [
    'a kprobe that runs for ever (M-69)',
    /a kprobe was said to run on CPU 0/u,
    [world(), gone, [['current_kprobe', { ip: IP, status: 4 }]]],
  ],
  [
    'a return that is taken',
    /the return of vfs_open\+0x4 was taken for p2/u,
    [world({ object: R0 }), [taken()], calls('unregister_kretprobe', R0)],
  ],
  ['a lock', /kprobe_mutex was held/u, [world(), gone, [['lock', { name: 'kprobe_mutex' }]]]],
  [
    'one that is planted',
    /p0 was planted/u,
    [world(), gone, [['kprobe_state', { object: P0, planted: true }]]],
  ],
  [
    'instances that are not back (M-87)',
    /3 instances of p2 were not back/u,
    [
      world({ object: R0 }),
      calls('unregister_kretprobe', R0),
      [['kprobe_state', { object: R0, nodes: 3 }]],
    ],
  ],
])('broken: it leaves %s', (_what, why, run) => {
  expect(finding(...run, [['run_end', {}]])).toMatch(why);
});
