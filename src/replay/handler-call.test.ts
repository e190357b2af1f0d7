// oxlint-disable require-yield, typescript/only-throw-error -- paths that make no step, and throw what they like
import { expect, test } from 'vitest';
import { refused, taskOf } from '../../properties/handler-run.ts';
import { record } from './api/record.ts';
import { defineHandler, defineTask, type HandlerPath, type TaskPath } from './handler.ts';

/** Runs `path` in a task. */
function run(path: TaskPath): void {
  record(taskOf(path), { chooser: 'calm' });
}

const MISUSES: readonly (readonly [what: string, path: TaskPath])[] = [
  [
    "read('hitz'): unknown data 'hitz', did you mean 'hits'? expected one of hits, table",
    function* (cx) {
      yield* cx.read('hitz');
    },
  ],
  [
    "write('table+20', 1): expected an offset into 'table' from 0 to 16 in steps of 8, found 20",
    function* (cx) {
      yield* cx.write('table+20', 1);
    },
  ],
  [
    "writeText('hits', ...): expected at most 7 letters, found 8",
    function* (cx) {
      yield* cx.writeText('hits', 'too long');
    },
  ],
  [
    "writeText('hits', ...): expected a text of letters that have one byte",
    function* (cx) {
      yield* cx.writeText('hits', 'a\0');
    },
  ],
  [
    "writeText('hits', ...): expected a text of letters that have one byte",
    function* (cx) {
      yield* cx.writeText('hits', '\u20ac');
    },
  ],
  [
    "write('hits', 0.5): expected a whole number of at most 53 bits, found 0.5",
    function* (cx) {
      yield* cx.write('hits', 0.5);
    },
  ],
  [
    "call('sevn'): unknown function 'sevn', did you mean 'seven'?",
    function* (cx) {
      yield* cx.call('sevn');
    },
  ],
  [
    "call('__return_to_path'): unknown function '__return_to_path'",
    function* (cx) {
      yield* cx.call('__return_to_path');
    },
  ],
  [
    "addressOf('nowhere'): unknown function 'nowhere'",
    function* (cx) {
      yield* cx.call('mutex_lock', cx.addressOf('nowhere'));
    },
  ],
  [
    "call('seven'): expected at most 8 arguments, found 9",
    function* (cx) {
      yield* cx.call('seven', 1, 2, 3, 4, 5, 6, 7, 8, 9);
    },
  ],
  [
    'sleep(-1): expected microseconds from 0 to 1000000',
    function* (cx) {
      yield* cx.sleep(-1);
    },
  ],
  [
    "count('hits') did nothing: write yield* cx.count('hits')",
    function* (cx) {
      cx.count('hits');
    },
  ],
  [
    "expected steps of its own context, each taken once with yield*, found count('hits')",
    function* (cx) {
      const step = cx.count('hits');
      yield* step;
      yield* step;
    },
  ],
  [
    'expected steps of its own context, each taken once with yield*, found 5',
    function* () {
      yield 5 as never;
    },
  ],
  [
    'expected it to return nothing or an int, found 4294967296',
    function* () {
      return 2 ** 32;
    },
  ],
  ['expected a generator function (function*)', (() => undefined) as unknown as TaskPath],
  ['expected a generator function (function*)', async function* () {} as unknown as TaskPath],
];

test.each(MISUSES)('a path is told: %s', (what, path) => {
  expect(refused(() => run(path))).toContain(`task 'path' (version 1): ${what}`);
});

test.each([
  [
    ['1st', 1],
    "defineHandler: expected a name of letters, digits and _ that does not begin with a digit, found '1st'",
  ],
  [['tick', 0], "defineHandler('tick'): expected a version from 1 to 1000000, found 0"],
  [['tick', 1.5], "defineHandler('tick'): expected a version from 1 to 1000000, found 1.5"],
] as const)('defineHandler(%s) is refused', ([name, version], message) => {
  expect(refused(() => defineHandler(name, version, function* () {}))).toBe(message);
});

test('a definition without code is refused', () => {
  const nothing = undefined as unknown as HandlerPath;
  expect(refused(() => defineTask('nap', 1, nothing))).toMatch(/^defineTask\('nap'\): expected/u);
  expect(refused(() => defineHandler('tick', 1, nothing))).toBe(
    "defineHandler('tick'): expected a generator function (function*)",
  );
});
