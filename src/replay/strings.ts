// Layer replay. The texts that events carry, each stored once per run. Numbers are given in order of first
// use, so equal runs number equally. The machine interns through the `StringTable` face of this class.
import { known } from '../assert.ts';
import type { StringTable } from '../emu/event.ts';

/** Most texts have none. */
const ANY_SURROGATE = /[\ud800-\udfff]/;
// Half of a surrogate pair has no UTF-8 form: a file could not give it back.
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** `text` as it comes back from a file. */
export function wellFormed(text: string): string {
  if (!ANY_SURROGATE.test(text)) return text;
  return text.replace(LONE_SURROGATE, '\ufffd');
}

export class Strings implements StringTable {
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];

  get count(): number {
    return this.#texts.length;
  }

  /** The number of `text`; a new one at its first use. */
  id(text: string): number {
    const found = this.#numbers.get(text);
    if (found !== undefined) return found;
    const clean = wellFormed(text);
    if (clean !== text) return this.id(clean);
    const id = this.#texts.length;
    this.#texts.push(text);
    this.#numbers.set(text, id);
    return id;
  }

  /** The number of `text` if it was used before. */
  find(text: string): number | undefined {
    return this.#numbers.get(text);
  }

  text(id: number): string {
    return known(this.#texts[id], 'the number of a string was given out');
  }

  /** The texts with numbers [from, to). */
  range(from: number, to: number): readonly string[] {
    return this.#texts.slice(from, to);
  }
}
