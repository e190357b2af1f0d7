import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InputError } from '../../assert.ts';
import { NO_ADDRESS } from '../../emu/address.ts';
import { loadElf } from '../../emu/elf.ts';
import { check } from './check.ts';
import { parseWorkload } from './parse.ts';
import { entries, type ImageSymbols, readModule } from './scope.ts';

const golden = new URL('../../../golden/', import.meta.url);

const BASE = `name: a
machine: { cpus: 2, steps_max: 1000 }
data: { counter: 16 }
functions:
  vfs_open: { body: [work 4] }
  vfs_read: { body: [call vfs_open, call kfree, add counter+8 1] }
  helper: { body: [], notrace: true }
`;

/** What is wrong with the base workload and `more`. */
function errors(more: string, image?: ImageSymbols): string[] {
  return refusedIn(BASE + more, image);
}

function refusedIn(text: string, image?: ImageSymbols): string[] {
  const { workload, positions } = parseWorkload(text, 'f.yaml');
  try {
    check(workload, positions, { image });
  } catch (error) {
    if (error instanceof InputError) return error.message.split('\n');
    throw error;
  }
  return [];
}

const PROBE = 'probes:\n  ops0: { kind: ftrace, filter: "vfs_*", callback: count }\n';

function item(text: string, before = ''): string[] {
  return errors(`${PROBE}${before}timeline:\n  - ${text}\n`).map((line) =>
    line.replace(/^[^ ]* /u, ''),
  );
}

function probe(callback: string): string[] {
  return errors(`probes: { p: { kind: ftrace, callback: ${callback} } }`);
}

function counter(name: string): string[] {
  return errors(`${PROBE}expect: [{ counter: ${name}, is: 1 }]\n`);
}

test('every golden workload agrees with itself and with its image', () => {
  for (const name of readdirSync(golden).filter((file) => file.endsWith('.yaml'))) {
    const { workload, positions } = parseWorkload(
      readFileSync(new URL(name, golden), 'utf8'),
      name,
    );
    const image =
      workload.image === undefined
        ? undefined
        : loadElf(readFileSync(new URL(workload.image, golden)), workload.image);
    const modules = new Map(
      entries(workload.modules).flatMap(([module, { image: path }]) =>
        path === undefined
          ? []
          : [[module, readModule(readFileSync(new URL(path, golden)), path)] as const],
      ),
    );
    expect(() => {
      check(workload, positions, { image, modules });
    }).not.toThrow();
    expect(workload.name).toBe(name.replace('.yaml', ''));
  }
});

test('the base workload and one with every kind of name are fine', () => {
  expect(errors('')).toEqual([]);
  expect(
    errors(`${PROBE}tasks: { t: { cpu: 1, run: vfs_read }, c: { cpu: 0 } }
handlers: { tick: { irq: vfs_open, cpu: 1 } }
timeline:
  - { at: start, register: ops0, by: c }
  - { on: { end: register }, irq: tick }
  - { on: { enter: ops0.callback }, nmi: helper }
expect: [{ counter: ops0.count, is: 1 }, { counter: counter+8, is: 1 }]
`),
  ).toEqual([]);
});

test('a CPU that does not exist', () => {
  expect(errors('tasks: { t: { cpu: 2, run: vfs_open } }')).toEqual([
    'f.yaml:8:20: expected a CPU from 0 to 1, found 2',
  ]);
  expect(errors('idle: [{ cpu: 3, run: vfs_open }]')[0]).toMatch(/^f.yaml:8:15: /u);
  expect(errors('handlers: { h: { irq: vfs_open, cpu: 7 } }')).toHaveLength(1);
  expect(item('{ at: { step: 1, cpu: 4 }, register: ops0 }')).toHaveLength(1);
  expect(item('{ on: { enter: vfs_open, cpu: 4 }, register: ops0 }')).toHaveLength(1);
  expect(item('{ at: start, irq: vfs_open, cpu: 4 }')).toHaveLength(1);
});

test('entry code of an interrupt that nobody defines', () => {
  expect(errors('handlers: { h: { irq: vfs_open, entry: vfs_opne } }')).toEqual([
    "f.yaml:8:40: unknown function 'vfs_opne', did you mean 'vfs_open'? expected one of vfs_open, vfs_read, helper",
  ]);
});

test('functions that nobody defines', () => {
  expect(errors('tasks: { t: { cpu: 1, run: vfs_opn } }')).toEqual([
    "f.yaml:8:28: unknown function 'vfs_opn', did you mean 'vfs_open'? expected one of vfs_open, vfs_read, helper",
  ]);
  expect(errors('callbacks: { c: { body: [call kfre] } }')).toEqual([
    "f.yaml:8:26: unknown function 'kfre', did you mean 'kfree'?",
  ]);
  expect(errors('callbacks: { c: { body: [call __return_to_path] } }')).toHaveLength(1);
  expect(errors('callbacks: { c: { body: [call toString] } }')).toHaveLength(1);
});

test('variables that nobody defines, and offsets outside', () => {
  expect(errors('callbacks: { c: { body: [load countr] } }')[0]).toMatch(
    /unknown data 'countr', did you mean 'counter'\?/u,
  );
  expect(errors('callbacks: { c: { body: [load counter+16] } }')[0]).toMatch(
    /an offset into 'counter' from 0 to 8 in steps of 8, found 16$/u,
  );
  expect(errors('callbacks: { c: { body: [load counter+4] } }')).toHaveLength(1);
});

test('modules that have no code, or what is not theirs', () => {
  const part = 'functions: { m_init: { body: [], module: m }, other: { body: [] } }';
  const module = (text: string, functions = part): string[] =>
    refusedIn(`name: w\nmachine: { cpus: 1 }\nmodules: { m: ${text} }\n${functions}\n`);
  expect(module('{ init: m_init }')).toEqual([]);
  expect(module('{ init: m_int }')).toEqual([
    "f.yaml:3:23: unknown function of module 'm' 'm_int', did you mean 'm_init'? expected one of m_init",
  ]);
  expect(module('{ exit: other }')).toHaveLength(1);
  expect(module('{}', 'functions: { f: { body: [] } }')).toEqual([
    "f.yaml:3:12: module 'm' has no code: expected 'image', or functions with 'module: m'",
  ]);
  expect(module('{ params: { a: 1 } }')[0]).toMatch(/'params' belongs to 'image'$/u);
  expect(module('{ image: m.ko, exit: m_exit }')[0]).toMatch(
    /'exit' belongs to modules without 'image'/u,
  );
  expect(module('{}', `${part.slice(0, -2)}, g: { body: [], module: n } }`)).toEqual([
    "f.yaml:4:91: unknown module 'n', did you mean 'm'? expected one of m",
  ]);
});

function besideModule(text: string): string[] {
  return refusedIn(`name: w
machine: { cpus: 1 }
data: { gate: 8 }
modules: { m: {} }
functions: { m_a: { body: [], module: m }, f: { body: [] } }
${text}
`);
}

test('what a line asks for is there, and a filter that is set early finds something', () => {
  expect(besideModule('callbacks: { c: { body: [{ if: gate, body: [call f] }] } }')).toEqual([]);
  expect(besideModule('callbacks: { c: { body: [{ if: gat, body: [call f] }] } }')[0]).toMatch(
    /unknown data 'gat', did you mean 'gate'/u,
  );
  expect(besideModule('probes: { p: { kind: ftrace, filter: "*", callback: count } }')).toEqual([]);
  expect(besideModule('probes: { p: { kind: ftrace, filter: m_*, callback: count } }')).toEqual([
    "f.yaml:6:38: the pattern 'm_*' matches functions of modules only: expected a set_filter after init_module",
  ]);
});

test('names that are taken', () => {
  expect(errors('callbacks: { vfs_open: { body: [] } }')).toEqual([
    "f.yaml:8:14: the name 'vfs_open' is taken: it is defined in 'functions' too",
  ]);
  expect(errors('tasks: { control: { cpu: 0 } }')[0]).toMatch(
    /^f.yaml:8:10: the name 'control' is taken/u,
  );
  expect(errors('idle: [{ cpu: 1, run: helper }, { cpu: 1, run: helper }]')).toEqual([
    'f.yaml:8:40: CPU 1 has an idle function already',
  ]);
});

test('a pattern that matches nothing, unless that is the point', () => {
  expect(errors('probes: { p: { kind: ftrace, filter: kmaloc, callback: count } }')).toEqual([
    "f.yaml:8:38: the pattern 'kmaloc' matches no traceable function",
  ]);
  expect(
    errors('probes: { p: { kind: ftrace, notrace: [x, vfs_opem], callback: count } }'),
  ).toEqual([
    "f.yaml:8:40: the pattern 'x' matches no traceable function",
    "f.yaml:8:43: the pattern 'vfs_opem' matches no traceable function, did you mean 'vfs_open'?",
  ]);
  expect(item('{ at: start, set_filter: { probe: ops0, pattern: helper } }')).toEqual([
    "the pattern 'helper' matches no traceable function ('helper' is notrace)",
  ]);
  expect(item('{ at: start, set_filter: { probe: ops0, pattern: x }, expect: -EINVAL }')).toEqual(
    [],
  );
  expect(item('{ at: start, set_filter: { probe: ops0, pattern: x }, expect: 0 }')).toHaveLength(1);
  expect(item('{ at: start, set_filter: { probe: ops0, pattern: null } }')).toEqual([]);
  expect(item('{ at: start, set_notrace: { probe: ops0, pattern: "3" } }')).toHaveLength(1);
  expect(item('{ at: start, set_notrace: { probe: ops0, pattern: "2" } }')).toEqual([]);
  expect(item('{ at: start, set_filter_ip: { probe: ops0, function: helper } }')).toHaveLength(1);
});

test('callbacks', () => {
  expect(probe('nothing')).toEqual([]);
  expect(probe('cuont')).toEqual([
    "f.yaml:8:40: unknown callback 'cuont', did you mean 'count'? expected one of count, nothing",
  ]);
  expect(probe('vfs_open')[0]).toMatch(/'vfs_open' is a function, expected a callback/u);
});

test('the timeline refers to what exists', () => {
  expect(item('{ at: start, register: ops1 }')).toEqual([
    "unknown probe 'ops1', did you mean 'ops0'? expected one of ops0",
  ]);
  expect(item('{ at: start, unregister: x }')).toHaveLength(1);
  expect(item('{ on: { enter: ops0.calback }, register: ops0 }')[0]).toMatch(
    /did you mean 'ops0.callback'/u,
  );
  expect(item('{ on: { event: text_wirte }, register: ops0 }')).toEqual([
    "unknown event 'text_wirte', did you mean 'text_write'?",
  ]);
  expect(item('{ at: { step: 1001 }, register: ops0 }')).toEqual([
    'expected a step up to 1000, where the run ends (steps_max)',
  ]);
  expect(item('{ at: start, irq: vfs_opn }')).toHaveLength(1);
  expect(item('{ at: start, nmi: { run: vfs_opn } }')).toHaveLength(1);
});

test('a trigger that waits for an operation which nobody does', () => {
  expect(item('{ on: { end: unregister }, register: ops0 }')).toEqual([
    'never fires: no other item of the timeline does unregister',
  ]);
  expect(item('{ on: { end: register }, register: ops0 }')).toHaveLength(1);
  const second =
    '{ on: { end: register, probe: ops0 }, irq: vfs_open }\n  - { at: start, register: ops0 }';
  expect(item(second)).toEqual([]);
});

test('interrupts go to handlers of their kind, on their CPU', () => {
  const handlers =
    'handlers: { tick: { irq: vfs_open, cpu: 1 }, t: { timer: helper, cpu: 0, first: 1 } }\n';
  expect(item('{ at: start, nmi: tick }', handlers)).toEqual([
    "expected a handler of kind nmi, found 'tick' of kind irq",
  ]);
  expect(item('{ at: start, irq: t }', handlers)[0]).toMatch(/found 't' of kind timer$/u);
  expect(item('{ at: start, irq: tick, cpu: 0 }', handlers)).toEqual([
    'expected CPU 1, the only one that takes the handler, found 0',
  ]);
});

test('operations are performed by tasks that run nothing', () => {
  const tasks = 'tasks: { worker: { cpu: 0, run: vfs_open }, second: { cpu: 1 } }\n';
  expect(item('{ at: start, register: ops0, by: worker }', tasks)).toEqual([
    "expected a task without 'run', found 'worker', which runs 'vfs_open'",
  ]);
  expect(item('{ at: start, register: ops0, by: secnd }', tasks)[0]).toMatch(
    /did you mean 'second'\?/u,
  );
});

test('counters', () => {
  expect(counter('ops0.count')).toEqual([]);
  expect(counter('ops0.cuont')[0]).toMatch(
    /^f.yaml:10:21: unknown counter .*did you mean 'ops0.count'\?/u,
  );
  expect(counter('counter+24')).toHaveLength(1);
});

test('what a machine cannot hold', () => {
  const big = Array.from({ length: 70 }, () => 'work 1000').join(', ');
  expect(errors(`callbacks: { c: { body: [${big}] } }`)[0]).toMatch(/at most 65536 instructions/u);
  const deep = '{ loop: 1, body: ['.repeat(5) + ']}'.repeat(5);
  expect(errors(`callbacks: { c: { body: [${deep}] } }`)[0]).toMatch(/at most 4 blocks inside/u);
});

test('with an image its names count; without its symbols they are believed', () => {
  const image: ImageSymbols = {
    functions: [
      { name: 'table_find', address: 0, size: 4, site: 0 },
      { name: 'count_all', address: 4, size: 4, site: NO_ADDRESS },
    ],
    objects: new Map([['stats', { name: 'stats', address: 64, bytes: 40 }]]),
  };
  const text = `image: x.elf
tasks: { t: { cpu: 0, run: table_find } }
probes: { p: { kind: ftrace, filter: "table_*", callback: count_all } }
expect: [{ counter: stats+32, is: 0 }]
`;
  expect(errors(text)).toEqual([]);
  expect(errors(text, image)).toEqual([]);
  expect(errors(text, { functions: [], objects: new Map() })).toHaveLength(4);
  expect(errors('image: x.elf\ncallbacks: { table_find: { body: [] } }', image)[0]).toMatch(
    /the name 'table_find' is taken: it is defined in the image too/u,
  );
});

test('compiled code has no sites of two instructions (FT-12)', () => {
  const stopped = BASE.replace('cpus: 2', 'cpus: 2, patching: stopMachine');
  const { workload, positions } = parseWorkload(`${stopped}image: a.elf\n`, 'f.yaml');
  const scripted = parseWorkload(stopped, 'f.yaml');
  expect(() => {
    check(scripted.workload, scripted.positions);
  }).not.toThrow();
  expect(() => {
    check(workload, positions);
  }).toThrow(
    "f.yaml:2:31: compiled functions have short call sites: expected 'patching: breakpoint'",
  );
});
