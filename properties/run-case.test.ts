// What the harness of the properties says about runs: faults are told with all that it takes to run them again.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import type { Workload } from '../src/replay/workload/model.ts';
import { parseWorkload } from '../src/replay/workload/parse.ts';
import { checkGuarantee, TEST_MS } from './check-guarantee.ts';
import type { Choices } from './choices.ts';
import { casesOf, describeCase, faultsIn, runCase } from './run-case.ts';

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return error instanceof Error ? `${error.message}\n${String(error.cause)}` : '';
  }
  return '';
}

test(
  'a property that fails tells its seed and a case that fails again',
  { timeout: TEST_MS },
  () => {
    const variants = ['M-17'];
    const message = messageOf(() =>
      checkGuarantee('notrace', { seed: 1, runs: 100, variants, endOnFailure: true }),
    );
    expect(message).toMatch(/seed: 1, path: /u);
    const [, yaml, choices] = known(
      /Counterexample: \[([^]*)# choices: (.*)\n\]/u.exec(message) ?? undefined,
      'the case is told',
    );
    const { workload } = parseWorkload(known(yaml, 'the workload'), 'told.yaml');
    const told = { workload, choices: JSON.parse(known(choices, 'the choices')) as Choices };
    expect(describeCase(told)).toContain(yaml);
    expect(faultsIn(runCase(told))).toEqual([]);
    const [fault] = faultsIn(runCase(told, variants));
    expect(fault).toMatch(/^notrace: the callback of ops/u);
    expect(message).toContain(fault);
  },
);

test('an ending that is not regular is a fault', () => {
  const workload: Workload = {
    name: 'endless',
    machine: { cpus: 1, steps_max: 100 },
    functions: { f: { body: [{ loop: 1000, body: ['call g'] }] }, g: { body: [] } },
    tasks: { task0: { cpu: 0, run: 'f' } },
  };
  const result = runCase({ workload, choices: { schedule: [], inject: [], wait: [] } });
  expect(faultsIn(result)).toEqual(['the run ends with no_progress']);
});

test('asking at every boundary and running over the calm ones are the same run', () => {
  fc.assert(
    fc.property(casesOf('unregister'), (drawn) => {
      const [asked, eager] = [runCase(drawn, [], false), runCase(drawn, [], true)];
      expect(eager.log.count).toBe(asked.log.count);
      expect(eager.log.rows()).toEqual(asked.log.rows());
    }),
    { numRuns: 40 },
  );
});
