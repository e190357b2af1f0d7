// Workloads with fprobes, above a stand-in for the return machine: registering calls both handlers once.
import { expect, test } from 'vitest';
import { calmChooser } from '../emu/choose.ts';
import { act, type Path } from '../emu/path.ts';
import { callFprobeEntry, callFprobeExit } from '../trace/fprobe-callback.ts';
import { missFprobe } from '../trace/fprobe-miss.ts';
import { beginRegistration } from '../trace/fprobe.ts';
import type { LinkTable } from '../trace/link.ts';
import { type Profile, PROFILE_TODAY, PROFILES } from '../trace/profile.ts';
import { EventLog } from './event-log.ts';
import { prepareModel } from './prepare.ts';
import type { Event, EventName } from './schema.ts';
import { Session } from './session.ts';

/** Where the stand-in keeps registers and entry data. */
const links: Partial<LinkTable> = {
  *registerFprobe(cx, k, fp): Path<number> {
    const { entryHandler, exitHandler } = beginRegistration(cx, k, fp, { hook: 'fgraph', ops: 0 });
    const [site] = k.records;
    const ip = site?.ip ?? 0;
    const [regs, entryData] = [place(cx.task.stackBase), place(cx.task.stackBase) + 256];
    cx.make(() => {
      for (let i = 0; i < 10; i++) k.machine.memory.store64(regs + 8 * i, 10 * i, 0);
    });
    const call = { generation: 1, entryIp: ip, retIp: ip, regs, entryData };
    yield* callFprobeEntry(cx, fp, { ...call, handler: entryHandler });
    yield* callFprobeExit(cx, fp, { ...call, handler: exitHandler });
    yield* missFprobe(cx, k, fp, { reason: 'no_data', ip });
    return 0;
  },
  unregisterFprobe: (cx) => act(cx.cpu.state, () => 0),
  unregisterFprobeAsync: (cx) => act(cx.cpu.state, () => 0),
};

/** The lower end of a stack is never reached here. */
function place(stackBase: number): number {
  return stackBase + 64;
}

interface Run {
  readonly session: Session;
  readonly of: <N extends EventName>(name: N) => Extract<Event, { readonly event: N }>[];
}

function run(model: object, profile: Profile = { ...PROFILE_TODAY, links }): Run {
  const whole = {
    name: 'fprobes',
    machine: { cpus: 1 },
    functions: { f: { body: ['work 2'] } },
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
  return { session, of };
}

test('handlers count, return, keep data and show it', () => {
  const { session, of } = run({
    callbacks: { note: { body: ['store_data a2', 'show_data', 'set_reg a0 7', 'regs'] } },
    probes: {
      fp: { kind: 'fprobe', filter: 'f', entry: 'count', entry_returns: 3, exit: 'note' },
    },
    timeline: [
      { at: 'start', register: 'fp', expect: 0 },
      { on: { return: 'fp.entry' }, disable: 'fp' },
      { on: { enter: 'fp.exit' }, unregister_async: 'fp' },
      { on: { end: 'register', probe: 'fp' }, unregister: 'fp' },
      { on: { begin: 'unregister' }, enable: 'fp' },
    ],
    expect: [
      { counter: 'fp.entry', is: 1 },
      { counter: 'fp.nmissed', is: 1 },
    ],
  });
  expect(session.ending).toBe('run_end');
  expect(session.unfired()).toEqual([]);
  expect(of('entry_result').map(({ value }) => value)).toEqual([3]);
  expect(of('ctl_begin').map(({ op }) => op)).toEqual([
    'register_fprobe',
    'disable_fprobe',
    'unregister_fprobe_async',
    'unregister_fprobe',
    'enable_fprobe',
  ]);
  expect(of('regs').map(({ register, value }) => [register, value])).toEqual([
    ['entry_data', 20n],
    ['a0', 7n],
    ...[1, 2, 3, 4, 5, 6, 7].map((i) => [`a${i}`, BigInt(10 * i)]),
  ]);
  expect(of('regs_write').map(({ register, value }) => [register, value])).toEqual([['a0', 7n]]);
  expect(session.plan.counters.map((one) => session.readCounter(one.place))).toEqual([1, 1]);
});

test('each way to say what is hooked is a call of its own', () => {
  const { session, of } = run({
    probes: {
      fp0: { kind: 'fprobe', ips: ['f'], entry: 'nothing', exit: 'nothing' },
      fp1: { kind: 'fprobe', syms: ['f'], entry: 'nothing', exit: 'nothing' },
      fp2: { kind: 'fprobe', filter: null },
    },
    timeline: ['fp0', 'fp1', 'fp2'].map((name) => ({ at: 'start', register: name })),
  });
  expect(of('ctl_begin').map(({ op, flags }) => [op, flags])).toEqual([
    ['register_fprobe_ips', 0],
    ['register_fprobe_syms', 0],
    ['register_fprobe', 2],
  ]);
  expect(session.results.map(({ found }) => found)).toEqual([0, 0, -22]);
});

test('redirect and other full registers need a pt_regs', () => {
  const { session, of } = run({
    callbacks: { note: { body: ['redirect f'] } },
    probes: { fp: { kind: 'fprobe', filter: 'f', entry: 'note', exit: 'nothing' } },
    timeline: [{ at: 'start', register: 'fp' }],
  });
  expect(session.ending).toBe('oops');
  expect(of('oops').map(({ reason }) => reason)).toEqual(['no pt_regs']);
});

test('an era that has no fprobe, or not that call, says so', () => {
  const probes = { fp: { kind: 'fprobe', filter: 'f' } };
  const timeline = [{ at: 'start', unregister_async: 'fp' }];
  const on = (profile: string): (() => Run) => {
    return () => run({ probes, timeline }, PROFILES.get(profile));
  };
  expect(on('v2.6.31')).toThrow('probe fp: profile v2.6.31 has no fprobe, which came with v5.18');
  expect(on('v6.12')).toThrow('profile v6.12 has no unregister_fprobe_async');
});

test('machine options reach the kernel, and its rules are told', () => {
  const { of } = run({
    machine: { cpus: 1, missPolicy: 'exitOnly', countRecursion: true, racyCounters: true },
    probes: { fp: { kind: 'fprobe', filter: 'f' } },
  });
  expect(of('fprobe_rules')).toMatchObject([
    { era: 'today', miss_policy: 'exitOnly', count_recursion: true, racy: true },
  ]);
});
