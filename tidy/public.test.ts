// The public API: which names there are, and that each is explained by an example. `package.test.ts` runs them.
import { expect, test } from 'vitest';
import { commentOf, exampleOf, examplesIn, publicNames } from './examples.ts';

test('these names are public', () => {
  const names = publicNames().map(({ name }) => name);
  expect(names.toSorted((a, b) => (a < b ? -1 : 1)).join('\n')).toMatchInlineSnapshot(`
    "Choice
    DataReference
    EraComparison
    EraOptions
    EraRow
    EraTopic
    Event
    EventName
    EventOf
    Evidence
    ExpectationResult
    FprobeReference
    GuaranteeInfo
    Handler
    HandlerContext
    HandlerPath
    InputError
    InvariantError
    Judged
    Judgement
    MissExplanation
    MissGroup
    ProbeReference
    RecordOptions
    RecordedRun
    RecordingSource
    Recursion
    Reference
    ReplayOptions
    ReplayOutcome
    Step
    Task
    TaskContext
    TaskPath
    Verdict
    Workload
    WorkloadBuilder
    WorkloadInput
    compareEras
    defineHandler
    defineTask
    explainMiss
    fromYaml
    guarantees
    judge
    misses
    profiles
    readEvents
    record
    recursedFunctions
    replay
    toYaml
    variants
    workload
    workloadJsonSchema"
  `);
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
