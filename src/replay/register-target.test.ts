// An fprobe that is registered again: for something else (`register: { probe, ... }`), in both eras, and after it was
// refused.
import { expect, test } from 'vitest';
import { InputError } from '../assert.ts';
import { calmChooser, CHOICE, type Chooser } from '../emu/choose.ts';
import { openSession, prepareModel } from './prepare.ts';
import type { EventOf } from './schema.ts';
import { workload } from './workload/build.ts';

const FUNCTIONS = { a1: { body: ['work 2'] }, a2: { body: ['work 2'] }, b1: { body: ['work 2'] } };
const LIFE = ['a1', 'a2', 'b1'].map((name) => `call ${name}`);

/** Which functions each registration hooked, and the names of the calls. */
function hooked(profile: string, targets: readonly (string | object)[]): readonly string[] {
  const model = {
    name: 'again',
    machine: { cpus: 1 },
    functions: { ...FUNCTIONS, life: { body: [...LIFE, 'sleep 2000'] } },
    tasks: { t: { cpu: 0, run: 'life', times: 40 } },
    probes: { fp: { kind: 'fprobe', filter: 'a1', entry: 'count' } },
    timeline: targets.flatMap((register, index) => [
      { at: { step: 20_000 * index }, register, expect: 0 },
      { at: { step: 20_000 * index + 15_000 }, unregister: 'fp', expect: 0 },
    ]),
  };
  const { plan } = prepareModel(model, {}, 'test');
  const session = openSession(plan, { profile, variants: [] }, calmChooser);
  while (session.tick());
  const events = [...session.log.events(0, session.log.count)];
  const places = new Map(
    events.flatMap((e) => (e.event === 'symbol' ? [[e.site, e.name] as const] : [])),
  );
  const calls = events.filter(
    (e): e is EventOf<'ctl_begin'> => e.event === 'ctl_begin' && e.op.startsWith('register'),
  );
  return calls.map(({ index, op }, at) => {
    const until = calls[at + 1]?.index ?? events.length;
    const hits = events.slice(index, until).flatMap((e) => {
      return e.event === 'cb_begin' ? [places.get(e.ip) ?? ''] : [];
    });
    return `${op}: ${[...new Set(hits)].join(' ')}`;
  });
}

test.each(['today', 'v6.12'])('%s: each registration hooks what it says', (profile) => {
  const targets = [
    'fp',
    { probe: 'fp', filter: '*', notfilter: 'a*' },
    { probe: 'fp', ips: ['a2'] },
    { probe: 'fp', syms: ['b1', 'a1'] },
    'fp',
  ];
  expect(hooked(profile, targets)).toEqual([
    'register_fprobe: a1',
    'register_fprobe: life b1',
    'register_fprobe_ips: a2',
    'register_fprobe_syms: a1 b1',
    'register_fprobe: a1',
  ]);
});

function refusal(register: object): string {
  const model = {
    name: 'again',
    machine: { cpus: 1 },
    functions: FUNCTIONS,
    probes: {
      fp: { kind: 'fprobe', filter: 'a1', entry: 'count' },
      ops: { kind: 'ftrace', callback: 'count' },
    },
    timeline: [{ at: 'start', register }],
  };
  try {
    prepareModel(model, {}, 'test');
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return '';
}

test.each([
  [{ probe: 'fp' }, /filter/u],
  [{ probe: 'fp', filter: 'a*', ips: ['a1'] }, /filter|ips/u],
  [{ probe: 'fp', ips: ['a1'], notfilter: 'a2' }, /notfilter/u],
  [{ probe: 'ops', syms: ['a1'] }, /expected a probe of kind fprobe, found 'ops' of kind ftrace/u],
  [{ probe: 'fq', syms: ['a1'] }, /no probe is named 'fq'|fq/u],
  [{ probe: 'fp', syms: ['a3'] }, /no traceable function is named 'a3'/u],
] as const)('%o is refused', (register, why) => {
  expect(refusal(register)).toMatch(why);
});

test('the builder takes things for their names', () => {
  const w = workload('again', { cpus: 1 });
  const a1 = w.function('a1', (f) => [f.work(2)]);
  const fp = w.probe('fp', { kind: 'fprobe', filter: 'a1', entry: 'count' });
  w.at('start', { register: { probe: fp, ips: [a1] } });
  expect(w.build().timeline).toEqual([{ at: 'start', register: { probe: 'fp', ips: ['a1'] } }]);
});

/** What `register` returns, three times in a row: the first time for want of memory. */
function afterRefusal(profile: string, kind: string): readonly number[] {
  const model = {
    name: 'refused',
    machine: { cpus: 1, fail_alloc: [kind] },
    functions: FUNCTIONS,
    probes: { fp: { kind: 'fprobe', filter: 'a*', entry: 'count', exit: 'count' } },
    timeline: [
      { at: 'start', register: 'fp' },
      { at: { step: 1000 }, register: 'fp' },
      { at: { step: 8000 }, unregister: 'fp' },
      { at: { step: 16_000 }, register: 'fp' },
    ],
  };
  const { plan } = prepareModel(model, {}, 'test');
  let failures = 0;
  const chooser: Chooser = {
    choose: (point) => (point.kind === CHOICE.alloc && failures++ === 0 ? 1 : 0),
  };
  const session = openSession(plan, { profile, variants: [] }, chooser);
  while (session.tick());
  expect(session.ending).toBe('run_end');
  const events = [...session.log.events(0, session.log.count)];
  return events.flatMap((e) => (e.event === 'ctl_end' ? [e.result] : []));
}

test.each(['v6.12', 'v6.1', 'v5.18'])(
  '%s: who was refused is registered like a new one (FP-21)',
  (profile) => {
    expect(afterRefusal(profile, 'rethook')).toEqual([-12, 0, 0, 0]);
    expect(afterRefusal(profile, 'rethook_node')).toEqual([-12, 0, 0, 0]);
  },
);

test.each(['today', 'v6.18', 'v6.14'])('%s: who was refused can be registered', (profile) => {
  expect(afterRefusal(profile, 'fprobe_ip_table')).toEqual([-12, 0, 0, 0]);
});

/** How often an fprobe, whose entry handler calls what it hooks, was missed: in each of two lives. */
function missesOf(profile: string, flags: readonly string[]): readonly (number | bigint)[] {
  const model = {
    name: 'flagged',
    machine: { cpus: 1 },
    functions: { a1: { body: ['work 2'] }, life: { body: ['call a1', 'sleep 5000'] } },
    callbacks: { again: { body: ['call a1'] } },
    tasks: { t: { cpu: 0, run: 'life', times: 6 } },
    probes: { fp: { kind: 'fprobe', filter: 'a1', entry: 'again', ops_flags: flags } },
    timeline: [
      { at: 'start', register: 'fp' },
      { at: { step: 10_000 }, unregister: 'fp' },
      { at: { step: 16_000 }, register: 'fp' },
    ],
  };
  const { plan } = prepareModel(model, {}, 'test');
  const session = openSession(plan, { profile, variants: [] }, calmChooser);
  while (session.tick());
  const events = [...session.log.events(0, session.log.count)];
  const again = events.findLastIndex((e) => e.event === 'ctl_begin' && e.op === 'register_fprobe');
  const misses = (all: typeof events): number =>
    all.filter((e) => e.event === 'count' && e.new > e.old).length;
  return [misses(events.slice(0, again)), misses(events.slice(again))];
}

test.each(['v6.12', 'v6.1'])(
  '%s: FP-20: with RECURSION in ops_flags the third level is refused before the fprobe hears of it, in each life',
  (profile) => {
    const [first, second] = missesOf(profile, []);
    expect([Number(first) > 0, Number(second) > 0]).toEqual([true, true]);
    expect(missesOf(profile, ['RECURSION'])).toEqual([0, 0]);
    // The assist function looks after both (FT-54).
    expect(missesOf(profile, ['RCU'])).toEqual([0, 0]);
  },
);

test('there is no ops in an fprobe since v6.14', () => {
  expect(() => missesOf('today', ['RECURSION'])).toThrow(
    'probe fp: ops_flags: profile today has no fp->ops, which went with v6.14',
  );
});
