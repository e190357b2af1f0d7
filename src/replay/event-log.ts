// Layer replay. The events of a run as rows in one growing Int32Array: event id, step, cpu, level, pid, then
// exactly the payload words of that id. No object exists for an event until somebody asks for it.
import { assert } from '../assert.ts';
import type { EventSink } from '../emu/event.ts';
import { PAYLOAD_WORDS } from '../emu/event.ts';
import { ROW_HEAD, RowDecoder } from './decode.ts';
import { type Event, WORDS_BY_ID } from './schema.ts';
import { Strings } from './strings.ts';

/** Words of the longest row. */
export const ROW_WORDS_MAX: number = ROW_HEAD + PAYLOAD_WORDS;

const CAPACITY_FIRST = 16_384;
/** The place of every so many-th row is kept, so that one event is found without walking all. */
const MARK_STRIDE = 64;

export class EventLog implements EventSink {
  readonly strings: Strings;
  readonly #decoder: RowDecoder;
  #words = new Int32Array(CAPACITY_FIRST);
  #used = 0;
  #count = 0;
  readonly #marks: number[] = [];

  constructor(strings: Strings = new Strings()) {
    this.strings = strings;
    this.#decoder = new RowDecoder(strings);
  }

  /** Number of events. */
  get count(): number {
    return this.#count;
  }

  // prettier-ignore
  emit(
    id: number, step: number, cpu: number, level: number, pid: number,
    a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number,
  ): void {
    const payload = WORDS_BY_ID[id] as number;
    assert(payload >= 0, 'an emitted event is in the table');
    const at = this.#used;
    if (at + ROW_WORDS_MAX > this.#words.length) this.#grow(ROW_WORDS_MAX);
    const words = this.#words;
    words[at] = id;
    words[at + 1] = step;
    words[at + 2] = cpu;
    words[at + 3] = level;
    words[at + 4] = pid;
    // All eight, always: cheaper than to ask how many, and the next row overwrites the rest.
    words[at + 5] = a;
    words[at + 6] = b;
    words[at + 7] = c;
    words[at + 8] = d;
    words[at + 9] = e;
    words[at + 10] = f;
    words[at + 11] = g;
    words[at + 12] = h;
    if (this.#count % MARK_STRIDE === 0) this.#marks.push(at);
    this.#used = at + ROW_HEAD + payload;
    this.#count++;
  }

  /** Event number `index`. */
  at(index: number): Event {
    assert(index >= 0 && index < this.#count, `event ${index} exists`);
    return this.#decoder.decode(this.#words, this.#place(index), index);
  }

  /** Events [from, to) in order, decoded one by one; those that come later are not seen. */
  *events(from = 0, to: number = this.#count): IterableIterator<Event> {
    assert(from >= 0 && from <= to && to <= this.#count, `events ${from} to ${to} exist`);
    let at = this.#place(from);
    for (let index = from; index < to; index++) {
      yield this.#decoder.decode(this.#words, at, index);
      at += ROW_HEAD + (WORDS_BY_ID[this.#words[at] as number] as number);
    }
  }

  /**
   * Calls, for each event in order, those listed under its id. The others are not even decoded; those that
   * come later are not heard.
   */
  hear(listeners: readonly (readonly ((event: Event) => void)[] | undefined)[]): void {
    const words = this.#words;
    const count = this.#count;
    for (let index = 0, at = 0; index < count; index++) {
      const id = words[at] as number;
      const called = listeners[id];
      if (called !== undefined) {
        const event = this.#decoder.decode(words, at, index);
        for (const listener of called) listener(event);
      }
      at += ROW_HEAD + (WORDS_BY_ID[id] as number);
    }
  }

  /** Rows [from, to), end to end. A view: valid until the next event. */
  rows(from = 0, to: number = this.#count): Int32Array {
    assert(from >= 0 && from <= to && to <= this.#count, `rows ${from} to ${to} exist`);
    return this.#words.subarray(this.#place(from), this.#place(to));
  }

  /** Adds rows that `checkRows` found sound. */
  append(rows: Int32Array): void {
    if (this.#used + rows.length + ROW_WORDS_MAX > this.#words.length) this.#grow(rows.length);
    this.#words.set(rows, this.#used);
    const end = this.#used + rows.length;
    while (this.#used < end) {
      if (this.#count % MARK_STRIDE === 0) this.#marks.push(this.#used);
      this.#used += ROW_HEAD + (WORDS_BY_ID[this.#words[this.#used] as number] as number);
      this.#count++;
    }
    assert(this.#used === end, 'appended rows are complete');
  }

  /** Where row `index` starts; `count` asks for the end. */
  #place(index: number): number {
    if (index === this.#count) return this.#used;
    let at = this.#marks[Math.floor(index / MARK_STRIDE)] as number;
    for (let left = index % MARK_STRIDE; left > 0; left--)
      at += ROW_HEAD + (WORDS_BY_ID[this.#words[at] as number] as number);
    return at;
  }

  #grow(room: number): void {
    const larger = new Int32Array(Math.max(this.#words.length * 2, this.#used + 2 * room));
    larger.set(this.#words.subarray(0, this.#used));
    this.#words = larger;
  }
}
