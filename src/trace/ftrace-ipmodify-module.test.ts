// IPMODIFY and modules: claims go with the functions of a module, and a redirect may lead to where nothing is any more
// (FT-45, FT-49, CC-G15, CC-S20).
import { expect, test } from 'vitest';
import { known } from '../assert.ts';
import { calmChooser } from '../emu/choose.ts';
import { EventLog } from '../replay/event-log.ts';
import { judgeEvents } from '../replay/guarantee/index.ts';
import { Session } from '../replay/session.ts';
import { check } from '../replay/workload/check.ts';
import { makePlan } from '../replay/workload/make-plan.ts';
import { parseWorkload } from '../replay/workload/parse.ts';
import { EBUSY } from './errno.ts';
import { PROFILE_TODAY } from './profile.ts';

/** The exit function calls mod_a, and use_a does in a task. */
const WORKLOAD = `
name: claims
machine: { cpus: 1 }
modules: { mod: { exit: mod_exit } , other: {} }
functions:
  mod_exit: { module: mod, body: [call mod_a], notrace: true }
  mod_a: { module: mod, body: [work 1] }
  other_a: { module: other, body: [work 1] }
  core_a: { body: [work 1] }
  patched: { body: [work 1], notrace: true }
callbacks:
  patch: { body: [redirect patched] }
  leave: { body: [redirect other_a] }
probes:
  a: { kind: ftrace, filter: core_a, callback: patch, flags: [SAVE_REGS, IPMODIFY] }
  b: { kind: ftrace, filter: core_a, callback: patch, flags: [SAVE_REGS, IPMODIFY] }
  c: { kind: ftrace, filter: core_a, callback: leave, flags: [SAVE_REGS, IPMODIFY] }
timeline:
`;

/** The filters of the three probes are set first. */
const FIRST_FILTERS = 3;

interface Run {
  readonly ending: string | undefined;
  /** What the operations returned, in order. */
  readonly results: readonly number[];
  /** For whom callbacks ran, in order. */
  readonly called: readonly string[];
  /** `a+mod_a`: a has claimed it; `a-mod_a`: no longer. */
  readonly claims: readonly string[];
  readonly entered: readonly string[];
  readonly broken: readonly string[];
}

/** Performs the operations one after the other, calmly. */
function run(...operations: readonly string[]): Run {
  const yaml = WORKLOAD + operations.map((line) => `  - { at: start, ${line} }\n`).join('');
  const { workload, positions } = parseWorkload(yaml, 'claims.yaml');
  check(workload, positions);
  const log = new EventLog();
  const session = new Session(makePlan(workload), {
    chooser: calmChooser,
    profile: PROFILE_TODAY,
    variants: [],
    log,
  });
  while (session.tick());
  const events = [...log.events()];
  const probes = new Map(events.flatMap((e) => (e.event === 'object' ? [[e.object, e.name]] : [])));
  const named = (object: number): string => known(probes.get(object), 'it has a name');
  const symbols = events.flatMap((e) => (e.event === 'symbol' ? [e] : []));
  const nameAt = (at: number): string =>
    symbols.find(({ address, site }) => address === at || site === at)?.name ?? `${at}`;
  return {
    ending: session.ending,
    results: session.results.slice(FIRST_FILTERS).map(({ found }) => found),
    called: events.flatMap((e) => (e.event === 'cb_begin' ? [named(e.object)] : [])),
    claims: events.flatMap((e) =>
      e.event === 'ipmodify' ? [`${named(e.object)}${e.claimed ? '+' : '-'}${nameAt(e.ip)}`] : [],
    ),
    entered: events.flatMap((e) => (e.event === 'func_enter' ? [nameAt(e.func)] : [])),
    broken: judgeEvents(log.events()).flatMap(({ verdict }) =>
      verdict.status === 'broken' ? [verdict.why] : [],
    ),
  };
}

const LOAD = 'init_module: mod';
const UNLOAD = 'delete_module: mod';
const takes = (probe: string): string =>
  `set_filter: { probe: ${probe}, pattern: mod_a, reset: true }`;
const register = (probe: string): string => `register: ${probe}`;
const unregister = (probe: string): string => `unregister: ${probe}`;
const RELOADED = [LOAD, takes('a'), register('a'), UNLOAD, LOAD] as const;

test('a function of a module that comes back is unclaimed, and not hooked, though the filter has its address (FT-45, FT-49)', () => {
  const done = run(...RELOADED, UNLOAD, unregister('a'));
  expect(done.claims).toEqual(['a+mod_a']);
  expect(done.called).toEqual(['a']); // In the first exit.
  expect(done.results).toEqual([0, 0, 0, 0, 0, 0, 0]);
  expect(done.broken).toEqual([]);
});

test('whoever comes first claims it then, and nobody else takes that from him (FT-45, CC-G15)', () => {
  const taken = [...RELOADED, takes('b'), register('b')];
  const again = [takes('a'), unregister('a'), register('a')];
  const done = run(...taken, ...again, UNLOAD, unregister('b'));
  expect(done.results.slice(RELOADED.length)).toEqual([0, 0, -EBUSY, 0, -EBUSY, 0, 0]);
  expect(done.claims).toEqual(['a+mod_a', 'b+mod_a']);
  expect(done.called).toEqual(['a', 'b']);
  expect(done.broken).toEqual([]);
});

test.each([
  ['a filter change', [takes('a')]],
  ['a registration', [unregister('a'), register('a')]],
] as const)('%s claims it again, and hooks it (FT-45)', (_what, operations) => {
  const done = run(...RELOADED, ...operations, takes('b'), register('b'), UNLOAD, unregister('a'));
  expect(done.results.slice(-4)).toEqual([0, -EBUSY, 0, 0]);
  expect(done.claims).toEqual(['a+mod_a', 'a+mod_a']);
  expect(done.called).toEqual(['a', 'a']);
  expect(done.broken).toEqual([]);
});

test('a redirect leads to a function of another module, and to a fault when that is gone (FT-45, CC-S20.6)', () => {
  const before = ['init_module: other', LOAD, takes('c'), register('c')];
  const there = run(...before, UNLOAD);
  expect([there.ending, there.called, there.entered]).toEqual([
    'run_end',
    ['c'],
    ['mod_exit', 'mod_a', 'leave', 'other_a'],
  ]);
  const gone = run(...before, 'delete_module: other', UNLOAD);
  expect([gone.ending, gone.called]).toEqual(['oops', ['c']]);
});
