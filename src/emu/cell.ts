// Layer emu. Shared state. Whatever more than one context can reach lives in a `Cell`; `path.ts` has the
// marked ways to touch it, `Context.read` and `Context.write` the guarded ones (CC-M1, CONTRIBUTING.md).
import { assert } from '../assert.ts';

/** Somebody whose readiness depends on a cell's value. */
export interface Waiter {
  /** The cell has a new value. */
  poke(): void;
}

/** What a guarded cell names as its protection; `lock.ts` has the kinds. */
export interface Guard {
  readonly name: string;
  /** The context that holds it. */
  holder: unknown;
}

/** One word of state that more than one context can reach. Made by `CellSpace.cell` only. */
export class Cell<T> {
  /** Order of creation in this machine: the cell's identity in digests and reductions. */
  readonly id: number;
  readonly name: string;
  readonly guard: Guard | undefined;
  /** Read and written by the driver of paths and by `Context`; never by a path itself. */
  value: T;
  private waiters: Waiter[] = [];

  constructor(id: number, name: string, value: T, guard: Guard | undefined) {
    this.id = id;
    this.name = name;
    this.value = value;
    this.guard = guard;
  }

  /** Stores and tells those who wait. */
  set(value: T): void {
    this.value = value;
    if (this.waiters.length > 0) for (const waiter of this.waiters.slice()) waiter.poke();
  }

  wait(waiter: Waiter): void {
    this.waiters.push(waiter);
  }

  unwait(waiter: Waiter): void {
    const index = this.waiters.indexOf(waiter);
    assert(index >= 0, 'only a waiter stops waiting');
    this.waiters.splice(index, 1);
  }
}

/** All cells of one machine, in order of creation. */
export class CellSpace {
  /** Number of cells made so far. */
  count = 0;
  /** How many locks asked for each name, and all names that were given. */
  private readonly lockNames = new Map<string, number>();

  cell<T>(name: string, value: T, guard?: Guard): Cell<T> {
    return new Cell(this.count++, name, value, guard);
  }

  /**
   * The name of a new lock: no other lock of the run has it, so that events tell locks apart. As lockdep does, the
   * second lock `l` is `l#2`: that of another module, or in memory that was freed and is used again.
   */
  lockName(name: string): string {
    let number = this.lockNames.get(name) ?? 0;
    let given: string;
    do given = ++number === 1 ? name : `${name}#${number}`;
    while (number > 1 && this.lockNames.has(given));
    this.lockNames.set(name, number);
    if (given !== name) this.lockNames.set(given, 1);
    return given;
  }
}
