import { expect, test } from 'vitest';
import { type Argument, call, pointer } from '../../properties/guest-call.ts';
import { smallKernel, type SmallKernel } from '../../properties/small-kernel.ts';
import { addressHi, addressLo, NO_ADDRESS, toAddress } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { preemptDisable } from '../emu/preempt.ts';
import type { ScriptOp } from '../emu/script.ts';
import type { EmuStub } from '../emu/stub-table.ts';
import { EBUSY, EINVAL, ENODEV, ENOENT } from './errno.ts';
import type { TraceStub } from './stub-table.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const FUNCTIONS = { a1: WORK, a2: WORK, b1: WORK, '-quiet': WORK } as const;

/** A machine whose guest keeps a zeroed struct ftrace_ops with a callback, and a string. */
function guest(more: Readonly<Record<string, readonly ScriptOp[]>> = {}): {
  m: SmallKernel;
  ops: Argument;
  write: (text: string) => Argument;
} {
  const notrace = Object.fromEntries(
    Object.entries(more).map(([name, body]) => [`-${name}`, body]),
  );
  const m = smallKernel({ functions: { ...FUNCTIONS, ...notrace }, data: ['ops', 'buffer'] });
  const { memory } = m.machine;
  const func = m.fn('cb').address;
  memory.store64(m.data('ops'), addressLo(func), addressHi(func));
  return {
    m,
    ops: pointer(m.data('ops')),
    write: (text) => {
      const at = m.data('buffer');
      for (let i = 0; i < text.length; i++) memory.store8(at + i, text.charCodeAt(i));
      memory.store8(at + text.length, 0);
      return pointer(m.data('buffer'));
    },
  };
}

test('guest code registers, filters and unregisters its own ops', () => {
  const { m, ops, write } = guest();
  m.control(function* (cx) {
    expect(yield* call(m, cx, 'ftrace_set_filter', [ops, write('a*'), 2, 0])).toBe(0);
    expect(yield* call(m, cx, 'ftrace_set_notrace', [ops, write('a2'), 2, 0])).toBe(0);
    expect(yield* call(m, cx, 'register_ftrace_function', [ops])).toBe(0);
    expect(m.hooked()).toEqual(['a1 -> ops']);
    expect(yield* call(m, cx, 'register_ftrace_function', [ops])).toBe(-EBUSY);
    yield* m.call(cx, 'a1');
    const b1 = pointer(m.fn('b1').address);
    expect(yield* call(m, cx, 'ftrace_set_filter_ip', [ops, b1, 0, 0])).toBe(0);
    expect(m.hooked()).toEqual(['a1 -> ops', 'b1 -> ops']);
    expect(yield* call(m, cx, 'ftrace_set_filter_ip', [ops, b1, 1, 0])).toBe(0);
    expect(yield* call(m, cx, 'ftrace_set_filter_ip', [ops, b1, 1, 0])).toBe(-ENOENT);
    expect(yield* call(m, cx, 'unregister_ftrace_function', [ops])).toBe(0);
  });
  expect(m.hooked()).toEqual([]);
  expect(m.events('object').map((e) => [e.name, e.callback])).toEqual([
    ['ops', m.fn('cb').address],
  ]);
  expect(m.events('cb_begin').map((e) => [e.object, e.generation])).toEqual([[1, 1]]);
  expect(m.events('ctl_begin').map((e) => [e.op, e.text, e.flags])).toEqual([
    ['ftrace_set_filter', 'a*', 0],
    ['ftrace_set_notrace', 'a2', 0],
    ['register_ftrace_function', '', 0],
    ['register_ftrace_function', '', 0],
    ['ftrace_set_filter_ip', '', 0],
    ['ftrace_set_filter_ip', '', 4],
    ['ftrace_set_filter_ip', '', 4],
    ['unregister_ftrace_function', '', 0],
  ]);
});

test('the buffer must hold exactly len bytes; NULL only resets (FT-38)', () => {
  const { m, ops, write } = guest();
  m.control(function* (cx) {
    expect(yield* call(m, cx, 'ftrace_set_filter', [ops, write('a1'), 1, 0])).toBe(-EINVAL);
    expect(yield* call(m, cx, 'ftrace_set_filter', [ops, write('a1 b1'), 2, 0])).toBe(-EINVAL);
    expect(yield* call(m, cx, 'ftrace_set_filter', [ops, write('a1'), 2, 0])).toBe(0);
    expect(yield* call(m, cx, 'ftrace_set_filter', [ops, 0, 0, 1])).toBe(0);
    yield* call(m, cx, 'register_ftrace_function', [ops]);
  });
  expect(m.hooked()).toHaveLength(3);
  expect(m.events('ctl_begin').map((e) => e.flags)).toEqual([0, 0, 0, 3, 0]);
});

test('flags in the struct say what the kernel thinks; a zeroed struct is a new ops (FT-25.2, FT-25.7)', () => {
  const { m, ops, write } = guest();
  const { memory } = m.machine;
  const flags = (): number => memory.loadLo(m.data('ops') + 8);
  m.control(function* (cx) {
    yield* call(m, cx, 'ftrace_set_filter', [ops, write('a1'), 2, 0]);
    yield* call(m, cx, 'register_ftrace_function', [ops]);
    expect(flags() & 3).toBe(3); // ENABLED and DYNAMIC.
    yield* call(m, cx, 'unregister_ftrace_function', [ops]);
    expect(flags() & 1).toBe(0);
    for (let offset = 8; offset < 64; offset += 8) memory.store64(m.data('ops') + offset, 0, 0);
    yield* call(m, cx, 'register_ftrace_function', [ops]);
  });
  // The filter went with the old one.
  expect(m.hooked()).toHaveLength(3);
  expect(m.events('object').map((e) => e.object)).toEqual([1, 2]);
});

/** `ops.flags = FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED;` in guest code. */
const ASSIGN: ScriptOp = { op: 'store', symbol: 'ops', offset: 8, value: 8 };

test('flags that a guest assigns before it registers leave its filter alone (FT-17)', () => {
  const { m, ops, write } = guest({ assign: [ASSIGN] });
  const { memory } = m.machine;
  const filter = (cx: Context, text: string): Path<number> =>
    call(m, cx, 'ftrace_set_filter', [ops, write(text), text.length, 0]);
  m.control(function* (cx) {
    yield* m.call(cx, 'assign'); // As a static initialiser would.
    expect(yield* filter(cx, 'a1')).toBe(0);
    yield* m.call(cx, 'assign');
    expect(yield* filter(cx, 'b1')).toBe(0);
    yield* m.call(cx, 'assign');
    expect(yield* call(m, cx, 'register_ftrace_function', [ops])).toBe(0);
    expect(memory.loadLo(m.data('ops') + 8) & 0xb).toBe(0xb);
    expect(m.hooked()).toEqual(['a1 -> ops', 'b1 -> ops']);
    expect(yield* call(m, cx, 'unregister_ftrace_function', [ops])).toBe(0);
    yield* m.call(cx, 'assign');
    expect(yield* call(m, cx, 'register_ftrace_function', [ops])).toBe(0);
    expect(m.hooked()).toEqual(['a1 -> ops', 'b1 -> ops']);
  });
  expect(m.events('object')).toHaveLength(1);
  expect(m.events('ctl_end').at(-1)?.generation).toBe(2);
});

const NULL = toAddress(0, 0);

test('a callback that is assigned before register is the one that is told and run', () => {
  const { m, ops, write } = guest();
  const { memory } = m.machine;
  const func = m.fn('cb').address;
  memory.store64(m.data('ops'), 0, 0);
  m.control(function* (cx) {
    yield* call(m, cx, 'ftrace_set_filter', [ops, write('a1'), 2, 0]);
    memory.store64(m.data('ops'), addressLo(func), addressHi(func));
    yield* call(m, cx, 'register_ftrace_function', [ops]);
    yield* m.call(cx, 'a1');
  });
  expect(m.events('object').map((e) => [e.object, e.callback])).toEqual([
    [1, NULL],
    [1, func],
  ]);
  expect(m.events('cb_begin').map((e) => e.object)).toEqual([1]);
});

test('a struct that was copied from an ops is another one', () => {
  const { m, ops, write } = guest();
  const { memory } = m.machine;
  const copy = m.data('ops') + 64;
  m.control(function* (cx) {
    yield* call(m, cx, 'ftrace_set_filter', [ops, write('a1'), 2, 0]);
    for (let at = 0; at < 64; at += 8) {
      memory.store64(
        copy + at,
        memory.loadLo(m.data('ops') + at),
        memory.loadHi(m.data('ops') + at),
      );
    }
    yield* call(m, cx, 'register_ftrace_function', [pointer(copy)]);
  });
  expect(m.hooked()).toHaveLength(3);
  expect(m.events('object').map((e) => e.object)).toEqual([1, 2]);
});

test('bad pointers and calls that may not sleep are oops events', () => {
  const cases: readonly (readonly [string, EmuStub | TraceStub, readonly Argument[]])[] = [
    ['unmapped', 'register_ftrace_function', [pointer(0x7000000)]],
    ['unmapped', 'register_ftrace_function', [0]],
    ['readonly', 'register_ftrace_function', [pointer(0)]],
    ['unmapped', '_printk', [0]],
    ['unmapped', 'reprobe_record_regs', [pointer(0x7000000), pointer(0)]],
    ['preempt imbalance', 'ftrace_test_recursion_unlock', [3]],
  ];
  for (const [reason, name, args] of cases) {
    const m = smallKernel({ functions: FUNCTIONS });
    m.thread('guest', 0, (cx) => call(m, cx, name, args));
    expect(m.machine.run()).toBe('oops');
    expect(m.events('oops').map((e) => e.reason)).toEqual([reason]);
  }
  const { m, ops } = guest();
  m.thread('guest', 0, function* (cx) {
    yield* preemptDisable(cx);
    yield* call(m, cx, 'register_ftrace_function', [ops]);
  });
  expect(m.machine.run()).toBe('oops');
  expect(m.events('oops').map((e) => e.reason)).toEqual(['scheduling while atomic']);
});

test('ftrace_location gives the site of who asks for its function or any of its bytes (FT-49)', () => {
  const { m } = guest();
  const { address, site } = m.fn('a1');
  const asked: number[] = [];
  m.control(function* (cx) {
    for (const at of [address, site, site + 3, site + 4, m.fn('quiet').address]) {
      asked.push(yield* call(m, cx, 'ftrace_location', [pointer(at)]));
    }
  });
  // The low word of the address, as a guest has it.
  const here = addressLo(site);
  expect(asked).toEqual([here, here, here, 0, 0]);
});

test('after ftrace_kill every call is refused, and who is hooked stays so (FT-11)', () => {
  const { m, ops } = guest();
  m.control(function* (cx) {
    expect(yield* call(m, cx, 'register_ftrace_function', [ops])).toBe(0);
    yield* call(m, cx, 'ftrace_kill', []);
    expect(yield* call(m, cx, 'unregister_ftrace_function', [ops])).toBe(-ENODEV);
    expect(yield* call(m, cx, 'register_ftrace_function', [ops])).toBe(-ENODEV);
    yield* m.call(cx, 'a1');
  });
  expect(m.events('kill').map(({ ip }) => ip)).toEqual([NO_ADDRESS]);
  expect(m.events('cb_begin')).toHaveLength(1);
});
