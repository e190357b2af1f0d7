// Limits and habits that a linter does not know (CONTRIBUTING.md).
import { expect, test } from 'vitest';
import {
  FOLDERS,
  type Node,
  type Source,
  nameOf,
  parse,
  part,
  place,
  sources,
  walk,
} from './source.ts';

const LINES_MAX = 400;
const files = sources(FOLDERS);

/**
 * The opcode switch is the one exemption (CONTRIBUTING.md): it cannot be split without losing what it is
 * for. The linter still holds its lines of code to the limit.
 */
const OPCODE_SWITCH = 'src/emu/riscv/run.ts';

function tooLong(list: readonly Source[]): readonly string[] {
  return list
    .filter(({ path }) => path !== OPCODE_SWITCH)
    .filter(({ text }) => text.trimEnd().split('\n').length > LINES_MAX)
    .map(({ path }) => path);
}

/** Tests beside their file are opened by it; a property stands for itself. */
function opensItself({ path }: Source): boolean {
  return !path.endsWith('.test.ts') || path.startsWith('properties/');
}

function unopened(list: readonly Source[]): readonly string[] {
  return list
    .filter(({ text }) => !/^(?:#![^\n]*\n)?(?:\/\/ \S|\/\*)/u.test(text))
    .map(({ path }) => path);
}

const TEST_WORDS = new Set([
  'test',
  'it',
  'describe',
  'suite',
  'bench',
  'xit',
  'xtest',
  'xdescribe',
]);
const EVASIONS = new Set(['skip', 'only', 'todo', 'fails', 'skipIf', 'runIf']);

function evasions(list: readonly Source[]): readonly string[] {
  return list.map(parse).flatMap((file) => {
    const found: string[] = [];
    walk(file.program, (node) => {
      if (isEvasion(node)) found.push(place(file, node));
    });
    return found;
  });
}

function isEvasion(node: Node): boolean {
  if (node.type === 'CallExpression' && nameOf(part(node, 'callee')).startsWith('x'))
    return TEST_WORDS.has(nameOf(part(node, 'callee')));
  if (node.type !== 'MemberExpression' || !EVASIONS.has(nameOf(part(node, 'property'))))
    return false;
  let object = part(node, 'object');
  while (object?.type === 'MemberExpression') object = part(object, 'object');
  return TEST_WORDS.has(nameOf(object));
}

test('no file is longer than 400 lines', () => {
  expect(tooLong(files)).toEqual([]);
  expect(tooLong([{ path: 'a.ts', text: 'x\n'.repeat(401) }])).toEqual(['a.ts']);
  expect(tooLong([{ path: 'a.ts', text: '// x\n'.repeat(401) }])).toEqual(['a.ts']);
});

test('every file opens with a comment that says what it is', () => {
  expect(unopened(files.filter(opensItself))).toEqual([]);
  const bare = { path: 'a.ts', text: "import x from 'y';" };
  const shebang = { path: 'b.ts', text: '#!/usr/bin/env node\n// What.\n' };
  expect(unopened([bare, shebang])).toEqual(['a.ts']);
});

test('no test is skipped, singled out or put off', () => {
  const tests = files.filter(({ path }) => path.endsWith('.test.ts'));
  expect(evasions(tests)).toEqual([]);
  const planted = [
    "test.skip('a', f);",
    "describe.only('b', f);",
    "xit('c', f);",
    'test.each.skip;',
  ];
  const accepted = ["test.each([1])('d', f);", 'fc.skip(2);'];
  const text = [...planted, ...accepted].join('\n');
  expect(evasions([{ path: 'a.test.ts', text }])).toEqual([
    'a.test.ts:1',
    'a.test.ts:2',
    'a.test.ts:3',
    'a.test.ts:4',
  ]);
});
