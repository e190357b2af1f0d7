import { expect, test } from 'vitest';
import { smallMachine, type SmallMachine } from '../../properties/small-machine.ts';
import { known } from '../assert.ts';
import { type Address, addressHi, addressLo, TASK_STRUCT_BASE } from './address.ts';
import type { Context } from './context.ts';
import { callGuest, type Path } from './path.ts';
import { preemptDisable } from './preempt.ts';
import { REG } from './regs.ts';
import type { ScriptOp } from './script.ts';
import { EMU_STUBS, type EmuStub, stubAddress } from './stub-table.ts';

const WORK: readonly ScriptOp[] = [{ op: 'work', count: 2 }];
const EAGAIN = 11;

/** Two words for each argument: an Address, or a small number. */
function words(args: readonly (number | { readonly at: Address })[]): number[] {
  return args.flatMap((one) =>
    typeof one === 'number' ? [one, one >> 31] : [addressLo(one.at), addressHi(one.at)],
  );
}

function call(
  cx: Context,
  name: EmuStub,
  args: readonly (number | { readonly at: Address })[] = [],
): Path<number> {
  return callGuest(cx.cpu.state, stubAddress(EMU_STUBS.indexOf(name)), words(args));
}

function writeText({ machine: { memory } }: SmallMachine, at: Address, text: string): void {
  for (let i = 0; i < text.length; i++) memory.store8(at + i, text.charCodeAt(i));
}

/** A machine with a name for threads in its data. */
function machine(): { m: SmallMachine; name: { at: Address } } {
  const m = smallMachine({ functions: { f: WORK }, data: ['name'] });
  const { address } = known(m.image.dataSymbols.get('name'), 'there is a name');
  writeText(m, address, 'thread');
  return { m, name: { at: address } };
}

function create(
  cx: Context,
  { m, name }: { m: SmallMachine; name: { at: Address } },
): Path<number> {
  return call(cx, 'kthread_create_on_node', [{ at: m.at('f') }, 0, -1, name]);
}

test('a thread that was made does nothing until it is woken', () => {
  const made = machine();
  const { m } = made;
  m.thread('maker', 0, (cx) => create(cx, made));
  expect(m.machine.run()).toBe('run_end');
  const events = [...m.log.events()];
  const child = events.flatMap((e) => (e.event === 'task_new' && e.name === 'thread' ? [e] : []));
  expect(child).toMatchObject([{ kind: 'kthread', on_cpu: 0, pid: 1 }]);
  expect(events.some((e) => e.event === 'func_enter')).toBe(false);
});

test('there is room for so many tasks, and then an error in the place of a pointer', () => {
  const made = machine();
  const results: number[] = [];
  const { m } = made;
  const { hart } = known(m.machine.cpus[0], 'there is a first CPU');
  m.thread('maker', 0, function* (cx) {
    for (let i = 0; i < 16; i++) {
      const low = yield* create(cx, made);
      results.push(hart.hi[REG.a0] === -1 ? low : 0);
    }
  });
  expect(m.machine.run()).toBe('run_end');
  // Two idle tasks and the maker have their stacks already.
  expect(results.filter((low) => low === -EAGAIN)).toHaveLength(3);
});

test('tp points to the task struct of whoever runs, which guests cannot write', () => {
  const { m } = machine();
  const seen: number[] = [];
  for (const cpu of [0, 1]) {
    m.thread(`t${cpu}`, cpu, function* (cx) {
      yield* callGuest(cx.cpu.state, m.at('f'), []);
      seen.push((cx.cpu.hart.lo[REG.tp] ?? 0) ^ -0x80000000);
    });
  }
  expect(m.machine.run()).toBe('run_end');
  expect(seen).toEqual([2, 3].map((index) => TASK_STRUCT_BASE + 64 * index));
  const { memory } = m.machine;
  expect(memory.segmentAt(TASK_STRUCT_BASE)?.writable).toBe(false);
  expect(seen.map((at) => memory.load32(at))).toEqual([1, 2]);
});

test('misuse of threads and of spinlocks is an oops', () => {
  const cases: readonly (readonly [string, EmuStub])[] = [
    ['not a kthread', 'kthread_should_stop'],
    ['no such kthread', 'kthread_stop'],
    ['no such kthread', 'wake_up_process'],
    ['unlock by another', '_raw_spin_unlock'],
  ];
  for (const [reason, symbol] of cases) {
    const { m, name } = machine();
    m.thread('guest', 0, (cx) => call(cx, symbol, [name]));
    expect(m.machine.run()).toBe('oops');
    expect([...m.log.events()].flatMap((e) => (e.event === 'oops' ? [e.reason] : []))).toEqual([
      reason,
    ]);
  }
  const made = machine();
  made.m.thread('guest', 0, function* (cx) {
    yield* preemptDisable(cx);
    yield* create(cx, made);
  });
  expect(made.m.machine.run()).toBe('oops');
});

test('a spinlock keeps the other CPU out, and preemption off', () => {
  const { m, name } = machine();
  const inside: number[] = [];
  let together = 0;
  const shared = m.machine.cells.cell('inside', 0);
  for (const cpu of [0, 1]) {
    m.thread(`t${cpu}`, cpu, function* (cx) {
      yield* call(cx, '_raw_spin_lock', [name]);
      together = Math.max(together, ++shared.value);
      inside.push(cx.cpu.preemptCount.value);
      yield* callGuest(cx.cpu.state, m.at('f'), []);
      shared.value--;
      yield* call(cx, '_raw_spin_unlock', [name]);
      inside.push(cx.cpu.preemptCount.value);
    });
  }
  expect(m.machine.run()).toBe('run_end');
  expect(together).toBe(1);
  expect(inside.toSorted((a, b) => a - b)).toEqual([0, 0, 1, 1]);
});

test('a string in freed memory is not printed: it is a finding', () => {
  const { m } = machine();
  const format = { at: known(m.image.dataSymbols.get('name'), 'there is a name').address };
  writeText(m, format.at, '%s\0');
  m.thread('guest', 0, function* (cx) {
    const low = yield* call(cx, 'kmalloc', [32, 0]);
    const object = { at: low ^ -0x80000000 };
    yield* call(cx, '_printk', [format, object]);
    yield* call(cx, 'kfree', [object]);
    yield* call(cx, '_printk', [format, object]);
  });
  expect(m.machine.run()).toBe('oops');
  const told = [...m.log.events()].filter(({ event }) =>
    ['printk', 'touch', 'oops'].includes(event),
  );
  expect(told.map(({ event }) => event)).toEqual(['printk', 'touch', 'oops']);
});
