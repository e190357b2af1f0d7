import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EVENTS, type EventName } from '../schema.ts';
import {
  calls,
  enters,
  hit,
  image,
  register,
  setFilter,
  tell,
  type Told,
  unregister,
} from './example-run.ts';
import { GUARANTEES, judgeEvents } from './index.ts';

test('the guarantees, in their order', () => {
  expect(GUARANTEES.map(({ name }) => name)).toEqual([
    'unregister',
    'filter-swap',
    'notrace',
    'memory',
    'text',
    'return',
    'progress',
    'arguments',
    'context',
    'quiescence',
    'start',
    'recursion',
    'failed-call',
    'pairing',
    'nmissed',
  ]);
});

test('one pass gives each judge what it would see alone', () => {
  const run = tell([
    ...image(1, 2),
    ...setFilter(1, 'vfs_*'),
    ...register(1, 1),
    ...register(2, 2),
    ...hit(1, 1, 'vfs_read'),
    ...setFilter(1, 'kmalloc'),
    ...hit(1, 1, 'vfs_read'),
    ...unregister(2, 2),
    ...hit(2, 2, 'schedule'),
  ]);
  const together = judgeEvents(run.values());
  const statuses = together.map(({ guarantee, verdict }) => [guarantee.name, verdict.status]);
  expect(Object.fromEntries(statuses)).toMatchObject({
    unregister: 'broken',
    'filter-swap': 'broken',
    notrace: 'never exercised',
    memory: 'never exercised',
  });
  for (const { guarantee, verdict } of together) {
    expect(judgeEvents(run, [guarantee])[0]?.verdict).toEqual(verdict);
  }
  expect(judgeEvents(run)).toEqual(together);
});

test('an empty run exercises nothing', () => {
  const statuses = judgeEvents([]).map(({ verdict }) => verdict.status);
  expect(statuses).toEqual(GUARANTEES.map(() => 'never exercised'));
});

// A judge reads what others wrote: whatever the file holds, it answers, and points at events that
// exist.
test('no order of events makes a judge fail', () => {
  const names = Object.keys(EVENTS) as EventName[];
  const word = fc.constantFrom('ftrace', 'ftrace_set_filter', 'register_ftrace_function', 'vfs_*');
  const ops = ['unregister_ftrace_function', 'ftrace_set_notrace', 'ftrace_set_filter_ip'];
  const small = fc.integer({ min: -1, max: 9 });
  const event = fc.record({
    event: fc.constantFrom(...names),
    op: fc.oneof(word, fc.constantFrom(...ops)),
    kind: word,
    text: word,
    object: fc.nat(2),
    generation: fc.nat(2),
    result: fc.constantFrom(0, 0, -22),
    flags: fc.nat(7),
    pid: fc.nat(2),
    ip: small,
    func: small,
    site: small,
    address: small,
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (told) => {
      const run = tell(told.map(({ event: name, ...fields }) => [name, fields] as never));
      for (const { verdict } of judgeEvents(run)) {
        if (verdict.status !== 'broken') continue;
        expect(verdict.shows).toContain(verdict.at);
        for (const index of verdict.shows) expect(run[index]).toBeDefined();
      }
    }),
  );
});

test('an ops is known by the word of workloads and by that of the kernel', () => {
  const statuses = ['ftrace', 'ftrace_ops', 'fprobe'].map((kind) => {
    const late: Told = ['cb_begin', { kind, object: 1, generation: 1, ip: 4 }];
    const run = tell([...image(1), ...register(1, 1), ...unregister(1, 1), late]);
    return judgeEvents(run)[0]?.verdict.status;
  });
  expect(statuses).toEqual(['broken', 'broken', 'never exercised']);
});

test('events of other probes are none of their business', () => {
  const run = tell([
    ...image(1),
    ...register(1, 1),
    ['object', { kind: 'kprobe', object: 9, name: 'kp0', callback: 0x9000 }],
    calls('register_kprobe', 9),
    ...enters('vfs_read'),
    ['cb_begin', { kind: 'kprobe', object: 1, generation: 1, ip: 4 }],
    ...unregister(1, 1),
    ['cb_begin', { kind: 'kprobe', object: 1, generation: 1, ip: 4 }],
  ]);
  const statuses = judgeEvents(run).map(({ verdict }) => verdict.status);
  expect(statuses).toEqual(GUARANTEES.map(() => 'never exercised'));
});

test('docs/guarantees.md names every guarantee with its rules', () => {
  const page = readFileSync(new URL('../../../docs/guarantees.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  expect(rows.length).toBe(GUARANTEES.length);
  GUARANTEES.forEach(({ name, sentence, document, section, rules }, i) => {
    const row = rows[i] ?? '';
    for (const said of [`\`${name}\``, sentence, document, section, ...rules]) {
      expect(row).toContain(said);
    }
  });
});
