// What each kind of grace period waits for, and what it does not cover (docs/spec/concurrency.md, section 1).
import { expect, test } from 'vitest';
import { type SmallMachine, smallMachine } from '../../properties/small-machine.ts';
import { known } from '../assert.ts';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import { type Path, readOnce, sleepUntil, waitUntil, writeOnce } from './path.ts';
import { localIrqRestore, localIrqSave, preemptDisable, preemptEnable } from './preempt.ts';
import { callRcu, synchronize, type WaitKind } from './rcu.ts';
import { sleepFor } from './timer.ts';

function cpuOf(m: SmallMachine, id: number): Cpu {
  return known(m.machine.cpus[id], `CPU ${id} exists`);
}

/** Task 1 spins with preemption off on CPU 1, RCU watching or not, for 200 steps; what happens in which order. */
function regionAndWait(
  watching: boolean,
  wait: (cx: Context, order: string[]) => Path<void>,
): string {
  const m = smallMachine({ functions: {} });
  const [opened, close] = [m.machine.cells.cell('opened', 0), m.machine.cells.cell('close', 0)];
  const order: string[] = [];
  m.thread('reader', 1, function* (cx) {
    cx.cpu.idleWork = !watching;
    yield* preemptDisable(cx);
    yield* writeOnce(opened, 1);
    yield* waitUntil(close, (value) => value === 1);
    order.push('region closes');
    yield* preemptEnable(cx);
    cx.cpu.idleWork = false;
  });
  m.thread('waiter', 0, function* (cx) {
    yield* sleepUntil(opened, (value) => value === 1);
    yield* wait(cx, order);
    order.push('returned');
  });
  m.thread('closer', 0, function* (cx) {
    yield* sleepFor(cx, 200);
    yield* writeOnce(close, 1);
  });
  expect(m.machine.run()).toBe('run_end');
  return order.join(', ');
}

function kind(name: WaitKind): (cx: Context) => Path<void> {
  return (cx) => synchronize(cx, name);
}

test('CC-M10: synchronize_rcu waits for open regions of CPUs that RCU watches, and for no others', () => {
  expect(regionAndWait(true, kind('synchronize_rcu'))).toBe('region closes, returned');
  expect(regionAndWait(false, kind('synchronize_rcu'))).toBe('returned, region closes');
});

test('CC-M11, FT-33: the rude wait covers a region where RCU does not watch', () => {
  const rude = kind('synchronize_rcu_tasks_rude');
  expect(regionAndWait(true, rude)).toBe('region closes, returned');
  expect(regionAndWait(false, rude)).toBe('region closes, returned');
});

function queue(cx: Context, order: string[]): Path<void> {
  return callRcu(cx, function* (softirq) {
    order.push('freed');
    yield* readOnce(softirq.cpu.state);
  });
}

test('CC-M13: call_rcu waits for what synchronize_rcu waits for, but nobody waits for it', () => {
  expect(regionAndWait(true, queue)).toBe('returned, region closes, freed');
  expect(regionAndWait(false, queue)).toBe('returned, freed, region closes');
});

test('CC-M3: a region opens with its first cause and closes with the last; numbers are unique', () => {
  const m = smallMachine({ functions: {} });
  const open: number[] = [];
  m.thread('t', 0, function* (cx) {
    for (let i = 0; i < 2; i++) {
      yield* preemptDisable(cx);
      open.push(cx.cpu.region);
      const were = yield* localIrqSave(cx);
      yield* preemptEnable(cx);
      open.push(cx.cpu.region);
      yield* localIrqRestore(cx, were);
      open.push(cx.cpu.region);
    }
  });
  expect(m.machine.run()).toBe('run_end');
  expect(open).toEqual([1, 1, 0, 2, 2, 0]);
  const regions = [...m.log.events()].flatMap((e) =>
    e.event === 'region_open' || e.event === 'region_close' ? [`${e.event} ${e.region}`] : [],
  );
  expect(regions).toEqual(['region_open 1', 'region_close 1', 'region_open 2', 'region_close 2']);
});

test('CC-M17: a wait with a region open is an oops', () => {
  for (const name of [
    'synchronize_rcu',
    'synchronize_rcu_tasks',
    'synchronize_rcu_tasks_rude',
  ] as const) {
    const m = smallMachine({ functions: {} });
    m.thread('t', 0, function* (cx) {
      yield* preemptDisable(cx);
      yield* synchronize(cx, name);
    });
    expect(m.machine.run()).toBe('oops');
    const reasons = [...m.log.events()].flatMap((e) => (e.event === 'oops' ? [e.reason] : []));
    expect(reasons).toEqual(['scheduling while atomic']);
    expect(cpuOf(m, 0).region).toBeGreaterThan(0);
  }
});
