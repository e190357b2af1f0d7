// Modules that go while an fprobe wants their functions (FP-60, CC-S20.3).
import { expect, test } from 'vitest';
import { known } from '../assert.ts';
import { calmChooser } from '../emu/choose.ts';
import { functionsNamed } from '../emu/image.ts';
import { callGuest } from '../emu/path.ts';
import { start } from '../emu/schedule.ts';
import { EventLog } from '../replay/event-log.ts';
import { Session } from '../replay/session.ts';
import { check } from '../replay/workload/check.ts';
import { makePlan } from '../replay/workload/make-plan.ts';
import { parseWorkload } from '../replay/workload/parse.ts';
import { fprobeOperation } from './fprobe-operation.ts';
import { newFprobe } from './fprobe.ts';
import { deleteModule, initModule, newModule } from './module.ts';
import { PROFILES } from './profile.ts';

const WORKLOAD = `
name: module
machine: { cpus: 2 }
modules: { victim: { init: victim_init, exit: victim_exit } }
functions:
  victim_init: { module: victim, body: [] }
  victim_exit: { module: victim, body: [] }
  victim_fn: { module: victim, body: [work 1] }
  core_fn: { body: [work 1] }
tasks:
  runner: { cpu: 1, run: core_fn }
timeline: []
`;

/**
 * An fprobe on these functions; the module is loaded, unloaded and loaded again while it is registered. Sites that are
 * hooked before the first unload, after it and after the second load, and at the end.
 */
function hookedWith(era: string, syms: readonly string[]): readonly string[][] {
  const { workload, positions } = parseWorkload(WORKLOAD, 'module.yaml');
  check(workload, positions);
  const profile = known(PROFILES.get(era), 'the era exists');
  const log = new EventLog();
  const plan = makePlan(workload);
  const session = new Session(plan, { chooser: calmChooser, profile, variants: [], log });
  const { kernel: k, machine, image } = session;
  const address = (name: string): number =>
    known(functionsNamed(image, name)[0], `${name} is there`).address;
  const fp = newFprobe(k, { name: 'fp0', exitHandler: address('core_fn') });
  const module = newModule(k, known(image.modules[0], 'there is a module'));
  const cpu = known(machine.cpus[0], 'there is a first CPU');
  const task = machine.newTask('test', 'task', cpu);
  const found: string[][] = [];
  const note = (): void => {
    const hooked = k.records.filter(({ users }) => users.value.length > 0);
    found.push(hooked.map(({ func }) => func.name));
  };
  start(task, function* () {
    const cx = task.context;
    yield* initModule(cx, k, module, []);
    expect(yield* fprobeOperation(cx, k, fp, { op: 'register_fprobe_syms', syms })).toBe(0);
    note();
    yield* deleteModule(cx, k, module);
    note();
    yield* callGuest(cx.cpu.state, address('core_fn'), []);
    yield* initModule(cx, k, module, []);
    note();
    expect(yield* fprobeOperation(cx, k, fp, { op: 'unregister_fprobe' })).toBe(0);
    note();
  });
  while (session.tick());
  expect(session.ending).toBe('run_end');
  return found;
}

test('FP-60, CC-S20.3: the nodes of a module go with it, and do not come back', () => {
  const both = hookedWith('today', ['core_fn', 'victim_fn']);
  expect(both).toEqual([['core_fn', 'victim_fn'], ['core_fn'], ['core_fn'], []]);
});

test('FP-58, FP-60, H-23: the hook goes with its last site; before that was fixed it hooked everything', () => {
  expect(hookedWith('today', ['victim_fn'])).toEqual([['victim_fn'], [], [], []]);
  const [before, after] = hookedWith('v6.18', ['victim_fn']);
  expect([before, after]).toEqual([['victim_fn'], ['core_fn']]);
});

test.each(['today', 'v6.12'])('FP-10: %s finds functions of modules by name, too', (era) => {
  const [before] = hookedWith(era, ['core_fn', 'victim_fn', 'victim_init']);
  expect(before).toEqual(['core_fn', 'victim_init', 'victim_fn']);
});

test('FP-81: with rethook the sites stay in the filter: the same module loaded again is hooked at once, with its init', () => {
  const all = ['core_fn', 'victim_init', 'victim_fn'];
  expect(hookedWith('v6.12', all)).toEqual([all, ['core_fn'], all, []]);
});
