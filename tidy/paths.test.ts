// No call of a kernel path is dropped; and the check that says so can fail.
import { expect, test } from 'vitest';
import { droppedPaths } from './paths.ts';
import { parse, sources } from './source.ts';

test('every call of a path is delegated with yield* or handed on as a value', () => {
  expect(droppedPaths(sources(['src', 'properties']).map(parse))).toEqual([]);
});

const LIBRARY = `
export function* wait(cx: Context): Path<number> { yield 1; return 0; }
export function link(cx: Context): Path<void> { return wait(cx); }
export function plain(): number { return 1; }
export interface Links { readonly arm: (cx: Context) => Path<void>; free(cx: Context): Path<void> }
`;
const IMPORTS = `import { wait, link, plain, wait as later } from './library.ts';\n`;

function check(body: string): number {
  const files = [
    { path: 'src/trace/library.ts', text: LIBRARY },
    { path: 'src/trace/user.ts', text: `${IMPORTS}function* user(cx, k) { ${body} }` },
  ];
  return droppedPaths(files.map(parse)).length;
}

test.each([
  'wait(cx);',
  'later(cx);',
  'link(cx);',
  'void wait(cx);',
  'yield wait(cx);',
  'if (wait(cx)) return;',
  'if (wait(cx) < 0) return;',
  'k.fn.wait(cx);',
  'k.fn.arm(cx);',
  'k.free(cx);',
  'cx && wait(cx);',
  'const x = wait(cx) ?? 1;',
  'list.forEach((one) => wait(one));',
  'wait(cx), plain();',
])('finds the dropped path in `%s`', (body) => {
  expect(check(body)).toBe(1);
});

test.each([
  'yield* wait(cx);',
  'return yield* link(cx);',
  'if ((yield* wait(cx)) < 0) return;',
  'yield* cx ? wait(cx) : link(cx);',
  'yield* k.fn.arm(cx);',
  'start(wait(cx));',
  'const path = wait(cx);',
  'plain();',
  'wait(cx).next();',
  'other.wait(cx);',
])('accepts `%s`', (body) => {
  expect(check(body)).toBe(0);
});
