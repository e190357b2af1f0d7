// What counts for a rule is the rule itself, not that its judge had something to do.
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recordGolden } from '../golden/golden.ts';
import { judgeEvents } from '../src/replay/guarantee/index.ts';
import type { Verdict } from '../src/replay/guarantee/judge.ts';
import { GUARANTEE_NAMES } from '../src/replay/workload/model.ts';
import { JUDGED_RULES, partsNamed, rulesMet, unmatchedRules } from './rules-met.ts';
import { casesOf, propertyCases, runCase } from './run-case.ts';

const GOLDEN = join(import.meta.dirname, '../golden');

test('every rule of every judge says when it is met', () => {
  expect(unmatchedRules()).toEqual([]);
});

/** Rules of one run of a golden: those that it met, and those that it did not. */
function rulesOf(golden: string, isHeard = true): ReadonlyMap<string, number> {
  const { log } = recordGolden(GOLDEN, golden).result;
  const judged = isHeard ? judgeEvents(log.events()) : [];
  return rulesMet(
    log,
    new Map(judged.map(({ guarantee, verdict }): [string, Verdict] => [guarantee.name, verdict])),
  );
}

test.each([
  ['unregister-fprobe', 'FP-6 CC-G8 CC-O1 (unregister)', 'FT-30 CC-G1 CC-G7 (unregister)'],
  ['unregister-rethook-sleepers', 'FP-6 CC-G7 (unregister)', 'FT-30 CC-G8 (unregister)'],
  ['unregister-shared-site', 'FT-30 CC-G1 (unregister)', 'FP-6 CC-G7 CC-G8 (unregister)'],
  ['unregister-rethook-sleepers', 'FP-32 CC-O6 (nmissed)', 'FP-4 FP-9 FP-72 (nmissed)'],
  ['memory-rethook-pool', 'FP-9 FP-32 (nmissed)', 'FP-72 (nmissed)'],
  ['unregister-fprobe', 'CC-M15 CC-O7 (memory)', 'FT-30 CC-G1 (memory)'],
  ['text-stop-machine', 'FT-12 CC-G24 (text)', 'FT-7 FT-8 FT-9 CC-M5 CC-M7 (text)'],
  ['text-stale-fetch', 'FT-7 FT-8 FT-9 CC-M5 CC-M7 (text)', 'FT-12 (text)'],
  ['arguments-redirect', 'FT-4 FT-14 FT-19 (arguments)', 'FT-15 FT-16 FT-18 FP-1 (arguments)'],
  ['arguments-nested', 'FT-15 (arguments)', 'FT-14 FT-23 FT-27 CC-S3 (arguments)'],
  ['arguments-direct', 'FT-4 FT-27 CC-S3 (arguments)', 'FT-15 FT-19 (arguments)'],
  ['arguments-direct', 'CC-O10 (return)', 'CC-H3 CC-G22 (return)'],
  ['pairing-nested', 'FP-1 FP-2 FP-7 FP-8 (pairing)', 'FP-4 FP-9 FP-32 FP-72 (nmissed)'],
  ['recursion-exit-handler', 'FP-1 FP-8 (pairing)', 'FP-2 FP-7 (pairing)'],
  ['filter-swap-pid', 'FT-18 FT-40 (filter-swap)', 'FT-41 FT-42 FT-43 FT-48 (filter-swap)'],
  ['filter-swap-two-threads', 'FT-42 FT-43 (filter-swap)', 'FT-18 FT-41 FT-48 (filter-swap)'],
  ['memory-c-store', 'FT-36 FT-37 (notrace)', 'FT-43 (failed-call)'],
  ['notrace-shared', 'FT-36 CC-G4 (notrace)', 'FT-37 (notrace)'],
  ['unregister-ftrace-enabled', 'FT-48 CC-G16 CC-G17 (failed-call)', 'CC-G15 FT-43 (failed-call)'],
  ['arguments-redirect', 'CC-G15 CC-G16 (failed-call)', 'FT-43 FT-48 CC-G17 (failed-call)'],
  ['arguments-redirect', 'FT-45 CC-G15 CC-G16 (quiescence)', 'CC-G7 (unregister)'],
  ['context-rcu-idle', 'FT-22 FT-53 FT-55 CC-G23 (context)', 'FP-11 (context)'],
  ['context-recursion', 'FT-51 FT-52 (recursion)', 'FT-56 FP-34 (recursion)'],
  ['nmissed-one-node', 'FP-34 (recursion)', 'FT-55 CC-G23 (context)'],
  ['memory-killed-module', 'CC-M10 CC-M11 CC-M12 (progress)', 'FT-36 (notrace)'],
  ['text-stale-fetch', 'CC-M11 CC-M12 (progress)', 'CC-M10 (progress)'],
])('%s meets %s, and not %s', (golden, met, unmet) => {
  const times = rulesOf(golden);
  const named = (text: string): readonly (number | undefined)[] => {
    const [rules = '', judge = ''] = text.split(' (');
    return rules.split(' ').map((rule) => times.get(`${rule} (${judge}`));
  };
  for (const count of named(met)) expect(count).toBeGreaterThan(0);
  for (const count of named(unmet)) expect(count).toBe(0);
});

test('where a judge does not say that its guarantee held, none of its rules is met', () => {
  const times = rulesOf('unregister-shared-site', false);
  expect(times.size).toBe(JUDGED_RULES.length);
  expect(Math.max(...times.values())).toBe(0);
});

const WITH_PARTS = GUARANTEE_NAMES.filter((name) => partsNamed(name).length > 0);

test.each(WITH_PARTS)('the parts that rules of %s name are parts of its verdict', (name) => {
  const parts = new Set<string>();
  const drawnKprobes = fc.sample(casesOf('kprobes'), { numRuns: 15, seed: 3 });
  for (const drawn of [
    ...fc.sample(propertyCases(name), { numRuns: 15, seed: 3 }),
    ...drawnKprobes,
  ]) {
    const verdict = runCase(drawn).verdicts.get(name);
    if (verdict?.status === 'held')
      for (const part of Object.keys(verdict.parts ?? {})) parts.add(part);
  }
  expect([...parts]).toEqual(expect.arrayContaining([...partsNamed(name)]));
});
