// Layer emu. Kernel paths: generator functions in which every access to shared state is one visible
// step (CC-M1). A path yields an `Access`; the machine performs it when the schedule says so and feeds the
// result back; what follows up to the next access belongs to the same step. Between two steps any other
// CPU, interrupt or NMI may come; inside one, nothing.
//
// A live path is rewound by starting it again and feeding it the values that it read before (`Feed`), so a
// machine can be snapshot at any step. That is why everything a path does to the world goes through an
// access or through its `Context`, which is mute while rewinding.
import { assert } from '../assert.ts';
import type { Address } from './address.ts';
import { Cell } from './cell.ts';

export const ACCESS = {
  read: 0,
  write: 1,
  add: 2,
  update: 3,
  /** Waits with the CPU occupied (interrupts may still come). */
  spin: 4,
  /** Waits asleep: the CPU runs other tasks. A voluntary switch. */
  sleep: 5,
  /** Runs a guest function above this path. */
  call: 6,
  /** Does something to the machine itself, atomically. */
  act: 7,
  /** Not an access: goes on with another path, and comes back with its result. */
  enter: 8,
} as const;

type AccessKind = (typeof ACCESS)[keyof typeof ACCESS];

/**
 * One marked access: what a path yields, and the path of that one step (`yield* readOnce(cell)`). It is its own
 * iterator and result because steps are frequent: a generator for each costs several times as much.
 */
export class Access<R = unknown> implements IterableIterator<Access, R, unknown> {
  readonly kind: AccessKind;
  readonly cell: Cell<unknown>;
  /** Depends on the kind: value, delta, function, condition, arguments, path. */
  readonly operand: unknown;
  /** `call` only: the guest function. */
  readonly target: Address;
  done = false;
  value: unknown = this;
  /** What the path does with the result, in the same step; its own result is the path's (`andThen`). */
  rest: ((result: unknown) => unknown) | undefined = undefined;
  private isAsked = false;

  constructor(kind: AccessKind, cell: Cell<unknown>, operand: unknown, target: Address = 0) {
    this.kind = kind;
    this.cell = cell;
    this.operand = operand;
    this.target = target;
  }

  /** First the access itself, then, fed with its result, the end. */
  next(fed?: unknown): IteratorResult<Access, R> {
    if (!this.isAsked) {
      this.isAsked = true;
      return this as IteratorResult<Access, R>;
    }
    const { rest } = this;
    this.done = true;
    this.value = rest === undefined ? fed : rest(fed);
    return this as IteratorResult<Access, R>;
  }

  [Symbol.iterator](): this {
    return this;
  }
}

/** A kernel path that ends with an `R`. */
export type Path<R> = IterableIterator<Access, R, unknown>;

/** Entering a path touches nothing. */
const NOWHERE = new Cell<unknown>(-1, 'nowhere', undefined, undefined);

/** Reads `cell`. */
export function readOnce<T>(cell: Cell<T>): Path<T> {
  return new Access<T>(ACCESS.read, cell, undefined);
}

/** Stores `value`. */
export function writeOnce<T>(cell: Cell<T>, value: T): Path<void> {
  return new Access<void>(ACCESS.write, cell, value);
}

/** Adds `delta` atomically; the value before. */
export function fetchAdd(cell: Cell<number>, delta: number): Path<number> {
  return new Access<number>(ACCESS.add, cell, delta);
}

/** Replaces the value by `change(value)` atomically; the value before. `change` is pure. */
export function update<T>(cell: Cell<T>, change: (old: T) => T): Path<T> {
  return new Access<T>(ACCESS.update, cell, change);
}

/** Spins until `ready(value)`: the CPU does nothing else, but takes interrupts. `ready` is pure. */
export function waitUntil<T>(cell: Cell<T>, ready: (value: T) => boolean): Path<T> {
  return new Access<T>(ACCESS.spin, cell, ready);
}

/** Sleeps until `ready(value)`; a voluntary switch unless it holds already. Task context only (CC-M17). */
export function sleepUntil<T>(cell: Cell<T>, ready: (value: T) => boolean): Path<T> {
  return new Access<T>(ACCESS.sleep, cell, ready);
}

/** Runs guest function `target` with up to eight int32 or Address-lo/hi argument words; low word of a0. */
export function callGuest(
  cell: Cell<unknown>,
  target: Address,
  args: GuestArguments,
): Path<number> {
  return new Access<number>(ACCESS.call, cell, args, target);
}

/** a0, a1, ... as pairs of words: low, high. */
export type GuestArguments = readonly number[];

/**
 * Does `effect` in one step. For the machine's own services (IRQ state, text, IPIs); `cell` says what it
 * touches. The result is fed to the path.
 */
export function act<R>(cell: Cell<unknown>, effect: () => R): Path<R> {
  return new Access<R>(ACCESS.act, cell, effect);
}

/**
 * As `yield* path`, without cost at each of its steps: a resumed generator passes every `yield*` on the way
 * to the one that runs (measured: about 12 ns a level), so long calls far down are driven from the top.
 */
export function enter<R>(path: Path<R>): Path<R> {
  return new Access<R>(ACCESS.enter, NOWHERE, path);
}

/**
 * The path of one access, and of what belongs to its step: `rest` of its result, which is the path's. A generator with a
 * single `yield*` does the same; to make one for each frequent step costs as much as the step.
 */
export function andThen<T, R>(access: Path<T>, rest: (result: T) => R): Path<R> {
  assert(access instanceof Access, 'a path of one access goes on');
  const { rest: before } = access;
  const after = rest as (result: unknown) => unknown;
  access.rest = before === undefined ? after : (result) => after(before(result));
  return access;
}

/** Starts a path on a context. */
export type PathStart<R> = () => Path<R>;
