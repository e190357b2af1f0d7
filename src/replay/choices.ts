// Layer replay. The answers of a chooser as bytes, and a chooser that gives them again. Nearly all answers
// are 0 (calm): a list is its length, then for each other answer the zeros before it and the answer.
import { assert, known } from '../assert.ts';
import type { CalmAhead, Chooser, ChoiceKind, ChoicePoint } from '../emu/choose.ts';
import { putVarint, VARINT_BYTES_MAX, VarintReader } from './varint.ts';

const CAPACITY_FIRST = 256;
/** One entry of the list: two numbers. */
const ENTRY_BYTES_MAX = 2 * VARINT_BYTES_MAX;

/** Collects answers; `take` gives those since the last `take`. */
export class ChoiceWriter {
  #bytes = new Uint8Array(CAPACITY_FIRST);
  #used = 0;
  #count = 0;
  #zeros = 0;

  /** Answers since the last `take`. */
  get count(): number {
    return this.#count;
  }

  append(index: number): void {
    this.#count++;
    if (index === 0) this.#zeros++;
    else this.#put(index);
  }

  appendZeros(times: number): void {
    this.#count += times;
    this.#zeros += times;
  }

  /** The list as bytes; the next one begins. */
  take(): Uint8Array {
    const bytes = new Uint8Array(VARINT_BYTES_MAX + this.#used);
    const head = putVarint(bytes, 0, this.#count);
    bytes.set(this.#bytes.subarray(0, this.#used), head);
    const end = head + this.#used;
    this.#used = 0;
    this.#count = 0;
    this.#zeros = 0;
    return bytes.subarray(0, end);
  }

  #put(index: number): void {
    assert(index > 0, 'an answer is an index');
    if (this.#used + ENTRY_BYTES_MAX > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#used = putVarint(this.#bytes, this.#used, this.#zeros);
    this.#used = putVarint(this.#bytes, this.#used, index);
    this.#zeros = 0;
  }
}

/** Asks another chooser and keeps its answers. */
export class RecordingChooser implements Chooser {
  readonly #chooser: Chooser;
  readonly choices: ChoiceWriter = new ChoiceWriter();

  readonly calm: CalmAhead;

  constructor(chooser: Chooser) {
    this.#chooser = chooser;
    const { calm } = chooser;
    this.calm = {
      ahead: (kinds, max) => calm?.ahead(kinds, max) ?? 0,
      pass: (kinds, boundaries) => {
        calm?.pass(kinds, boundaries);
        this.choices.appendZeros(kinds.length * boundaries);
      },
    };
  }

  choose(point: ChoicePoint, count: number): number {
    const index = this.#chooser.choose(point, count);
    this.choices.append(index);
    return index;
  }
}

/** A run of equal answers. */
export interface ChoiceRun {
  readonly index: number;
  readonly times: number;
}

/** A list as runs: zeros, one other answer, zeros, ...; or what is wrong with its bytes. */
export function readChoices(bytes: Uint8Array): {
  readonly count: number;
  readonly runs: readonly ChoiceRun[];
  readonly fault: string | undefined;
} {
  const reader = new VarintReader(bytes);
  const runs: ChoiceRun[] = [];
  const count = reader.next();
  let left = count;
  while (!reader.atEnd && reader.fault() === undefined) {
    const zeros = reader.next();
    const index = reader.next();
    if (index === 0) reader.fail('its choices list a zero as another answer');
    if (zeros >= left) reader.fail('it has more choices than it says');
    if (reader.fault() !== undefined) break;
    if (zeros > 0) runs.push({ index: 0, times: zeros });
    runs.push({ index, times: 1 });
    left -= zeros + 1;
  }
  if (left > 0) runs.push({ index: 0, times: left });
  return { count, runs, fault: reader.fault() };
}

/** How many answers a list says that it has. */
export function choiceCount(bytes: Uint8Array): number {
  return new VarintReader(bytes).next();
}

/** The question that the recording had no fitting answer to. */
export interface DivergencePoint {
  readonly kind: ChoiceKind;
  readonly cpu: number;
  /** Number of answers that the run offers. */
  readonly count: number;
}

/**
 * The run asks what the recording does not answer. `range`: the recorded answer is none of those offered.
 * `ended`: there is no further answer; after a recording that was cut short this is its regular end.
 */
export class Divergence extends Error {
  override readonly name = 'Divergence';
  readonly reason: 'range' | 'ended';
  /** Number of the choice, from 0. */
  readonly choice: number;
  readonly point: DivergencePoint;

  constructor(reason: 'range' | 'ended', choice: number, point: DivergencePoint, message: string) {
    super(message);
    this.reason = reason;
    this.choice = choice;
    this.point = point;
  }
}

/** Gives recorded answers again; throws a `Divergence` when there is none that fits. */
export class RecordedChooser implements Chooser {
  readonly #runs: readonly ChoiceRun[];
  #next = 0;
  #times = 0;
  #index = 0;
  #given = 0;

  /** `parts` are lists that a reader found sound, in order. */
  constructor(parts: readonly Uint8Array[]) {
    this.#runs = parts.flatMap((part) => {
      const { runs, fault } = readChoices(part);
      assert(fault === undefined, 'recorded choices were checked');
      return runs;
    });
  }

  /** Answers given so far. */
  get given(): number {
    return this.#given;
  }

  /** Answers not given yet. */
  get left(): number {
    return this.#runs.slice(this.#next).reduce((sum, { times }) => sum + times, this.#times);
  }

  readonly calm: CalmAhead = {
    ahead: (kinds, max) => Math.min(max, Math.floor(this.#zerosAhead() / kinds.length)),
    pass: (kinds, boundaries) => {
      this.#pass(kinds.length * boundaries);
    },
  };

  choose(point: ChoicePoint, count: number): number {
    if (this.#times === 0) this.#advance(point, count);
    if (this.#index >= count) {
      const { kind, cpu } = point;
      const answer = `choice ${this.#given} of the recording is ${this.#index}`;
      const message = `${answer}, but only ${count} options are offered`;
      throw new Divergence('range', this.#given, { kind, cpu, count }, message);
    }
    this.#times--;
    this.#given++;
    return this.#index;
  }

  /** Recorded zeros up to the next answer that is none, or to the end. */
  #zerosAhead(): number {
    if (this.#times > 0) return this.#index === 0 ? this.#times : 0;
    const next = this.#runs[this.#next];
    return next?.index === 0 ? next.times : 0;
  }

  #pass(zeros: number): void {
    if (zeros === 0) return;
    if (this.#times === 0) {
      const run = known(this.#runs[this.#next++], 'only answers that are there are passed');
      this.#index = run.index;
      this.#times = run.times;
    }
    assert(this.#index === 0 && this.#times >= zeros, 'only zeros are passed');
    this.#times -= zeros;
    this.#given += zeros;
  }

  #advance({ kind, cpu }: ChoicePoint, count: number): void {
    const run = this.#runs[this.#next];
    if (run === undefined) {
      const message = `the recording has ${this.#given} choices, and the run asks for one more`;
      throw new Divergence('ended', this.#given, { kind, cpu, count }, message);
    }
    this.#next++;
    this.#index = run.index;
    this.#times = run.times;
  }
}
