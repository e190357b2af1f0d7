import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError } from '../../assert.ts';
import { LIMIT } from './model.ts';
import { parseWorkload, readWorkload } from './parse.ts';

const golden = new URL('../../../golden/', import.meta.url);
const examples = readdirSync(golden)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => readFileSync(new URL(name, golden), 'utf8').replaceAll(/^#.*\n/gmu, ''));

/** The messages of a text that is no workload. */
function errors(text: string): string[] {
  try {
    parseWorkload(text, 'f.yaml');
  } catch (error) {
    if (error instanceof InputError) return error.message.split('\n');
    throw error;
  }
  return [];
}

const HEAD = 'name: a\nmachine: { cpus: 2 }\n';

function body(line: string): string[] {
  return errors(`${HEAD}functions:\n  f: { body: [${line}] }\n`);
}

function item(text: string): string[] {
  return errors(`${HEAD}timeline:\n  - ${text}\n`);
}

function handler(text: string): string[] {
  return errors(`${HEAD}handlers:\n  h: ${text}\n`);
}

test('a small workload is read as it is written, and positions point into the text', () => {
  const text = `${HEAD}functions:\n  f: { body: [work 4] }\n`;
  const { workload, positions } = parseWorkload(text, 'f.yaml');
  expect(workload).toEqual({
    name: 'a',
    machine: { cpus: 2 },
    functions: { f: { body: ['work 4'] } },
  });
  expect(positions.where(['functions', 'f', 'body', 0])).toBe('f.yaml:4:15');
  expect(positions.where(['functions', 'f'], 'key')).toBe('f.yaml:4:3');
  expect(positions.where(['functions', 'f', 'notrace'])).toBe('f.yaml:4:6');
  expect(positions.where(['nowhere'])).toBe('f.yaml:1:1');
});

test('an unknown key is named with its place, the nearest word and the valid ones', () => {
  expect(errors(`${HEAD}probes:\n  p: { kind: ftrace, fitler: x, callback: count }\n`)).toEqual([
    "f.yaml:4:22: unknown key 'fitler', did you mean 'filter'? expected one of kind, filter, notrace, callback, flags, static",
  ]);
});

test('a wrong type says what was expected and found', () => {
  expect(errors('name: a\nmachine: { cpus: two }')).toEqual([
    "f.yaml:2:18: expected a whole number from 1 to 8, found 'two'",
  ]);
  expect(errors('name: a\nmachine: { cpus: 9 }')).toEqual([
    'f.yaml:2:18: expected a whole number from 1 to 8, found 9',
  ]);
  expect(errors('name: 3\nmachine: { cpus: 1 }')[0]).toMatch(
    /^f.yaml:1:7: expected a text .*, found 3$/u,
  );
  expect(errors(`${HEAD}tasks: [a]`)).toEqual([
    'f.yaml:3:8: expected a map from names to tasks, found a list',
  ]);
});

test('a missing key points at what lacks it', () => {
  expect(errors('name: a\nmachine: { seed: 3 }')).toEqual([
    "f.yaml:2:1: missing key 'cpus': expected a whole number from 1 to 8",
  ]);
});

test('a key that is misspelled is not missing too', () => {
  expect(errors('name: a\nmachine: { cpsu: 3 }')).toHaveLength(1);
});

test('of the shapes that a value can have, the nearest one is explained', () => {
  expect(body('cal f')[0]).toMatch(/^f.yaml:4:15: .*found 'cal f', did you mean 'call'\?$/u);
  expect(body('{ loop: 0, body: [] }')[0]).toBe(
    'f.yaml:4:23: expected a whole number from 1 to 1000, found 0',
  );
  expect(body('{ lop: 2, body: [] }')[0]).toMatch(/unknown key 'lop', did you mean 'loop'\?/u);
  expect(body('[x]')[0]).toMatch(/expected a line such as work 4, .* found a list$/u);
  expect(item('{ at: strat, register: p }')[0]).toBe(
    "f.yaml:4:11: expected one of start, end, found 'strat', did you mean 'start'?",
  );
  expect(item('{ at: { step: x }, register: p }')[0]).toMatch(/^f.yaml:4:19: expected a whole/u);
  expect(item('{ at: start, register: p, expect: EINVALL }')[0]).toMatch(
    /did you mean '.?EINVAL'/u,
  );
});

test('a timeline item has one trigger and one operation, and only what belongs to them', () => {
  expect(item('{ register: p }')).toEqual([
    'f.yaml:4:5: expected exactly one of at, on, found none',
  ]);
  expect(item('{ at: start, on: { enter: f }, register: p }')[0]).toBe(
    'f.yaml:4:18: expected exactly one of at, on, found at and on',
  );
  expect(item('{ at: start }')[0]).toMatch(/expected exactly one of register, .* found none$/u);
  expect(item('{ at: start, register: p, cpu: 1 }')[0]).toMatch(
    /'cpu' belongs to irq, softirq, nmi/u,
  );
  expect(item('{ at: start, irq: f, expect: 0 }')[0]).toMatch(/'expect' belongs to register/u);
});

test('timers are complete, and other handlers have nothing of a timer', () => {
  expect(handler('{ timer: f }')).toEqual([
    "f.yaml:4:6: a timer needs 'cpu'",
    "f.yaml:4:6: a timer needs 'first'",
  ]);
  expect(handler('{ timer: f, cpu: 0, first: 1, times: 2 }')[0]).toMatch(/needs 'every'/u);
  expect(handler('{ irq: f, every: 2 }')[0]).toMatch(/'every' belongs to timer/u);
});

test('every mistake of a file is listed, in the order of the file', () => {
  const lines = errors('name: a\nmachine: { cpus: x, sed: 1 }\nexpect: [memroy]\nimage: 3\n');
  expect(lines.map((line) => line.split(': ')[0])).toEqual([
    'f.yaml:2:18',
    'f.yaml:2:21',
    'f.yaml:3:10',
    'f.yaml:4:8',
  ]);
  const many = errors(`${HEAD}expect: [${'x, '.repeat(30)}]`);
  expect(many).toHaveLength(LIMIT.errorsShown + 1);
  expect(many.at(-1)).toBe('and 10 more');
});

test('YAML that is more than plain data is refused', () => {
  expect(errors('name: &x a\nstory: *x\n')).toEqual([
    'f.yaml:1:10: anchors are not used here, remove &x',
    'f.yaml:2:8: aliases are not used here, write the value instead of *x',
  ]);
  expect(errors('name: !!str a')).toEqual(['f.yaml:1:13: tags are not used here, remove it']);
  expect(errors('%YAML 1.1\n---\nname: a')[0]).toMatch(/^f.yaml:1:1: YAML directives/u);
  expect(errors('name: a\nname: b')).toEqual(["f.yaml:2:1: the key 'name' is there twice"]);
  expect(errors('1: a')[0]).toMatch(/^f.yaml:1:1: expected keys that are plain texts/u);
  expect(errors('? [a]\n: b')[0]).toMatch(/expected keys that are plain texts/u);
  expect(errors(`${HEAD}<<: { story: b }`)[0]).toMatch(/^f.yaml:3:1: unknown key '<<'/u);
  expect(errors('__proto__: 1')[0]).toBe('f.yaml:1:1: not a usable name');
  expect(errors('name: a\n---\nname: b')[0]).toMatch(/^f.yaml:\d:\d: expected one document/u);
  expect(errors('name: "\\ud800"')[0]).toMatch(/half of a surrogate pair/u);
  expect(errors('name: [')[0]).toMatch(/^f.yaml:1:8: not valid YAML: /u);
});

test('more values or signs than a run can need are refused, and the first error ends the reading', () => {
  expect(errors(`[${'a,\n'.repeat(20_001)}]`)[0]).toBe(
    'f.yaml:1:1: expected at most 20000 values and 120000 signs and line ends in a workload',
  );
  expect(errors(`[${',\n'.repeat(120_000)}]`)[0]).toMatch(/at most 20000 values and 120000/u);
  expect(errors('}\n'.repeat(120_000))).toEqual([
    'f.yaml:1:1: not valid YAML: Unexpected flow-map-end token in YAML document: "}"',
  ]);
});

test('thousands of unknown keys are told as quickly as one', () => {
  const keys = Array.from({ length: 9000 }, (_, index) => `k${index}: 1`).join('\n');
  const lines = errors(`${HEAD}${keys}\n`);
  expect(lines[0]).toMatch(/^f.yaml:3:1: unknown key 'k0', expected one of name, /u);
  expect(lines.at(-1)).toBe(`and ${9000 - LIMIT.errorsShown} more`);
});

test('an empty file, and files beyond the limits, are refused before anything recurses', () => {
  expect(errors('')[0]).toMatch(/^f.yaml:1:1: expected a map .* found nothing$/u);
  expect(errors('# x\n'.repeat(70_000))[0]).toMatch(/at most 262144 characters/u);
  expect(errors(`a: ${'x'.repeat(1000)}`)[0]).toBe(
    'f.yaml:1:1001: expected lines of at most 1000 columns, found 1003',
  );
  for (const nest of ['[', '{a: ', '- ', '? ', '{ ? [']) {
    const deep = `${nest.repeat(100)}\n`.repeat(100);
    expect(errors(deep)[0]).toMatch(/expected at most 64 levels of nesting|not valid YAML/u);
  }
}, 30_000);

test('data that never was text is read with key paths as places, however it is nested', () => {
  let deep: unknown = 'work 1';
  for (let depth = 0; depth < 5000; depth++) deep = [deep];
  expect(() => readWorkload(deep, 'header')).toThrow('header: expected at most 64 levels');
  const wrong = { name: 'a', machine: { cpus: 1 }, timeline: [{ at: 'start', register: 3 }] };
  expect(() => readWorkload(wrong, 'header')).toThrow(
    'header: timeline[0].register: expected the name of a probe, a list of names, or { probe: NAME, filter: PATTERN }, found 3',
  );
});

/** Cuts, doubles, swaps and overwrites pieces of a text. */
const damage = fc.record({
  source: fc.nat(),
  edits: fc.array(
    fc.record({
      at: fc.nat(4000),
      cut: fc.nat(12),
      put: fc.oneof(
        fc.constantFrom(...'[]{},:&*!|>%@`\'"#?-\n\t \0\u2028'.split('')),
        fc.constantFrom(
          '- ',
          ': ',
          '<<: ',
          '*x',
          '&x ',
          '!!map ',
          '---\n',
          '...\n',
          '~',
          '1e9',
          '.nan',
        ),
        fc.constantFrom(
          '__proto__',
          'constructor',
          '\ud800',
          '"\\',
          'null',
          '0x',
          '-0',
          '|2-\n',
          '? ',
        ),
        fc.string({ maxLength: 8, unit: 'binary' }),
      ),
    }),
    { minLength: 1, maxLength: 6 },
  ),
});

test('whatever a file holds, either a workload or an InputError with a place comes out', () => {
  let refused = 0;
  fc.assert(
    fc.property(damage, ({ source, edits }) => {
      let text = examples[source % examples.length] ?? '';
      for (const { at, cut, put } of edits) {
        const start = at % (text.length + 1);
        text = text.slice(0, start) + put + text.slice(start + cut);
      }
      const lines = errors(text);
      if (lines.length > 0) refused++;
      const placed = lines.filter((line) => /^f\.yaml:\d+:\d+: \S|^and \d+ more$/u.test(line));
      expect(placed).toEqual(lines);
      expect(lines.join('\n')).not.toMatch(/Invalid input|undefined|\[object/u);
    }),
    { numRuns: 2000 },
  );
  expect(refused).toBeGreaterThan(500);
}, 60_000);

test('what a file says acts on no terminal, and forges no line', () => {
  const [name = '', run = ''] = errors(
    'name: "\\e[31m"\nmachine: { cpus: 1 }\ntasks: { t: { cpu: 0, run: "\\e[2J\\nf.yaml:1:1: fine\\u202e" } }\n',
  );
  expect(name).toContain("found '\\u001b[31m'");
  expect(run).toContain("found '\\u001b[2J\\nf.yaml:1:1: fine\\u202e'");
});
