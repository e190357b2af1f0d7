// Workloads with kprobes and kretprobes: what their words do in a run.
import { expect, test } from 'vitest';
import { calmChooser } from '../emu/choose.ts';
import { type Profile, PROFILE_TODAY, PROFILES } from '../trace/profile.ts';
import { EventLog } from './event-log.ts';
import { prepareModel } from './prepare.ts';
import type { Event, EventName } from './schema.ts';
import { Session } from './session.ts';

interface Run {
  readonly session: Session;
  readonly of: <N extends EventName>(name: N) => Extract<Event, { readonly event: N }>[];
  readonly results: readonly number[];
  readonly counters: readonly number[];
}

function run(model: object, profile: Profile = PROFILE_TODAY): Run {
  const whole = {
    name: 'kprobes',
    machine: { cpus: 1 },
    functions: { f: { body: ['work 6', 'call g'] }, g: { body: ['work 4'] } },
    tasks: { t: { cpu: 0, run: 'f' } },
    ...model,
  };
  const { plan } = prepareModel(whole, {}, 'test');
  const log = new EventLog();
  const session = new Session(plan, { chooser: calmChooser, profile, variants: [], log });
  while (session.tick());
  const events = [...log.events()];
  const of: Run['of'] = (name) =>
    events.filter((event): event is Extract<Event, { readonly event: typeof name }> => {
      return event.event === name;
    });
  const results = session.results.map(({ found }) => found);
  const counters = plan.counters.map((one) => session.readCounter(one.place));
  return { session, of, results, counters };
}

test('handlers count; the calls are those of the kernel, one by one and in batches', () => {
  const { session, of, results, counters } = run({
    probes: {
      p0: { kind: 'kprobe', symbol: 'f', offset: 12, pre: 'count', post: 'count' },
      p1: { kind: 'kprobe', addr: 'g+8', pre: 'count' },
      r0: { kind: 'kretprobe', symbol: 'f', entry: 'count', handler: 'count' },
    },
    timeline: [
      { at: 'start', register: ['p0', 'p1'] },
      { at: 'start', register: 'r0' },
      { on: { enter: 'p0.pre' }, disable: 'p1' },
      { on: { return: 'r0.handler' }, enable: 'p1' },
      { at: 'end', unregister: 'r0' },
      { at: 'end', unregister: ['p1', 'p0'] },
    ],
    expect: ['p0.pre', 'p0.post', 'p0.nmissed', 'r0.entry', 'r0.handler', 'r0.nmissed'].map(
      (counter) => ({ counter, is: 1 }),
    ),
  });
  expect(session.ending).toBe('run_end');
  expect(session.unfired()).toEqual([]);
  expect(of('ctl_begin').map(({ op }) => op)).toEqual([
    'register_kprobes',
    'register_kretprobe',
    'disable_kprobe',
    'enable_kprobe',
    'unregister_kretprobe',
    'unregister_kprobes',
  ]);
  expect(results).toEqual([0, 0, 0, 0, 0, 0]);
  expect(counters).toEqual([1, 1, 0, 1, 1, 0]);
});

test('what a run leaves behind is told of each probe', () => {
  const { of } = run({
    probes: {
      p0: { kind: 'kprobe', symbol: 'f', offset: 12, pre: 'count' },
      p1: { kind: 'kprobe', symbol: 'g', offset: 12, pre: 'count' },
      r0: { kind: 'kretprobe', symbol: 'f', handler: 'count', maxactive: 3 },
    },
    timeline: ['p0', 'r0'].map((register) => ({ at: 'start', register })),
  });
  expect(of('kprobe_state')).toMatchObject([
    { object: 1, planted: true, flags: 0, nmissed: 0, free: 0, nodes: 0 },
    { object: 2, planted: false },
    { object: 3, planted: true, rp_nmissed: 0, free: 3, nodes: 3 },
  ]);
});

test('KP-45: a handler shows and changes registers; one that returns 1 lets the function go on elsewhere', () => {
  const { session, of } = run({
    functions: {
      f: { body: ['work 2', 'call g'] },
      g: { body: ['work 2', 'return 3'] },
      h: { body: [] },
    },
    callbacks: {
      note: { body: ['set_reg a3 7', 'regs'] },
      away: { body: ['redirect h', 'return 1'] },
    },
    probes: {
      p0: { kind: 'kprobe', symbol: 'f', offset: 8, pre: 'note' },
      p1: { kind: 'kprobe', symbol: 'g', offset: 8, pre: 'away' },
    },
    timeline: [{ at: 'start', register: ['p0', 'p1'] }],
  });
  expect(session.ending).toBe('run_end');
  expect(of('regs_write').map(({ register, value }) => [register, value])[0]).toEqual(['a3', 7n]);
  const shown = of('regs').map(({ register }) => register);
  expect(shown).toContain('a3');
  expect(shown).toContain('s11');
  expect(of('kprobe_step').map(({ how }) => how)).toEqual(['slot', 'skip']);
  expect(of('func_enter').map(({ func }) => func)).toContain(session.address('h'));
});

test('a kretprobe shares data between entry and handler, and shows what the function returns', () => {
  const { session, of } = run({
    functions: { f: { body: ['work 2', 'return 5'] } },
    callbacks: { keep: { body: ['store_data a1'] }, show: { body: ['show_data', 'regs'] } },
    probes: {
      r0: { kind: 'kretprobe', symbol: 'f', entry: 'keep', handler: 'show', data_size: 8 },
    },
    timeline: [{ at: 'start', register: 'r0' }],
  });
  expect(session.ending).toBe('run_end');
  const shown = new Map(of('regs').map(({ register, value }) => [register, value]));
  expect(shown.get('entry_data')).toBe(1n); // a1 of a task's function is its pid.
  expect(shown.get('a0')).toBe(5n);
});

test('the switch takes every text; what it refuses is an errno', () => {
  const { results, counters } = run({
    probes: { p0: { kind: 'kprobe', symbol: 'g', offset: 8, pre: 'count' } },
    tasks: { t: { cpu: 0, run: 'f', times: 2 } },
    timeline: [
      { at: 'start', register: 'p0' },
      { at: 'start', kprobes_enabled: 0 },
      { at: 'start', kprobes_enabled: 'maybe', expect: '-EINVAL' },
      { on: { return: 'g' }, kprobes_enabled: 'on' },
    ],
    expect: [{ counter: 'p0.pre', is: 1 }],
  });
  expect(results).toEqual([0, 0, -22, 0]);
  expect(counters).toEqual([1]);
});

/** What registering a probe on `g`, unregistering it and registering it again return. */
function life(probe: object): readonly number[] {
  return run({
    probes: { p0: { kind: 'kprobe', symbol: 'g', offset: 8, pre: 'count', ...probe } },
    timeline: ['register', 'unregister', 'register'].map((op) => ({ at: 'start', [op]: 'p0' })),
  }).results;
}

test('KP-10.1, KP-10.5: a probe comes back as the workload has it, or as the kernel has left its struct', () => {
  expect(life({})).toEqual([0, 0, 0]);
  expect(life({ reuse: true })).toEqual([0, 0, -22]);
});

test('errors of the kernel can be what a workload is about', () => {
  const { results } = run({
    functions: { f: { body: ['work 2'] }, g: { body: ['work 2'], nokprobe: true } },
    data: { d: 8 },
    probes: {
      p0: { kind: 'kprobe', symbol: 'f', offset: 6 },
      p1: { kind: 'kprobe', symbol: 'nobody' },
      p2: { kind: 'kprobe', symbol: 'g', offset: 8 },
      p3: { kind: 'kprobe', symbol: 'f', addr: 'f' },
      p4: { kind: 'kprobe' },
      p5: { kind: 'kprobe', addr: 'd' },
    },
    timeline: [
      { at: 'start', register: 'p0', expect: '-EILSEQ' },
      { at: 'start', register: 'p1', expect: '-ENOENT' },
      ...['p2', 'p3', 'p4', 'p5'].map((register) => ({ at: 'start', register, expect: '-EINVAL' })),
    ],
  });
  expect(results).toEqual([-84, -2, -22, -22, -22, -22]);
});

test('kprobes are there in every era', () => {
  for (const era of ['v6.12', 'v6.1', 'v2.6.31']) {
    const { counters } = run(
      {
        probes: { p0: { kind: 'kprobe', symbol: 'g', offset: 8, pre: 'count' } },
        timeline: [{ at: 'start', register: 'p0' }],
        expect: [{ counter: 'p0.pre', is: 1 }],
      },
      PROFILES.get(era),
    );
    expect(counters).toEqual([1]);
  }
});
