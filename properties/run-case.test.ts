// What the harness of the properties says about runs: faults are told with all that it takes to run them again.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { known } from '../src/assert.ts';
import { digestOfLog } from '../src/replay/recording.ts';
import type { Workload } from '../src/replay/workload/model.ts';
import { parseWorkload } from '../src/replay/workload/parse.ts';
import { checkGuarantee, TEST_MS } from './check-guarantee.ts';
import type { Choices } from './choices.ts';
import { type Case, casesOf, describeCase, faultsIn, runCase } from './run-case.ts';

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
    expect(message).toMatch(/seed: [0-9]+, path: /u);
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

function sameBothWays(drawn: Case): void {
  const [asked, eager] = [runCase(drawn, [], false), runCase(drawn, [], true)];
  expect(digestOfLog(eager.log)).toBe(digestOfLog(asked.log));
}

test(
  'asking at every boundary and running over the calm ones are one run',
  { timeout: TEST_MS },
  () => {
    fc.assert(fc.property(casesOf('unregister'), sameBothWays), { numRuns: 40 });
  },
);

/** Two tasks on two CPUs that run the same traced function. */
const BOTH_RUN: Workload = {
  name: 'both run',
  machine: { cpus: 2 },
  functions: {
    traced: { body: [] },
    run_0: { body: ['call traced', 'sleep 1'] },
    run_1: { body: ['call traced', 'sleep 1'] },
  },
  tasks: {
    task0: { cpu: 0, run: 'run_0', times: 5 },
    task1: { cpu: 1, run: 'run_1', times: 5 },
    control1: { cpu: 1 },
  },
  probes: {
    ops0: { kind: 'ftrace', callback: 'count' },
    ops1: { kind: 'ftrace', callback: 'count' },
  },
};

// Found by the property above.
test('a trigger in the middle of a step hands the run over there and then', () => {
  const timeline: Workload['timeline'] = [
    { at: 'start', register: 'ops0' },
    { at: { step: 0 }, register: 'ops1', by: 'control1' },
    { on: { enter: 'run_0' }, unregister: 'ops1', by: 'control1' },
  ];
  const choices = { schedule: [], inject: [], wait: [] };
  sameBothWays({ workload: { ...BOTH_RUN, timeline }, choices });
});
