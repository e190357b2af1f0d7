// Layer replay. The text form back to the bytes of the recording. What people may write by hand is checked as
// strictly as a file: every message names line and column.
import { InputError, known } from '../assert.ts';
import { ChoiceWriter } from './choices.ts';
import { FRAME_EVENTS_MAX } from './columns.ts';
import { EventLog } from './event-log.ts';
import { checkHeader, type RecordingHeader } from './recording-header.ts';
import { joinBytes, RecordingWriter } from './recording.ts';
import { sealAt } from './seal.ts';
import type { StateDigest } from './state-digest.ts';
import { parseEvent } from './text-event.ts';
import { IMAGE_LINE_BYTES, TEXT_FORM_TITLE, TEXT_LOST } from './text-form.ts';
import { TextLine } from './text-line.ts';

const DIGEST = /[0-9a-f]{16}/y;
const PART_DIGEST = /[0-9a-f]{8}/y;
const COUNT_MAX = 2 ** 53 - 1;
const CHOICES_MAX = 0xffffffff;

/** The bytes of the recording that `text` shows; an InputError names `file`, line and column. */
export function parseTextForm(text: string, file = 'text'): Uint8Array {
  return new TextFormReader(text, file).read();
}

class TextFormReader {
  readonly #lines: readonly string[];
  readonly #file: string;
  readonly #log = new EventLog();
  readonly #writer: RecordingWriter;
  readonly #choices = new ChoiceWriter();
  #next = 0;
  #frames = 0;

  constructor(text: string, file: string) {
    // A text that went through a system with other line ends.
    this.#lines = text.split(text.startsWith(`${TEXT_FORM_TITLE}\r\n`) ? '\r\n' : '\n');
    this.#file = file;
    this.#writer = new RecordingWriter(this.#log);
  }

  read(): Uint8Array {
    const title = this.#line();
    title.expect(TEXT_FORM_TITLE);
    title.end();
    if (this.#peek().startsWith('-- only'))
      throw this.#line().error('expected a whole recording, this text shows one CPU of it');
    if (this.#peek().startsWith(TEXT_LOST.header))
      throw this.#line().error('expected a whole recording, the header of this one is lost');
    const parts = [this.#header()];
    while (this.#peek().startsWith('-- frame')) parts.push(this.#frame());
    if (this.#peek().startsWith(TEXT_LOST.events))
      throw this.#line().error('expected a whole recording; what stands above this line is one');
    if (this.#peek().startsWith('-- end')) parts.push(this.#end());
    const last = this.#line();
    if (last.text !== '' || this.#next < this.#lines.length)
      throw last.error(`expected a frame or the end of the text`);
    return joinBytes(parts);
  }

  #peek(): string {
    return this.#lines[this.#next] ?? '';
  }

  #line(): TextLine {
    const line = new TextLine(this.#peek(), this.#file, this.#next + 1);
    this.#next++;
    return line;
  }

  /** The next line, which is `-- NAME ...`. */
  #named(name: string): TextLine {
    const line = this.#line();
    line.expect(`-- ${name}`);
    line.spaces();
    return line;
  }

  #json(name: string): unknown {
    return this.#named(name).json();
  }

  #header(): Uint8Array {
    const first = this.#next;
    const version = this.#json('version');
    const workload = this.#json('workload');
    const source = this.#source();
    const model = this.#json('model');
    const header = checkHeader({
      version,
      workload: { ...asMap(workload), source, model },
      profile: this.#json('profile'),
      variants: this.#json('variants'),
      chooser: this.#json('chooser'),
      options: this.#json('options'),
      image: this.#imageOrNull(),
      ...this.#modules(),
    });
    if (typeof header === 'string') throw new InputError(header, `${this.#file}:${first + 1}:1`);
    return this.#begin(header, first);
  }

  #begin(header: RecordingHeader, first: number): Uint8Array {
    try {
      return this.#writer.begin(header);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(error.message, `${this.#file}:${first + 1}:1`);
    }
  }

  #source(): string {
    this.#named('source').end();
    const lines: string[] = [];
    for (;;) {
      const text = this.#peek();
      if (!text.startsWith('-|') && !text.startsWith('-~')) return lines.join('\n');
      const line = this.#line();
      if (line.skip('-~ ')) lines.push(line.string());
      else {
        line.expect('-|');
        line.skip(' ');
        lines.push(line.rest());
      }
    }
  }

  #imageOrNull(): unknown {
    const line = this.#named('image');
    const value = line.json();
    return value === null ? null : this.#image(line, value);
  }

  #modules(): { readonly modules?: readonly unknown[] } {
    const modules: unknown[] = [];
    while (this.#peek().startsWith('-- module ')) {
      const line = this.#named('module');
      modules.push(this.#image(line, line.json()));
    }
    return modules.length === 0 ? {} : { modules };
  }

  /** A file whose bytes follow. */
  #image(line: TextLine, value: unknown): unknown {
    const { ['bytes']: size, ...image } = asMap(value);
    if (size === null) return { ...image, bytes: null };
    if (typeof size !== 'number') throw line.error('expected the number of bytes of the image');
    const bytes: number[] = [];
    while (this.#peek().startsWith('-=')) this.#imageLine(bytes);
    if (bytes.length !== size)
      throw line.error(`expected ${size} bytes of the image to follow, found ${bytes.length}`);
    return { ...image, bytes: Uint8Array.from(bytes) };
  }

  #imageLine(bytes: number[]): void {
    const line = this.#line();
    line.expect('-= ');
    for (let i = 0; i < IMAGE_LINE_BYTES && !line.isOver; i++)
      bytes.push(Number.parseInt(line.match(/[0-9a-f]{2}/y, 'two hex digits'), 16));
    line.end();
  }

  #frame(): Uint8Array {
    const first = this.#named('frame');
    const number = first.integer(0, COUNT_MAX);
    if (number !== this.#frames) throw first.error(`expected frame ${this.#frames}`);
    first.end();
    this.#strings();
    while (this.#peek().startsWith('#')) {
      const line = this.#line();
      if (this.#log.count - this.#writer.events === FRAME_EVENTS_MAX)
        throw line.error(`expected at most ${FRAME_EVENTS_MAX} events in a frame`);
      parseEvent(line, this.#log);
    }
    this.#readChoices();
    return this.#frameEnd();
  }

  #strings(): void {
    while (this.#peek().startsWith('-- strings')) {
      const line = this.#named('strings');
      while (!line.isOver) {
        const text = line.string();
        if (this.#log.strings.find(text) !== undefined)
          throw line.error(`'${text}' was listed before`);
        this.#log.strings.id(text);
        line.spaces();
      }
    }
  }

  #readChoices(): void {
    while (this.#peek().startsWith('-- choices')) {
      const line = this.#named('choices');
      while (!line.isOver) {
        if (line.skip('0*')) this.#choices.appendZeros(line.integer(1, CHOICES_MAX));
        else this.#choices.append(line.integer(0, CHOICES_MAX));
        if (this.#choices.count > CHOICES_MAX)
          throw line.error(`expected at most ${CHOICES_MAX} choices in a frame`);
        line.spaces();
      }
    }
  }

  #frameEnd(): Uint8Array {
    const state = this.#state();
    const line = this.#named('digest');
    const digest = line.match(DIGEST, 'the digest of the frame');
    line.end();
    const choices = this.#choices.take();
    const bytes = this.#writer.piece({ to: this.#log.count, choices, state });
    const found = sealAt(bytes, bytes.length);
    if (found !== digest)
      throw line.error(`this frame has the digest ${found}, not ${digest}`, digest.length);
    this.#frames++;
    return bytes;
  }

  /** Of the whole state, then of its parts. */
  #state(): StateDigest | null {
    const first = this.#named('state');
    if (first.skip('none')) {
      first.end();
      return null;
    }
    let state = first.match(DIGEST, `a state digest or 'none'`);
    for (let line = first; ; line = this.#named('state')) {
      line.spaces();
      while (!line.isOver) {
        state += line.match(PART_DIGEST, 'the digest of a part of the state');
        line.spaces();
      }
      if (!this.#peek().startsWith('-- state ')) return state;
    }
  }

  #end(): Uint8Array {
    const line = this.#named('end');
    const counted: Record<string, number> = {};
    for (const name of ['events', 'choices', 'strings', 'steps']) {
      line.expect(`${name}=`);
      counted[name] = line.integer(0, COUNT_MAX);
      line.spaces();
    }
    line.expect('digest=');
    const digest = line.match(DIGEST, 'the digest of all events');
    line.end();
    const steps = known(counted['steps'], 'steps were read');
    const end = this.#writer.totals(steps);
    for (const name of ['events', 'choices', 'strings'] as const)
      if (end[name] !== counted[name])
        throw line.error(`expected ${name}=${end[name]}, as counted above`);
    if (end.digest !== digest)
      throw line.error(`the events above have the digest ${end.digest}`, digest.length);
    return this.#writer.end(steps);
  }
}

function asMap(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
