// What judges say of kprobes: nothing against runs without a fault, whatever happens in them; and each fault of
// docs/spec/mutants.md is found by the guarantee that it breaks, for that reason.
import { expect, test } from 'vitest';
import { kprobeRun } from './kprobe-runs.ts';

const SEEDS = 60;

test('runs without a fault break nothing, and put each part of the sentences to the test', () => {
  const met = new Set<string>();
  const broken: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const { guarantee, verdict } of kprobeRun(seed).judged) {
      if (verdict.status === 'broken') broken.push(`${seed}: ${guarantee.name}: ${verdict.why}`);
      if (verdict.status !== 'held') continue;
      const parts = Object.entries(verdict.parts ?? {}).filter(([, times]) => times > 0);
      for (const [part] of parts) met.add(`${guarantee.name}: ${part}`);
    }
  }
  expect(broken).toEqual([]);
  expect([...met].filter((part) => /k(?:ret)?probe/u.test(part)).toSorted()).toEqual(PARTS);
});

const PARTS = [
  'context: kprobe breakpoint',
  'context: kprobe ftrace',
  'context: kretprobe',
  'failed-call: kprobe calls',
  'failed-call: kprobe flags',
  'filter-swap: kprobes',
  'nmissed: kprobe handled',
  'nmissed: kprobe missed',
  'nmissed: kprobe uncounted',
  'pairing: kprobe order',
  'pairing: kprobe post',
  'pairing: kretprobe paired',
  'pairing: kretprobe refused',
  'quiescence: kprobes',
  'recursion: kprobe locked',
  'recursion: kprobe nested',
  'start: kprobe alone',
  'start: kprobe besides',
  'unregister: kprobes',
];

/** Faults, the guarantee that has to find each, for which reason, and in which run. */
const FOUND: readonly (readonly [id: string, guarantee: string, why: RegExp, seed: number])[] = [
  ['M-60', 'text', /nobody claimed the breakpoint/u, 5],
  ['M-67', 'nmissed', /missed by others, but not by|nobody said why/u, 1],
  ['M-68', 'recursion', /began .* while the .*_handler of .* ran on this CPU/u, 2],
  ['M-69', 'pairing', /was over without the post_handler/u, 5],
  ['M-70', 'start', /was executed without a hit/u, 3],
  ['M-72', 'start', /was executed without a hit/u, 15],
  ['M-74', 'filter-swap', /was hooked, although no probe is on it/u, 7],
  ['M-75', 'recursion', /without a recursion lock/u, 1],
  ['M-81', 'nmissed', /\(no_node\), but instances were free/u, 1],
  ['M-82', 'nmissed', /rp_nmissed was not increased/u, 27],
  ['M-83', 'unregister', /the return handler of .* after unregister_kretprobe/u, 10],
  ['M-85', 'unregister', /the return handler of .* was still running/u, 42],
  ['M-86', 'recursion', /while the return handler of .* ran on this CPU/u, 1],
  ['M-88', 'unregister', /the return handler of .* after unregister_kretprobe/u, 50],
];

test.each(FOUND)('%s is found by %s', (id, guarantee, why, seed) => {
  const judged = kprobeRun(seed, [id]).judged.find((one) => one.guarantee.name === guarantee);
  const verdict = judged?.verdict;
  expect(verdict?.status === 'broken' ? verdict.why : verdict?.status).toMatch(why);
});
