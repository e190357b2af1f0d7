import { expect, test } from 'vitest';
import { begun, call, enters, ended, FP, hook, world } from './example-fprobe.ts';
import { judge, reasonOf, type Told } from './example-run.ts';
import { quiescence } from './quiescence.ts';

const NODES = 8;

function state(told: { readonly free?: number; readonly entries?: number } = {}): Told {
  return ['fprobe_state', { object: FP, nodes: NODES, free: NODES, ...told }];
}

/** The verdict of a run with these events, in which the fprobe was unregistered before its end. */
function finding(...told: readonly (readonly Told[])[]): string {
  const end: Told[] = [
    ['cpu_state', { irqs: true, contexts: 1 }],
    ['ftrace_state', {}],
    ['run_end', {}],
  ];
  const gone = call('unregister_fprobe', 0);
  return reasonOf(judge(quiescence, [...world(), ...told.flat(), ...gone, ...end]));
}

test('held: all nodes are back, all entries gone, all returns given back', () => {
  expect(finding(begun('vfs_open'), ended('vfs_open'), [state()])).toBe('held');
});

test('never exercised while an fprobe is registered', () => {
  const end: Told = ['run_end', {}];
  expect(reasonOf(judge(quiescence, [...world(), end]))).toContain('fp0 was not unregistered');
});

test.each<[string, RegExp, readonly Told[]]>([
  ['a node (M-40)', /7 of 8 nodes of fp0 were in its pool/u, [state({ free: 7 })]],
  ['an entry of a table', /2 entries of fp0 were in the tables/u, [state({ entries: 2 })]],
  [
    'a return',
    /the return of vfs_open was still taken for fp0/u,
    [...enters('vfs_open'), hook('vfs_open'), state()],
  ],
])('broken: %s is left', (_what, why, told) => {
  expect(finding(told)).toMatch(why);
});

test.each<[string, RegExp, readonly Told[]]>([
  [
    'an fprobe that hooks another one (M-59, H-24)',
    /^broken: the call site of vfs_read was no nop/u,
    [],
  ],
  ['a call on a probe under way', /^never exercised/u, call('unregister_fprobe', 0).slice(0, 1)],
])('a site that is hooked for nobody, beside %s', (_what, verdict, told) => {
  const run = [...world({ text: 'vfs_open' }), ...told, ...enters('vfs_read'), ['run_end', {}]];
  expect(reasonOf(judge(quiescence, run as Told[]))).toMatch(verdict);
});

/** An fprobe that comes, and goes as `goes` says, with this memory; and the end. */
function lives(kind: string, goes: readonly Told[], result = 0): string {
  const [object, begin, struct] = world().slice(-4);
  const op = 'register_fprobe';
  const made: Told = ['alloc', { kind, object: 9, generation: 1, pid: 3 }];
  const end: Told = ['ctl_end', { op, object: FP, generation: 1, result, pid: 3 }];
  const come = [object, begin, struct, made, end].filter((one) => one !== undefined);
  const run: Told[] = [...world().slice(0, -4), ...come, ...goes, ['run_end', {}]];
  return reasonOf(judge(quiescence, run));
}

const FREED: Told = ['free', { object: 9, generation: 1 }];

test('memory of an fprobe goes with it', () => {
  const goes = call('unregister_fprobe', 0);
  expect(lives('rethook', [])).toMatch(/^never exercised/u);
  expect(lives('rethook', [...goes, FREED])).toBe('held');
  expect(lives('rethook', goes)).toMatch(/the rethook of fp0 lived on/u);
  expect(lives('fprobe_hlist', goes)).toMatch(/the nodes of fp0 lived on/u);
  expect(lives('rethook', [], -12)).toMatch(/the rethook of fp0 was kept/u);
  // What a call in flight needs goes later, or is put off; then it counts for nothing that it is there.
  const taken = [...enters('vfs_open'), hook('vfs_open'), ...goes];
  expect(lives('rethook', taken)).toMatch(/return of vfs_open was still taken/u);
  const later: Told = ['call_rcu', { callback: 1 }];
  expect(lives('rethook', [...goes, later])).toMatch(/a deferred free had not run/u);
});

test('as many shadow stacks as tasks', () => {
  const all = [1, 2, 3, 4].map((object): Told => [
    'alloc',
    { kind: 'ret_stack', object, generation: 1 },
  ]);
  const run = [...world(), ...all, ['run_end', {}]] as Told[];
  expect(reasonOf(judge(quiescence, run))).toMatch(/^never exercised/u);
  const gone: Told = ['task_exit', {}];
  expect(reasonOf(judge(quiescence, [...world(), ...all, gone, ['run_end', {}]]))).toMatch(
    /4 shadow stacks lived, but there were 3 tasks/u,
  );
});
