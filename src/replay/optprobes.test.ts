// A workload whose machine makes kprobes jumps: what it says reaches the kernel, in the eras that know jumps.
import { expect, test } from 'vitest';
import { calmChooser } from '../emu/choose.ts';
import { openSession, prepareModel } from './prepare.ts';

/** How often a probe hit, and how often by a trap, when its function runs early and late. */
function hits(profile: string, machine: object): readonly number[] {
  const model = {
    name: 'jumps',
    machine: { cpus: 2, ...machine },
    functions: { a1: { body: ['work 4'] }, life: { body: ['call a1', 'sleep 8000'] } },
    tasks: { t: { cpu: 1, run: 'life', times: 3 } },
    probes: { p0: { kind: 'kprobe', symbol: 'a1', offset: 12, pre: 'count' } },
    timeline: [{ at: 'start', register: 'p0', expect: 0 }],
  };
  const { plan } = prepareModel(model, {}, 'test');
  const session = openSession(plan, { profile, variants: [] }, calmChooser);
  while (session.tick());
  const events = [...session.log.events(0, session.log.count)];
  expect(events.at(-1)?.event).toBe('run_end');
  return ['cb_begin', 'kprobe_step'].map((name) => events.filter((e) => e.event === name).length);
}

test('KP-63: optprobes and detourTasksWait of a workload', () => {
  expect(hits('today', {})).toEqual([3, 3]);
  expect(hits('today', { optprobes: true })).toEqual([3, 1]);
  expect(hits('today', { optprobes: true, detourTasksWait: true })).toEqual([3, 1]);
});

test('KP-63: nothing becomes a jump in 2.6.31, nor where text is patched while the machine is stopped', () => {
  expect(hits('v2.6.31', { optprobes: true })).toEqual([3, 3]);
  const stopped = { optprobes: true, patching: 'stopMachine', trampolines: false };
  expect(hits('today', stopped)).toEqual([3, 3]);
});
