// User mode: programs, system calls, and the kernel code between (docs/spec/concurrency.md, section 1; FT-55).
import { expect, test } from 'vitest';
import { type SmallMachine, smallMachine } from '../../properties/small-machine.ts';
import { randomChooser } from '../replay/explore/random.ts';
import { NO_ADDRESS } from './address.ts';
import { calmChooser, type Chooser } from './choose.ts';
import { tick } from './loop.ts';
import type { MachineOptions } from './machine.ts';
import { sleepUntil } from './path.ts';
import { synchronize, type WaitKind } from './rcu.ts';
import type { Task } from './task.ts';
import { sleepFor } from './timer.ts';
import { loadPrograms, runProgram } from './user.ts';

const FUNCTIONS = {
  sys: [{ op: 'work', count: 2 }],
  enter: [{ op: 'work', count: 3 }],
  leave: [{ op: 'work', count: 3 }],
} as const;

interface Spec {
  readonly times: number;
  readonly machine?: Partial<MachineOptions>;
  readonly chooser?: Chooser;
}

function random(seed: number): Chooser {
  return randomChooser({ seed, schedule: [1, 3], inject: [1, 8] });
}

/** A machine with one program, on CPU 1. */
function withProgram({ times, machine = {}, chooser = calmChooser }: Spec): SmallMachine {
  const m = smallMachine({ functions: FUNCTIONS, machine, chooser });
  loadPrograms(m.machine, [
    { work: 3, syscall: m.at('sys'), entry: m.at('enter'), exit: m.at('leave') },
  ]);
  m.thread('program', 1, (cx) => runProgram(cx, 0, times));
  return m;
}

/** What happens to the program, in order: names of functions, and what events say. */
function story(m: SmallMachine): string[] {
  const names = new Map(Object.keys(FUNCTIONS).map((name) => [m.at(name), name]));
  return [...m.log.events()].flatMap((e) => {
    if (e.cpu !== 1) return [];
    if (e.event === 'func_enter') return [names.get(e.func) ?? '?'];
    if (e.event === 'user_mode') return [e.on ? 'user' : 'kernel'];
    if (e.event === 'rcu_watching') return [e.watching ? 'watched' : 'unwatched'];
    if (e.event === 'irqs') return [e.on ? 'irqs on' : 'irqs off'];
    return [];
  });
}

const OUT = ['irqs off', 'unwatched', 'leave', 'user', 'irqs on'] as const;
const IN = ['kernel', 'irqs off', 'enter', 'watched', 'irqs on'] as const;

test('a program enters the kernel by ecall and comes back; what runs between is not watched (CC-M3)', () => {
  const m = withProgram({ times: 2 });
  expect(m.machine.run()).toBe('run_end');
  expect(story(m)).toEqual([...OUT, ...IN, 'sys', ...OUT, ...IN, 'sys', ...OUT, ...IN]);
});

test('a program without functions on the way in and out does without', () => {
  const m = smallMachine({ functions: FUNCTIONS });
  const nowhere = { entry: NO_ADDRESS, exit: NO_ADDRESS };
  loadPrograms(m.machine, [
    { work: 0, syscall: m.at('enter'), ...nowhere },
    { work: 1, syscall: m.at('sys'), ...nowhere },
  ]);
  m.thread('second', 1, (cx) => runProgram(cx, 1, 3));
  expect(m.machine.run()).toBe('run_end');
  expect(story(m).filter((word) => word === 'sys' || word === 'enter')).toEqual([
    'sys',
    'sys',
    'sys',
  ]);
});

test('an interrupt in user mode is watched while it lasts (CC-M3)', () => {
  let found = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const m = withProgram({ times: 20, chooser: random(seed), machine: { grain: 'instruction' } });
    m.machine.injector.add({ name: 'tick', level: 2, handler: m.at('sys'), cpu: 1, left: 5 });
    m.machine.run();
    const events = [...m.log.events()];
    const inUser = events.filter((e) => e.event === 'irq_enter' && e.interrupted < -1);
    for (const { index } of inUser) {
      const states = events
        .slice(index)
        .flatMap((e) => (e.event === 'rcu_watching' && e.cpu === 1 ? [e.watching] : []));
      expect(states.slice(0, 2)).toEqual([true, false]);
      found++;
    }
  }
  expect(found).toBeGreaterThan(0);
});

test('a task in user mode gives way, also where the kernel preempts nobody', () => {
  const preempted = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const m = withProgram({ times: 20, chooser: random(seed), machine: { preempt: false } });
    m.task('other', 1, 'sys', 20);
    m.machine.run();
    let where = 'kernel';
    for (const e of m.log.events()) {
      if (e.event === 'user_mode') where = e.on ? 'user' : 'kernel';
      if (e.event === 'sched_switch' && e.state === 'preempted')
        preempted.add(`${e.prev} ${where}`);
    }
  }
  expect([...preempted]).toEqual(['1 user']);
});

/** Does `kind`, begun when the program is in its `nth` stretch of user mode, return before the program ends? */
function endsEarly(kind: WaitKind): boolean {
  const m = withProgram({ times: 400, chooser: random(3) });
  let over = false;
  m.thread('waiter', 0, function* (cx) {
    yield* sleepFor(cx, 20);
    yield* synchronize(cx, kind);
    over = m.machine.tasks.some(({ name, state }) => name === 'program' && state !== 'dead');
  });
  m.machine.run();
  return over;
}

test('CC-M12: the tasks wait sees a task off that entered user mode, though it never sleeps', () => {
  expect(endsEarly('synchronize_rcu_tasks')).toBe(true);
  expect(endsEarly('synchronize_rcu')).toBe(true);
});

function isInKernel(task: Task | undefined): boolean {
  return task?.mode !== 'user';
}

test('CC-M12: a task that is in user mode holds nothing up', () => {
  const m = withProgram({ times: 1 });
  const [program] = m.machine.tasks;
  let isOver = false;
  m.thread('waiter', 0, function* (cx) {
    yield* sleepUntil(parked, (value) => value === 1);
    yield* synchronize(cx, 'synchronize_rcu_tasks');
    isOver = true;
  });
  const parked = m.machine.cells.cell('parked', 0);
  for (let step = 0; step < 30 && isInKernel(program); step++) tick(m.machine);
  // From here on only CPU 0 is stepped.
  m.machine.readyMask &= ~2;
  parked.set(1);
  for (let step = 0; step < 12; step++) {
    m.machine.readyMask &= ~2;
    tick(m.machine);
  }
  expect([isOver, program?.mode]).toEqual([true, 'user']);
});
