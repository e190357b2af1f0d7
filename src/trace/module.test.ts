// Modules that come and go, without a compiler: their call sites, their text, and who is waited for (CC-S20).
import { expect, test } from 'vitest';
import { known } from '../assert.ts';
import { calmChooser, CHOICE, type Chooser } from '../emu/choose.ts';
import { functionsNamed } from '../emu/image.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { EventLog } from '../replay/event-log.ts';
import { judgeEvents } from '../replay/guarantee/index.ts';
import type { Verdict } from '../replay/guarantee/judge.ts';
import type { Event, EventName } from '../replay/schema.ts';
import { Session } from '../replay/session.ts';
import { check } from '../replay/workload/check.ts';
import { makePlan } from '../replay/workload/make-plan.ts';
import { parseWorkload } from '../replay/workload/parse.ts';
import { ftraceLocation } from './ftrace-record.ts';
import { PROFILE_TODAY } from './profile.ts';
import type { Variant } from './variants/variant.ts';
import { VARIANTS } from './variants/variants.ts';

/** As `victim.ko` of golden/truth: its init and exit functions call victim_fn. */
const VICTIM = `
name: module
machine: { cpus: 2 }
data: { gate: 8 }
modules: { victim: { init: victim_init, exit: victim_exit } }
functions:
  victim_init: { module: victim, body: [call victim_fn, store gate 1] }
  victim_exit: { module: victim, body: [store gate 0, call victim_fn] }
  victim_fn: { module: victim, body: [{ loop: 4, body: [call victim_part] }] }
  victim_part: { module: victim, body: [work 1] }
  failing_fn: { module: failing, body: [return -12] }
  use: { body: [rcu_read_lock, { if: gate, body: [call victim_fn] }, rcu_read_unlock] }
  do_use: { body: [call use, sleep 10] }
  call_victim: { body: [call victim_fn] }
probes:
  ops: { kind: ftrace, callback: count }
`;
const FAILING = VICTIM.replace('modules: {', 'modules: { failing: { init: failing_fn },');

const USUAL = VICTIM.replace(/^.*failing_fn.*\n/mu, '');
const FAILING_CHOOSER: Chooser = { choose: (point) => (point.kind === CHOICE.alloc ? 1 : 0) };

interface Run {
  readonly session: Session;
  /** What the timeline's operations returned, in order. */
  readonly results: readonly number[];
  readonly events: <N extends EventName>(name: N) => Extract<Event, { event: N }>[];
  readonly verdict: (name: string) => Verdict;
  readonly address: (name: string) => number;
}

interface Settings {
  readonly tasks?: string;
  readonly yaml?: string;
  readonly variants?: readonly Variant[];
  /** No module finds memory. */
  readonly short?: boolean;
}

/** Runs the lines of a timeline, calmly. */
function run(
  timeline: readonly string[],
  { tasks = '', yaml = USUAL, variants = [], short = false }: Settings = {},
): Run {
  const items = timeline.map((line) => `  - { ${line} }\n`).join('');
  const text = `${short ? yaml.replace('cpus: 2', 'cpus: 2, fail_alloc: [module]') : yaml}tasks:\n${tasks}  other: { cpu: 1 }\ntimeline:\n${items}`;
  const { workload, positions } = parseWorkload(text, 'module.yaml');
  check(workload, positions);
  const log = new EventLog();
  const plan = makePlan(workload);
  const session = new Session(plan, {
    chooser: short ? FAILING_CHOOSER : calmChooser,
    profile: PROFILE_TODAY,
    variants,
    log,
  });
  while (session.tick());
  const events = [...log.events()];
  const judged = judgeEvents(log.events());
  return {
    session,
    results: session.results.map(({ found }) => found),
    events: <N extends EventName>(name: N): Extract<Event, { event: N }>[] =>
      events.filter((e): e is Extract<Event, { event: N }> => e.event === name),
    verdict: (name) => known(judged.find((j) => j.guarantee.name === name)?.verdict, name),
    address: (name) => known(functionsNamed(session.image, name)[0]?.address, name),
  };
}

/** How many callbacks ran within the nth operation of this name. */
function within({ events }: Run, op: string, nth: number): number {
  const begin = events('ctl_begin').filter((e) => e.op === op)[nth]?.index ?? Infinity;
  const end = events('ctl_end').filter((e) => e.op === op)[nth]?.index ?? -1;
  return events('cb_begin').filter(({ index }) => index > begin && index < end).length;
}

const LOAD = 'at: start, init_module: victim';
const UNLOAD = 'at: start, delete_module: victim';
const FILTER = 'at: start, set_filter: { probe: ops, pattern: victim_fn }';
const REGISTER = 'at: start, register: ops';
const UNREGISTER = 'at: end, unregister: ops';
const USER = '  user: { cpu: 1, run: do_use, times: 40 }\n';

test('F17: a filter outlives the module that it names, which is hooked again from its init on (FT-49)', () => {
  const done = run([FILTER, LOAD, FILTER, REGISTER, UNLOAD, LOAD, UNLOAD, UNREGISTER]);
  expect(done.results).toEqual([-22, 0, 0, 0, 0, 0, 0, 0]);
  expect([0, 1].map((nth) => within(done, 'delete_module', nth))).toEqual([1, 1]);
  expect([0, 1].map((nth) => within(done, 'init_module', nth))).toEqual([0, 1]);
  expect(done.verdict('quiescence')).toMatchObject({ status: 'held' });
});

test('sites of two instructions come and go with a module as well (FT-12, FT-49)', () => {
  const yaml = USUAL.replace('cpus: 2', 'cpus: 2, patching: stopMachine');
  const settings = { yaml, tasks: USER };
  const leave = 'at: start, unregister: ops';
  const timeline = [LOAD, FILTER, REGISTER, UNLOAD, LOAD, UNLOAD, LOAD, leave, UNLOAD];
  const done = run(timeline, settings);
  expect(done.results).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect([0, 1].map((nth) => within(done, 'delete_module', nth) > 0)).toEqual([true, true]);
  expect(within(done, 'init_module', 1)).toBeGreaterThan(0);
  const site = known(done.events('symbol').find((e) => e.name === 'victim_fn')?.site, 'its site');
  expect(done.events('text_pair').filter(({ ip }) => ip === site)).toHaveLength(4);
  expect(done.events('oops')).toEqual([]);
  for (const name of ['quiescence', 'text', 'memory', 'return']) {
    expect(done.verdict(name).status).not.toBe('broken');
  }
});

test('an ops without a filter hooks all that comes with a module, the init function too (FT-2, FT-37)', () => {
  const done = run([REGISTER, LOAD, UNLOAD, UNREGISTER]);
  expect(within(done, 'init_module', 0)).toBe(6); // init, fn and four times part.
  expect(within(done, 'delete_module', 0)).toBe(6);
});

test('nothing of a module is hooked for an ops that excludes it (FT-36)', () => {
  const exclude = 'at: start, set_notrace: { probe: ops, pattern: "victim_*" }';
  const done = run([LOAD, exclude, UNLOAD, REGISTER, LOAD, UNLOAD, UNREGISTER]);
  expect(done.results).toEqual([0, 0, 0, 0, 0, 0, 0]);
  expect(done.events('cb_begin')).toEqual([]);
});

test('from records dropped on, no filter finds the module: by name, by address, by number (CC-S20.4)', () => {
  const byName = FILTER;
  const byAddress = 'at: start, set_filter_ip: { probe: ops, function: victim_fn }';
  const byNumber = 'at: start, set_filter: { probe: ops, pattern: "7" }';
  const ways = [byName, byAddress, byNumber];
  const { results } = run([...ways, LOAD, ...ways, UNLOAD, ...ways]);
  const refused = [-22, -22, -22];
  expect(results).toEqual([...refused, 0, 0, 0, 0, 0, ...refused]);
});

test('state GOING, exit, records dropped, CC-M10, text freed: in this order (CC-S20.1, CC-S20.4, CC-S20.5, CC-S20.6)', () => {
  const { events } = run([LOAD, UNLOAD]);
  const order = [
    'ctl_begin',
    'func_enter',
    'symbol_gone',
    'wait_begin',
    'wait_end',
    'free',
  ] as const;
  const places = order.map((name) => events(name).at(-1)?.index ?? -1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places).not.toContain(-1);
});

const GOING = 'on: { enter: victim_part, cpu: 1, nth: 30 }, delete_module: victim, expect: 0';

test('who is in the module within a read section is waited for, hooked or not (CC-S20.5, CC-M10)', () => {
  const done = run([LOAD, REGISTER, GOING, UNREGISTER], { tasks: USER });
  expect(done.results).toEqual([0, 0, 0, 0]);
  const gone = known(done.events('symbol_gone')[0], 'the records went').index;
  const freed = known(
    done.events('free').find(({ index }) => index > gone),
    'text goes',
  ).index;
  const user = known(
    done.events('func_enter').find(({ cpu }) => cpu === 1),
    'user runs',
  ).pid;
  const left = done
    .events('func_return')
    .find(
      ({ func, index, pid }) => pid === user && index > gone && func === done.address('victim_fn'),
    );
  expect(left?.index).toBeLessThan(freed);
  expect(done.verdict('memory')).toMatchObject({ status: 'held' });
  expect(done.verdict('arguments')).toMatchObject({ status: 'held' });
});

test('without that wait somebody runs into poison, and memory says so (H-34)', () => {
  const done = run([LOAD, REGISTER, GOING, UNREGISTER], {
    tasks: USER,
    variants: [known(VARIANTS.get('H-34'), 'H-34')],
  });
  expect(done.session.ending).toBe('oops');
  expect(done.events('oops')).toMatchObject([{ reason: 'poison', cpu: 1 }]);
  expect(done.verdict('memory')).toMatchObject({
    status: 'broken',
    why: expect.stringMatching(
      /^module \d+ \(generation 1\) was used .* after its free/u,
    ) as string,
  });
});

test('a call into a module that went is an oops, and so is one into a module that never came (CC-S20.6)', () => {
  const tasks = '  careless: { cpu: 1, run: call_victim }\n';
  const never = run([UNREGISTER], { tasks });
  expect(never.events('oops')).toHaveLength(1);
  const late = 'at: { step: 2000, cpu: 1 }, irq: { run: call_victim }, cpu: 1';
  const gone = run([LOAD, UNLOAD, late]);
  expect(gone.events('oops')).toMatchObject([{ reason: 'poison', pc: gone.address('victim_fn') }]);
});

test('an init function that fails leaves nothing behind, and is waited for as well (CC-S20.4, CC-S20.5, CC-S20.6)', () => {
  const fail = 'at: start, init_module: failing';
  const done = run([REGISTER, fail, fail, UNREGISTER], { yaml: FAILING });
  expect(done.results).toEqual([0, -12, -12, 0]);
  expect(done.events('cb_begin').length).toBeGreaterThanOrEqual(2);
  expect(done.events('symbol_gone')).toHaveLength(2);
  expect(done.events('alloc').filter(({ kind }) => kind === 'module')).toMatchObject([
    { generation: 1 },
    { generation: 2 },
  ]);
  expect(done.verdict('quiescence')).toMatchObject({ status: 'held' });
});

test('a module without memory for its text does not come, and nothing of it is seen (FT-49)', () => {
  const done = run([REGISTER, LOAD, LOAD, UNREGISTER], { short: true });
  expect(done.results).toEqual([0, -12, -12, 0]);
  expect(done.events('symbol_gone')).toEqual([]);
  expect(done.events('cb_begin')).toEqual([]);
});

const DIES: Variant = {
  id: 'dies',
  about: 'ftrace dies while the module is loaded (FT-11)',
  links: {
    *ftraceModuleEnable(cx, k, { image }) {
      yield* mutexLock(cx, k.ftrace.ftraceLock);
      k.fn.ftraceBug(cx, k, known(image.functions[0], 'a module has functions').site);
      yield* mutexUnlock(cx, k.ftrace.ftraceLock);
    },
  },
};

test('a dead ftrace drops the records of a module that goes, too (H-35, CC-S20.4)', () => {
  const loaded = run([LOAD], { variants: [DIES] });
  expect(ftraceLocation(loaded.session.kernel, loaded.address('victim_fn'))).toBeDefined();
  const gone = run([LOAD, UNLOAD], { variants: [DIES] });
  expect(gone.results).toEqual([0, 0]);
  expect(ftraceLocation(gone.session.kernel, gone.address('victim_fn'))).toBeUndefined();
});

test('a dead ftrace hooks nothing of a module that comes (FT-11)', () => {
  const done = run([REGISTER, LOAD], { variants: [DIES] });
  expect(done.events('cb_begin')).toEqual([]);
  expect(done.events('kill')).toHaveLength(1);
});
