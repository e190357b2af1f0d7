// Layer replay. A chooser that leaves calm now and then, from a seed. Integers only, so that a seed means
// the same run everywhere (ARCHITECTURE.md, "Decisions").
import { assert } from '../../assert.ts';
import { CHOICE, type ChoiceKind, type Chooser, type ChoicePoint } from '../../emu/choose.ts';

/** Leaves calm `n` times in `m`. */
export type Ratio = readonly [n: number, m: number];

export interface RandomOptions {
  readonly seed: number;
  /** At scheduling points, stale fetches and late waits. */
  readonly schedule: Ratio;
  /** Injections. */
  readonly inject: Ratio;
  /** Allocation failures; INJECT_RATIO by default. */
  readonly alloc?: Ratio;
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

/**
 * Leaves calm at random: how many answers are still calm is drawn in advance, for each of three groups. That of
 * allocations is drawn when the first is asked for: a run without such questions does not depend on it. They
 * are asked within steps only, so nobody looks ahead over them.
 */
export function randomChooser(options: RandomOptions): Chooser {
  const random = new Random(options.seed);
  const schedule = new Gap(random, options.schedule);
  const inject = new Gap(random, options.inject);
  let alloc: Gap | undefined;
  const gapOf = (kind: ChoiceKind): Gap => {
    if (kind === CHOICE.alloc) return (alloc ??= new Gap(random, options.alloc ?? INJECT_RATIO));
    return kind === CHOICE.inject ? inject : schedule;
  };
  return {
    choose(point: ChoicePoint, count: number): number {
      if (gapOf(point.kind).isCalm()) return 0;
      return count === 2 ? 1 : 1 + random.below(count - 1);
    },
    calm: {
      ahead(kinds, max) {
        const injections = countInjections(kinds);
        const often = kinds.length - injections;
        return Math.min(max, schedule.boundaries(often), inject.boundaries(injections));
      },
      pass(kinds, boundaries) {
        const injections = countInjections(kinds);
        schedule.left -= (kinds.length - injections) * boundaries;
        inject.left -= injections * boundaries;
      },
    },
  };
}

function countInjections(kinds: readonly ChoiceKind[]): number {
  let count = 0;
  for (const kind of kinds) if (kind === CHOICE.inject) count++;
  return count;
}

/** How many answers are calm before the next one that is not. */
class Gap {
  left = 0;
  readonly #random: Random;
  /** Entry k: a draw below it has more than k calm answers, of 2^32. Falls; never to leave calm is all 2^32. */
  readonly #longer: readonly number[];

  constructor(random: Random, ratio: Ratio) {
    this.#random = random;
    this.#longer = longerGaps(ratio);
    this.left = this.#draw();
  }

  isCalm(): boolean {
    if (this.left > 0) {
      this.left--;
      return true;
    }
    this.left = this.#draw();
    return false;
  }

  /** How many boundaries with `questions` questions each are calm. */
  boundaries(questions: number): number {
    return questions === 0 ? Number.POSITIVE_INFINITY : Math.floor(this.left / questions);
  }

  #draw(): number {
    const longer = this.#longer;
    if (longer[0] === WHOLE) return CALM_MAX;
    let calm = 0;
    for (;;) {
      const draw = this.#random.next();
      for (const bound of longer) {
        if (draw >= bound) return calm;
        calm++;
      }
      if (calm >= CALM_MAX) return calm;
    }
  }
}

/** A gap is drawn in pieces of so many answers, and is no longer than CALM_MAX. */
const GAP_PIECE = 32;
const CALM_MAX = 0x40000000;
const WHOLE = 0x100000000;

/** Facts about ratios, computed once: the same few come with every run. */
const gapsByRatio = new Map<string, readonly number[]>();

function longerGaps(ratio: Ratio): readonly number[] {
  const key = ratio.join('/');
  const known = gapsByRatio.get(key);
  if (known !== undefined) return known;
  const gaps = computeGaps(ratio);
  gapsByRatio.set(key, gaps);
  return gaps;
}

/** 2^32 ((m - n) / m)^(k + 1) for k from 0, rounded down, in exact arithmetic. */
function computeGaps([n, m]: Ratio): readonly number[] {
  assert(n >= 0 && m > 0 && n <= m, 'a ratio is a part of a whole');
  const calm = BigInt(m - n);
  const whole = BigInt(m);
  return Array.from({ length: GAP_PIECE }, (_, k) => {
    const power = BigInt(k + 1);
    return Number((calm ** power * 0x100000000n) / whole ** power);
  });
}
