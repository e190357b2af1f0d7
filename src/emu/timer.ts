// Layer emu. Timers in virtual time: one step is one microsecond; idle time jumps to the next timer.
import { type Cell } from './cell.ts';
import type { Context } from './context.ts';
import type { Machine } from './machine.ts';
import { act, type Path, sleepUntil } from './path.ts';

export interface Timer {
  /** Global step at which it is due. */
  readonly due: number;
  readonly fire: () => void;
}

export class Timers {
  /** Soonest first; equal ones in the order in which they were added. */
  private readonly queue: Timer[] = [];
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** The step at which the next timer is due; Infinity when there is none. */
  next(): number {
    return this.queue[0]?.due ?? Number.POSITIVE_INFINITY;
  }

  add(timer: Timer): void {
    let at = this.queue.length;
    while (at > 0 && (this.queue[at - 1]?.due ?? 0) > timer.due) at--;
    this.queue.splice(at, 0, timer);
    this.machine.plan();
  }

  /** Fires all that are due at `step`. */
  fireDue(step: number): void {
    while (this.next() <= step) this.queue.shift()?.fire();
    this.machine.plan();
  }
}

/** Sleeps for `us` microseconds of virtual time. A voluntary switch even when `us` is 0. */
export function* sleepFor(cx: Context, us: number): Path<void> {
  const machine: Machine = cx.cpu.machine;
  const awake = yield* act(cx.cpu.state, (): Cell<number> => {
    const cell = machine.cells.cell('sleep', 0);
    machine.timers.add({
      due: machine.step + Math.max(1, us),
      fire: () => {
        cell.set(1);
      },
    });
    return cell;
  });
  yield* sleepUntil(awake, (is) => is === 1);
}
