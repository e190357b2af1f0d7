// Layer replay. A chooser that leaves calm now and then, from a seed. Integers only, so that a seed means
// the same run everywhere (design.md section 7, "Index 0 is calm").
import { assert } from '../../assert.ts';
import { CHOICE, type Chooser, type ChoicePoint } from '../../emu/choose.ts';

/** Leaves calm `n` times in `m`. */
export type Ratio = readonly [n: number, m: number];

export interface RandomOptions {
  readonly seed: number;
  /** At scheduling points, stale fetches and late waits. */
  readonly schedule: Ratio;
  /** Injections and allocation failures. */
  readonly inject: Ratio;
}

export const SCHEDULE_RATIO: Ratio = [1, 8];
export const INJECT_RATIO: Ratio = [1, 32];

/** sfc32: 128 bits of state, 32-bit integer arithmetic only. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    assert(Number.isSafeInteger(seed) && seed >= 0, 'a seed is a whole number from 0');
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 0x100000000) | 0;
    this.#c = 0x9e3779b9 | 0;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** A uniform unsigned 32-bit integer. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, bound), for a bound far below 2^32. */
  below(bound: number): number {
    return Math.floor((this.next() * bound) / 0x100000000);
  }
}

export function randomChooser(options: RandomOptions): Chooser {
  const random = new Random(options.seed);
  const [scheduleN, scheduleM] = options.schedule;
  const [injectN, injectM] = options.inject;
  assert(scheduleM > 0 && injectM > 0, 'a ratio has a denominator');
  return {
    choose(point: ChoicePoint, count: number): number {
      const rare = point.kind === CHOICE.inject || point.kind === CHOICE.alloc;
      const leaves = rare
        ? random.below(injectM) < injectN
        : random.below(scheduleM) < scheduleN;
      if (!leaves) return 0;
      return count === 2 ? 1 : 1 + random.below(count - 1);
    },
  };
}
