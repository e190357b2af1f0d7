// What judges make of functions that come and go with their module: kmalloc is the only one of it here.
import { expect, test } from 'vitest';
import { callArguments } from './arguments.ts';
import {
  begins,
  callbackAt,
  calls,
  ends,
  enters,
  hit,
  image,
  judge,
  leaves,
  reasonOf,
  register,
  RESET,
  returns,
  setFilter,
  site,
  type Told,
  unregister,
} from './example-run.ts';
import { filterSwap } from './filter-swap.ts';
import { memory } from './memory.ts';
import { notrace } from './notrace.ts';
import { quiescence } from './quiescence.ts';
import { text } from './text.ts';

const IP = site('kmalloc');
const ADDRESS = IP - 4;
const control = { pid: 3, cpu: 0 };
const goes: Told = ['symbol_gone', { ...control, name: 'kmalloc', address: ADDRESS, site: IP }];
const comes: Told = ['symbol', { ...control, name: 'kmalloc', address: ADDRESS, site: IP }];
const other = { pid: 2, cpu: 1 };

/** A filter call that is refused: it matches nothing. */
function refused(pattern: string): Told[] {
  const op = 'ftrace_set_filter';
  return [calls(op, 1, { text: pattern, flags: RESET }), returns(op, 1, { result: -22 })];
}

test('a pattern means the functions that are there (FT-43): one that went is not selected', () => {
  const run = [...image(1), ...setFilter(1, 'vfs_open'), ...register(1, 1), goes];
  const claimed = [...run, ...setFilter(1, '*')];
  expect(judge(filterSwap, [...claimed, ...hit(1, 1, 'vfs_read')]).status).not.toBe('broken');
  const stale = [...claimed, comes, ...hit(1, 1, 'kmalloc')];
  expect(judge(filterSwap, stale).status).toBe('broken');
  const again = [...claimed, comes, ...setFilter(1, 'kmalloc'), ...hit(1, 1, 'kmalloc')];
  expect(judge(filterSwap, again).status).not.toBe('broken');
});

test('a filter keeps the function of a module that went (FT-49): who comes there is selected', () => {
  const run = [
    ...image(1),
    ...setFilter(1, 'kmalloc'),
    ...register(1, 1),
    goes,
    ...refused('kmal*'),
  ];
  expect(judge(filterSwap, [...run, comes, ...hit(1, 1, 'kmalloc')]).status).not.toBe('broken');
  expect(judge(filterSwap, [...run, comes, ...hit(1, 1, 'vfs_read')]).status).toBe('broken');
});

test('a function that comes while a pattern is matched may be selected or not: nobody is blamed', () => {
  const op = 'ftrace_set_notrace';
  const run = [...image(1), ...register(1, 1), goes];
  const [begin, end] = [calls(op, 1, { text: '*', flags: RESET }), returns(op, 1)];
  const during = [...run, begin, comes, end, ...hit(1, 1, 'kmalloc')];
  expect(judge(notrace, during).status).not.toBe('broken');
  expect(judge(notrace, [...run, comes, begin, end, ...hit(1, 1, 'kmalloc')]).status).toBe(
    'broken',
  );
});

test('a call site that goes with its module is not left, however it was', () => {
  const patched: Told = ['text_write', { ip: IP, part: 0, value: 0x9002 }];
  const tail: Told = ['text_write', { ip: IP, part: 1, value: 0x1234 }];
  const end: Told[] = [
    ['cpu_state', { irqs: true, contexts: 1 }],
    ['ftrace_state', {}],
    ['run_end', {}],
  ];
  const run = [...image(1), ...register(1, 1), ...unregister(1, 1), patched, tail];
  expect(judge(quiescence, [...run, ...end]).status).toBe('broken');
  expect(judge(quiescence, [...run, goes, ...end])).toEqual({ status: 'held', exercised: 1 });
});

test('what was written to a site is no matter to the site that comes in its place', () => {
  const versions = [0x9002, 0x13].map((value, i): Told => [
    'text_write',
    { ...control, ip: IP, part: 0, value, version: i + 1 },
  ]);
  const synced: Told[] = [
    ['sync_send', { ...control, sync: 1 }],
    ['sync_ack', { cpu: 1, sync: 1 }],
    ['sync_done', { ...control, sync: 1 }],
  ];
  const nop: Told = ['site_fetch', { cpu: 1, ip: IP, seen: 0, newest: 0, does: 'nop', target: -1 }];
  const run = [...image(1), ...versions, ...synced, goes];
  expect(reasonOf(judge(text, [...run, nop]))).toMatch(/^broken: an old version was fetched/u);
  expect(judge(text, [...run, comes, nop]).status).not.toBe('broken');
});

const TEXT = { object: 5, generation: 1 };
const born: Told = [
  'alloc',
  { ...control, kind: 'module', ...TEXT, address: ADDRESS, bytes: 0x40 },
];
const freed: Told = ['free', { ...control, ...TEXT }];

test('memory: a module goes, and who is in it has left before its text is freed', () => {
  const inside = enters('kmalloc', other);
  const left = leaves('kmalloc', other);
  const run = [...image(1), born, ...inside, goes, left, freed];
  expect(judge(memory, run)).toEqual({ status: 'held', exercised: 1 });
  const alone = [...image(1), born, ...inside, left, goes, freed];
  expect(judge(memory, alone).status).toBe('never exercised');
  const itself = [...image(1), born, ...enters('kmalloc', control), goes, freed];
  expect(judge(memory, itself).status).toBe('never exercised');
});

test('memory: who goes on in the text of a module that was freed runs into it', () => {
  const oops: Told = ['oops', { ...other, reason: 'poison', pc: ADDRESS + 8, address: 0 }];
  const run = [...image(1), born, ...enters('kmalloc', other), goes, freed, oops];
  expect(reasonOf(judge(memory, run))).toMatch(
    /: module 5 \(generation 1\) was used after its free/u,
  );
});

test('arguments: whoever is in a module that goes is hit there all the same', () => {
  const given = { ...other, step: 7777 };
  const entered: Told = ['func_enter', { ...given, func: callbackAt(1), ra: 0x9000, sp: 0x800 }];
  const begin: Told = ['cb_begin', { ...(begins(1, 1, 'kmalloc')[1] as object), ...given }];
  const run = [...image(1), ...register(1, 1), goes, ...enters('kmalloc', other)];
  const told = [...run, entered, begin, ends(1, 1, 'kmalloc', other)];
  expect(judge(callArguments, told)).toMatchObject({ status: 'held', exercised: 1 });
});
