// What the headers promise, from the side of compiled code: headers_check.c does the checking.
import { expect, test } from 'vitest';
import { type CRun, runC } from './run-c.ts';

function check(params: object, timeline: readonly object[] = []): CRun {
  return runC({
    modules: { check: { image: 'headers_check.ko' } },
    functions: { worker: { body: [{ loop: 20, body: ['work 20'] }] } },
    tasks: { worker: { cpu: 1, run: 'worker' } },
    timeline: [
      { at: 'start', init_module: { module: 'check', params }, expect: 0 },
      ...timeline,
      { at: 'end', delete_module: 'check', expect: 0 },
    ],
  });
}

test('every check in the module holds', () => {
  const { session, log } = check({});
  expect(log.filter((line) => line.includes('not so'))).toEqual([]);
  expect(session.ending).toBe('run_end');
  expect(session.results.map(({ found }) => found)).toEqual([0, 0]);
  expect(log.at(-1)).toBe('check: bye');
});

test('format strings, with arguments in registers and on the stack', () => {
  expect(check({}).log.slice(0, 6)).toEqual([
    'check: -1 2 3 beef BEEF 10|   42|42   |00042|+42| 42|0xff|010',
    'check: -1 -1 -1 18446744073709551615 -5000000000 5000000000 8 fedcba9876543210',
    'check: text|     right|left      |cu|c|%|(null)|     7|abc',
    expect.stringMatching(
      /^check: ffffffff80000010 check_formats \[check\] check_formats\+0x4\/0x[0-9a-f]+ \[check\] _printk 0x0*8$/u,
    ),
    'without a level',
    'a line without an end',
  ]);
});

test('parameters that nobody sets keep their values, and every type can be set', () => {
  expect(check({}).log[6]).toBe('check: 0 1 -1 1 -1 1 -1 1 initial');
  const params = {
    a_bool: true,
    a_byte: 255,
    a_short: -32768,
    a_ushort: 65535,
    an_int: -2147483648,
    a_uint: 4294967295,
    a_long: -9007199254740991,
    a_ulong: 9007199254740991,
    text: 'a new text',
  };
  expect(check(params).log[6]).toBe(
    'check: 1 255 -32768 65535 -2147483648 4294967295 -9007199254740991 9007199254740991 a new text',
  );
});

test('current is the task that an interrupt interrupted', () => {
  const { log } = check({}, [{ on: { enter: 'worker' }, irq: { run: 'check_interrupt' }, cpu: 1 }]);
  expect(log).toContain('check: interrupt in worker');
});
