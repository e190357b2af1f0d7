// Layer replay. Kernel threads that perform the workload's control operations, in order. `control` runs on
// CPU 0; tasks without `run` serve the operations that name them (`by:`).
import { known } from '../assert.ts';
import type { Cell } from '../emu/cell.ts';
import type { Context } from '../emu/context.ts';
import type { Machine } from '../emu/machine.ts';
import { act, enter, type Path, sleepUntil } from '../emu/path.ts';
import type { Task } from '../emu/task.ts';

/** One operation to perform. */
export interface Job {
  readonly perform: (cx: Context) => Path<number>;
  /** Takes the operation's result. */
  readonly done: (result: number) => void;
}

export class ControlThread {
  readonly task: Task;
  readonly #jobs: Job[] = [];
  /** How many jobs wait. */
  readonly #waiting: Cell<number>;

  constructor(machine: Machine, task: Task) {
    this.task = task;
    this.#waiting = machine.cells.cell(`${task.name} queue`, 0);
    task.work = this.#waiting;
  }

  /** Queues a job; a sleeping thread wakes. */
  add(job: Job): void {
    this.#jobs.push(job);
    this.#waiting.set(this.#jobs.length);
  }

  /** The thread's program: does `first`, then serves the queue for ever. */
  *program(cx: Context, first: () => Path<void>): Path<void> {
    yield* first();
    for (;;) {
      yield* sleepUntil(this.#waiting, (count) => count > 0);
      const job = yield* act(this.#waiting, () => this.#take());
      job.done(yield* enter(job.perform(cx)));
    }
  }

  #take(): Job {
    const job = known(this.#jobs.shift(), 'a woken control thread has a job');
    this.#waiting.set(this.#jobs.length);
    return job;
  }
}
