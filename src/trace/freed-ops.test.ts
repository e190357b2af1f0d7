import { expect, test } from 'vitest';
import { call, kmalloc, pointer } from '../../properties/guest-call.ts';
import {
  perform,
  REGISTER,
  setFilter,
  smallKernel,
  type SmallKernel,
  UNREGISTER,
} from '../../properties/small-kernel.ts';
import { known } from '../assert.ts';
import { type Address, addressHi, addressLo, NO_ADDRESS } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import { mutexLock, mutexUnlock } from '../emu/lock.ts';
import { tick } from '../emu/loop.ts';
import type { Path } from '../emu/path.ts';
import type { ScriptOp } from '../emu/script.ts';
import { sleepFor } from '../emu/timer.ts';
import { judgeEvents } from '../replay/guarantee/index.ts';
import type { Verdict } from '../replay/guarantee/judge.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const OPS_BYTES = 64;

function newKernel(): SmallKernel {
  return smallKernel({ functions: { a1: WORK, a2: WORK, b1: WORK }, data: ['buffer'] });
}

/** A zeroed `struct ftrace_ops` with a callback, in memory from kmalloc. */
function* newHeapOps(m: SmallKernel, cx: Context): Path<Address> {
  const at = yield* kmalloc(m, cx, OPS_BYTES);
  const { memory } = m.machine;
  for (let offset = 0; offset < OPS_BYTES; offset += 8) memory.store64(at + offset, 0, 0);
  const func = m.fn('cb').address;
  memory.store64(at, addressLo(func), addressHi(func));
  return at;
}

function* kfree(m: SmallKernel, cx: Context, at: Address): Path<void> {
  yield* call(m, cx, 'kfree', [pointer(at)]);
}

function memoryVerdict(m: SmallKernel): Verdict {
  const judged = judgeEvents(m.log.events());
  return known(
    judged.find(({ guarantee }) => guarantee.name === 'memory'),
    'memory is judged',
  ).verdict;
}

/** The run ended with the use of an object that kfree took; nothing was reported after that. */
function expectUseAfterFree(m: SmallKernel): void {
  expect(m.machine.ending).toBe('oops');
  const freed = m.events('free').at(-1);
  expect(m.events('touch').at(-1)).toMatchObject({
    object: freed?.object,
    generation: freed?.generation,
  });
  expect([...m.log.events()].slice(-2).map((e) => e.event)).toEqual(['touch', 'oops']);
  expect(m.events('oops').map((e) => e.reason)).toEqual(['freed']);
  const verdict = memoryVerdict(m);
  expect(verdict.status).toBe('broken');
  expect('why' in verdict && verdict.why).toMatch(/^heap \d+ \(generation \d+\) was used/u);
}

function runs(m: SmallKernel, path: (cx: Context) => Path<unknown>): void {
  m.thread('guest', 0, path);
  m.machine.run();
}

test.each([
  'register_ftrace_function',
  'unregister_ftrace_function',
  'ftrace_set_filter',
  'ftrace_set_notrace',
  'ftrace_set_filter_ip',
] as const)('%s of an ops that was freed uses freed memory (CC-M15)', (name) => {
  for (const isKnown of [false, true]) {
    const m = newKernel();
    runs(m, function* (cx) {
      const ops = yield* newHeapOps(m, cx);
      if (isKnown) yield* call(m, cx, 'ftrace_set_filter', [pointer(ops), 0, 0, 1]);
      yield* kfree(m, cx, ops);
      yield* call(m, cx, name, [pointer(ops), 0, 0, 0]);
    });
    expectUseAfterFree(m);
  }
});

/** Registers an ops and another one, hits both, and frees the first; where it was. */
function* freesRegistered(m: SmallKernel, cx: Context): Path<Address> {
  const other = m.ops('ops0', 'cb');
  const ops = yield* newHeapOps(m, cx);
  yield* call(m, cx, 'register_ftrace_function', [pointer(ops)]);
  yield* perform(cx, m.k, other, REGISTER);
  yield* m.call(cx, 'a1');
  yield* kfree(m, cx, ops);
  return ops;
}

test('a list walk finds an ops that was freed while it was registered (CC-M15, CC-O7)', () => {
  const m = newKernel();
  runs(m, function* (cx) {
    yield* freesRegistered(m, cx);
    yield* m.call(cx, 'a1');
  });
  expectUseAfterFree(m);
  expect(m.events('cb_begin').map((e) => e.object)).toEqual([1, 2, 1]);
});

test('a walker that stands on an ops when it is freed reads its next pointer', () => {
  const m = newKernel();
  const other = m.ops('ops0', 'cb');
  let ops = NO_ADDRESS;
  m.thread('guest', 0, function* (cx) {
    yield* perform(cx, m.k, other, REGISTER);
    ops = yield* newHeapOps(m, cx);
    yield* call(m, cx, 'register_ftrace_function', [pointer(ops)]);
    yield* m.call(cx, 'a1');
  });
  const { machine } = m;
  while (m.events('cb_begin').length === 0) tick(machine);
  const made = known(machine.slab.at(ops), 'the ops lives');
  machine.slab.destroy(known(machine.cpus[1], 'there is a second CPU').top, made);
  machine.run();
  expectUseAfterFree(m);
  expect(m.events('cb_end')).toHaveLength(1);
});

test('unregister of another ops walks past one that was freed', () => {
  const m = newKernel();
  const other = m.ops('ops0', 'cb');
  runs(m, function* (cx) {
    yield* perform(cx, m.k, other, REGISTER);
    const ops = yield* newHeapOps(m, cx);
    yield* call(m, cx, 'register_ftrace_function', [pointer(ops)]);
    yield* kfree(m, cx, ops);
    yield* perform(cx, m.k, other, UNREGISTER);
  });
  expectUseAfterFree(m);
});

test('a filter change of another ops looks for the trampoline of one that was freed', () => {
  const m = newKernel();
  const other = m.ops('ops0', 'cb');
  runs(m, function* (cx) {
    yield* perform(cx, m.k, other, setFilter('b1'));
    yield* perform(cx, m.k, other, REGISTER);
    const ops = yield* newHeapOps(m, cx);
    yield* call(m, cx, 'register_ftrace_function', [pointer(ops)]);
    yield* kfree(m, cx, ops);
    yield* perform(cx, m.k, other, setFilter('a1'));
  });
  expectUseAfterFree(m);
});

test('an ops that is freed while a call on it sleeps is used when the call goes on', () => {
  for (const name of ['unregister_ftrace_function', 'ftrace_set_filter'] as const) {
    const m = newKernel();
    runs(m, function* (cx) {
      const ops = yield* newHeapOps(m, cx);
      yield* call(m, cx, 'register_ftrace_function', [pointer(ops)]);
      yield* mutexLock(cx, m.k.ftrace.ftraceLock);
      m.thread('caller', 1, (own) => call(m, own, name, [pointer(ops), 0, 0, 1]));
      yield* sleepFor(cx, 200);
      yield* kfree(m, cx, ops);
      yield* mutexUnlock(cx, m.k.ftrace.ftraceLock);
    });
    expectUseAfterFree(m);
  }
});

test('another object in the place of a registered ops is not that ops (CC-M15)', () => {
  const m = newKernel();
  runs(m, function* (cx) {
    const ops = yield* freesRegistered(m, cx);
    expect(yield* kmalloc(m, cx, OPS_BYTES)).toBe(ops);
    yield* m.call(cx, 'a1');
  });
  expectUseAfterFree(m);
});

test('a pattern in freed memory', () => {
  for (const name of ['ftrace_set_filter', 'ftrace_set_notrace'] as const) {
    const m = newKernel();
    runs(m, function* (cx) {
      const [ops, buffer] = [yield* newHeapOps(m, cx), yield* kmalloc(m, cx, 16)];
      m.machine.memory.store32(buffer, 0x00003161); // "a1"
      expect(yield* call(m, cx, name, [pointer(ops), pointer(buffer), 2, 0])).toBe(0);
      yield* kfree(m, cx, buffer);
      yield* call(m, cx, name, [pointer(ops), pointer(buffer), 2, 0]);
    });
    expectUseAfterFree(m);
  }
});

test('an ops on the heap that is unregistered before it is freed is nothing to report', () => {
  const m = newKernel();
  const other = m.ops('ops0', 'cb');
  m.control(function* (cx) {
    yield* perform(cx, m.k, other, REGISTER);
    const ops = yield* newHeapOps(m, cx);
    yield* call(m, cx, 'register_ftrace_function', [pointer(ops)]);
    yield* m.call(cx, 'a1');
    yield* call(m, cx, 'unregister_ftrace_function', [pointer(ops)]);
    yield* kfree(m, cx, ops);
    yield* m.call(cx, 'a1');
    yield* perform(cx, m.k, other, UNREGISTER);
  });
  expect(memoryVerdict(m).status).toBe('held');
});
