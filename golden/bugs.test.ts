// Historical bugs of docs/spec/mutants.md, each in a golden's workload: with the bug some seed breaks the guarantee
// that it hurt, and by that seed the kernel as it is does not.
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
  /** Where it was, if that is not the golden's era. */
  readonly profile?: string;
}

/** By id. */
const BUGS: Readonly<Record<string, Bug>> = {
  'H-01': { golden: 'unregister-fprobe', judge: 'unregister', seed: 10 },
  'H-02': { golden: 'unregister-shared-site', judge: 'unregister', seed: 1 },
  'H-03': { golden: 'unregister-rethook-sleepers', judge: 'unregister', seed: 5 },
  'H-04': { golden: 'memory-rethook-pool', judge: 'memory', seed: 19 },
  'H-05': { golden: 'pairing-fprobe-no-memory', judge: 'memory', seed: 197 },
  'H-06': { golden: 'quiescence-fprobe-hooks', judge: 'quiescence', seed: 1 },
  'H-07': { golden: 'recursion-exit-handler', judge: 'recursion', seed: 1, profile: 'v6.12' },
  'H-10': { golden: 'recursion-entry-window', judge: 'recursion', seed: 1 },
  'H-11': { golden: 'recursion-entry-window', judge: 'recursion', seed: 1 },
  'H-12': { golden: 'recursion-groups', judge: 'recursion', seed: 1 },
  'H-13': { golden: 'context-lock-held', judge: 'context', seed: 1 },
  'H-14': { golden: 'arguments-direct', judge: 'arguments', seed: 3 },
  'H-15': { golden: 'memory-preempted-trampoline', judge: 'memory', seed: 6 },
  'H-23': { golden: 'quiescence-fprobe-module', judge: 'quiescence', seed: 1 },
  'H-24': { golden: 'quiescence-fprobe-hooks', judge: 'quiescence', seed: 1 },
  'H-25': { golden: 'recursion-exit-handler', judge: 'recursion', seed: 1 },
  'H-28': { golden: 'quiescence-fprobe-hooks', judge: 'quiescence', seed: 1 },
  'H-34': { golden: 'memory-module-reload', judge: 'memory', seed: 6 },
  'H-35': { golden: 'memory-killed-module', judge: 'memory', seed: 1 },
  'H-37': { golden: 'text-stop-machine', judge: 'text', seed: 121 },
  'H-40': { golden: 'start-joining-probe', judge: 'filter-swap', seed: 52 },
  'H-44': { golden: 'pairing-rejected-tail', judge: 'pairing', seed: 1 },
  'H-47': { golden: 'quiescence-rethook-no-memory', judge: 'quiescence', seed: 1 },
};

/** Bugs of fprobe, whose goldens are still to come: the list may only shrink. */
const TO_COME: readonly string[] = ['H-08', 'H-36', 'H-45'];

function verdictOf({ golden, judge, ...otherwise }: Bug, variants: readonly string[]): Verdict {
  const { log } = recordGolden(FOLDER, golden, { ...otherwise, variants }).result;
  const judged = judgeEvents(log.events(0, log.count));
  return known(
    judged.find(({ guarantee }) => guarantee.name === judge),
    'every guarantee has a verdict',
  ).verdict;
}

test('every historical bug that can be planted has its golden', () => {
  const ids = [...VARIANTS.keys()].filter((id) => id.startsWith('H-'));
  expect([...Object.keys(BUGS), ...TO_COME].toSorted()).toEqual(ids.toSorted());
});

test.each(Object.entries(BUGS))('%s is found in its golden, and not without it', (id, bug) => {
  expect(verdictOf(bug, [id]).status).toBe('broken');
  expect(verdictOf(bug, []).status).not.toBe('broken');
});
