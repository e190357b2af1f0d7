// Layer replay. In which order the handlers of one call ran (FT-21, FP-35, FP-75): of each function and side the orders that
// were seen. One that is part of a longer one says nothing new: somebody was disabled, or missed the hit.
import { OpenFunctions } from './flow.ts';
import type { Listeners } from './guarantee/listen.ts';
import type { EventOf } from './schema.ts';

const EXIT = 'fprobe_exit';

/** Objects whose handlers ran for one call. */
interface Called {
  readonly name: string;
  readonly site: number;
  readonly entry: string[];
  readonly exit: string[];
}

export class HandlerOrders {
  /** By address. */
  readonly #functions = new Map<number, EventOf<'symbol'>>();
  readonly #open = new OpenFunctions<Called>();
  readonly #orders = new Map<string, string[][]>();

  /** `nameOf` names the object of a handler. */
  listeners(nameOf: (object: number) => string): Listeners {
    return {
      symbol: (e) => {
        this.#functions.set(e.address, e);
      },
      func_enter: (e) => {
        const { name = '', site = -1 } = this.#functions.get(e.func) ?? {};
        this.#open.enter(e, { name, site, entry: [], exit: [] });
      },
      func_return: (e) => {
        this.#left(this.#open.leave(e));
      },
      func_abandon: (e) => {
        this.#left(this.#open.leave(e));
      },
      cb_begin: (e) => {
        const call = this.#open.of(e).findLast(({ kept }) => kept.site === e.ip)?.kept;
        call?.[e.kind === EXIT ? 'exit' : 'entry'].push(nameOf(e.object));
      },
    };
  }

  /** `entry of vfs_read: fp1, fp0` of each order that is not part of a longer one. */
  all(): readonly string[] {
    return [...this.#orders].flatMap(([where, orders]) =>
      orders
        .filter((order) => !orders.some((other) => isPartOf(order, other)))
        .map((order) => `${where}: ${order.join(', ')}`),
    );
  }

  #left(call: Called | undefined): void {
    if (call === undefined) return;
    for (const side of ['entry', 'exit'] as const) {
      const order = call[side];
      if (order.length < 2) continue;
      const where = `${side} of ${call.name}`;
      const known = this.#orders.get(where) ?? [];
      if (!known.some((other) => other.join() === order.join())) known.push(order);
      this.#orders.set(where, known);
    }
  }
}

/** Has `longer` all of `order`, in this order, and more? */
function isPartOf(order: readonly string[], longer: readonly string[]): boolean {
  if (longer.length <= order.length) return false;
  let found = 0;
  for (const name of longer) if (name === order[found]) found++;
  return found === order.length;
}
