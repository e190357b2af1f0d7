import { expect, test } from 'vitest';
import { fromYaml } from '../api/yaml.ts';
import { defineHandler, defineTask, type Handler } from '../handler.ts';
import type { Reference } from './build-reference.ts';
import { workload, type WorkloadBuilder } from './build.ts';
import { toYaml } from './to-yaml.ts';

/** Lines of the error, each without the folder of this file. */
function errors(work: () => unknown): readonly string[] {
  expect(work).toThrow(expect.objectContaining({ name: 'InputError' }));
  try {
    work();
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    return message.split('\n').map((line) => line.replace(/^\S*\//u, ''));
  }
  return [];
}

/** The line of this file that calls `lineHere`, some lines above. */
function lineHere(): number {
  const place = /build\.test\.ts:(\d+):\d+/u.exec(
    (new Error('here').stack ?? '').split('\n')[2] ?? '',
  );
  return Number(place?.[1]);
}

function small(): WorkloadBuilder {
  const w = workload('small', { cpus: 1 });
  w.function('vfs_open', (f) => [f.work(4)]);
  return w;
}

test('what is not said is not there', () => {
  expect(workload('nothing', { cpus: 1 }).build()).toEqual({
    name: 'nothing',
    machine: { cpus: 1 },
  });
});

test('a body may call what is defined later, and itself', () => {
  const w = workload('mutual', { cpus: 1 });
  const first: Reference<'function'> = w.function('first', (f) => [f.call(second), f.call(first)]);
  const second = w.function('second', () => ['call first']);
  expect(w.build().functions).toEqual({
    first: { body: ['call second', 'call first'] },
    second: { body: ['call first'] },
  });
});

test('what a compiler would have seen is seen, with file, line and column of the call', () => {
  const w = workload('mistakes', { cpus: 1 });
  const line = lineHere();
  w.task('far', { cpu: 3, run: w.function('f', (f) => [f.work(-1)]) });
  w.at('start', {
    register: workload('other', { cpus: 1 }).probe('ops', { kind: 'ftrace', callback: 'count' }),
  });
  const found = errors(() => w.build());
  expect(found).toEqual([
    `build.test.ts:${line + 1}:34: functions.f.body[0]: expected 'work 4' with a whole number from 0 to 1000, found '-1'`,
  ]);
});

test('names that do not agree are told with the nearest one, in the order of the calls', () => {
  const w = small();
  const line = lineHere();
  const ops = w.probe('ops', { kind: 'ftrace', filter: 'vfs_opn', callback: 'count' });
  w.at('start', { register: ops }).at('start', {
    set_filter: { probe: ops, pattern: 'mem_*' },
  });
  w.task('far', { cpu: 3, run: w.external('vfs_read') });
  expect(errors(() => w.build())).toEqual([
    `build.test.ts:${line + 1}:17: probes.ops.filter: the pattern 'vfs_opn' matches no traceable function, did you mean 'vfs_open'?`,
    `build.test.ts:${line + 2}:36: timeline[1].set_filter.pattern: the pattern 'mem_*' matches no traceable function`,
    `build.test.ts:${line + 5}:5: tasks.far.cpu: expected CPU 0, found 3`,
    `build.test.ts:${line + 5}:5: tasks.far.run: unknown function 'vfs_read', expected one of vfs_open`,
  ]);
});

test('a name that is there twice is told at once', () => {
  const w = small();
  const line = lineHere();
  expect(errors(() => w.function('vfs_open', []))).toEqual([
    `build.test.ts:${line + 1}:25: the name 'vfs_open' is there twice in 'functions'`,
  ]);
});

test('two paths of one name are told at once; the same one twice is one', () => {
  const w = small();
  const tick = defineHandler('tick', 1, function* () {});
  w.uses(tick, tick);
  expect(w.handlers).toEqual([tick]);
  expect(errors(() => w.uses(defineHandler('tick', 2, tick.path)))[0]).toMatch(
    /^build\.test\.ts:\d+:\d+: two paths are named 'tick': handler 'tick' \(version 1\), handler 'tick' \(version 2\)$/u,
  );
});

function path(name: string): Handler {
  return defineHandler(name, 7, function* () {});
}

test('paths in TypeScript are found wherever they are named', () => {
  const w = small();
  const [a, b, c, d, e] = [path('a'), path('b'), path('c'), path('d'), path('e')];
  const pump = defineTask('pump', 2, function* () {});
  w.task('pump', { cpu: 0, run: pump });
  w.function('calls', (f) => [f.call(a)]);
  w.irq('tick', { run: b });
  w.timer('clock', { run: c, cpu: 0, first: 5 });
  w.probe('ops', { kind: 'ftrace', callback: d });
  w.on({ enter: e }, { irq: { run: a } });
  expect(w.build().typescript).toEqual({ pump: 2, a: 7, b: 7, c: 7, d: 7, e: 7 });
  expect(w.handlers.map(({ name }) => name).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e', 'pump']);
});

test('a caller in JavaScript may hand over undefined for what it does not say', () => {
  const w = small();
  const unsaid: Record<string, unknown> = { run: w.external('vfs_open'), inject: undefined };
  w.irq('tick', unsaid as unknown as Parameters<typeof w.irq>[1]);
  expect(w.build().handlers).toEqual({ tick: { irq: 'vfs_open' } });
});

test('kprobes and kretprobes, alone and together', () => {
  const w = workload('kprobes', { cpus: 1 });
  const open = w.function('vfs_open', (f) => [f.work(4)]);
  const away = w.callback('away', (f) => [f.redirect(open), f.return(1)]);
  w.function('entry_code', [], { nokprobe: true });
  const p = w.probe('p', { kind: 'kprobe', addr: open, offset: 8, pre: away, post: 'count' });
  const q = w.probe('q', { kind: 'kprobe', symbol: open, offset: 8, pre: 'count' });
  const r = w.probe('r', { kind: 'kretprobe', symbol: 'vfs_open', handler: 'count', maxactive: 1 });
  w.at('start', { register: [p, q] }).at('start', { register: r });
  w.on({ enter: q.pre }, { disable: p }).on({ return: r.handler }, { kprobes_enabled: 0 });
  w.expect({ counter: p.post, is: 0 }, { counter: r.nmissed, is: 0 }, { counter: r.kp, is: 0 });
  expect(w.build()).toMatchObject({
    functions: { entry_code: { nokprobe: true } },
    probes: {
      p: { kind: 'kprobe', addr: 'vfs_open', offset: 8, pre: 'away', post: 'count' },
      q: { symbol: 'vfs_open' },
      r: { kind: 'kretprobe', handler: 'count', maxactive: 1 },
    },
    timeline: [
      { register: ['p', 'q'] },
      { register: 'r' },
      { on: { enter: 'q.pre' }, disable: 'p' },
      { on: { return: 'r.handler' }, kprobes_enabled: 0 },
    ],
    expect: [{ counter: 'p.post' }, { counter: 'r.nmissed' }, { counter: 'r.kp.nmissed' }],
  });
});

test('building twice gives the same, and what comes later joins in', () => {
  const w = small();
  expect(w.build()).toEqual(w.build());
  w.data('hits', 8);
  expect(fromYaml(toYaml(w.build()))).toEqual({ ...small().build(), data: { hits: 8 } });
});
