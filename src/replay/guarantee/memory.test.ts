import { expect, test } from 'vitest';
import {
  begins,
  ends,
  enters,
  image,
  judge,
  leaves,
  register,
  shown,
  site,
  type Told,
  unregister,
} from './example-run.ts';
import { memory } from './memory.ts';

const TRAMPOLINE = { object: 7, generation: 1, address: 0x80000, bytes: 0x40 };
const HASH = { object: 8, generation: 1 };
const born: Told = ['alloc', { kind: 'ftrace_hash', ...HASH, address: -1, bytes: 64 }];
const touch: Told = ['touch', { pid: 2, cpu: 1, ...HASH }];
const free: Told = ['free', { pid: 3, ...HASH }];
const other = { pid: 2, cpu: 1 };
/** A hit of vfs_read looks into the hash. */
const looked: Told[] = [...enters('vfs_read', other), touch, leaves('vfs_read', other)];
/** ops1 is registered, with a trampoline. */
const trampoline: Told[] = [
  ...image(1),
  ['alloc', { kind: 'trampoline', ...TRAMPOLINE }],
  ...register(1, 1),
];
/** The site of vfs_read calls the trampoline. */
const intoTrampoline: Told[] = [
  ...enters('vfs_read', other).slice(0, 1),
  ['site_fetch', { ...other, ip: site('vfs_read'), target: TRAMPOLINE.address }],
];
const freeTrampoline: Told = ['free', { pid: 3, object: 7, generation: 1 }];
const callback = 0x4040;

test('held: a hash that a hit had looked into is freed, and the function runs again', () => {
  const byItsOwner: Told = ['touch', { pid: 3, ...HASH }];
  const again = [...enters('vfs_read'), ...enters('vfs_read')];
  const run = [...image(1), born, ...looked, byItsOwner, free, ...again];
  expect(judge(memory, run)).toEqual({ status: 'held', exercised: 1 });
});

test('held: a trampoline that a site had called is freed, and the function runs again', () => {
  const run = [
    ...trampoline,
    ...intoTrampoline,
    ...unregister(1, 1),
    freeTrampoline,
    ...enters('vfs_read'),
  ];
  expect(judge(memory, run)).toEqual({ status: 'held', exercised: 1 });
});

test('held: the place is used again by a next generation', () => {
  const again: Told[] = [
    ['alloc', { kind: 'ftrace_hash', ...HASH, generation: 2 }],
    ['touch', { ...HASH, generation: 2 }],
    ['free', { ...HASH, generation: 2 }],
  ];
  const run = [...image(1), born, ...looked, free, ...again, ...enters('vfs_read')];
  expect(judge(memory, run)).toEqual({ status: 'held', exercised: 1 });
});

test('broken: used after it was freed (M-15)', () => {
  const run = [...image(1), born, ...enters('vfs_read', other), free, touch];
  const verdict = judge(memory, run);
  expect(verdict).toMatchObject({
    status: 'broken',
    at: run.length - 1,
    why:
      'ftrace_hash 8 (generation 1) was used (step 130, CPU 1, task reader) ' +
      'after its free (step 120, CPU 0, task control)',
  });
  expect(shown(verdict, run)).toEqual(['alloc', 'free', 'touch']);
});

test('broken: the old generation is used while the place lives again', () => {
  const again: Told = ['alloc', { kind: 'ftrace_hash', ...HASH, generation: 2 }];
  const run = [...image(1), born, free, again, touch];
  expect(judge(memory, run)).toMatchObject({ status: 'broken', at: run.length - 1 });
});

test('broken: an object from before the run is used after its free', () => {
  expect(judge(memory, [...image(1), free, touch])).toMatchObject({ status: 'broken' });
});

test('broken: freed twice', () => {
  const verdict = judge(memory, [...image(1), born, free, free]);
  expect(verdict).toMatchObject({
    status: 'broken',
    why:
      'ftrace_hash 8 (generation 1) was freed again (step 110, CPU 0, task control) ' +
      'after its free (step 100, CPU 0, task control)',
  });
});

test('broken: an oops in freed memory names what lay there', () => {
  const oops: Told = ['oops', { ...other, reason: 'poison', pc: 0x80010, address: 0x80010 }];
  const elsewhere: Told = [
    'alloc',
    { kind: 'trampoline', object: 9, generation: 1, address: 0x80000, bytes: 0x40 },
  ];
  const run = [...trampoline, freeTrampoline, elsewhere, oops];
  const verdict = judge(memory, run);
  expect(verdict).toMatchObject({
    status: 'broken',
    why:
      'the kernel ran into freed memory (step 140, CPU 1, task reader, poison): ' +
      'trampoline 7 (generation 1) was used after its free (step 120, CPU 0, task control)',
  });
  expect(shown(verdict, run)).toEqual(['alloc', 'free', 'oops']);
});

test('broken: an oops in freed memory of an unknown object', () => {
  const oops: Told = ['oops', { reason: 'freed', pc: 4, address: 0x20000000 }];
  const run = [...trampoline, oops];
  expect(judge(memory, run)).toEqual({
    status: 'broken',
    at: run.length - 1,
    why: 'the kernel ran into freed memory (step 120, CPU 0, task opener, freed)',
    shows: [run.length - 1],
  });
});

test('broken: a trampoline is freed while a callback will return to it', () => {
  const [enter, begin]: Told[] = [
    ['func_enter', { ...other, step: 77, func: callback, ra: 0x80020, sp: 0x900 }],
    ['cb_begin', { ...(begins(1, 1, 'vfs_read', other)[1] as object), step: 77 }],
  ];
  for (const start of [
    [enter, begin],
    [begin, enter],
  ] as Told[][]) {
    const run = [...trampoline, ...intoTrampoline, ...start, freeTrampoline];
    const verdict = judge(memory, run);
    expect(verdict).toMatchObject({
      status: 'broken',
      why:
        'trampoline 7 (generation 1) was freed (step 160, CPU 0, task control) while ' +
        'the callback of ops1 for vfs_read (begun at step 77, CPU 1, task reader) ' +
        'will still return to it',
    });
    expect(shown(verdict, run)).toEqual(['alloc', 'cb_begin', 'free']);

    const slept: Told = ['task_wake', { pid: 3, woken: 2 }];
    const atFault = [...trampoline, ...intoTrampoline, ...start, slept, freeTrampoline];
    expect(judge(memory, atFault).status).toBe('never exercised');

    const over = [...start, ends(1, 1, 'vfs_read', other)];
    const inTime = [...trampoline, ...intoTrampoline, ...over, freeTrampoline];
    expect(judge(memory, inTime).status).toBe('never exercised');
  }
});

test('not flagged: a callback entered through the list returns elsewhere', () => {
  const run: Told[] = [
    ...trampoline,
    ...intoTrampoline,
    ['func_enter', { ...other, step: 77, func: callback, ra: 0xc0000, sp: 0x900 }],
    ['cb_begin', { ...(begins(1, 1, 'vfs_read', other)[1] as object), step: 77 }],
    freeTrampoline,
    ...enters('vfs_read'),
  ];
  expect(judge(memory, run)).toEqual({ status: 'held', exercised: 1 });
});

test('not flagged: an oops for another reason', () => {
  const run: Told[] = [...image(1), ['oops', { reason: 'stack', pc: 4, address: 0 }]];
  expect(judge(memory, run).status).toBe('never exercised');
});

test('never exercised: nothing was freed', () => {
  expect(judge(memory, [...image(1), born, ...looked])).toEqual({
    status: 'never exercised',
    why: 'Nothing was freed.',
  });
});

test('never exercised: what was freed had not been used by a hit', () => {
  const byItsOwner: Told = ['touch', { pid: 3, ...HASH }];
  const run = [...image(1), born, byItsOwner, free, ...enters('vfs_read')];
  expect(judge(memory, run)).toEqual({
    status: 'never exercised',
    why: 'Nothing was freed that a hit had used.',
  });
});

test('never exercised: its users did not run again', () => {
  const run = [...image(1), born, ...looked, free, ...enters('vfs_open')];
  expect(judge(memory, run)).toEqual({
    status: 'never exercised',
    why: 'No function whose hit had used a freed object was entered after the free.',
  });
});

function watching(on: boolean): Told {
  return ['rcu_watching', { pid: 0, cpu: 1, watching: on }];
}

function usedAndFreed(...last: Told[]): Told[] {
  return [...image(1), born, ...looked, free, ...last];
}

test('a hash used on a CPU that RCU does not watch is a known hole (CC-N3), elsewhere it is not', () => {
  const late: Told = ['touch', { pid: 0, cpu: 1, ...HASH }];
  expect(judge(memory, usedAndFreed(watching(false), late)).status).not.toBe('broken');
  expect(judge(memory, usedAndFreed(watching(false), watching(true), late)).status).toBe('broken');
  expect(judge(memory, usedAndFreed(late)).status).toBe('broken');
});
