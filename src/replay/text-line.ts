// Layer replay. One line of a text form under a reading finger: what is wrong is said with line and column.
import { InputError } from '../assert.ts';
import { nearest } from './workload/nearest.ts';

const SPACES = / */y;
const ANNOTATION = /<[^<>]*> */y;
const BARE = /[^\s"=<>]+/y;
const INTEGER = /-?\d{1,16}/y;
const WORD = /[A-Za-z0-9_]+/y;
const SHOWN = /\S{0,24}/y;

export class TextLine {
  readonly text: string;
  readonly #file: string;
  readonly #number: number;
  #at = 0;

  constructor(text: string, file: string, number: number) {
    this.text = text;
    this.#file = file;
    this.#number = number;
  }

  get isOver(): boolean {
    return this.#at >= this.text.length;
  }

  /** An error at the finger, or `back` letters before it. */
  error(message: string, back = 0): InputError {
    const column = this.#at - back + 1;
    return new InputError(message, `${this.#file}:${this.#number}:${column}`);
  }

  /** What is left of the line. */
  rest(): string {
    const rest = this.text.slice(this.#at);
    this.#at = this.text.length;
    return rest;
  }

  /** Passes over `text` if it is here. */
  skip(text: string): boolean {
    if (!this.text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  expect(text: string): void {
    if (!this.skip(text)) throw this.error(`expected '${text}', found ${this.#found()}`);
  }

  spaces(): void {
    this.#take(SPACES);
  }

  /** Passes over spaces and annotations for people. */
  gap(): void {
    this.spaces();
    while (this.#take(ANNOTATION) !== undefined);
  }

  /** The next letters that `pattern` (sticky) matches; `what` is for the message. */
  match(pattern: RegExp, what: string): string {
    const found = this.#take(pattern);
    if (found === undefined) throw this.error(`expected ${what}, found ${this.#found()}`);
    return found;
  }

  /** A string, bare or quoted. */
  string(): string {
    const from = this.#at;
    const bare = this.#take(BARE);
    if (bare !== undefined) return bare;
    const value = this.#parse(this.#quoted(), from);
    if (typeof value !== 'string') throw this.error('expected a string');
    return value;
  }

  /** The rest of the line as JSON. */
  json(): unknown {
    const from = this.#at;
    return this.#parse(this.rest(), from);
  }

  /** A decimal integer from `min` to `max`. */
  integer(min: number, max: number): number {
    const from = this.#at;
    const text = this.match(INTEGER, 'a number');
    const value = Number(text);
    if (value >= min && value <= max) return value;
    this.#at = from;
    throw this.error(`expected a number from ${min} to ${max}, found ${text}`);
  }

  /** One of `words`. */
  word(words: readonly string[], what: string): string {
    const from = this.#at;
    const word = this.match(WORD, what);
    if (words.includes(word)) return word;
    this.#at = from;
    const near = nearest(word, words);
    const hint = near === undefined ? '' : `; did you mean '${near}'?`;
    throw this.error(`expected ${what}, found '${word}'${hint}`);
  }

  end(): void {
    this.gap();
    if (!this.isOver) throw this.error(`expected the end of the line, found ${this.#found()}`);
  }

  /** A JSON string, not understood yet. No pattern: those recurse, and a line can be long. */
  #quoted(): string {
    let end = this.#at + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    if (this.text[this.#at] !== '"' || end >= this.text.length)
      throw this.error(`expected a string, found ${this.#found()}`);
    const quoted = this.text.slice(this.#at, end + 1);
    this.#at = end + 1;
    return quoted;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) return undefined;
    this.#at += found.length;
    return found;
  }

  #found(): string {
    if (this.isOver) return 'the end of the line';
    this.spaces();
    SHOWN.lastIndex = this.#at;
    return `'${SHOWN.exec(this.text)?.[0] ?? ''}'`;
  }

  #parse(text: string, from: number): unknown {
    try {
      const value: unknown = JSON.parse(text);
      return value;
    } catch {
      this.#at = from;
      throw this.error('expected JSON');
    }
  }
}
