// Mutexes: first come, first served, asleep (CC-M4).
import { expect, test } from 'vitest';
import { smallMachine } from '../../properties/small-machine.ts';
import { Mutex, mutexLock, mutexUnlock } from './lock.ts';
import { sleepFor } from './timer.ts';

test('CC-M4: a mutex goes to who waits longest, and its waiters sleep', () => {
  const m = smallMachine({ functions: {}, machine: { cpus: 4 } });
  const mutex = new Mutex(m.machine.cells, 'mutex');
  const order: string[] = [];
  for (const [cpu, delay] of [0, 30, 10, 20].entries()) {
    m.thread(`t${cpu}`, cpu, function* (cx) {
      if (delay > 0) yield* sleepFor(cx, delay);
      yield* mutexLock(cx, mutex);
      order.push(cx.task.name);
      yield* sleepFor(cx, 100);
      yield* mutexUnlock(cx, mutex);
    });
  }
  expect(m.machine.run()).toBe('run_end');
  expect(order).toEqual(['t0', 't2', 't3', 't1']);
  const holders = [...m.log.events()].flatMap((e) =>
    e.event === 'lock' || e.event === 'unlock' ? [`${e.event} ${e.pid}`] : [],
  );
  expect(holders).toEqual([1, 3, 4, 2].flatMap((pid) => [`lock ${pid}`, `unlock ${pid}`]));
  const sleeps = [...m.log.events()].filter(
    (e) => e.event === 'sched_switch' && e.prev === 2 && e.state === 'sleeping',
  );
  // For its delay, for the mutex, and with it.
  expect(sleeps).toHaveLength(3);
});
