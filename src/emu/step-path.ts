// Layer emu. One step of a kernel path: perform its pending access, feed the result, and see what follows
// when it ends.
import { assert } from '../assert.ts';
import { callFunction } from './call.ts';
import type { Cell } from './cell.ts';
import type { Context, PathActivity } from './context.ts';
import type { Cpu } from './cpu.ts';
import { leave } from './interrupt.ts';
import { ACCESS, type Access, type GuestArguments } from './path.ts';
import { exitTask, mayExit, preempt, sleepNow, wake } from './schedule.ts';

/** Performs the access that the top path of `cx` waits to do. */
export function stepPath(cpu: Cpu, cx: Context, activity: PathActivity): void {
  const access = activity.pending;
  if (access === undefined) {
    finish(cpu, cx, activity);
    return;
  }
  const { cell } = access;
  switch (access.kind) {
    case ACCESS.read:
      resumePath(cpu, cx, cell.value);
      return;
    case ACCESS.write:
      cell.set(access.operand);
      resumePath(cpu, cx, undefined);
      return;
    case ACCESS.add:
      resumePath(cpu, cx, add(cell as Cell<number>, access.operand as number));
      return;
    case ACCESS.update:
      resumePath(cpu, cx, change(cell, access.operand as (old: unknown) => unknown));
      return;
    case ACCESS.act: {
      const result = (access.operand as () => unknown)();
      if (cpu.machine.ending === undefined) resumePath(cpu, cx, result);
      return;
    }
    case ACCESS.call:
      callFunction(cpu, access.target, access.operand as GuestArguments);
      return;
    case ACCESS.enter:
      assert(false, 'a path that is entered runs at once');
    case ACCESS.spin:
    case ACCESS.sleep:
      settleWait(cpu, cx, activity, access);
      return;
  }
}

function add(cell: Cell<number>, delta: number): number {
  const before = cell.value;
  cell.set(before + delta);
  return before;
}

function change(cell: Cell<unknown>, by: (old: unknown) => unknown): unknown {
  const before = cell.value;
  cell.set(by(before));
  return before;
}

/** Feeds the top path of `cx`; what it does up to its next access belongs to this step. */
export function resumePath(cpu: Cpu, cx: Context, result: unknown): void {
  cx.feed(result);
  const { top } = cx;
  assert(top?.kind === 'path', 'the fed path is still on top');
  if (top.pending === undefined) finish(cpu, cx, top);
}

function settleWait(cpu: Cpu, cx: Context, activity: PathActivity, access: Access): void {
  const holds = access.operand as (value: unknown) => boolean;
  const { cell } = access;
  if (holds(cell.value)) {
    if (cx.waiter !== undefined) cell.unwait(cx.waiter);
    cx.waiter = undefined;
    resumePath(cpu, cx, cell.value);
    return;
  }
  if (access.kind === ACCESS.spin) {
    // Still spinning: a step here can only mean that another task is due (ready.ts).
    const next = cpu.runQueue[0];
    assert(next !== undefined && cpu.preemptible(), 'a spinning CPU steps for a reason');
    preempt(cpu, next);
    return;
  }
  if (!cpu.preemptible()) {
    cpu.machine.oops(cpu, 'scheduling while atomic', cpu.hart.pc);
    return;
  }
  assert(activity.pending === access, 'a sleeper keeps what it waits for');
  if (cx.waiter === undefined) {
    const { task } = cx;
    cx.waiter = { poke: () => (holds(cell.value) ? wake(task) : undefined) };
    cell.wait(cx.waiter);
  }
  sleepNow(cpu);
}

/** A path is over: its result goes to the guest code that called it, or its context ends. */
function finish(cpu: Cpu, cx: Context, activity: PathActivity): void {
  cx.pop();
  const below = cx.top;
  if (below !== undefined) {
    assert(below.kind === 'guest', 'paths are called by guest code');
    const result = typeof activity.result === 'number' ? activity.result : 0;
    cpu.machine.stubs.answer(cpu, result, activity.pointer);
    return;
  }
  if (cpu.contexts.length > 1) leave(cpu, cx);
  else if (cx.task.kind === 'idle') return;
  else if (mayExit(cpu)) exitTask(cpu);
  else cpu.machine.oops(cpu, 'exit while atomic', cpu.hart.pc);
}
