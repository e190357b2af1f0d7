// Layer replay. The `.trace` format; docs/format.md states it. A file is a stream of msgpack objects: preamble,
// header, frames, end. Each but the first closes with the digest of its own bytes, so a file can grow frame by
// frame, a killed run leaves a readable one, and damage is found in the frame where it is. Those behind the header
// name it, so that frames of two runs are never taken for one. What a replay needs of
// a frame or of the header stands in another object, too, so one damage costs nothing for good. The writer is
// here, the reader beside it in `recording-read.ts`.
import { assert, known } from '../assert.ts';
import type { RecordingEnd } from './assembly.ts';
import { choiceCount } from './choices.ts';
import { ColumnEncoder, FRAME_EVENTS_MAX } from './columns.ts';
import { type DigestHex, RunDigest } from './digest.ts';
import type { EventLog } from './event-log.ts';
import { pack } from './packed.ts';
import { plainHeader, type RecordingHeader } from './recording-header.ts';
import { FORMAT_MAGIC, FORMAT_VERSION, packFrame, SEAL_NONE, sealAt, sealed } from './seal.ts';
import type { StateDigest } from './state-digest.ts';

export { FORMAT_VERSION } from './seal.ts';
export type { RecordedFrame } from './frame-read.ts';
export type { Recording, Salvage } from './recording-read.ts';
export { damageText, readRecording, salvageRecording } from './recording-read.ts';

/** Writes one run's file; every call gives the bytes to append. */
export class RecordingWriter {
  readonly #log: EventLog;
  readonly #encoder = new ColumnEncoder();
  readonly #digest = new RunDigest();
  readonly #frames: [offset: number, firstEvent: number][] = [];
  #header: RecordingHeader | undefined;
  /** The header's seal: every object behind it says that it belongs to it. */
  #run = SEAL_NONE;
  /** Event count and choices of the frame written last. */
  #before: readonly [eventCount: number, choices: Uint8Array] | null = null;
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
    this.#header = plainHeader(header);
    const object = sealed([this.#header, FORMAT_VERSION, SEAL_NONE]);
    this.#run = sealAt(object, object.length);
    return this.#count(joinBytes([preamble, object]));
  }

  /**
   * The events since the last frame, with the choices made meanwhile (`ChoiceWriter.take`) and the state now.
   * More than FRAME_EVENTS_MAX become several frames; the choices go into the first of them.
   */
  frame(choices: Uint8Array, stateDigest: StateDigest | null): Uint8Array {
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
    readonly state: StateDigest | null;
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
    this.#choices += choiceCount(choices);
    const before = this.#before;
    this.#before = [to - from, choices];
    const made = { first: from, count: to - from, columns, choices, strings, state };
    return this.#count(packFrame({ ...made, before, run: this.#run }));
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
    const header = known(this.#header, 'a file begins before it ends');
    const repeated = { last: this.#before, header };
    return this.#count(sealed([{ ...this.totals(steps), ...repeated }, this.#run, SEAL_NONE]));
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

const MAGIC_BYTES: Uint8Array = pack([FORMAT_MAGIC, FORMAT_VERSION]).subarray(0, -1);

/** Does a file begin as recordings of every version do? */
export function isRecording(bytes: Uint8Array): boolean {
  return MAGIC_BYTES.every((byte, index) => bytes[index] === byte);
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
