// What guest code is compiled and linked against says the same as the emulator.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FPROBE_LAYOUTS, type FprobeLayout } from '../../src/trace/fprobe-struct.ts';
import { FTRACE_REGS, PT_REGS, PT_REGS_IP } from '../../src/trace/ftrace-regs.ts';
import { JPROBE, KPROBE, KRETPROBE } from '../../src/trace/kprobe-struct.ts';
import { INSTANCE } from '../../src/trace/kretprobe-hit.ts';
import { stubAddresses } from './stubs.ts';

const include = new URL('../../include/', import.meta.url);

function read(name: string): string {
  return readFileSync(new URL(name, include), 'utf8');
}

function headers(): string[] {
  return ['linux', 'reprobe'].flatMap((folder) =>
    readdirSync(new URL(folder, include)).map((name) => `${folder}/${name}`),
  );
}

/** The last name before the parameters; parameters may be functions themselves. */
const PROTOTYPE =
  /^(?!#|typedef|\t|_Static_assert|register ).*?\b(\w+)\((?:[^()]|\([^()]*\))*\);$/gm;

/** Fields of a structure with their offsets, as its comments give them. */
function offsets(name: string, type: string): string[] {
  return offsetsIn(read(name).split(`struct ${type} {`)[1]?.split('\n};')[0] ?? '');
}

function offsetsIn(body: string): string[] {
  return [...body.matchAll(/(\w+)(?:\[\w*\])?;\s*\/\* +(\d+)/g)].map(
    ([, field = '', offset = '']) => `${field} ${offset}`,
  );
}

/** Entered by trampolines and by the machine itself, never called by C. */
const NOT_FOR_C = new Set([
  '__return_to_path',
  'ftrace_ops_list_func',
  'ftrace_ops_list_func_regs',
  'ftrace_ops_assist_func',
  'ftrace_pid_func',
  'fprobe_handler',
  'rethook_trampoline_handler',
  'fprobe_ftrace_entry',
  'ftrace_graph_func',
  'ftrace_return_to_handler',
  'kprobe_ftrace_handler',
  'optimized_callback',
]);

test('reprobe.ld provides every kernel symbol at the address of its stub, and no other', () => {
  const provided = [...read('reprobe.ld').matchAll(/^PROVIDE\((\w+) = 0x(\w+)\);$/gm)];
  const published = [...stubAddresses()].map(([name, address]) => [
    name,
    (0xffffffff80000000n + BigInt(address)).toString(16),
  ]);
  expect(provided.map(([, name, address]) => [name, address])).toEqual(published);
});

test('every kernel symbol that C may call has one prototype', () => {
  const prototypes = headers().flatMap((name) =>
    [...read(name).matchAll(PROTOTYPE)].map(([, declared]) => declared),
  );
  const callable = [...stubAddresses().keys()].filter((name) => !NOT_FOR_C.has(name));
  expect(prototypes.length).toBe(callable.length);
  expect(new Set(prototypes)).toEqual(new Set(callable));
});

test('headers need nothing but each other and the compiler', () => {
  for (const name of headers()) {
    for (const [, wanted = ''] of read(name).matchAll(/#include <(.*)>/g)) {
      expect(['stddef.h', ...headers()]).toContain(wanted);
    }
  }
});

test('the umbrellas gather what a function hook and a module need', () => {
  const gathered = (name: string): string[] => {
    const direct = [...read(name).matchAll(/#include <(.*\/.*)>/g)].map(([, one = '']) => one);
    return [...new Set([...direct, ...direct.flatMap(gathered)])];
  };
  const hook = gathered('reprobe/ftrace.h').map(read).join('\n');
  for (const name of [
    'struct ftrace_ops {',
    'int register_ftrace_function',
    'int ftrace_set_filter',
    'int ftrace_test_recursion_trylock',
    'bool rcu_is_watching',
    'int __printf(1, 2) _printk',
    'ktime_t ktime_get',
    '#define current',
    '#define kthread_run',
    '#define container_of',
  ]) {
    expect(hook).toContain(name);
  }
  expect(gathered('reprobe/module.h')).toEqual(
    expect.arrayContaining(gathered('reprobe/ftrace.h')),
  );
  expect(gathered('reprobe/module.h')).toContain('linux/module.h');
});

test('offsets in struct task_struct and struct kernel_param are those that the emulator uses', () => {
  expect(offsets('linux/sched.h', 'task_struct')).toEqual([
    'pid 0',
    'tgid 4',
    'comm 8',
    'flags 24',
    'cpu 28',
    'mm 32',
    'reserved 40',
  ]);
  expect(offsets('linux/moduleparam.h', 'kernel_param')).toEqual([
    'name 0',
    'type 8',
    'arg 16',
    'perm 24',
  ]);
});

/** As the header has them, in its order. */
function fprobeFields(layout: FprobeLayout, first: string, own: string): string[] {
  const fields: readonly (readonly [string, number])[] = [
    [first, 0],
    ['nmissed', layout.nmissed],
    ['flags', layout.flags],
    [own, layout.own],
    ['entry_data_size', layout.entryDataSize],
    ['nr_maxactive', layout.nrMaxactive],
    ['entry_handler', layout.entryHandler],
    ['exit_handler', layout.exitHandler],
    ['reserved', layout.mark],
  ];
  const inOrder = fields.toSorted(([, a], [, b]) => a - b);
  return [...new Set(inOrder.map(([name, offset]) => `${name} ${offset}`))];
}

test('offsets in struct fprobe are those that the emulator uses, in both eras', () => {
  const [rethook = [], fgraph = []] = read('linux/fprobe.h')
    .split('struct fprobe {')
    .slice(1)
    .map((part) => offsetsIn(part.split('};')[0] ?? ''));
  expect(rethook).toEqual(fprobeFields(FPROBE_LAYOUTS.rethook, 'ops', 'rethook'));
  expect(fgraph).toEqual(fprobeFields(FPROBE_LAYOUTS.fgraph, 'nmissed', 'hlist_array'));
});

test('offsets in the structs of kprobes are those that the emulator uses', () => {
  const { faultHandler, bytes, ...both } = KPROBE;
  const fields = { hlist: both.mark, fault_handler: faultHandler, reserved: faultHandler, ...both };
  const { mark, ...named } = fields;
  expect([mark, bytes]).toEqual([0, 112]);
  expect(offsets('linux/kprobes.h', 'kprobe').toSorted()).toEqual(asFields(named));
  expect(offsets('linux/kprobes.h', 'kretprobe').toSorted()).toEqual(
    asFields({ kp: 0, ...KRETPROBE, own: undefined, bytes: undefined, rh: KRETPROBE.own }),
  );
  expect(offsets('linux/kprobes.h', 'jprobe')).toEqual(['kp 0', `entry ${JPROBE.entry}`]);
  expect(offsets('linux/kprobes.h', 'kretprobe_instance').toSorted()).toEqual(
    asFields({ ...INSTANCE, reserved: INSTANCE.task + 8 }),
  );
});

/** With the kernel's names. */
function asFields(places: Readonly<Record<string, number | undefined>>): string[] {
  return Object.entries(places)
    .filter(([, offset]) => offset !== undefined)
    .map(
      ([name, offset]) =>
        `${name.replaceAll(/[A-Z]/gu, (one) => `_${one.toLowerCase()}`)} ${offset}`,
    )
    .toSorted();
}

test('struct pt_regs has t0 in the word that says which registers there are', () => {
  const places = new Map(
    offsets('linux/ptrace.h', 'pt_regs').map((one) => one.split(' ') as [string, string]),
  );
  expect(places.get('a')).toBe(`${FTRACE_REGS.a0}`);
  expect(places.get('ip')).toBe(`${PT_REGS_IP}`);
  for (const { name, offset } of PT_REGS) {
    if (!name.startsWith('a')) expect([name, places.get(name)]).toEqual([name, `${offset}`]);
  }
  expect(read('linux/ptrace.h')).toContain(`offsetof(struct pt_regs, t0) == ${FTRACE_REGS.t0}`);
});
