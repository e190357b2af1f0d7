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
