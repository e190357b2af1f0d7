import { expect, test } from 'vitest';
import {
  answers,
  begins,
  givenBack,
  IP,
  over,
  P0,
  P1,
  post,
  pre,
  R0,
  returns,
  skips,
  SP,
  steps,
  taken,
  traps,
  world,
} from './example-kprobe.ts';
import { enters, judge, leaves, reasonOf, type Told } from './example-run.ts';
import { withKprobes } from './kprobe-part.ts';
import { kprobesPairing } from './pairing-kprobe.ts';
import { pairing } from './pairing.ts';

function finding(...told: readonly (readonly Told[])[]): unknown {
  const verdict = judge(withKprobes(pairing, kprobesPairing), told.flat());
  return verdict.status === 'held' ? verdict.parts : reasonOf(verdict);
}

const two = world({ post: true }, { object: P1 });
const both = world({ post: true }, { object: P1, post: true });
const hooked = [world({ object: R0 }), answers(0), [taken()]];
const passesOver: Told[] = [['kprobe_step', { ip: IP, how: 'skip', to: 0x99, level: 4 }]];

test('held: the newest first, the instruction, then the post_handler', () => {
  const run = [two, traps(), pre(P1), pre(P0), steps(), post(P0), over()];
  expect(finding(...run)).toMatchObject({ 'kprobe post': 1, 'kprobe order': 1 });
});

test('held: who refuses is the last, and the instruction is passed over (KP-45)', () => {
  const run = [two, traps(), pre(P1, 1n), [skips('stopped')], passesOver, over()];
  expect(finding(...run)).toMatchObject({ 'kprobe refused': 1, 'kprobe post': 0 });
});

test('held: a return handler for each call that was accepted, none for one that was refused', () => {
  const returned = [...returns(), givenBack()];
  const refused = [...answers(1), skips('rejected', R0, { level: 0 })];
  expect(finding(...hooked, returned, refused)).toMatchObject({
    'kretprobe paired': 1,
    'kretprobe refused': 1,
  });
});

test('held: calls that end the inner one first; one that was removed; one whose task died', () => {
  const inner = [taken(SP - 64), ...returns(), givenBack(SP - 64), ...returns(), givenBack()];
  expect(finding(...hooked, inner)).toMatchObject({ 'kretprobe paired': 2 });
  const removed = [skips('removed', R0, { level: 0 }), givenBack()];
  expect(finding(...hooked, removed, returns().slice(0, 0))).toContain('never exercised');
  expect(finding(...hooked, [givenBack(SP, 'flush')])).toContain('never exercised');
});

test.each<[string, RegExp, readonly (readonly Told[])[]]>([
  [
    'the older one first',
    /the pre_handler of p1 at vfs_read\+0xc ran behind the pre_handler of p0 .*, which is older/u,
    [two, traps(), pre(P0), pre(P1)],
  ],
  [
    'one behind a refusal',
    /the pre_handler of p0 .* ran behind the pre_handler of p1 .*, which had refused/u,
    [two, traps(), pre(P1, 1n), pre(P0)],
  ],
  [
    'one twice',
    /the pre_handler of p1 .* ran twice for one hit/u,
    [two, traps(), pre(P1), pre(P1)],
  ],
  [
    'a post_handler behind a refusal (M-71)',
    /the post_handler of p0 .* ran although the pre_handler of p1 .* had refused/u,
    [two, traps(), pre(P1, 1n), [['kprobe_step', { ip: IP, how: 'skip', level: 4 }]], post()],
  ],
  [
    'a post_handler of a hit that was missed',
    /the post_handler of p0 .* ran in a hit that was missed/u,
    [two, traps(), [skips('kprobe_running', P1), skips('kprobe_running')], steps(), post()],
  ],
  [
    'a post_handler before the instruction',
    /the post_handler of p0 .* ran before the instruction/u,
    [two, traps(), pre(P1), pre(P0), post()],
  ],
  [
    'a post_handler twice',
    /the post_handler of p0 .* ran twice for one hit/u,
    [two, traps(), pre(P1), pre(P0), steps(), post(), post()],
  ],
  [
    'the older post_handler first',
    /the post_handler of p1 .* ran behind the post_handler of p0 .*, which is older/u,
    [both, traps(), pre(P1), pre(P0), steps(), post(P0), post(P1)],
  ],
  [
    'no post_handler (M-69)',
    /a hit at vfs_read\+0xc was over without the post_handler of p0/u,
    [two, traps(), pre(P1), pre(P0), steps(), over()],
  ],
  [
    'executed although refused',
    /the instruction at vfs_read\+0xc was executed although the pre_handler of p1 .* had refused/u,
    [two, traps(), pre(P1, 1n), steps()],
  ],
  [
    'passed over although nobody refused',
    /the instruction at vfs_read\+0xc was passed over although no pre_handler refused/u,
    [two, traps(), pre(P1), pre(P0), passesOver],
  ],
  [
    'a return handler that nobody owes',
    /the return handler of p2 ran for vfs_open\+0x4, which owed it none/u,
    [world({ object: R0 }), returns()],
  ],
  [
    'a return that is taken although the entry handler refused',
    /the return of vfs_open\+0x4 was taken for p2, although its entry handler refused/u,
    [world({ object: R0 }), answers(1), [taken()]],
  ],
  [
    'one that is passed over',
    /the return handler of p2 for vfs_open\+0x4 was passed over without a word/u,
    [...hooked, returns(), [givenBack(), taken(), givenBack()]],
  ],
  [
    'an instance that is given back while its handler runs',
    /the instance of the return handler of p2 .* was given back while it ran/u,
    [...hooked, [begins('kretprobe', R0, { level: 0 }), givenBack()]],
  ],
  [
    'a function that returns with what it owed',
    /vfs_open\+0x4 returned and what it owed was not given back/u,
    [world({ object: R0 }), enters('vfs_open', {}, SP), [taken(), leaves('vfs_open')]],
  ],
])('broken: %s', (_what, why, run) => {
  expect(finding(...run)).toMatch(why);
});

test('never exercised: no handler ran', () => {
  expect(finding(world({ object: P0 }))).toContain('never exercised');
});
