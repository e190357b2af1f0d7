import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eachLine, linePattern, lineSamples, readBody, readLine } from './line.ts';

function read(text: string): unknown {
  const reading = readLine(text, 'function');
  return 'op' in reading ? reading.op : reading.problem;
}

test('every line becomes the operation of the machine that it names', () => {
  expect(read('work 4')).toEqual({ op: 'work', count: 4 });
  expect(read('call vfs_open')).toEqual({ op: 'call', target: 'vfs_open' });
  expect(read('load counter')).toEqual({ op: 'load', symbol: 'counter', offset: 0 });
  expect(read(' store  counter+8 -7 ')).toEqual({
    op: 'store',
    symbol: 'counter',
    offset: 8,
    value: -7,
  });
  expect(read('amoadd counter 1')).toEqual({
    op: 'amoadd',
    symbol: 'counter',
    offset: 0,
    value: 1,
  });
  expect(read('sleep 20')).toEqual({ op: 'sleep', us: 20 });
  expect(read('return 3')).toEqual({ op: 'return', value: 3 });
  expect(read('irq_off')).toEqual({ op: 'irq_off' });
  expect(readLine('set_reg s1 -5', 'callback')).toEqual({
    op: { op: 'set_reg', register: 9, value: -5 },
  });
  expect(readLine('redirect vfs_read', 'callback')).toEqual({
    op: { op: 'redirect', target: 'vfs_read' },
  });
});

test('every sample of the published schema is a line', () => {
  for (const sample of lineSamples('callback')) {
    expect(readLine(sample, 'callback')).toHaveProperty('op');
  }
  const own = lineSamples('callback').filter((line) => !lineSamples('function').includes(line));
  expect(own).toEqual(['regs', 'set_reg a0 1', 'redirect vfs_open', 'store_data a0', 'show_data']);
});

test('the published pattern and the reader accept the same lines, but for the bounds of numbers', () => {
  const words = lineSamples('callback').map((sample) => sample.split(' ')[0] ?? '');
  const operand = fc.constantFrom(
    '4',
    '-4',
    '-0',
    '1.5',
    '0x4',
    'vfs_open',
    'counter+8',
    '+',
    '9a',
    '',
  );
  const line = fc
    .tuple(fc.constantFrom(...words, 'wrk'), fc.array(operand, { maxLength: 3 }))
    .map(([word, operands]) => [word, ...operands].join(' '));
  for (const where of ['function', 'callback'] as const) {
    const pattern = new RegExp(linePattern(where), 'u');
    fc.assert(
      fc.property(line, (text) => {
        expect(pattern.test(text)).toBe('op' in readLine(text, where));
      }),
    );
    for (const text of ['work -4', 'sleep -1', 'work -0', 'call 9', 'work', 'regs 1', 'load -1']) {
      expect([text, pattern.test(text)]).toEqual([text, false]);
      expect(readLine(text, where)).toHaveProperty('problem');
    }
  }
});

test('what is wrong with a line is said with what was expected', () => {
  expect(read('cal vfs_open')).toMatch(
    /^expected one of work, .*found 'cal vfs_open', did you mean 'call'\?$/u,
  );
  expect(read('work')).toBe("expected 'work 4', found 'work'");
  expect(read('work 4 5')).toBe("expected 'work 4', found 'work 4 5'");
  expect(read('work 1001')).toBe(
    "expected 'work 4' with a whole number from 0 to 1000, found '1001'",
  );
  expect(read('call 9')).toBe("expected 'call vfs_open' with a function name, found '9'");
  expect(readLine('set_reg sp 1', 'callback')).toHaveProperty(
    'problem',
    expect.stringMatching(/^expected 'set_reg a0 1' with a register such as a0.*, found 'sp'$/u),
  );
  expect(read('regs')).toMatch(/'regs' belongs to callbacks/u);
  expect(read('store counter 2147483648')).toMatch(/found '2147483648'$/u);
  expect(read('')).toMatch(/found ''$/u);
});

test('a body keeps its blocks', () => {
  expect(readBody([{ loop: 2, body: ['irq_off'] }, { trylock: ['regs'] }])).toEqual([
    { op: 'loop', times: 2, body: [{ op: 'irq_off' }] },
    { op: 'trylock', body: [{ op: 'regs' }] },
  ]);
  const seen: string[] = [];
  eachLine(['a', { loop: 2, body: ['b', { trylock: ['c'] }] }, 'd'], ['body'], (text, path) => {
    seen.push(`${text} ${path.join('.')}`);
  });
  expect(seen).toEqual(['a body.0', 'b body.1.body.0', 'c body.1.body.1.trylock.0', 'd body.2']);
});

test('any text is either a line or a problem', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 30 }), (text) => {
      const reading = readLine(text, 'callback');
      expect('op' in reading || reading.problem.startsWith('expected ')).toBe(true);
    }),
  );
});
