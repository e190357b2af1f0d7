// Layer replay. The `.trace` format, writer and reader side by side; docs/format.md states it. A file is a
// stream of msgpack objects: preamble, header, frames, end. Each but the first closes with the digest of its
// own bytes, so a file can grow frame by frame, a killed run leaves a readable one, and damage is found in
// the frame where it is.
import { assert, InputError } from '../assert.ts';
import { readChoices } from './choices.ts';
import { decodeColumns } from './columns-read.ts';
import { ColumnEncoder, FRAME_EVENTS_MAX } from './columns.ts';
import { DIGEST_HEX, type DigestHex, digestOfBytes, RunDigest } from './digest.ts';
import { EventLog } from './event-log.ts';
import { measure, pack, unpack } from './packed.ts';
import { checkHeader, plainBytes, plainHeader, type RecordingHeader } from './recording-header.ts';

const FORMAT_MAGIC = 'reprobe';
/** Changing or removing anything is a new version (style.md section 7). */
export const FORMAT_VERSION = 1;

const DIGEST_NONE = '0000000000000000';
/** Bytes of the digest at the end of an object. */
const DIGEST_BYTES = DIGEST_NONE.length;

/** What the run came to; the last object of a complete file. */
export interface RecordingEnd {
  readonly events: number;
  readonly steps: number;
  readonly choices: number;
  readonly strings: number;
  /** `RunDigest` of all events. */
  readonly digest: DigestHex;
  /** Where each frame starts in the file, and its first event. */
  readonly frames: readonly (readonly [offset: number, firstEvent: number])[];
}

/** Some events, and the choices that were made up to the last of them. */
export interface RecordedFrame {
  readonly offset: number;
  readonly firstEvent: number;
  readonly eventCount: number;
  /** For `RecordedChooser`. */
  readonly choices: Uint8Array;
  readonly choiceCount: number;
  /** Texts interned since the frame before. */
  readonly strings: readonly string[];
  /** The machine's state after its last event; null where a frame was cut within a step. */
  readonly stateDigest: DigestHex | null;
  /** Of the frame's own bytes. */
  readonly digest: DigestHex;
}

interface Damage {
  /** The first frame that cannot be read; undefined: the header's digest is wrong. */
  readonly frame: number | undefined;
  readonly offset: number;
  readonly what: string;
}

export interface Recording {
  readonly header: RecordingHeader;
  /** The events of all complete frames. */
  readonly log: EventLog;
  readonly frames: readonly RecordedFrame[];
  /** Undefined when the file stops before its end. */
  readonly end: RecordingEnd | undefined;
  readonly damage: Damage | undefined;
}

/** Writes one run's file; every call gives the bytes to append. */
export class RecordingWriter {
  readonly #log: EventLog;
  readonly #encoder = new ColumnEncoder();
  readonly #digest = new RunDigest();
  readonly #frames: [offset: number, firstEvent: number][] = [];
  #offset = 0;
  #events = 0;
  #strings = 0;
  #choices = 0;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Events written so far. */
  get events(): number {
    return this.#events;
  }

  begin(header: RecordingHeader): Uint8Array {
    assert(this.#offset === 0, 'a file begins once');
    const preamble = pack([FORMAT_MAGIC, FORMAT_VERSION]);
    return this.#count(joinBytes([preamble, sealed([plainHeader(header), DIGEST_NONE])]));
  }

  /**
   * The events since the last frame, with the choices made meanwhile (`ChoiceWriter.take`) and the state now.
   * More than FRAME_EVENTS_MAX become several frames; the choices go into the first of them.
   */
  frame(choices: Uint8Array, stateDigest: DigestHex | null): Uint8Array {
    const parts: Uint8Array[] = [];
    let list = choices;
    while (this.#log.count - this.#events > FRAME_EVENTS_MAX) {
      parts.push(this.piece({ to: this.#events + FRAME_EVENTS_MAX, choices: list, state: null }));
      list = NO_CHOICES;
    }
    parts.push(this.piece({ to: this.#log.count, choices: list, state: stateDigest }));
    return joinBytes(parts);
  }

  /** One frame: the events up to `to`, and all texts interned so far. */
  piece(options: {
    readonly to: number;
    readonly choices: Uint8Array;
    readonly state: DigestHex | null;
  }): Uint8Array {
    const { to, choices, state } = options;
    const from = this.#events;
    const rows = this.#log.rows(from, to);
    const { strings: interned } = this.#log;
    const strings = interned.range(this.#strings, interned.count);
    const columns = this.#encoder.encode(rows);
    this.#frames.push([this.#offset, from]);
    this.#digest.rows(rows);
    for (const text of strings) this.#digest.text(text);
    this.#events = to;
    this.#strings = interned.count;
    this.#choices += readChoices(choices).count;
    return this.#count(sealed([from, to - from, columns, choices, strings, state, DIGEST_NONE]));
  }

  /** What was written so far, as `end` will say it. */
  totals(steps: number): RecordingEnd {
    return {
      events: this.#events,
      steps,
      choices: this.#choices,
      strings: this.#strings,
      digest: this.#digest.hex(),
      frames: this.#frames,
    };
  }

  /** Closes the file after a run of `steps` steps. */
  end(steps: number): Uint8Array {
    return this.#count(sealed([this.totals(steps), DIGEST_NONE]));
  }

  #count(bytes: Uint8Array): Uint8Array {
    this.#offset += bytes.length;
    return bytes;
  }
}

/** The empty list of choices. */
const NO_CHOICES = new Uint8Array(1);

/** The digest of all events of `log`, as a recording of it would say. */
export function digestOfLog(log: EventLog): DigestHex {
  const digest = new RunDigest();
  digest.rows(log.rows());
  for (const text of log.strings.range(0, log.strings.count)) digest.text(text);
  return digest.hex();
}

/**
 * Reads a file: everything up to the first damage. Throws an InputError when that is not even the header, or
 * when the file is none of ours; `file` is its name for that message.
 */
export function readRecording(bytes: Uint8Array, file?: string): Recording {
  const plain = plainBytes(bytes);
  return new RecordingReader(plain, file).read();
}

const MAGIC_BYTES: Uint8Array = pack([FORMAT_MAGIC, FORMAT_VERSION]).subarray(0, -1);

/** Does a file begin as recordings of every version do? */
export function isRecording(bytes: Uint8Array): boolean {
  return MAGIC_BYTES.every((byte, index) => bytes[index] === byte);
}

/** One line that says where a file is damaged and what is left. */
export function damageText(recording: Pick<Recording, 'damage' | 'frames' | 'log'>): string {
  const { damage, frames, log } = recording;
  if (damage === undefined) return 'whole';
  const where = damage.frame === undefined ? 'header' : `frame ${damage.frame}`;
  const left = `${frames.length} whole frames with ${log.count} events can be used`;
  return `${where} (byte ${damage.offset}): ${damage.what}; ${left}`;
}

class RecordingReader {
  readonly #bytes: Uint8Array;
  readonly #file: string | undefined;
  readonly #log = new EventLog();
  readonly #frames: RecordedFrame[] = [];
  readonly #digest = new RunDigest();
  #choices = 0;
  #at = 0;
  #end: RecordingEnd | undefined;
  #damage: Damage | undefined;

  constructor(bytes: Uint8Array, file: string | undefined) {
    this.#bytes = bytes;
    this.#file = file;
  }

  read(): Recording {
    this.#readPreamble();
    const header = this.#readHeader();
    while (this.#readNext());
    return {
      header,
      log: this.#log,
      frames: this.#frames,
      end: this.#end,
      damage: this.#damage,
    };
  }

  #readPreamble(): void {
    const expected = 'expected a recording (.trace)';
    if (this.#bytes.length === 0)
      throw new InputError(`${expected}, the file is empty`, this.#file);
    const { end } = measure(this.#bytes, 0);
    const value = end === undefined ? undefined : unpack(this.#bytes.subarray(0, end));
    if (end === undefined || !Array.isArray(value) || value[0] !== FORMAT_MAGIC)
      throw new InputError(`${expected}, found something else`, this.#file);
    const version: unknown = value[1];
    if (typeof version !== 'number' || value.length !== 2 || version < 1)
      throw new InputError(`${expected}, found no format version`, this.#file);
    if (version > FORMAT_VERSION) {
      const found = `format version ${version}, but this reprobe reads versions up to`;
      const what = `the recording has ${found} ${FORMAT_VERSION}; use the reprobe that wrote it`;
      throw new InputError(what, this.#file);
    }
    this.#at = end;
  }

  #readHeader(): RecordingHeader {
    const offset = this.#at;
    const refuse = (what: string): InputError =>
      new InputError(`the header of the recording is damaged: ${what}`, this.#file);
    const measured = measure(this.#bytes, offset);
    if (measured.end === undefined) throw refuse(measured.fault);
    const value = unpack(this.#bytes.subarray(offset, measured.end));
    if (!Array.isArray(value) || value.length !== 2) throw refuse('it is no header');
    const header = checkHeader(value[0]);
    if (typeof header === 'string') throw refuse(header);
    if (!this.#isSealed(offset, measured.end, value[1]))
      this.#damage = { frame: undefined, offset, what: 'its digest does not match' };
    this.#at = measured.end;
    return header;
  }

  /** The next frame or the end; false when there is nothing more to read. */
  #readNext(): boolean {
    const offset = this.#at;
    const fault = this.#readObject(offset);
    if (fault !== undefined) this.#damage ??= { frame: this.#frames.length, offset, what: fault };
    return fault === undefined && this.#end === undefined;
  }

  #readObject(offset: number): string | undefined {
    if (offset === this.#bytes.length) return 'the file stops here: the run never came to its end';
    const measured = measure(this.#bytes, offset);
    if (measured.end === undefined) return measured.fault;
    const value = unpack(this.#bytes.subarray(offset, measured.end));
    if (!Array.isArray(value)) return 'this is no frame';
    if (!this.#isSealed(offset, measured.end, value.at(-1))) return 'its digest does not match';
    const fault = value.length === 2 ? this.#takeEnd(value[0]) : this.#takeFrame(value, offset);
    if (fault !== undefined) return fault;
    this.#at = measured.end;
    const isOver = this.#end === undefined || measured.end === this.#bytes.length;
    return isOver ? undefined : 'more bytes follow the end of the recording';
  }

  #isSealed(from: number, to: number, digest: unknown): boolean {
    return digest === digestOfBytes(this.#bytes, from, to - DIGEST_BYTES);
  }

  #takeFrame(value: readonly unknown[], offset: number): string | undefined {
    const [firstEvent, eventCount, columns, choices, strings, stateDigest, digest] = value;
    if (value.length !== 7 || !isDigest(digest)) return 'this is no frame';
    if (firstEvent !== this.#log.count) return `it does not start with event ${this.#log.count}`;
    if (!isCount(eventCount) || eventCount > FRAME_EVENTS_MAX)
      return `expected at most ${FRAME_EVENTS_MAX} events`;
    if (!(columns instanceof Uint8Array) || !(choices instanceof Uint8Array))
      return 'its columns or choices are no bytes';
    if (stateDigest !== null && !isDigest(stateDigest)) return 'its state is no digest';
    const { count: choiceCount, fault: choiceFault } = readChoices(choices);
    if (choiceFault !== undefined) return choiceFault;
    if (!isFreshTexts(strings, this.#log)) return 'its strings are not all new ones';
    const { rows, fault } = decodeColumns(columns, {
      events: eventCount,
      strings: this.#log.strings.count + strings.length,
    });
    if (fault !== undefined) return fault;
    const kept = { firstEvent, eventCount, choices: plainBytes(choices), choiceCount };
    this.#keep({ offset, ...kept, strings, stateDigest, digest }, rows);
    return undefined;
  }

  #keep(frame: RecordedFrame, rows: Int32Array): void {
    for (const text of frame.strings) {
      this.#log.strings.id(text);
      this.#digest.text(text);
    }
    this.#log.append(rows);
    this.#digest.rows(rows);
    this.#choices += frame.choiceCount;
    this.#frames.push(frame);
  }

  #takeEnd(value: unknown): string | undefined {
    if (typeof value !== 'object' || value === null) return 'this is neither a frame nor the end';
    const { events, steps, choices, strings, digest, frames } = value as Partial<
      Record<keyof RecordingEnd, unknown>
    >;
    if (events !== this.#log.count) return 'its number of events is wrong';
    if (strings !== this.#log.strings.count) return 'its number of strings is wrong';
    if (choices !== this.#choices) return 'its number of choices is wrong';
    if (!isCount(steps)) return 'its number of steps is none';
    if (digest !== this.#digest.hex()) return 'the digest of all events is wrong';
    if (!Array.isArray(frames)) return 'its index is no list';
    const index = this.#frames.map(({ offset, firstEvent }): [number, number] => [
      offset,
      firstEvent,
    ]);
    if (JSON.stringify(frames) !== JSON.stringify(index)) return 'its index is wrong';
    this.#end = { events, steps, choices, strings, digest, frames: index };
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isDigest(value: unknown): value is DigestHex {
  return typeof value === 'string' && DIGEST_HEX.test(value);
}

/** Texts that differ from each other and from all before. */
function isFreshTexts(value: unknown, log: EventLog): value is readonly string[] {
  if (!Array.isArray(value)) return false;
  const fresh = new Set<unknown>(value);
  if (fresh.size !== value.length) return false;
  return value.every((text) => typeof text === 'string' && log.strings.find(text) === undefined);
}

/** An object with its digest put over the last bytes. */
function sealed(value: readonly unknown[]): Uint8Array {
  const bytes = pack(value);
  const digest = digestOfBytes(bytes, 0, bytes.length - DIGEST_BYTES);
  for (let i = 0; i < DIGEST_BYTES; i++)
    bytes[bytes.length - DIGEST_BYTES + i] = digest.charCodeAt(i);
  return bytes;
}

/** All of `parts`, end to end. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
