// Layer replay. Which functions are open in which flow, from ground truth alone: `func_enter`, `func_return` and
// `func_abandon`. A flow is one context level of one task, or of one CPU's idle task. For those who tell what a run did;
// judges have a stack of their own (`guarantee/hit.ts`). Left out: functions that a tail call left are dropped only when
// their caller's frame is.
import type { EventOf } from './schema.ts';

/** Where an event happened. */
export interface FlowPlace {
  readonly pid: number;
  readonly cpu: number;
  readonly level: number;
}

const LEVELS = 8;

/** A number for the flow; idle tasks all have pid 0, so there the CPU tells them apart. */
export function flowOf({ cpu, level, pid }: FlowPlace): number {
  return (pid === 0 ? -1 - cpu : pid) * LEVELS + level;
}

/** A function that was entered and has not returned; `T` is what its watcher keeps of it. */
export interface OpenFunction<T> {
  readonly entered: EventOf<'func_enter'>;
  readonly kept: T;
}

/** Open functions by flow, outermost first. */
export class OpenFunctions<T> {
  readonly #stacks = new Map<number, OpenFunction<T>[]>();

  enter(entered: EventOf<'func_enter'>, kept: T): void {
    const stack = this.#stackOf(entered);
    // Stacks grow down: what has a lower sp was left without a return.
    while ((stack.at(-1)?.entered.sp ?? Infinity) < entered.sp) stack.pop();
    stack.push({ entered, kept });
  }

  /** The function is over, and all that it called: the result is what was kept of it. */
  leave(e: EventOf<'func_return' | 'func_abandon'>): T | undefined {
    const stack = this.#stackOf(e);
    const at = stack.findLastIndex(({ entered }) => entered.func === e.func);
    return at === -1 ? undefined : stack.splice(at)[0]?.kept;
  }

  /** Outermost first. */
  of(place: FlowPlace): readonly OpenFunction<T>[] {
    return this.#stackOf(place);
  }

  #stackOf(place: FlowPlace): OpenFunction<T>[] {
    const flow = flowOf(place);
    const present = this.#stacks.get(flow);
    if (present !== undefined) return present;
    const made: OpenFunction<T>[] = [];
    this.#stacks.set(flow, made);
    return made;
  }
}
