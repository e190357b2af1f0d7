import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { kmalloc } from '../../properties/guest-call.ts';
import { smallKernel } from '../../properties/small-kernel.ts';
import { NO_ADDRESS } from '../emu/address.ts';
import { CHOICE } from '../emu/choose.ts';
import { joinBytes, readRecording } from './recording.ts';
import { replayRecording } from './replay.ts';
import { recordRun, type RunResult } from './run.ts';
import { ALLOC_KINDS } from './workload/model.ts';

const ENOMEM = -12;

function workload(machine: string): string {
  return `name: short-of-memory
machine: { cpus: 2, ${machine} }
functions:
  vfs_open: { body: [work 2] }
  vfs_read: { body: [work 2] }
  both: { body: [call vfs_open, call vfs_read, sleep 20] }
tasks:
  opener: { cpu: 1, run: both, times: 12 }
probes:
  ops0: { kind: ftrace, filter: vfs_open, callback: count }
timeline:
  - { at: start, register: ops0 }
  - { at: { step: 100 }, set_filter: { probe: ops0, pattern: vfs_read, reset: true } }
  - { at: { step: 300 }, set_notrace: { probe: ops0, pattern: vfs_open } }
  - { at: end, unregister: ops0 }
`;
}

/** Records one run; its events, and the bytes of the file. */
function record(
  machine: string,
  chooser: 'random' | 'calm' = 'random',
): { result: RunResult; bytes: Uint8Array } {
  const parts: Uint8Array[] = [];
  const result = recordRun(
    { file: 'w.yaml', text: workload(machine), image: undefined },
    { seed: 5, chooser, profile: 'today', variants: [] },
    (bytes) => parts.push(bytes.slice()),
  );
  return { result, bytes: joinBytes(parts) };
}

function failures({ log }: RunResult): string[] {
  return [...log.events()].flatMap((e) => (e.event === 'alloc_failed' ? [e.kind] : []));
}

function results({ log }: RunResult): string[] {
  return [...log.events()].flatMap((e) => (e.event === 'ctl_end' ? [`${e.op} ${e.result}`] : []));
}

const HASHES =
  'fail_alloc: [ftrace_hash], random: { schedule: [0, 1], inject: [0, 1], alloc: [1, 1] }';

test('a workload says which allocations the chooser may let fail, and how often', () => {
  const { result, bytes } = record(HASHES);
  expect(result.ending).toBe('run_end');
  // The filter of the set-up is in place before anything may fail.
  expect(results(result)).toEqual([
    'ftrace_set_filter 0',
    'register_ftrace_function 0',
    `ftrace_set_filter ${ENOMEM}`,
    `ftrace_set_notrace ${ENOMEM}`,
    'unregister_ftrace_function 0',
  ]);
  expect(failures(result)).toEqual(['ftrace_hash', 'ftrace_hash']);
  expect(readRecording(bytes).header.options['failAlloc']).toEqual(['ftrace_hash']);
  expect(replayRecording(bytes)).toMatchObject({ status: 'identical', events: result.events });
});

test('calm, a ratio of none, or another kind: nothing fails', () => {
  for (const { result } of [
    record(HASHES, 'calm'),
    record('fail_alloc: [ftrace_hash], random: { alloc: [0, 1] }'),
    record('fail_alloc: [heap], random: { alloc: [1, 1] }'),
    record('random: { alloc: [1, 1] }'),
  ]) {
    expect(failures(result)).toEqual([]);
    expect(results(result).every((text) => text.endsWith(' 0'))).toBe(true);
  }
  expect(readRecording(record('seed: 1').bytes).header.options).not.toHaveProperty('failAlloc');
});

test('a workload that lets nothing fail makes the same run as before there was a choice', () => {
  const [plain, none] = [
    record('seed: 1'),
    record('fail_alloc: [trampoline], random: { alloc: [0, 1] }'),
  ];
  expect(plain.result.steps).toBe(none.result.steps);
  const { result } = record('fail_alloc: [trampoline], random: { alloc: [1, 1] }');
  expect(failures(result)).toEqual(['trampoline']);
  expect(results(result)[1]).toBe('register_ftrace_function 0'); // It uses the list (FT-19).
});

test('kmalloc that fails returns NULL', () => {
  for (const kinds of [['heap'], []]) {
    const m = smallKernel({
      functions: {},
      chooser: { choose: ({ kind }) => (kind === CHOICE.alloc ? 1 : 0) },
    });
    m.machine.slab.failing = new Set(kinds);
    m.control(function* (cx) {
      expect((yield* kmalloc(m, cx, 32)) === NO_ADDRESS).toBe(kinds.length > 0);
    });
    expect(m.events('alloc_failed').map((e) => [e.kind, e.bytes])).toEqual(
      kinds.map((kind) => [kind, 32]),
    );
  }
});

/** Where the kernel says what it allocates. */
const MADE =
  /(?:\ballocate\(cx, \{ kind: |\bRET_STACK = \{ kind: |'kernel_trampoline' : )'(?<kind>\w+)'/gu;
/** Caches of slots name their objects after themselves (`newKprobeInsnCache`). */
const SLOT_KINDS = ['kprobe_insn', 'kprobe_optinsn'].flatMap((kind) => [
  `${kind}_page`,
  `${kind}_slot`,
]);

test('every kind of object that the kernel allocates can be named', () => {
  const files = ['emu', 'trace'].flatMap((layer) => {
    const folder = new URL(`../${layer}/`, import.meta.url);
    const names = readdirSync(folder).filter((name) => /(?<!\.test)\.ts$/u.test(name));
    return names.map((name) => readFileSync(new URL(name, folder), 'utf8'));
  });
  const kinds = files.flatMap((text) => [...text.matchAll(MADE)].map((m) => m.groups?.['kind']));
  expect(new Set([...kinds, ...SLOT_KINDS])).toEqual(new Set(ALLOC_KINDS));
  // Two paths may allocate one kind.
  expect(kinds.length + SLOT_KINDS.length).toBeGreaterThanOrEqual(ALLOC_KINDS.length);
});
