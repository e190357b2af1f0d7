// Layer emu. The options of a scheduling choice, by who runs and who is ready: the same few lists come
// again and again, so each is made once for a machine.

export class SchedulingOptions {
  readonly #cpus: number;
  readonly #lists: (Int32Array | undefined)[];

  constructor(cpus: number) {
    this.#cpus = cpus;
    this.#lists = Array.from({ length: cpus << cpus }, () => undefined);
  }

  /** CPU numbers of the bits of `ready`, beginning with `running` and going round. Never written to. */
  of(running: number, ready: number): Int32Array {
    const key = (running << this.#cpus) | ready;
    return (this.#lists[key] ??= this.#make(running, ready));
  }

  #make(running: number, ready: number): Int32Array {
    const count = this.#cpus;
    const ids = Array.from({ length: count }, (_, i) => (running + i) % count);
    return Int32Array.from(ids.filter((id) => ((ready >> id) & 1) === 1));
  }
}
