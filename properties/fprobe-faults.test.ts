// What judges of fprobes find, and what they do not take for a fault, in small workloads (CC-O1, CC-O2, CC-O5, CC-O6).
import { expect, test } from 'vitest';
import type { Path } from '../src/emu/path.ts';
import { judgeEvents } from '../src/replay/guarantee/index.ts';
import { startGraphTracing } from '../src/trace/fgraph-register.ts';
import { fgraphReserveData } from '../src/trace/fgraph.ts';
import { registerFprobe, unregisterFprobe } from '../src/trace/fprobe-fgraph.ts';
import { loadNmissed, nmissedAddress } from '../src/trace/fprobe-miss.ts';
import { tablesOf } from '../src/trace/fprobe-table.ts';
import { FTRACE_OPS_FL_RECURSION } from '../src/trace/ftrace-ops-flags.ts';
import type { LinkTable } from '../src/trace/link.ts';
import { rethookRunHandlers } from '../src/trace/rethook-return.ts';
import { rethookAlloc, rethookStop } from '../src/trace/rethook.ts';
import { type FprobeRun, fprobeRun } from './fprobe-faults.ts';
import { smallFprobes } from './small-fprobe.ts';

const WORLD = {
  machine: { cpus: 1 },
  functions: {
    main: { body: ['call vfs_open', 'sleep 20'], notrace: true },
    vfs_open: { body: ['work 2'] },
  },
  tasks: { t: { cpu: 0, run: 'main', times: 4 } },
};
const REGISTER = { at: 'start', register: 'fp0' };

/** An entry handler that leads back to what it hooks. */
const AGAIN = {
  ...WORLD,
  callbacks: { again: { body: ['call vfs_open'] } },
  timeline: [REGISTER],
};
const SHARED = { kind: 'fprobe', syms: ['vfs_open'], entry: 'again', exit: 'count' };

test.each(['today', 'v6.18', 'v6.14', 'v6.12', 'v6.1'])(
  'FP-76: nobody is blamed where a kprobe keeps an entry handler away, in %s',
  (era) => {
    const fp0 = { ...SHARED, flags: ['KPROBE_SHARED'] };
    const { faults, log } = fprobeRun({ era, model: { ...AGAIN, probes: { fp0 } } });
    expect(faults).toEqual([]);
    const reasons = [...log.events()].flatMap((e) => (e.event === 'skip' ? [e.reason] : []));
    expect(reasons).toContain('kprobe_running');
  },
);

test('FP-76: with sharedStrict its exit handler stays away, too', () => {
  const fp0 = { ...SHARED, flags: ['KPROBE_SHARED'] };
  const machine = { cpus: 1, sharedStrict: true };
  const { faults, log } = fprobeRun({
    era: 'today',
    model: { ...AGAIN, machine, probes: { fp0 } },
  });
  expect(faults).toEqual([]);
  expect([...log.events()].filter((e) => e.event === 'fprobe_strict')).toHaveLength(1);
});

/** Two registrations; in the first one the handler's own hits are refused. */
const TWICE = {
  ...AGAIN,
  timeline: [
    REGISTER,
    { at: { step: 500 }, unregister: 'fp0' },
    { at: { step: 1000 }, register: 'fp0' },
  ],
};

test('FP-4: a registration that does not set nmissed to 0', () => {
  const fp0 = { ...SHARED, flags: ['KPROBE_SHARED'] };
  const model = { ...TWICE, probes: { fp0 } };
  expect(fprobeRun({ era: 'today', model }).faults).toEqual([]);
  const planted = fprobeRun({
    era: 'today',
    model,
    links: {
      *registerFprobe(cx, k, fp, target) {
        const store = (value: number): void => {
          cx.make(() => {
            k.machine.memory.store64(nmissedAddress(k, fp), value, 0);
            fp.nmissed.set(value);
          });
        };
        const before = cx.make(() => loadNmissed(k, fp));
        store(0); // What is 0 already is not told.
        const result = yield* registerFprobe(cx, k, fp, target);
        store(before);
        return result;
      },
    },
  });
  expect(planted.says('nmissed')).toMatch(
    /fp0.nmissed is \d+ at the end, but since it was registered it was counted to \d+/u,
  );
});

test('FP-20: nobody is blamed where the ops of an fprobe refuses a hit', () => {
  const m = smallFprobes({
    functions: { f: [{ op: 'work', count: 2 }], g: [{ op: 'work', count: 2 }] },
    callbacks: {
      entry: [
        { op: 'call', target: 'g' },
        { op: 'return', value: 0 },
      ],
    },
  });
  const fp = m.fprobe('A', { exit: null });
  m.machine.memory.store64(fp.address + 8, FTRACE_OPS_FL_RECURSION, 0);
  m.control(function* (cx) {
    yield* m.register(cx, fp, '*');
    yield* m.call(cx, 'f');
  });
  const verdicts = judgeEvents(m.log.events());
  expect(m.events('skip').map(({ reason }) => reason)).toEqual(['recursion']);
  expect(verdicts.filter(({ verdict }) => verdict.status === 'broken')).toEqual([]);
  const counters = verdicts.find(({ guarantee }) => guarantee.name === 'nmissed');
  expect(counters?.verdict).toMatchObject({ status: 'held', parts: { uncounted: 1 } });
});

test('FP-22: a pool of half its size', () => {
  const model = {
    machine: { cpus: 1 },
    functions: {
      main: { body: ['call vfs_open'], notrace: true },
      vfs_open: { body: ['sleep 90'] },
    },
    tasks: { t: { cpu: 0, run: 'main', times: 4 }, u: { cpu: 0, run: 'main', times: 4 } },
    probes: { fp0: { kind: 'fprobe', filter: 'vfs_*', exit: 'count' } },
    timeline: [REGISTER],
  };
  const planted: FprobeRun = {
    era: 'v6.12',
    model,
    links: {
      rethookAlloc: (cx, k, request) =>
        rethookAlloc(cx, k, { ...request, nodes: request.nodes / 2 }),
    },
  };
  expect(fprobeRun({ era: 'v6.12', model }).faults).toEqual([]);
  expect(fprobeRun(planted).says('nmissed')).toMatch(
    /\(no_node\), but nodes of its pool were free/u,
  );
});

/** Functions that call each other, so many deep. */
function chain(depth: number): Readonly<Record<string, object>> {
  const functions: Record<string, object> = { main: { body: ['call vfs_0'], notrace: true } };
  for (let i = 0; i < depth; i++) {
    functions[`vfs_${i}`] = { body: [i + 1 < depth ? `call vfs_${i + 1}` : 'work 1'] };
  }
  return functions;
}

test.each([
  [22, 0],
  [23, 1],
])(
  'FP-70.4, FP-73: %i calls with 15 words of data, %i without room; a stack of 300 words',
  (depth, short) => {
    const model = {
      machine: { cpus: 1 },
      functions: chain(depth),
      tasks: { t: { cpu: 0, run: 'main', times: 2 } },
      probes: { fp0: { kind: 'fprobe', filter: 'vfs_*', exit: 'count', entry_data_size: 120 } },
      timeline: [REGISTER],
    };
    const sound = fprobeRun({ era: 'today', model });
    expect(sound.faults).toEqual([]);
    const misses = [...sound.log.events()].filter((e) => e.event === 'skip');
    expect(misses.length / 2).toBe(short);
    const planted: FprobeRun = {
      era: 'today',
      model,
      links: {
        *fgraphReserveData(cx, k, call, room) {
          if (call.end + room.words + 1 >= 300 - 21) return undefined;
          return yield* fgraphReserveData(cx, k, call, room);
        },
      },
    };
    expect(fprobeRun(planted).says('nmissed')).toMatch(
      /\(no_data\), but the shadow stack had room/u,
    );
  },
);

function* nothing(): Path<void> {
  // What was there stays.
}

/** One fprobe goes and is gone, another one stays. */
const GOES = {
  ...WORLD,
  tasks: { t: { cpu: 0, run: 'main', times: 9 } },
  probes: {
    fp0: { kind: 'fprobe', syms: ['vfs_open'], exit: 'count' },
    fp1: { kind: 'fprobe', syms: ['vfs_open'], exit: 'count' },
  },
  timeline: [REGISTER, { at: 'start', register: 'fp1' }, { at: { step: 600 }, unregister: 'fp0' }],
};

test.each<[string, string, RegExp, Partial<LinkTable>]>([
  ['nodes of the tables', 'today', /the nodes of fp0 lived on/u, { fprobeFreeHlist: nothing }],
  [
    'a rethook',
    'v6.12',
    /the rethook of fp0 lived on/u,
    { rethookFree: (cx, _k, rethook) => rethookStop(cx, rethook) },
  ],
  [
    'the shadow stack of a task that is over',
    'today',
    /\d+ shadow stacks lived, but there were \d+ tasks/u,
    {
      *startGraphTracing(cx, k) {
        const result = yield* startGraphTracing(cx, k);
        k.machine.taskGone = undefined;
        return result;
      },
    },
  ],
])('CC-O11: %s is left while another fprobe goes on', (_what, era, why, links) => {
  expect(fprobeRun({ era, model: GOES }).faults).toEqual([]);
  expect(fprobeRun({ era, model: GOES, links }).says('quiescence')).toMatch(why);
});

test('CC-G16: a rethook of a registration that finds no memory for its nodes', () => {
  const fp0 = { kind: 'fprobe', syms: ['vfs_open'], exit: 'count', entry_data_size: 70_000 };
  const model = { ...WORLD, probes: { fp0 }, timeline: [REGISTER] };
  expect(fprobeRun({ era: 'v6.12', model }).faults).toEqual([]);
  const links = { rethookAllocFailed: nothing };
  expect(fprobeRun({ era: 'v6.12', model, links }).says('quiescence')).toMatch(
    /the rethook of fp0 was kept/u,
  );
});

/** Two fprobes on one function that stay. */
const STAY = { ...GOES, timeline: [REGISTER, { at: 'start', register: 'fp1' }] };

test.each<[string, string, RegExp, Partial<LinkTable>]>([
  [
    'FP-75: a node that stands behind its equals',
    'today',
    /the entry handler of fp1 for vfs_open ran after that of fp0, which had been registered before it/u,
    {
      *registerFprobe(cx, k, fp, target) {
        const result = yield* registerFprobe(cx, k, fp, target);
        cx.make(() => {
          for (const head of tablesOf(k).byIp.values()) {
            const newest = head.value;
            let last = newest?.next.value;
            if (newest === undefined || last === undefined) continue;
            while (last.next.value !== undefined) last = last.next.value;
            head.set(newest.next.value);
            last.next.set(newest);
            newest.next.set(undefined);
          }
        });
        return result;
      },
    },
  ],
  [
    'FP-35: exit handlers in the order of the entries',
    'v6.12',
    /the exit handler of fp1 for vfs_open ran before that of fp0, and not in the reverse order/u,
    {
      rethookRunHandlers: (cx, k, nodes, taken) =>
        rethookRunHandlers(cx, k, nodes.toReversed(), taken),
    },
  ],
])('%s, in %s', (_what, era, why, links) => {
  const probes = {
    fp0: { kind: 'fprobe', syms: ['vfs_open'], entry: 'count', exit: 'count' },
    fp1: { kind: 'fprobe', syms: ['vfs_open'], entry: 'count', exit: 'count' },
  };
  const model = { ...STAY, probes };
  expect(fprobeRun({ era, model }).faults).toEqual([]);
  expect(fprobeRun({ era, model, links }).says('pairing')).toMatch(why);
});

/** The errors that the rules ask for, of an fprobe that is too wide, and of one that comes and goes twice. */
const REFUSED = {
  ...WORLD,
  probes: {
    fp0: { kind: 'fprobe', syms: ['vfs_open'], exit: 'count' },
    wide: { kind: 'fprobe', syms: ['vfs_open'], exit: 'count', entry_data_size: 121 },
  },
  timeline: [
    REGISTER,
    { at: 'start', register: 'wide' },
    { at: 'start', register: 'fp0' },
    { at: { step: 500 }, unregister: 'fp0' },
    { at: { step: 900 }, unregister: 'fp0' },
  ],
};

test.each<[string, RegExp, Partial<LinkTable>]>([
  [
    'a second unregister returns 0',
    /^unregister_fprobe\(fp0\) returned 0 .*, but -EINVAL is right/u,
    {
      *unregisterFprobe(cx, k, fp) {
        yield* unregisterFprobe(cx, k, fp);
        return 0;
      },
    },
  ],
  [
    'a second register returns 0',
    /^register_fprobe_syms\(fp0\) returned 0 .*, but -EEXIST or -E2BIG is right/u,
    {
      *registerFprobe(cx, k, fp, target) {
        const result = yield* registerFprobe(cx, k, fp, target);
        return result === -17 ? 0 : result;
      },
    },
  ],
  [
    'too much data is -EINVAL',
    /^register_fprobe_syms\(wide\) returned -EINVAL .*, but -E2BIG is right/u,
    {
      *registerFprobe(cx, k, fp, target) {
        const result = yield* registerFprobe(cx, k, fp, target);
        return result === -7 ? -22 : result;
      },
    },
  ],
  [
    'too much data is accepted',
    /^register_fprobe_syms\(wide\) returned 0 .*, but -E2BIG is right/u,
    { fprobeDataFits: () => true },
  ],
])('CC-O13: %s', (_what, why, links) => {
  const sound = fprobeRun({ era: 'today', model: REFUSED });
  expect(sound.faults).toEqual([]);
  expect(sound.says('failed-call')).toBe('held');
  expect(fprobeRun({ era: 'today', model: REFUSED, links }).says('failed-call')).toMatch(why);
});

test.each<[string, string, Partial<LinkTable>]>([
  [
    'a hit that the graph hook forgets',
    'today',
    {
      *fprobeFgraphEntry() {
        yield* nothing();
        return false;
      },
    },
  ],
  ['a hit that rethook forgets', 'v6.12', { fprobeHandler: nothing }],
])('FP-5, CC-O2: %s, in %s', (_what, era, links) => {
  const model = { ...GOES, timeline: [REGISTER] };
  const sound = fprobeRun({ era, model });
  expect([sound.faults, sound.says('start')]).toEqual([[], 'held']);
  expect(fprobeRun({ era, model, links }).says('start')).toMatch(
    /^vfs_open returned .* without a handler of fp0, .* and no reason was given/u,
  );
});

test.each(['v6.14', 'v6.18'])(
  'FP-56: %s breaks recursion, too, as FP-71.2 is missing (H-25)',
  (era) => {
    const callbacks = { again: { body: ['call vfs_open'] } };
    const probes = { fp0: { kind: 'fprobe', syms: ['vfs_open'], exit: 'again' } };
    const machine = { cpus: 1, steps_max: 5000 };
    const model = { ...WORLD, machine, callbacks, probes, timeline: [REGISTER] };
    expect(fprobeRun({ era, model }).says('recursion')).not.toMatch(/^(?:held|never exercised)$/u);
    expect(fprobeRun({ era: 'today', model }).faults).toEqual([]);
  },
);
