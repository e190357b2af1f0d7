// Layer emu. Mutexes (FIFO, sleeping, CC-M4) and spinlocks. Nobody spins on the host: waiting is a state.
import { assert } from '../assert.ts';
import type { Cell, CellSpace, Guard } from './cell.ts';
import { type Context, LEVEL } from './context.ts';
import { EMU_EVENTS } from './event.ts';
import { act, type Path, sleepUntil, waitUntil } from './path.ts';
import { changePreemptCount, localIrqRestore, localIrqSave, preemptDisable } from './preempt.ts';

/** One who waits for a mutex; `granted` becomes 1 when it is handed over. */
interface Ticket {
  readonly cx: Context;
  readonly granted: Cell<number>;
}

/** `struct mutex`. Handed directly to the longest waiter. */
export class Mutex implements Guard {
  /** Its own: no other lock has it. */
  readonly name: string;
  /** Identity of steps that take or release it. */
  readonly cell: Cell<number>;
  holder: Context | undefined;
  readonly queue: Ticket[] = [];

  constructor(cells: CellSpace, name: string) {
    this.name = cells.lockName(name);
    this.cell = cells.cell(this.name, 0);
  }
}

/** `mutex_lock`: task context only; may sleep. Taking it twice is a deadlock, as in the kernel. */
export function* mutexLock(cx: Context, mutex: Mutex): Path<void> {
  assert(cx.level === LEVEL.task, 'a mutex is taken in task context (CC-M4)');
  const ticket = yield* act(mutex.cell, () => {
    if (mutex.holder !== undefined) return enqueue(cx, mutex);
    mutex.holder = cx;
    return undefined;
  });
  if (ticket !== undefined) yield* sleepUntil(ticket.granted, (granted) => granted === 1);
  cx.emit(EMU_EVENTS.lock.id, cx.cpu.machine.strings.id(mutex.name));
}

function enqueue(cx: Context, mutex: Mutex): Ticket {
  const ticket = { cx, granted: cx.cpu.machine.cells.cell(mutex.name, 0) };
  mutex.queue.push(ticket);
  return ticket;
}

/** `mutex_unlock`. */
export function mutexUnlock(cx: Context, mutex: Mutex): Path<void> {
  return act(mutex.cell, () => {
    assert(mutex.holder === cx, `${mutex.name} is released by its holder`);
    cx.emit(EMU_EVENTS.unlock.id, cx.cpu.machine.strings.id(mutex.name));
    const next = mutex.queue.shift();
    mutex.holder = next?.cx;
    next?.granted.set(1);
  });
}

/** `spinlock_t`. */
export class SpinLock implements Guard {
  /** As of a mutex. */
  readonly name: string;
  /** 1 while held. */
  readonly cell: Cell<number>;
  holder: Context | undefined;

  constructor(cells: CellSpace, name: string) {
    this.name = cells.lockName(name);
    this.cell = cells.cell(this.name, 0);
  }
}

/** `spin_lock_irqsave`: whether interrupts were on. */
export function* spinLockIrqsave(cx: Context, lock: SpinLock): Path<boolean> {
  const irqsWereOn = yield* localIrqSave(cx, true);
  yield* takeSpinLock(cx, lock);
  return irqsWereOn;
}

/** `spin_lock`: interrupts come through; one that wants the same lock waits for ever. */
export function* spinLock(cx: Context, lock: SpinLock): Path<void> {
  yield* preemptDisable(cx);
  yield* takeSpinLock(cx, lock);
}

function* takeSpinLock(cx: Context, lock: SpinLock): Path<void> {
  for (;;) {
    const taken = yield* act(lock.cell, () => tryTake(cx, lock));
    if (taken) break;
    yield* waitUntil(lock.cell, (held) => held === 0);
  }
  cx.emit(EMU_EVENTS.lock.id, cx.cpu.machine.strings.id(lock.name));
}

function tryTake(cx: Context, lock: SpinLock): boolean {
  assert(lock.holder !== cx, `${lock.name} is not taken twice by one context`);
  if (lock.holder !== undefined) return false;
  lock.holder = cx;
  lock.cell.set(1);
  return true;
}

/** `spin_unlock_irqrestore`. */
export function* spinUnlockIrqrestore(
  cx: Context,
  lock: SpinLock,
  irqsWereOn: boolean,
): Path<void> {
  yield* act(lock.cell, () => {
    release(cx, lock);
  });
  yield* localIrqRestore(cx, irqsWereOn, true);
}

/** `spin_unlock`: preemption may go on in the same step. */
export function spinUnlock(cx: Context, lock: SpinLock): Path<void> {
  return act(lock.cell, () => {
    release(cx, lock);
    changePreemptCount(cx, -1);
  });
}

function release(cx: Context, lock: SpinLock): void {
  assert(lock.holder === cx, `${lock.name} is released by its holder`);
  cx.emit(EMU_EVENTS.unlock.id, cx.cpu.machine.strings.id(lock.name));
  lock.holder = undefined;
  lock.cell.set(0);
}
