// The generator of random workloads keeps its promises: what it makes is valid, small, survives the way
// through YAML, and has the features of CC-X2 often enough.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assert } from '../src/assert.ts';
import { check } from '../src/replay/workload/check.ts';
import { makePlan } from '../src/replay/workload/make-plan.ts';
import type { FtraceProbeModel, OpsFlag } from '../src/replay/workload/model-ftrace.ts';
import type { ProbeModel, Workload } from '../src/replay/workload/model.ts';
import { parseWorkload } from '../src/replay/workload/parse.ts';
import { matches } from '../src/replay/workload/pattern.ts';
import { toYaml } from '../src/replay/workload/to-yaml.ts';
import { workloadArbitrary, workloadsWith } from './workloads.ts';

test('every random workload is valid and survives the way through YAML', () => {
  fc.assert(
    fc.property(workloadArbitrary, (workload) => {
      const parsed = parseWorkload(toYaml(workload), 'random.yaml');
      expect(parsed.workload).toEqual(workload);
      check(parsed.workload, parsed.positions);
      // What was read has the key order of the schema: from there on the text is the same, too.
      const text = toYaml(parsed.workload);
      expect(toYaml(parseWorkload(text, 'again.yaml').workload)).toBe(text);
    }),
    { numRuns: 150 },
  );
}, 30_000);

test('every random workload has a plan that is plain data and of bounded size', () => {
  fc.assert(
    fc.property(workloadArbitrary, (workload) => {
      const plan = makePlan(workload);
      expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
      expect(plan.tasks.length).toBeLessThanOrEqual(9);
      expect(plan.timeline.length).toBeLessThanOrEqual(48);
      expect(plan.timeline).toHaveLength(workload.timeline?.length ?? 0);
    }),
  );
});

function ftraceProbe(probe: ProbeModel): FtraceProbeModel {
  assert(probe.kind === 'ftrace', 'these are workloads of ftrace properties');
  return probe;
}

function flagsOf(probe: ProbeModel): readonly OpsFlag[] {
  return ftraceProbe(probe).flags ?? [];
}

/** Every probe's selection at registration, by FT-36. */
function selections(workload: Workload): Set<string>[] {
  const names = Object.entries(workload.functions ?? {})
    .filter(([, fn]) => fn.notrace !== true)
    .map(([name, { symbol }]) => symbol ?? name);
  const union = (patterns: string | readonly string[] | undefined): Set<string> =>
    new Set(
      (typeof patterns === 'string' ? [patterns] : (patterns ?? []))
        .filter((pattern) => !pattern.startsWith('!'))
        .flatMap((pattern) => matches(pattern, names).map((index) => names[index] ?? '')),
    );
  return Object.values(workload.probes ?? {}).map((probe) => {
    const { filter, notrace } = ftraceProbe(probe);
    const wanted = union(filter);
    const refused = union(notrace);
    return new Set(
      names.filter((name) => (wanted.size === 0 || wanted.has(name)) && !refused.has(name)),
    );
  });
}

const FEATURES: Record<string, (workload: Workload) => boolean> = {
  'hooked code in the idle task': ({ idle }) => idle !== undefined,
  'two tasks on a CPU': ({ tasks }) => {
    const cpus = Object.values(tasks ?? {}).flatMap(({ cpu, run }) =>
      run === undefined ? [] : [cpu],
    );
    return new Set(cpus).size < cpus.length;
  },
  'two probes on one function': (workload) => {
    const [first, second] = selections(workload);
    return [...(first ?? [])].some((name) => second?.has(name) === true);
  },
  'three probes on one function': (workload) => {
    const [first, second, third] = selections(workload);
    return [...(first ?? [])].some(
      (name) => second?.has(name) === true && third?.has(name) === true,
    );
  },
  'a hooked handler': (workload) => {
    const [first] = selections(workload);
    return Object.values(workload.handlers ?? {}).some(
      ({ irq, softirq, nmi }) => first?.has(irq ?? softirq ?? nmi ?? '') === true,
    );
  },
  'a notrace list that excludes something selected': ({ probes }) =>
    Object.values(probes ?? {}).some((probe) => ftraceProbe(probe).notrace !== undefined),
  'a filter swap': ({ timeline }) =>
    (timeline ?? []).some(({ set_filter }) => set_filter?.reset === true),
  'a probe that comes back': ({ timeline }) =>
    (timeline ?? []).filter(({ register }) => register === 'ops0').length > 1,
  'a change by address': ({ timeline }) =>
    (timeline ?? []).some(
      ({ set_filter_ip: one, set_filter_ips: several }) =>
        one !== undefined || several !== undefined,
    ),
  'two functions of one name': ({ functions }) => {
    const names = Object.entries(functions ?? {}).map(([name, { symbol }]) => symbol ?? name);
    return new Set(names).size < names.length;
  },
  'allocations that may fail': ({ machine }) => machine.fail_alloc !== undefined,
  'ftrace_enabled at 0 around an unregister': ({ timeline }) =>
    (timeline ?? []).some(
      ({ unregister }, at, items) =>
        unregister !== undefined &&
        items[at - 1]?.ftrace_enabled === 0 &&
        items[at + 1]?.ftrace_enabled === 1,
    ),
  'an unregister during the run': ({ timeline }) =>
    (timeline ?? []).some(({ unregister }) => unregister !== undefined),
};

test('each feature that the guarantees need is in at least a fifth of the workloads', () => {
  const sample = fc.sample(workloadArbitrary, { numRuns: 300, seed: 1 });
  for (const [feature, has] of Object.entries(FEATURES)) {
    const share = sample.filter((workload) => has(workload)).length / sample.length;
    expect({ feature, enough: share >= 0.2 ? true : share }).toEqual({ feature, enough: true });
  }
});

test('arrays, removal, bad entries, index forms and freed filters are there, too', () => {
  const sample = fc.sample(workloadsWith({ ends: true }), { numRuns: 300, seed: 1 });
  const items = sample.flatMap(({ timeline }) => timeline ?? []);
  const patterns = new Set(items.flatMap(({ set_filter: one }) => one?.pattern ?? []));
  expect({
    arrays: items.some(({ set_filter_ips: set }) => (set?.functions.length ?? 0) > 1),
    removal: items.some(({ set_filter_ips: set }) => set?.remove === true),
    bad: items.some((item) => item.set_filter_ips !== undefined && item.expect === '-EINVAL'),
    index: ['2', '!2'].every((form) => patterns.has(form)),
    freed: items.some((item) => item.free_filter !== undefined),
  }).toEqual({ arrays: true, removal: true, bad: true, index: true, freed: true });
});

test('machines that cannot save registers are there, with ops that want them all the same', () => {
  const sample = fc.sample(workloadsWith({ flags: 'drawn' }), { numRuns: 300, seed: 1 });
  const unable = sample.filter(({ machine }) => machine.regs === false);
  const asking = unable.flatMap(({ probes }) => Object.values(probes ?? {})).map(flagsOf);
  expect(unable.length / sample.length).toBeGreaterThanOrEqual(0.2);
  expect(unable.length / sample.length).toBeLessThanOrEqual(0.3);
  const shares = [true, false].map(
    (supported) =>
      asking.filter(
        (flags) =>
          flags.includes('SAVE_REGS') && flags.includes('SAVE_REGS_IF_SUPPORTED') === supported,
      ).length / asking.length,
  );
  expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.15);
});

test('features that are asked for are there', () => {
  const wanted = workloadsWith({ cpus: 2, probes: 3, idle: true, crowded: true, handlers: 1 });
  fc.assert(
    fc.property(wanted, (workload) => {
      expect(workload.machine.cpus).toBe(2);
      expect(Object.keys(workload.probes ?? {})).toEqual(['ops0', 'ops1', 'ops2']);
      expect(workload.idle).toHaveLength(1);
      expect(
        Object.values(workload.tasks ?? {}).filter(({ run }) => run !== undefined),
      ).toHaveLength(4);
      expect(Object.keys(workload.handlers ?? {}).length).toBeGreaterThan(0);
    }),
  );
  const bare = workloadsWith({ cpus: 1, probes: 1, idle: false, crowded: false });
  fc.assert(
    fc.property(bare, (workload) => {
      expect([workload.machine.cpus, workload.idle]).toEqual([1, undefined]);
    }),
  );
});
