// The public API: which names there are, and that each is explained by an example. `package.test.ts` runs them.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commentOf, exampleOf, examplesIn, publicNames } from './examples.ts';
import { memberNames, membersOf } from './members.ts';
import { ROOT } from './source.ts';

/** What `reprobe` exports, values and types. */
const PUBLIC: readonly string[] = [
  'CatOptions',
  'Choice',
  'DataReference',
  'EraComparison',
  'EraOptions',
  'EraRow',
  'EraTopic',
  'Event',
  'EventName',
  'EventOf',
  'Evidence',
  'ExpectationResult',
  'FprobeReference',
  'GuaranteeInfo',
  'Handler',
  'HandlerContext',
  'HandlerPath',
  'InputError',
  'InvariantError',
  'Judged',
  'Judgement',
  'KprobeReference',
  'KretprobeReference',
  'MissExplanation',
  'MissGroup',
  'ProbeReference',
  'RecordOptions',
  'RecordedRun',
  'RecordingSource',
  'Recursion',
  'Reference',
  'ReplayOptions',
  'ReplayOutcome',
  'Step',
  'Task',
  'TaskContext',
  'TaskPath',
  'Verdict',
  'Workload',
  'WorkloadBuilder',
  'WorkloadInput',
  'cat',
  'compareEras',
  'defineHandler',
  'defineTask',
  'explainMiss',
  'fromYaml',
  'guarantees',
  'judge',
  'misses',
  'profiles',
  'readEvents',
  'record',
  'recursedFunctions',
  'replay',
  'toYaml',
  'variants',
  'workload',
  'workloadJsonSchema',
];

test('these names are public', () => {
  const names = publicNames().map(({ name }) => name);
  expect(names.toSorted((a, b) => (a < b ? -1 : 1)).join('\n')).toBe(PUBLIC.join('\n'));
});

test('every public name has a comment with an example that says what it prints', () => {
  const lacking = publicNames().filter((name) => (exampleOf(name)?.prints.length ?? 0) === 0);
  expect(lacking).toEqual([]);
});

test('every example shows the name that it belongs to, and uses no other door', () => {
  const strange = publicNames().filter((name) => {
    const code = exampleOf(name)?.code ?? '';
    const imported = /import (?:type )?\{([^}]*)\} from 'reprobe';/u.exec(code)?.[1] ?? '';
    return !new RegExp(`\\b${name.name}\\b`, 'u').test(imported) || code.includes("from '.");
  });
  expect(strange).toEqual([]);
});

test('a comment is found, and a missing one is missed', () => {
  const text =
    '/** Other. */\nexport const a = 1;\n/**\n * One.\n *\n * @example\n * f();\n */\nexport function f(): void {}\nexport const g = 2;\n';
  expect(commentOf(text, 'f')).toContain('@example\nf();\n');
  expect(commentOf(text, 'a')).toBe(' Other. ');
  expect(commentOf(text, 'g')).toBeUndefined();
});

test('documents have examples', () => {
  expect(examplesIn('README.md').length).toBeGreaterThan(0);
  expect(examplesIn('docs/api.md').length).toBeGreaterThan(0);
});

const PAGE = 'docs/api.md';

/** Names that `page` has in no code span. */
function unspoken(page: string, wanted: readonly string[]): readonly string[] {
  const spans = [...page.replaceAll(/^```[\s\S]*?^```$/gmu, '').matchAll(/`([^`]+)`/gu)];
  const words = new Set(spans.flatMap(([, span = '']) => span.match(/[\w.]+/gu) ?? []));
  return wanted.filter((name) => !words.has(name));
}

/** Members that no code says: `cx.read` is said by `cx.read('hits')`. */
function unused(code: string, wanted: readonly string[]): readonly string[] {
  const words = new Set(code.replaceAll(/\)\s*\.(?=\w)/gu, ' w.').match(/\b\w+\.\w+/gu));
  return wanted.filter((name) => !words.has(name));
}

const code = examplesIn(PAGE)
  .map((example) => example.code)
  .join('\n');

test('docs/api.md names every export', () => {
  const page = readFileSync(`${ROOT}${PAGE}`, 'utf8');
  const wanted = publicNames().map(({ name }) => name);
  expect(unspoken(page, wanted), `name it in ${PAGE}`).toEqual([]);
  expect(unspoken('`one(two)`\n```\n`three`\n```\n', ['one', 'two', 'three'])).toEqual(['three']);
});

test('docs/api.md has every method of contexts, builder and references in an example', () => {
  const wanted = memberNames();
  expect(wanted.length).toBeGreaterThan(60);
  expect(wanted).toEqual(expect.arrayContaining(['cx.writeText', 'cx.sleep', 'w.uses', 'gate.at']));
  expect(unused(code, wanted), `show it in an example of ${PAGE}`).toEqual([]);
  expect(unused("w.at(1).on(2); cx.read('a')", ['w.at', 'w.on', 'cx.read', 'cx.write'])).toEqual([
    'cx.write',
  ]);
});

test('docs/api.md tells of every step of a path', () => {
  const page = readFileSync(`${ROOT}${PAGE}`, 'utf8');
  const wanted = memberNames().filter((name) => name.startsWith('cx.'));
  expect(unspoken(page, wanted), `say what it does in ${PAGE}`).toEqual([]);
});

test('members are those that users can see', () => {
  const text =
    'export interface A { readonly a: number; b(): void }\n' +
    'export class B { #c = 1; readonly d = 1; constructor() {} e(): void; e(x?: number): void {} get f() { return 1; } }\n';
  expect(membersOf(text, 'A')).toEqual(['a', 'b']);
  expect(membersOf(text, 'B')).toEqual(['d', 'e', 'f']);
});
