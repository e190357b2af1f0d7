import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Guest, type KernelCall } from '../../golden/c/guest.ts';
import { stubAddresses } from '../../golden/c/stubs.ts';
import { InputError, known } from '../assert.ts';
import { siteOffset } from './assemble.ts';
import { buildImage, type Image } from './image.ts';
import type { ScriptFunction, ScriptOp } from './script.ts';

const plain = { notrace: false, callback: false };
const LPAD = 0x00000017;
const NOP = 0x00000013;
const RET = 0x00008067;

function imageOf(functions: readonly ScriptFunction[]): Image {
  const data = [
    { name: 'x', bytes: 16 },
    { name: 'hits', bytes: 8 },
  ];
  return buildImage({ functions, data, stubs: stubAddresses(), landingPad: true });
}

interface Outcome {
  readonly guest: Guest;
  readonly value: bigint;
  readonly instructions: number;
  readonly calls: readonly KernelCall[];
}

/** Runs the first function to its end; kernel symbols answer `answer`. */
function execute(
  functions: readonly ScriptFunction[],
  args: readonly number[] = [],
  answer = 0,
): Outcome {
  const calls: KernelCall[] = [];
  const guest = new Guest(imageOf(functions), 1, (call) => {
    calls.push(call);
    return answer;
  });
  const value = guest.call(known(functions[0], 'there is a function').name, args);
  return { guest, value, instructions: known(guest.harts[0], 'a hart').instret, calls };
}

function main(...body: ScriptOp[]): ScriptFunction {
  return { name: 'main', body, ...plain };
}

const hit: ScriptOp = { op: 'amoadd', symbol: 'hits', offset: 0, value: 1 };
/** Pad, site, `li a0, 0`, `ret`. */
const EMPTY_INSTRUCTIONS = 4;

test('a traceable function begins with its pad and its site, and ends with ret (FT-4)', () => {
  const image = imageOf([main({ op: 'work', count: 1 }), { ...main(), name: 'next' }]);
  const words = new Int32Array(image.text.buffer);
  expect([...words.subarray(0, 2)]).toEqual([LPAD, NOP]);
  const [first, next] = image.functions;
  expect([first?.address, first?.site, next?.address]).toEqual([0, 4, first?.size]);
  expect(words.at(-1)).toBe(RET);
});

test('notrace functions have no site; without pads the site comes first (FT-4)', () => {
  expect(siteOffset({ ...main(), notrace: true }, true)).toBe(undefined);
  expect(siteOffset(main(), false)).toBe(0);
  const words = new Int32Array(imageOf([{ ...main(), notrace: true }]).text.buffer);
  expect([...words]).toEqual([0x00000513, RET]);
});

test('work is as many instructions as it says', () => {
  const count = fc.oneof(fc.nat(100), fc.integer({ min: 8180, max: 8210 }), fc.nat(40_000));
  fc.assert(
    fc.property(count, (n) => {
      const { instructions } = execute([main({ op: 'work', count: n })]);
      expect(instructions).toBe(EMPTY_INSTRUCTIONS + n);
    }),
    { numRuns: 100 },
  );
  expect(imageOf([main({ op: 'work', count: 0x7fffffff })]).text.length).toBeLessThan(64);
});

test('loops nest, survive calls that use every temporary, and may be empty or absent', () => {
  const times = fc.nat(7);
  fc.assert(
    fc.property(times, times, times, (a, b, c) => {
      const callee: ScriptFunction = {
        name: 'callee',
        body: [{ op: 'loop', times: c, body: [hit, { op: 'work', count: 20 }] }],
        ...plain,
      };
      const inner: ScriptOp = { op: 'loop', times: b, body: [{ op: 'call', target: 'callee' }] };
      const outer: ScriptOp = {
        op: 'loop',
        times: a,
        body: [inner, { op: 'loop', times: c, body: [] }],
      };
      const { guest, value } = execute([main(outer), callee]);
      expect(guest.word('hits')).toBe(BigInt(a * b * c));
      expect(value).toBe(0n);
    }),
    { numRuns: 60 },
  );
});

test('recursion returns level by level', () => {
  const names = ['main', 'f1', 'f2', 'f3'];
  const chain = names.map((name, index): ScriptFunction => {
    const target = names[index + 1];
    const deeper: ScriptOp[] = target === undefined ? [] : [{ op: 'call', target }];
    return { name, body: [...deeper, hit, ...deeper], notrace: false, callback: false };
  });
  expect(execute(chain).guest.word('hits')).toBe(15n);
});

function named(name: string, ...body: ScriptOp[]): ScriptFunction {
  return { name, body, ...plain };
}

test('whom a function ends with goes on in its place, and returns to its caller with its own value', () => {
  const { guest, value } = execute([
    main(hit, { op: 'call', target: 'first' }, hit),
    // It has a frame, which is gone when the next one begins.
    named('first', { op: 'loop', times: 2, body: [hit] }, { op: 'tail', target: 'second' }),
    named(
      'second',
      { op: 'if', symbol: 'hits', offset: 0, body: [{ op: 'tail', target: 'third' }] },
      hit,
    ),
    named('third', hit, { op: 'return', value: 7 }),
  ]);
  expect(guest.word('hits')).toBe(5n);
  expect(value).toBe(0n);
  const ends = main({ op: 'tail', target: 'third' });
  expect(execute([ends, named('third', { op: 'return', value: 7 })]).value).toBe(7n);
});

test('data is loaded, stored and added to at its offset, with every value there is', () => {
  const value = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -5000, max: 5000 }));
  fc.assert(
    fc.property(value, value, value, (a, b, c) => {
      const at = { symbol: 'x', offset: 8 };
      const { guest, value: result } = execute([
        main(
          { op: 'store', ...at, value: a },
          { op: 'load', ...at },
          { op: 'add', ...at, value: b },
          { op: 'amoadd', ...at, value: c },
          { op: 'return', value: c },
        ),
      ]);
      expect(guest.word('x', 8)).toBe(BigInt.asIntN(64, BigInt(a) + BigInt(b) + BigInt(c)));
      expect(guest.word('x', 0)).toBe(0n);
      expect(result).toBe(BigInt(c));
    }),
    { numRuns: 200 },
  );
});

test('interrupts go off and on', () => {
  expect(execute([main({ op: 'irq_off' })]).guest.harts[0]?.irqsOn).toBe(false);
  expect(execute([main({ op: 'irq_off' }, { op: 'irq_on' })]).guest.harts[0]?.irqsOn).toBe(true);
});

test('operations of the kernel are calls of its symbols', () => {
  const ops = ['preempt_off', 'rcu_read_lock', 'rcu_read_unlock', 'preempt_on'] as const;
  const { calls } = execute([
    main(
      ...ops.map((op) => ({ op })),
      { op: 'sleep', us: 70_000 },
      { op: 'call', target: 'msleep' },
    ),
    { ...main(hit), name: 'usleep_range' }, // A name of the workload does not change what sleeps.
  ]);
  expect(calls.map(({ name }) => name)).toEqual([
    'preempt_disable',
    'rcu_read_lock',
    'rcu_read_unlock',
    'preempt_enable',
    'usleep_range',
    'msleep',
  ]);
  expect([calls[4]?.a0, calls[4]?.a1]).toEqual([70_000n, 70_000n]);
});

test('to delegate is to call a symbol with the arguments as they came, and to return what it does', () => {
  const fn = { ...main({ op: 'delegate', target: 'kmalloc' }), notrace: true };
  const { value, calls } = execute([fn], [5, 6, 7], 42);
  expect(value).toBe(42n);
  expect(calls).toMatchObject([{ name: 'kmalloc', a0: 5n, a1: 6n }]);
});

test('return leaves from within blocks', () => {
  const leave: ScriptOp = { op: 'return', value: -22 };
  const loop: ScriptOp = {
    op: 'loop',
    times: 5,
    body: [hit, { op: 'loop', times: 5, body: [leave] }],
  };
  const { guest, value } = execute([main(loop, hit)]);
  expect(value).toBe(-22n);
  expect(guest.word('hits')).toBe(1n);
});

const callback: ScriptFunction = {
  name: 'callback',
  body: [{ op: 'loop', times: 2, body: [{ op: 'trylock', body: [{ op: 'regs' }, hit] }] }, hit],
  notrace: true,
  callback: true,
};

test('a callback gives trylock, unlock and regs what it was called with', () => {
  const { guest, calls } = execute([callback], [11, 22, 33, 44], 7);
  const round = [
    { name: 'ftrace_test_recursion_trylock', a0: 11n, a1: 22n },
    { name: 'reprobe_record_regs', a0: 33n, a1: 44n },
    { name: 'ftrace_test_recursion_unlock', a0: 7n },
  ];
  expect(calls).toMatchObject([...round, ...round]);
  expect(guest.word('hits')).toBe(3n);
});

test('a handler of an fprobe has them in other places, and entry_data behind', () => {
  const trylock: ScriptOp = { op: 'trylock', body: [{ op: 'regs' }] };
  const handler: ScriptFunction = {
    name: 'handler',
    body: [trylock, { op: 'store_data', register: 11 }, { op: 'show_data' }],
    notrace: true,
    callback: true,
    convention: 'fprobe',
  };
  const { guest, calls } = execute([handler], [11, 22, 33, 44, 0], 7);
  expect(calls).toMatchObject([
    { name: 'ftrace_test_recursion_trylock', a0: 22n, a1: 33n },
    { name: 'reprobe_record_regs', a0: 11n, a1: 44n },
    { name: 'ftrace_test_recursion_unlock', a0: 7n },
    // Without entry_data there is nothing to store it in (FP-2).
    { name: 'reprobe_record_data', a0: 11n, a1: 0n },
  ]);
  expect(guest.word('hits')).toBe(0n);
});

test('when trylock fails its block is left out, and no more', () => {
  const { guest, calls } = execute([callback], [11, 22, 33, 44], -1);
  expect(calls.map(({ name }) => name)).toEqual([
    'ftrace_test_recursion_trylock',
    'ftrace_test_recursion_trylock',
  ]);
  expect(guest.word('hits')).toBe(1n);
});

function nested(depth: number): ScriptOp {
  return { op: 'loop', times: 1, body: depth === 1 ? [] : [nested(depth - 1)] };
}

test.each<readonly [string, ScriptOp]>([
  ['no function to call is named nowhere', { op: 'call', target: 'nowhere' }],
  ['no data is named nothing', { op: 'load', symbol: 'nothing', offset: 0 }],
  ['x has 16 bytes; 16 is no word of them', { op: 'load', symbol: 'x', offset: 16 }],
  ['x has 16 bytes; 4 is no word of them', { op: 'store', symbol: 'x', offset: 4, value: 0 }],
  ['x has 16 bytes; -8 is no word of them', { op: 'load', symbol: 'x', offset: -8 }],
  ['redirect belong into callbacks', { op: 'regs' }],
  ['redirect belong into callbacks', { op: 'trylock', body: [] }],
  ['redirect belong into callbacks', { op: 'set_reg', register: 10, value: 1 }],
  ['redirect belong into callbacks', { op: 'redirect', target: 'main' }],
  ['belong into handlers of an fprobe', { op: 'store_data', register: 10 }],
  ['belong into handlers of an fprobe', { op: 'show_data' }],
  ['1.5 is no count', { op: 'work', count: 1.5 }],
  ['-1 is no count', { op: 'loop', times: -1, body: [] }],
  ['4294967296 is no count', { op: 'sleep', us: 2 ** 32 }],
  ['is no integer of 53 bits', { op: 'return', value: 2 ** 53 }],
  ['blocks are nested deeper than 32', nested(33)],
])('a wrong script is an input error: %s', (message, op) => {
  expect(() => imageOf([main(op)])).toThrow(InputError);
  expect(() => imageOf([main(op)])).toThrow(message);
});
