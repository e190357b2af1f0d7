import { expect, test } from 'vitest';
import {
  begins,
  calls,
  ends,
  enters,
  image,
  leaves,
  register,
  returns,
  setFilter,
  site,
  tell,
  type Told,
  unregister,
} from './example-run.ts';
import { listen } from './listen.ts';
import { isRegistered } from './ops.ts';
import { newStory, type Story, storyListeners } from './story.ts';

const REGISTER = 'register_ftrace_function';
const UNREGISTER = 'unregister_ftrace_function';

function heard(told: readonly Told[]): Story {
  const story = newStory();
  listen([storyListeners(story)], tell(told));
  return story;
}

function registered(told: readonly Told[]): boolean {
  return heard([...image(1), ...told]).ops.some((ops) => isRegistered(ops));
}

test('listeners of one event are called in their order, the others not at all', () => {
  const called: string[] = [];
  const first = { oops: () => called.push('first'), run_end: () => called.push('never') };
  const second = { oops: () => called.push('second') };
  listen([first, second], tell([['oops', {}]]));
  expect(called).toEqual(['first', 'second']);
});

test('registered for certain: from the return of register to the call of unregister', () => {
  const again = [...register(1, 1), calls(UNREGISTER, 1)];
  expect(registered([calls(REGISTER, 1)])).toBe(false);
  expect(registered([calls(REGISTER, 1), returns(REGISTER, 1, { result: -16 })])).toBe(false);
  expect(registered(register(1, 1))).toBe(true);
  expect(registered(again)).toBe(false);
  expect(registered([...again, returns(UNREGISTER, 1, { result: -19 })])).toBe(true);
  expect(registered([...again, returns(UNREGISTER, 1, { generation: 1 })])).toBe(false);
});

test('returns may come in another order than what they report', () => {
  const late = returns(REGISTER, 1, { pid: 1, generation: 1 });
  expect(registered([calls(REGISTER, 1, { pid: 1 }), ...unregister(1, 1), late])).toBe(false);

  const next = calls(REGISTER, 1, { pid: 1 });
  const nextDone = returns(REGISTER, 1, { pid: 1, generation: 2 });
  const [call, done] = unregister(1, 1) as [Told, Told];
  expect(registered([...register(1, 1), call, next, nextDone, done])).toBe(true);
});

test('each task has its own calls under way', () => {
  const mine = { pid: 1, text: 'vfs_open', flags: 1 };
  const op = 'ftrace_set_filter';
  const failed = returns(op, 1, { pid: 1, result: -12 });
  const [call, done] = setFilter(1, 'kmalloc') as [Told, Told];
  const story = heard([...image(1), calls(op, 1, mine), call, failed, done]);
  expect(story.calls).toEqual([]);
  expect(story.ops[0]?.filter.now).toEqual([new Set([site('kmalloc')])]);
  expect(story.ops[0]?.changes.map(({ end }) => end?.result)).toEqual([-12, 0]);
});

test('a callback knows when its hit began, and is open until it ends in its own context', () => {
  const other = { pid: 2, cpu: 1 };
  const run = [
    ...image(1),
    ...enters('vfs_read'),
    ...enters('vfs_read', other),
    begins(1, 1, 'vfs_read'),
    begins(1, 1, 'vfs_read', other),
    ends(1, 1, 'vfs_read'),
    ['cb_end', { ...other, kind: 'fprobe', object: 1 }] satisfies Told,
  ];
  const { open } = heard(run);
  expect(open.map(({ begin, hitBegan }) => [begin.pid, run[hitBegan]?.[0]])).toEqual([
    [2, 'site_fetch'],
  ]);
  expect(heard([...run, ends(1, 1, 'vfs_read', other)]).open).toEqual([]);
});

test('a nested hit is over when its function returned or was abandoned', () => {
  const returned = leaves('vfs_read');
  for (const left of [returned, ['func_abandon', returned[1]] as Told]) {
    const run = [
      ...image(1),
      ...enters('vfs_read', {}, 0x900),
      ...enters('vfs_read', {}, 0x800),
      left,
      begins(1, 1, 'vfs_read'),
    ];
    const index = run.findIndex(([event]) => event === 'site_fetch');
    expect(heard(run).open[0]?.hitBegan).toBe(index);
  }
});

test('functions are counted by rising site, notrace ones not at all (index form)', () => {
  const symbols: Told[] = [
    ['symbol', { name: 'third', address: 0x80, site: 0x84 }],
    ['symbol', { name: 'first', address: 0x00, site: 0x04 }],
    ['symbol', { name: 'hidden', address: 0x20, site: 0x24, notrace: true }],
    ['symbol', { name: 'second', address: 0x40, site: 0x44 }],
  ];
  const story = heard([...symbols, ...setFilter(1, '2')]);
  expect(story.functions.traceable.map(({ name }) => name)).toEqual(['first', 'second', 'third']);
  expect(story.ops[0]?.filter.now).toEqual([new Set([0x44])]);
});
