// Layer replay. From a row of words to a decoded event. Reading a run back is on the way of every judge and
// every property, so the decoder of each kind is compiled from the event table at its first use: a literal
// with the fields written out gives each kind one object shape, which is several times faster than setting
// fields by name. Only names from our own table become code, never anything read from a file.
import { assert, known } from '../assert.ts';
import {
  type Event,
  EVENT_ID_COUNT,
  type EventField,
  type EventKind,
  kindById,
  WORDS_BY_ID,
} from './schema.ts';
import type { Strings } from './strings.ts';

/** Words of a row before its payload: event id, step, cpu, level, pid. */
export const ROW_HEAD = 5;

type Decoder = (
  words: Int32Array,
  at: number,
  index: number,
  texts: (id: number) => string,
) => Event;

type U64 = (lo: number, hi: number) => bigint;

const IDENTIFIER = /^[a-z][a-z0-9_]*$/;
const decoders: (Decoder | undefined)[] = Array.from({ length: EVENT_ID_COUNT });

/** The unsigned value of two words. */
function u64(lo: number, hi: number): bigint {
  return hi === 0 ? BigInt(lo >>> 0) : (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** Decodes the row that starts at `words[at]`; `index` is its place in the run. */
export class RowDecoder {
  readonly #texts: (id: number) => string;

  constructor(strings: Pick<Strings, 'text'>) {
    this.#texts = (id) => strings.text(id);
  }

  decode(words: Int32Array, at: number, index: number): Event {
    const id = words[at] as number;
    const decoder = decoders[id] ?? compile(id);
    return decoder(words, at, index, this.#texts);
  }

  /** Words of the row that starts at `words[at]`. */
  length(words: Int32Array, at: number): number {
    return ROW_HEAD + (WORDS_BY_ID[words[at] as number] as number);
  }
}

function compile(id: number): Decoder {
  const decoder = decoderOf(known(kindById(id), `event id ${id} is in the table`));
  decoders[id] = decoder;
  return decoder;
}

function decoderOf(kind: EventKind): Decoder {
  for (const { name } of [kind, ...kind.fields])
    assert(IDENTIFIER.test(name), `${name} is a plain name`);
  const source = `return (words, at, index, texts) => ({
    event: '${kind.name}', index, step: words[at + 1], cpu: words[at + 2],
    level: words[at + 3], pid: words[at + 4],
    ${kind.fields.map((field) => `${field.name}: ${valueSource(field)}`).join(', ')}
  });`;
  // oxlint-disable-next-line typescript/no-implied-eval -- see the top of this file
  const build = new Function('u64', source) as (value: U64) => Decoder;
  return build(u64);
}

function valueSource(field: EventField): string {
  const word = `words[at + ${ROW_HEAD + field.word}]`;
  switch (field.type) {
    case 'int':
    case 'address':
    case 'errno':
      return word;
    case 'hex':
      return `${word} >>> 0`;
    case 'string':
      return `texts(${word})`;
    case 'bool':
      return `${word} !== 0`;
    case 'u64':
      return `u64(${word}, words[at + ${ROW_HEAD + field.word + 1}])`;
  }
}
