// Historical bugs of docs/spec/mutants.md, each in a golden's workload: with the bug some seed breaks the guarantee
// that it hurt, in the words of that bug, and by that seed the kernel as it is does not.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import { judgeEvents } from '../src/replay/guarantee/index.ts';
import type { Verdict } from '../src/replay/guarantee/judge.ts';
import type { GuaranteeName } from '../src/replay/workload/model.ts';
import { VARIANTS } from '../src/trace/variants/variants.ts';
import { recordGolden } from './golden.ts';

const FOLDER = join(import.meta.dirname);

interface Bug {
  readonly golden: string;
  readonly judge: GuaranteeName;
  /** A seed that shows it. */
  readonly seed: number;
  /** What the judge says: another reason would be another bug. */
  readonly says: RegExp;
  /** Where it was, if that is not the golden's era. */
  readonly profile?: string;
}

/** By id. */
const BUGS: Readonly<Record<string, Bug>> = {
  'H-01': {
    golden: 'unregister-fprobe',
    judge: 'unregister',
    seed: 10,
    says: /the exit handler of fp0 .* was still running when unregister_fprobe\(fp0\) returned 0/u,
  },
  'H-02': {
    golden: 'unregister-shared-site',
    judge: 'unregister',
    seed: 1,
    says: /the callback of ops0 .* was still running when unregister_ftrace_function\(ops0\) returned 0/u,
  },
  'H-03': {
    golden: 'unregister-rethook-sleepers',
    judge: 'unregister',
    seed: 5,
    says: /the exit handler of fp0 .* was still running when unregister_fprobe\(fp0\) returned 0/u,
  },
  'H-04': {
    golden: 'memory-rethook-pool',
    judge: 'memory',
    seed: 19,
    says: /^rethook \d+ .* was used .* after its free/u,
  },
  'H-05': {
    golden: 'pairing-fprobe-no-memory',
    judge: 'memory',
    seed: 212,
    says: /^fprobe_hlist \d+ .* was used .* after its free/u,
  },
  'H-06': {
    golden: 'quiescence-fprobe-hooks',
    judge: 'quiescence',
    seed: 1,
    says: /the call site of vfs_read was no nop although no probe wants it/u,
  },
  'H-07': {
    golden: 'recursion-exit-handler',
    judge: 'recursion',
    seed: 1,
    says: /a handler of fp0 began .* inside of 2 others: nothing bounds it/u,
    profile: 'v6.12',
  },
  'H-08': {
    golden: 'recursion-kprobe-busy',
    judge: 'recursion',
    seed: 1,
    says: /^vfs_read returned .* and left NORMAL of trylock set$/u,
  },
  'H-10': {
    golden: 'recursion-entry-window',
    judge: 'recursion',
    seed: 1,
    says: /a hit was refused for recursion .*, but only these were set: NORMAL of trylock$/u,
  },
  'H-11': {
    golden: 'recursion-entry-window',
    judge: 'recursion',
    seed: 1,
    says: /took IRQ of trylock, but its own level is NMI of trylock/u,
  },
  'H-12': {
    golden: 'recursion-groups',
    judge: 'recursion',
    seed: 1,
    says: /let its caller in and set no bit: nothing bounds it/u,
  },
  'H-13': {
    golden: 'context-lock-held',
    judge: 'context',
    seed: 1,
    says: /the recursion lock of bit \d+ .* left preemption on/u,
  },
  'H-14': {
    golden: 'arguments-direct',
    judge: 'arguments',
    seed: 3,
    says: /the callback of ops0 .* got no ops instead of its own ops/u,
  },
  'H-15': {
    golden: 'memory-preempted-trampoline',
    judge: 'memory',
    seed: 6,
    says: /^trampoline \d+ .* was used .* after its free/u,
  },
  'H-23': {
    golden: 'quiescence-fprobe-module',
    judge: 'quiescence',
    seed: 1,
    says: /the call site of ksys_read was no nop although no probe wants it/u,
  },
  'H-24': {
    golden: 'quiescence-fprobe-hooks',
    judge: 'quiescence',
    seed: 1,
    says: /the call site of vfs_read was no nop although no probe wants it/u,
  },
  'H-25': {
    golden: 'recursion-exit-handler',
    judge: 'recursion',
    seed: 1,
    says: /a handler of fp0 began .* inside of 2 others: nothing bounds it/u,
  },
  'H-28': {
    golden: 'quiescence-fprobe-hooks',
    judge: 'quiescence',
    seed: 1,
    says: /the call site of ksys_read was no nop although no probe wants it/u,
  },
  'H-34': {
    golden: 'memory-module-reload',
    judge: 'memory',
    seed: 6,
    says: /^module \d+ .* was used .*task walker.* after its free/u,
  },
  'H-35': {
    golden: 'memory-killed-module',
    judge: 'memory',
    seed: 1,
    says: /^module \d+ .* was used .*task looker.* after its free/u,
  },
  'H-36': {
    golden: 'context-idle-rethook',
    judge: 'context',
    seed: 1,
    says: /^call_rcu was called \(.*, task idle\) where RCU was not watching$/u,
  },
  'H-37': {
    golden: 'text-stop-machine',
    judge: 'text',
    seed: 121,
    says: /halves of two instructions were fetched together at the site of vfs_read/u,
  },
  'H-40': {
    golden: 'start-joining-probe',
    judge: 'filter-swap',
    seed: 52,
    says: /the callback of ops2 for kmalloc ran .* the filter was \{vfs_read, vfs_open\}/u,
  },
  'H-44': {
    golden: 'pairing-rejected-tail',
    judge: 'pairing',
    seed: 1,
    says: /the exit handler of fp0 ran for vfs_read, which owed it none/u,
  },
  'H-45': {
    golden: 'return-growing-site',
    judge: 'return',
    seed: 1,
    says: /^vfs_read did not find its frame when it returned/u,
  },
  'H-47': {
    golden: 'quiescence-rethook-no-memory',
    judge: 'quiescence',
    seed: 1,
    says: /the rethook of \S+ was kept/u,
  },
};

function verdictOf({ golden, judge, seed, profile }: Bug, variants: readonly string[]): Verdict {
  const era = profile === undefined ? {} : { profile };
  const { log } = recordGolden(FOLDER, golden, { seed, ...era, variants }).result;
  const judged = judgeEvents(log.events(0, log.count));
  return known(
    judged.find(({ guarantee }) => guarantee.name === judge),
    'every guarantee has a verdict',
  ).verdict;
}

/** Bugs of jump-optimised kprobes: src/trace/variants/kprobe-opt.test.ts finds them, and no golden has such a probe yet. */
const TO_COME = ['H-16', 'H-17', 'H-18', 'H-32', 'H-49'];

test('every historical bug that can be planted has its golden', () => {
  const ids = [...VARIANTS.keys()].filter((id) => id.startsWith('H-'));
  expect([...Object.keys(BUGS), ...TO_COME].toSorted()).toEqual(ids.toSorted());
});

test.each(Object.entries(BUGS))(
  '%s is found in its golden for its reason, and not without it',
  (id, bug) => {
    const why = expect.stringMatching(bug.says) as unknown;
    expect(verdictOf(bug, [id])).toMatchObject({ status: 'broken', why });
    expect(verdictOf(bug, []).status).not.toBe('broken');
  },
);
