// Layer replay. Where an oops happened, in words, from the events before it: the kernel's call that died and who called
// it, or else the place in guest code. Taken from ground truth (`flow.ts`) and from where the CPU stood; what the tracing
// code says of itself is used for calls that no guest can make, and so are no symbols.
import { hexAddress, NO_ADDRESS } from '../emu/address.ts';
import { flowOf, OpenFunctions } from './flow.ts';
import type { Event, EventOf } from './schema.ts';
import { Symbols } from './symbols.ts';

export class OopsPlaces {
  readonly #symbols = new Symbols();
  readonly #comms = new Map<number, string>();
  readonly #functions = new OpenFunctions<undefined>();
  /** Of each flow: calls that have begun and not ended. */
  readonly #calls = new Map<number, string[]>();

  /** Every event of the run, in order. */
  see(event: Event): void {
    if (event.event === 'symbol') this.#symbols.see(event);
    else if (event.event === 'task_new') this.#comms.set(event.child, event.name);
    else if (event.event === 'func_enter') this.#functions.enter(event, undefined);
    else if (event.event === 'func_return' || event.event === 'func_abandon')
      this.#functions.leave(event);
    else if (event.event === 'ctl_begin') this.#callsOf(event).push(event.op);
    else if (event.event === 'ctl_end') this.#callsOf(event).pop();
  }

  /** `in register_fprobe, called by vfs_open of opener`, or `at vfs_open+0x4`. */
  of(oops: EventOf<'oops'>): string {
    const call = this.#callAt(oops);
    return call === undefined
      ? `at ${this.#symbols.text(oops.pc) ?? hexAddress(oops.pc)}`
      : `in ${call}, called by ${this.#caller(oops)}`;
  }

  /** The call that died; undefined: it was guest code. */
  #callAt(oops: EventOf<'oops'>): string | undefined {
    if (oops.pc === NO_ADDRESS) return this.#callsOf(oops).at(-1);
    return this.#symbols.kernelSymbol(oops.pc);
  }

  #caller(oops: EventOf<'oops'>): string {
    const task = oops.pid === 0 ? 'swapper' : (this.#comms.get(oops.pid) ?? `pid ${oops.pid}`);
    const func = this.#functions.of(oops).at(-1)?.entered.func;
    const name = func === undefined ? undefined : this.#symbols.text(func);
    return name === undefined ? task : `${name} of ${task}`;
  }

  #callsOf(event: Event): string[] {
    const flow = flowOf(event);
    const present = this.#calls.get(flow);
    if (present !== undefined) return present;
    const made: string[] = [];
    this.#calls.set(flow, made);
    return made;
  }
}
