// Layer replay. The events of one frame as bytes: heads (kind, step, cpu, level, pid) in order, then the
// payload column by column. docs/format.md states the layout. Neighbours in a column are alike, so most
// numbers take one byte; equal rows give equal bytes.
import { assert, known } from '../assert.ts';
import { ROW_HEAD } from './decode.ts';
import { EVENT_ID_COUNT, type EventField, EVENT_KINDS, WORDS_BY_ID } from './schema.ts';
import { putVarint, VARINT_BYTES_MAX, zigzag } from './varint.ts';

/** Events in a frame, at most. */
export const FRAME_EVENTS_MAX = 4096;
/** CPUs and levels that the head of an event can name. */
export const CPU_COUNT_MAX = 256;
export const LEVEL_COUNT_MAX = 8;

/** How one word of a payload is coded. */
export const CODING = {
  /** Zigzag of the difference from the word above it in the column. */
  delta: 0,
  /** As it is: string numbers and booleans. */
  plain: 1,
  /** Its place in the frame's list of addresses. */
  listed: 2,
} as const;

export type Coding = (typeof CODING)[keyof typeof CODING];

/** The coding of each payload word, by event id. */
export const CODINGS_BY_ID: readonly (readonly Coding[])[] = codingsById();

/** Bytes beside the varints of the words: a flag for each column. */
const OUT_BYTES_MORE = 4 * EVENT_ID_COUNT;
const LIST_BITS_FIRST = 6;
const LIST_FACTOR = 0x9e3779b1;

/** Packs frames; its buffers grow to what the largest needs, and are reused from one to the next. */
export class ColumnEncoder {
  #out = new Uint8Array(0);
  #at = 0;
  /** Where each row starts, and the rank of its kind: kinds are ranked as the frame names them. */
  #starts = new Int32Array(0);
  #ranks = new Uint8Array(0);
  /** The same places, sorted by rank. */
  #places = new Int32Array(0);
  /** Rank + 1 by event id (0: not named yet), event id by rank, number of rows by rank. */
  readonly #rankById = new Int32Array(EVENT_ID_COUNT);
  readonly #idByRank = new Int32Array(EVENT_ID_COUNT);
  readonly #counts = new Int32Array(EVENT_ID_COUNT);
  #kinds = 0;
  readonly #levels = new Int32Array(CPU_COUNT_MAX);
  readonly #pids = new Int32Array(CPU_COUNT_MAX);
  // The list of addresses as a hash table: address and its place + 1 (0: the slot is free).
  #listBits = LIST_BITS_FIRST;
  #listKeys = new Int32Array(1 << LIST_BITS_FIRST);
  #listPlaces = new Int32Array(1 << LIST_BITS_FIRST);
  readonly #listUsed: number[] = [];
  #listLast = 0;

  /** The bytes of `rows`: whole rows of an EventLog, end to end. A view: valid until the next call. */
  encode(rows: Int32Array): Uint8Array {
    this.#at = 0;
    this.#fit(rows.length);
    this.#sortPlaces(this.#putHeads(rows));
    this.#putPayloads(rows);
    this.#forgetList();
    return this.#out.subarray(0, this.#at);
  }

  /** Makes room for rows of so many words together. */
  #fit(words: number): void {
    const bytes = words * VARINT_BYTES_MAX + OUT_BYTES_MORE;
    if (this.#out.length < bytes) this.#out = new Uint8Array(2 * bytes);
    const rows = Math.min(Math.ceil(words / ROW_HEAD), FRAME_EVENTS_MAX);
    if (this.#starts.length >= rows) return;
    this.#starts = new Int32Array(2 * rows);
    this.#ranks = new Uint8Array(2 * rows);
    this.#places = new Int32Array(2 * rows);
  }

  /** Makes room in the list for `more` addresses: it is at most half full. */
  #fitList(more: number): void {
    const used = this.#listUsed;
    if (2 * (used.length + more) <= this.#listKeys.length) return;
    const addresses = used.map((slot) => this.#listKeys[slot] as number);
    while (2 * (used.length + more) > 1 << this.#listBits) this.#listBits++;
    this.#listKeys = new Int32Array(1 << this.#listBits);
    this.#listPlaces = new Int32Array(1 << this.#listBits);
    addresses.forEach((address, place) => {
      let slot = Math.imul(address, LIST_FACTOR) >>> (32 - this.#listBits);
      while (this.#listPlaces[slot] !== 0) slot = (slot + 1) & ((1 << this.#listBits) - 1);
      used[place] = slot;
      this.#listKeys[slot] = address;
      this.#listPlaces[slot] = place + 1;
    });
  }

  /** Writes all heads; returns the number of rows. */
  #putHeads(rows: Int32Array): number {
    const [out, starts, ranks] = [this.#out, this.#starts, this.#ranks];
    const [rankById, counts] = [this.#rankById.fill(0), this.#counts.fill(0)];
    const [levels, pids] = [this.#levels.fill(0), this.#pids.fill(0)];
    this.#kinds = 0;
    let [o, count, step, cpu] = [0, 0, 0, 0];
    for (let at = 0; at < rows.length; count++) {
      assert(count < FRAME_EVENTS_MAX, 'a frame holds at most FRAME_EVENTS_MAX events');
      const id = rows[at] as number;
      const now = rows[at + 2] as number;
      const same = levels[now] === rows[at + 3] && pids[now] === rows[at + 4];
      const moved = now !== cpu || !same ? 1 : 0;
      const delta = zigzag(((rows[at + 1] as number) - step) | 0);
      let rank = (rankById[id] as number) - 1;
      const head = rank * 2 + moved;
      if (same && ((head | delta | (now * 2)) & ~0x7f) === 0) {
        // Nearly always. The third byte counts only if the CPU changed: no branch to guess wrong.
        out[o] = head;
        out[o + 1] = delta;
        out[o + 2] = now * 2;
        o += 2 + moved;
      } else {
        if (rank < 0) rank = this.#name(id);
        o = this.#putHead(o, rows, at, { rank, moved, delta, same });
      }
      step = rows[at + 1] as number;
      cpu = now;
      starts[count] = at;
      ranks[count] = rank;
      counts[rank] = (counts[rank] as number) + 1;
      at += ROW_HEAD + (WORDS_BY_ID[id] as number);
    }
    this.#at = o;
    return count;
  }

  #name(id: number): number {
    const rank = this.#kinds++;
    this.#rankById[id] = rank + 1;
    this.#idByRank[rank] = id;
    return rank;
  }

  #sortPlaces(count: number): void {
    const [starts, ranks, places] = [this.#starts, this.#ranks, this.#places];
    const nexts: number[] = [];
    let next = 0;
    for (let rank = 0; rank < this.#kinds; rank++) {
      nexts.push(next);
      next += this.#counts[rank] as number;
    }
    for (let i = 0; i < count; i++) {
      const rank = ranks[i] as number;
      const place = nexts[rank] as number;
      nexts[rank] = place + 1;
      places[place] = starts[i] as number;
    }
  }

  /** A head that names its kind, a level or a pid for the first time, or that has large numbers. */
  #putHead(
    at: number,
    rows: Int32Array,
    row: number,
    head: { rank: number; moved: number; delta: number; same: boolean },
  ): number {
    const { rank, moved, delta, same } = head;
    let o = putVarint(this.#out, at, rank * 2 + moved);
    if (this.#counts[rank] === 0) o = putVarint(this.#out, o, rows[row] as number);
    o = putVarint(this.#out, o, delta);
    return moved === 0 ? o : this.#putContext(o, rows, row, same);
  }

  /** The CPU of the row at `at`, and its level and pid unless they are the `same` as before there. */
  #putContext(o: number, rows: Int32Array, at: number, same: boolean): number {
    const cpu = rows[at + 2] as number;
    assert(cpu >= 0 && cpu < CPU_COUNT_MAX, 'the CPU of an event fits a recording');
    const next = putVarint(this.#out, o, cpu * 2 + (same ? 0 : 1));
    if (same) return next;
    const level = rows[at + 3] as number;
    const pid = rows[at + 4] as number;
    assert(level >= 0 && level < LEVEL_COUNT_MAX, 'the level of an event fits a recording');
    this.#levels[cpu] = level;
    this.#pids[cpu] = pid;
    return putVarint(this.#out, putVarint(this.#out, next, level), zigzag(pid));
  }

  #putPayloads(rows: Int32Array): void {
    let from = 0;
    for (let rank = 0; rank < this.#kinds; rank++) {
      const to = from + (this.#counts[rank] as number);
      const codings = known(CODINGS_BY_ID[this.#idByRank[rank] as number], 'kinds have codings');
      for (const [word, coding] of codings.entries())
        this.#putColumn(rows, { from, to, word: ROW_HEAD + word, coding });
      from = to;
    }
  }

  #putColumn(
    rows: Int32Array,
    column: { from: number; to: number; word: number; coding: Coding },
  ): void {
    const { from, to, word, coding } = column;
    const constant = this.#isConstant(rows, column);
    this.#out[this.#at++] = constant ? 1 : 0;
    const end = constant ? from + 1 : to;
    if (coding === CODING.delta) this.#putDeltas(rows, from, end, word);
    else if (coding === CODING.plain) this.#putPlain(rows, from, end, word);
    else this.#putListed(rows, from, end, word);
  }

  #isConstant(rows: Int32Array, column: { from: number; to: number; word: number }): boolean {
    const { from, to, word } = column;
    const places = this.#places;
    const first = rows[(places[from] as number) + word];
    for (let i = from + 1; i < to; i++)
      if (rows[(places[i] as number) + word] !== first) return false;
    return true;
  }

  #putDeltas(rows: Int32Array, from: number, to: number, word: number): void {
    const places = this.#places;
    const out = this.#out;
    let o = this.#at;
    let above = 0;
    for (let i = from; i < to; i++) {
      const value = rows[(places[i] as number) + word] as number;
      o = putVarint(out, o, zigzag((value - above) | 0));
      above = value;
    }
    this.#at = o;
  }

  #putPlain(rows: Int32Array, from: number, to: number, word: number): void {
    const places = this.#places;
    const out = this.#out;
    let o = this.#at;
    for (let i = from; i < to; i++)
      o = putVarint(out, o, rows[(places[i] as number) + word] as number);
    this.#at = o;
  }

  #putListed(rows: Int32Array, from: number, to: number, word: number): void {
    this.#fitList(to - from);
    const places = this.#places;
    const out = this.#out;
    const keys = this.#listKeys;
    const listed = this.#listPlaces;
    const shift = 32 - this.#listBits;
    const mask = (1 << this.#listBits) - 1;
    let o = this.#at;
    for (let i = from; i < to; i++) {
      const value = rows[(places[i] as number) + word] as number;
      let slot = Math.imul(value, LIST_FACTOR) >>> shift;
      while (keys[slot] !== value && listed[slot] !== 0) slot = (slot + 1) & mask;
      const place = listed[slot] as number;
      if (place === 0) o = this.#putNew(o, slot, value);
      else o = putVarint(out, o, place - 1);
    }
    this.#at = o;
  }

  /** An address that the frame has not named yet: the number after the last place, then the address. */
  #putNew(at: number, slot: number, value: number): number {
    const o = putVarint(this.#out, at, this.#listUsed.length);
    const end = putVarint(this.#out, o, zigzag((value - this.#listLast) | 0));
    this.#listLast = value;
    this.#listUsed.push(slot);
    this.#listKeys[slot] = value;
    this.#listPlaces[slot] = this.#listUsed.length;
    return end;
  }

  #forgetList(): void {
    for (const slot of this.#listUsed) this.#listPlaces[slot] = 0;
    this.#listUsed.length = 0;
    this.#listLast = 0;
  }
}

function codingsById(): readonly (readonly Coding[])[] {
  const codings: Coding[][] = Array.from({ length: EVENT_ID_COUNT }, () => []);
  for (const kind of EVENT_KINDS) codings[kind.id] = kind.fields.flatMap(codingsOf);
  return codings;
}

function codingsOf(field: EventField): Coding[] {
  switch (field.type) {
    case 'int':
    case 'hex':
    case 'errno':
      return [CODING.delta];
    case 'u64':
      return [CODING.delta, CODING.delta];
    case 'string':
    case 'bool':
      return [CODING.plain];
    case 'address':
      return [CODING.listed];
  }
}
