// Steps are found in source and in compiled code alike, with the ids that comments give them.
import { expect, test } from 'vitest';
import { parse } from './source.ts';
import { markSteps, type Step, stepsIn } from './steps.ts';

const LINKED = new Set(['arm', 'check']);

const SOURCE = `import { mutexLock } from '../emu/lock.ts';
import { andThen, enter, type Path, readOnce, writeOnce } from '../emu/path.ts';
import { other } from './other.ts';
/** \`arm\` (CC-S4.1-9, FT-26). */
export function* arm(cx: Context, k: Kernel): Path<number> {
  yield* mutexLock(cx, k.lock); // Taken first (CC-S4.1).
  const done = yield* enter(k.fn.check(cx));
  yield* other(cx);
  yield* writeOnce(k.cell, done);
  return done;
}

/** \`check\` (CC-S5.1). */
export function check(cx: Context): number {
  return cx.level;
}

// CC-S6.1 is too far away.

export function* helper(cx: Context): Path<void> {
  yield* writeOnce(cx.cell, { aVeryLongName: 1, anotherVeryLongName: 2, theLastOne: 3 });
}

/** \`follows\` (CC-S6.3). */
export function follows(cx: Context): Path<number> {
  return andThen(readOnce(cx.cell), (value) => value + 1);
}

export function alone(cx: Context): Path<void> {
  return writeOnce(cx.cell, 1); // CC-S6.2
}

export function unlinked(): void {}
`;

const COMPILED = `import { mutexLock } from '../emu/lock.js';
import { andThen, enter, readOnce, writeOnce } from '../emu/path.js';
import { other } from './other.js';
export function* arm(cx, k) {
    yield* mutexLock(cx, k.lock);
    const done = yield* enter(k.fn.check(cx));
    yield* other(cx);
    yield* writeOnce(k.cell, done);
    return done;
}
export function check(cx) {
    return cx.level;
}
export function* helper(cx) {
    yield* writeOnce(cx.cell, { aVeryLongName: 1, anotherVeryLongName: 2, theLastOne: 3 });
}
export function follows(cx) {
    return andThen(readOnce(cx.cell), (value) => value + 1);
}
export function alone(cx) {
    return writeOnce(cx.cell, 1);
}
export function unlinked() { }
`;

test('a step is a yield of what src/emu offers, or the entry of a linked function without one', () => {
  const steps = stepsIn(parse({ path: 'src/trace/a.ts', text: SOURCE }), LINKED);
  const path = 'src/trace/a.ts';
  const whole = ['CC-S4.1-9'];
  expect(steps).toEqual<Step[]>([
    { path, line: 6, func: 'arm', does: 'mutexLock(cx, k.lock)', rules: ['CC-S4.1'] },
    { path, line: 9, func: 'arm', does: 'writeOnce(k.cell, done)', rules: whole },
    { path, line: 14, func: 'check', does: '', rules: ['CC-S5.1'] },
    {
      path,
      line: 21,
      func: 'helper',
      does: 'writeOnce(cx.cell, { aVeryLongName: 1, anotherVeryLongNa ...',
      rules: [],
    },
    { path, line: 26, func: 'follows', does: 'readOnce(cx.cell)', rules: ['CC-S6.3'] },
    { path, line: 30, func: 'alone', does: 'writeOnce(cx.cell, 1)', rules: ['CC-S6.2'] },
  ]);
});

test('compiled code gets a counter before each of them, in the same order', () => {
  const file = parse({ path: 'src/trace/a.js', text: COMPILED });
  const { text, count } = markSteps(file, LINKED, { first: 7, counters: './marks.js' });
  expect(count).toBe(6);
  expect(text.split('\n').filter((line) => line.includes('reached'))).toEqual([
    "import { reached } from './marks.js';",
    '    yield* (reached[7]++, mutexLock(cx, k.lock));',
    '    yield* (reached[8]++, writeOnce(k.cell, done));',
    'export function check(cx) {reached[9]++;',
    '    yield* (reached[10]++, writeOnce(cx.cell, { aVeryLongName: 1, anotherVeryLongName: 2, theLastOne: 3 }));',
    '    return andThen((reached[11]++, readOnce(cx.cell)), (value) => value + 1);',
    '    return (reached[12]++, writeOnce(cx.cell, 1));',
  ]);
  const plain = text.replaceAll(/reached\[\d+\]\+\+[,;] ?|^.*marks\.js.*\n/gmu, '');
  const bare = plain.replaceAll(/(?<before>[ (])\((?<call>\w+\([^()]*\))\)/gu, '$<before>$<call>');
  expect(bare).toBe(COMPILED);
});
