// oxlint-disable require-yield, typescript/only-throw-error -- paths that make no step, and throw what they like
import { expect, test } from 'vitest';
import { refused, taskOf } from '../../properties/handler-run.ts';
import { known } from '../assert.ts';
import { calmChooser } from '../emu/choose.ts';
import { record, type RecordedRun } from './api/record.ts';
import {
  defineHandler,
  defineTask,
  type Handler,
  type HandlerPath,
  type Task,
  type TaskPath,
} from './handler.ts';
import { openSession, prepareModel } from './prepare.ts';
import { digestOfLog, readRecording } from './recording.ts';
import { replayRecording } from './replay.ts';
import type { Event, EventName, EventOf } from './schema.ts';
import { workload, type WorkloadBuilder } from './workload/build.ts';

const calm = { chooser: 'calm' } as const;

function eventsOf({ bytes }: RecordedRun): readonly Event[] {
  return [...readRecording(bytes).log.events()];
}

function ofKind<N extends EventName>(run: RecordedRun, name: N): readonly EventOf<N>[] {
  return eventsOf(run).filter(({ event }) => event === name) as unknown as readonly EventOf<N>[];
}

function logOf(run: RecordedRun): readonly string[] {
  return ofKind(run, 'printk').map(({ text }) => text);
}

/** What the path said, run calmly. */
function said(path: TaskPath): readonly string[] {
  const run = record(taskOf(path), calm);
  expect(run.ending).toBe('run_end');
  return logOf(run);
}

test('a path reads, writes and adds; what it read before is the value before', () => {
  const lines = said(function* (cx) {
    yield* cx.write('table+8', -5);
    const before = yield* cx.add('table+8', 12);
    const counted = yield* cx.count('hits');
    yield* cx.printk(`${before} ${yield* cx.read('table+8')} ${counted} ${yield* cx.read('hits')}`);
  });
  expect(lines).toEqual(['-5 7 0 1']);
});

test('a text is stored with a NUL behind it', () => {
  const lines = said(function* (cx) {
    yield* cx.write('table', -1);
    yield* cx.writeText('table', 'vfs');
    yield* cx.printk((yield* cx.add('table', 2 ** 32)).toString(16));
    yield* cx.writeText('table+8', '7 bytes');
    yield* cx.printk(String((yield* cx.read('table+8')) > 2 ** 48));
  });
  expect(lines).toEqual(['-ff8c998a', 'true']);
});

test('sums are those of 64 bits, beyond what a number holds', () => {
  const lines = said(function* (cx) {
    yield* cx.write('hits', Number.MAX_SAFE_INTEGER);
    for (let i = 0; i < 3; i++) yield* cx.add('hits', Number.MAX_SAFE_INTEGER);
    for (let i = 0; i < 3; i++) yield* cx.add('hits', -Number.MAX_SAFE_INTEGER);
    yield* cx.printk(String((yield* cx.read('hits')) === Number.MAX_SAFE_INTEGER));
    yield* cx.write('hits', -1);
    yield* cx.printk(String(yield* cx.add('hits', 1)));
    yield* cx.printk(String(yield* cx.read('hits')));
  });
  expect(lines).toEqual(['true', '-1', '0']);
});

test('a path calls functions and kernel symbols, and gets what they return', () => {
  const lines = said(function* (cx) {
    yield* cx.printk(`seven is ${yield* cx.call('seven')}`);
    yield* cx.call('mutex_lock', cx.addressOf('table'));
    yield* cx.call('mutex_unlock', cx.addressOf('table'));
    yield* cx.call('rcu_read_lock');
    yield* cx.call('rcu_read_unlock');
    const made = yield* cx.call('kmalloc', 32, 0);
    yield* cx.call('kfree', made);
    yield* cx.printk(`cpu ${cx.cpu} pid ${cx.pid} ${cx.functionAt(cx.addressOf('seven'))}`);
  });
  expect(lines).toEqual(['seven is 7', 'cpu 0 pid 1 seven']);
});

test('kernel symbols run as for code: locks and allocations are events of the run', () => {
  const run = record(
    taskOf(function* (cx) {
      yield* cx.call('mutex_lock', cx.addressOf('table'));
      yield* cx.call('kfree', yield* cx.call('kmalloc', 32, 0));
      yield* cx.call('mutex_unlock', cx.addressOf('table'));
    }),
    calm,
  );
  const names = new Set<string>(['lock', 'unlock', 'alloc', 'free']);
  const seen = eventsOf(run).map(({ event }) => event);
  expect(seen.filter((event) => names.has(event))).toEqual(['lock', 'alloc', 'free', 'unlock']);
});

test('a path gives its caller an int, and calls others like itself', () => {
  const w = taskOf(function* (cx) {
    yield* cx.printk(`${yield* cx.call('sum', 3, -4)} ${yield* cx.call('none')}`);
  });
  w.uses(
    defineHandler('sum', 1, function* (cx) {
      yield* cx.count('hits');
      return (cx.args[0] ?? 0) + (cx.args[1] ?? 0);
    }),
    defineHandler('none', 1, function* () {}),
  );
  expect(logOf(record(w, calm))).toEqual(['-1 0']);
});

test('a path is a function of the run: its true calls enclose those that it makes', () => {
  const run = record(
    taskOf(function* (cx) {
      yield* cx.call('seven');
      yield* cx.sleep(5);
      yield* cx.printk('late');
    }),
    calm,
  );
  const interesting = eventsOf(run).filter(({ event }) =>
    ['func_enter', 'func_return', 'printk'].includes(event),
  );
  const symbols = new Map(ofKind(run, 'symbol').map(({ address, name }) => [address, name]));
  const told = interesting.map((event) =>
    'func' in event ? `${event.event} ${symbols.get(event.func)}` : event.event,
  );
  expect(told).toEqual([
    'func_enter path',
    'func_enter seven',
    'func_return seven',
    'printk',
    'func_return path',
  ]);
});

test('sleeping gives way to other tasks', () => {
  const w = taskOf(function* (cx) {
    while ((yield* cx.read('hits')) === 0) yield* cx.sleep(10);
    yield* cx.printk('ready');
  });
  const ready = defineTask('ready', 1, function* (cx) {
    yield* cx.sleep(100);
    yield* cx.count('hits');
  });
  w.task('other', { cpu: 0, run: ready });
  expect(logOf(record(w, calm))).toEqual(['ready']);
});

/** A hook whose callback is `path`. */
function hooked(path: HandlerPath, version = 1): WorkloadBuilder {
  const w = workload('hooked', { cpus: 2, seed: 5 });
  w.data('hits', 8);
  const open = w.function('vfs_open', (f) => [f.work(4)]);
  const round = w.function('round', (f) => [f.call(open), f.sleep(20)]);
  for (const cpu of [0, 1]) w.task(`opener${cpu}`, { cpu, run: round, times: 8 });
  w.irq('tick', { run: open, inject: 4 });
  const audit = defineHandler('audit', version, path);
  const ops = w.probe('ops', { kind: 'ftrace', filter: 'vfs_*', callback: audit });
  w.at('start', { register: ops });
  w.at({ step: 300 }, { unregister: ops });
  return w.expect('unregister');
}

const counting: HandlerPath = function* (cx) {
  const seen = yield* cx.read('hits');
  yield* cx.write('hits', seen + 1);
  yield* cx.printk(`${cx.functionAt(cx.args[0] ?? 0)} from ${cx.functionAt(cx.args[1] ?? 0)}`);
};

test('as a callback it gets ip and parent, and the guarantees are judged as for any callback', () => {
  const run = record(hooked(counting));
  expect(new Set(logOf(run))).toContain('vfs_open from round');
  expect(run.expectations).toEqual([{ text: 'unregister holds', met: true, found: 'held' }]);
  expect(ofKind(run, 'cb_begin').length).toBe(logOf(run).length);
  expect(ofKind(run, 'cb_end').length).toBe(logOf(run).length);
});

test('a run with handlers replays bit for bit; the file holds their names and versions', () => {
  const w = hooked(counting, 3);
  const { bytes, digest } = record(w);
  expect(replayRecording(bytes, { handlers: w.handlers })).toMatchObject({
    status: 'identical',
    digest,
  });
  const { model } = readRecording(bytes).header.workload;
  expect(model).toMatchObject({ typescript: { audit: 3 } });
});

/** The digest of a calm run of `w`; with `rewound` each path is taken back and fed again after each of its steps. */
function digestOf(w: WorkloadBuilder, rewound: boolean): string {
  const { plan, handlers } = prepareModel(w.build(), {}, w.positions, w.handlers);
  const linkage = { profile: 'today', variants: [] };
  const session = openSession(plan, linkage, calmChooser, handlers);
  while (session.tick()) {
    for (const { top } of rewound ? session.machine.cpus : []) {
      if (top.top?.kind === 'path') top.rewind(top.top.fed);
    }
  }
  return digestOfLog(session.log);
}

test('a path in TypeScript is rewound by what it was fed, as every path is', () => {
  expect(digestOf(hooked(counting), true)).toBe(digestOf(hooked(counting), false));
});

test('another behaviour under the same version is a divergence, whatever it does', () => {
  const { bytes } = record(hooked(counting));
  const others: readonly HandlerPath[] = [
    function* () {},
    function* (cx) {
      yield* cx.printk('another');
    },
    function* (cx) {
      yield* counting(cx);
      yield* cx.count('hits');
    },
    function* (cx) {
      yield* cx.call('rcu_read_unlock');
    },
    function* () {
      throw new TypeError('broken');
    },
  ];
  for (const path of others) {
    const outcome = replayRecording(bytes, { handlers: [defineHandler('audit', 1, path)] });
    expect(outcome.status).toBe('diverged');
  }
});

test('without the handler, or with another version of it, a replay says what to do', () => {
  const { bytes } = record(hooked(counting));
  expect(refused(() => replayRecording(bytes))).toBe(
    "hooked: typescript.audit: the TypeScript handler 'audit' version 1 is missing, none is given: " +
      'give the module that defines it (--handlers MODULE.js on the command line, `handlers` in a program)',
  );
  const newer = [defineHandler('audit', 2, counting), defineHandler('audit', 4, counting)];
  expect(refused(() => replayRecording(bytes, { handlers: newer }))).toBe(
    "hooked: typescript.audit: expected the TypeScript handler 'audit' version 1, found version 2 and 4: " +
      'give the module as it was at version 1 (--handlers MODULE.js on the command line, `handlers` in a program)',
  );
  const typo = [defineHandler('audt', 1, counting)];
  expect(refused(() => replayRecording(bytes, { handlers: typo }))).toContain(
    "is missing, did you mean 'audt'?, given are audt",
  );
  const both = [...newer, defineHandler('audit', 1, counting)];
  expect(replayRecording(bytes, { handlers: both }).status).toBe('identical');
});

test('two paths of one name and version are refused', () => {
  const doubled = [defineHandler('audit', 1, counting), defineHandler('audit', 1, function* () {})];
  expect(refused(() => record(hooked(counting), { handlers: doubled }))).toBe(
    "handlers: handler 'audit' (version 1) is given twice, with different paths",
  );
  const foreign = [{ name: 'audit' }] as unknown as readonly Handler[];
  expect(refused(() => record(hooked(counting), { handlers: foreign }))).toBe(
    'handlers: expected what defineHandler or defineTask made',
  );
});

/** A task counts without atomic operations; an interrupt that counts too arrives at `step`. */
function raced(step: number): RecordedRun {
  const w = workload('raced', { cpus: 1 });
  const hits = w.data('hits', 8);
  const slowly = defineTask('slowly', 1, function* (cx) {
    const seen = yield* cx.read('hits');
    yield* cx.write('hits', seen + 1);
  });
  const tick = defineHandler('tick', 1, function* (cx) {
    yield* cx.count('hits');
  });
  w.task('t', { cpu: 0, run: slowly });
  w.irq('tick', { run: tick });
  w.at({ step, cpu: 0 }, { irq: w.irq('now', { run: tick }) });
  return record(w.expect({ counter: hits, is: 2 }), calm);
}

test('an interrupt comes between two steps of a path, and only there', () => {
  const runs = Array.from({ length: 30 }, (_, step) => raced(step));
  const lost = runs.filter(({ expectations }) => expectations.some(({ met }) => !met));
  // One boundary lies between the load and the store; the interrupt's count is lost there and nowhere else.
  expect(lost.map(({ expectations }) => known(expectations[0], 'it expects').found)).toEqual(['1']);
});

test('a path that throws is an oops: recorded, replayed, and told', () => {
  const w = taskOf(function* (cx) {
    yield* cx.count('hits');
    throw new RangeError('too deep\nreally');
  });
  const run = record(w, calm);
  expect(run.ending).toBe('oops');
  expect(ofKind(run, 'oops').map(({ reason }) => reason)).toEqual([
    'task path threw RangeError: too deep',
  ]);
  expect(run.thrown).toMatchObject({
    who: "task 'path' (version 1)",
    error: { name: 'RangeError' },
  });
  expect(replayRecording(run.bytes, { handlers: w.handlers }).status).toBe('identical');
});

test('a path that throws at once, or no error at all, is told too', () => {
  const paths: readonly TaskPath[] = [
    () => {
      throw new Error('at once');
    },
    function* () {
      throw 'words';
    },
  ];
  const reasons = paths.flatMap((path) =>
    ofKind(record(taskOf(path), calm), 'oops').map(({ reason }) => reason),
  );
  expect(reasons).toEqual(['task path threw Error: at once', 'task path threw words']);
});

test('misuse of the kernel is an oops, as it is for code', () => {
  const w = workload('asleep', { cpus: 1 });
  const nap: Task = defineTask('nap', 1, function* (cx) {
    yield* cx.sleep(5);
  });
  w.task('t', { cpu: 0, run: w.function('f', (f) => [f.work(200), f.work(200)]), times: 4 });
  w.uses(nap);
  w.timer('clock', {
    run: defineHandler('tick', 1, function* (cx) {
      yield* cx.call('nap');
    }),
    cpu: 0,
    first: 3,
  });
  const run = record(w, calm);
  expect(ofKind(run, 'oops').map(({ reason }) => reason)).toEqual(['scheduling while atomic']);
});

test('what is thrown may throw when it is asked what it is: an oops all the same', () => {
  const mute = Object.defineProperty(new Error('mute'), 'message', {
    get: () => {
      throw new Error('asked');
    },
  });
  const strange = { toString: (): string => mute.message };
  for (const thrown of [mute, strange, Symbol('s'), Object.create(null)]) {
    const run = record(
      taskOf(function* () {
        throw thrown;
      }),
      calm,
    );
    expect(run).toMatchObject({ ending: 'oops' });
    expect(ofKind(run, 'oops')[0]?.reason).toMatch(/^task \w+ threw (?:something that|Symbol)/u);
  }
});
