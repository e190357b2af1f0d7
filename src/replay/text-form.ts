// Layer replay. The lossless text twin of a recording: one event per line, everything else in lines that
// begin with `--`. docs/format.md states it; `text-form-read.ts` turns it back into the same bytes.
// Annotations such as `<vfs_open+0x4>` are for people: the reader passes over them.
import { printable } from '../assert.ts';
import { NO_ADDRESS, USER_BASE } from '../emu/address.ts';
import { LEVEL_NAMES } from '../emu/event.ts';
import { lostEvents } from './assembly.ts';
import { readChoices } from './choices.ts';
import { placeText } from './damage-place.ts';
import { islandEvents } from './island.ts';
import type { RecordedModule, RecordingHeader } from './recording-header.ts';
import type { RecordedFrame, Salvage } from './recording.ts';
import { type Event, type EventField, kindByName } from './schema.ts';
import { FORMAT_VERSION } from './seal.ts';
import { partsIn, type StateDigest, WHOLE_DIGITS } from './state-digest.ts';
import { Symbols } from './symbols.ts';

const TITLE = '-- reprobe recording, format ';
/** The first line of every text form. */
export const TEXT_FORM_TITLE = `${TITLE}${FORMAT_VERSION}`;

/** Does a text begin as text forms of every version do? */
export function isTextForm(text: string): boolean {
  return text.startsWith(TITLE);
}

/** How lines begin that stand for what is not there: such a text is no whole recording. */
export const TEXT_LOST = { header: '-- header lost', events: '-- lost' } as const;

/** Lists are broken into lines of about this length. */
const LIST_COLUMNS = 96;
/** Bytes of the image on one line, as two hex digits each. */
export const IMAGE_LINE_BYTES = 48;

const PLAIN_TEXT = /^[A-Za-z0-9_.*/:+~@%-]+$/;

export interface TextOptions {
  /** Only events of this CPU: no longer the whole recording. */
  readonly cpu?: number | undefined;
  /** Names beside addresses; default true. */
  readonly names?: boolean;
}

/** The lines of the text form, without line ends. */
export function* textLines(recording: Salvage, options: TextOptions = {}): Generator<string> {
  const { header, frames, log, end } = recording;
  const { cpu } = options;
  yield TEXT_FORM_TITLE;
  if (cpu !== undefined) yield `-- only CPU ${cpu}`;
  if (header === undefined) yield `${TEXT_LOST.header}: ${recording.damage?.what}`;
  else yield* headerLines(header);
  const lines = new FrameLines(options);
  for (const [number, frame] of frames.entries()) {
    const { firstEvent, eventCount } = frame;
    yield* lines.of(`${number}`, frame, log.events(firstEvent, firstEvent + eventCount));
  }
  yield* islandLines(recording, lines);
  if (end !== undefined) {
    const { events, choices, strings, steps, digest } = end;
    const counts = `events=${events} choices=${choices} strings=${strings} steps=${steps}`;
    yield `-- end ${counts} digest=${digest}`;
  }
}

/** What is whole behind what is lost. */
function* islandLines(recording: Salvage, lines: FrameLines): Generator<string> {
  const places = recording.damages.filter(({ part }) => part !== 'header').map(placeText);
  for (const [index, [from, to]] of lostEvents(recording).entries()) {
    const island = recording.islands[index];
    yield `${TEXT_LOST.events} events ${from} to ${to}${index === 0 ? `: ${places.join('; ')}` : ''}`;
    if (island === undefined) continue;
    for (const frame of island.frames)
      yield* lines.of(`at byte ${frame.offset}`, frame, islandEvents(island, frame));
  }
}

/** Shows frames one after the other; names of addresses are those that the frames before told. */
class FrameLines {
  readonly #symbols = new Symbols();
  readonly #options: TextOptions;

  constructor(options: TextOptions) {
    this.#options = options;
  }

  *of(name: string, frame: RecordedFrame, events: Iterable<Event>): Generator<string> {
    const { cpu, names } = this.#options;
    const symbols = names === false ? undefined : this.#symbols;
    yield `-- frame ${name}`;
    yield* listLines('strings', frame.strings.map(quoted));
    for (const event of events) {
      if (event.event === 'symbol') this.#symbols.see(event);
      if (cpu === undefined || event.cpu === cpu) yield formatEvent(event, symbols);
    }
    yield* frameEndLines(frame);
  }
}

/** The whole text form, every line ended. */
export function formatRecording(recording: Salvage, options: TextOptions = {}): string {
  return Array.from(textLines(recording, options), (line) => `${line}\n`).join('');
}

/** One event as a line; with `symbols`, addresses are named. */
export function formatEvent(event: Event, symbols?: Symbols): string {
  const place = `${event.cpu}/${LEVEL_NAMES[event.level] ?? event.level}`;
  const when = `${`#${event.index}`.padEnd(7)} ${String(event.step).padStart(7)}`;
  const who = `${place.padEnd(9)} ${String(event.pid).padStart(3)}`;
  const fields = kindByName(event.event)?.fields ?? [];
  if (fields.length === 0) return `${when} ${who} ${event.event}`;
  let line = `${when} ${who} ${event.event.padEnd(12)}`;
  const named = event.event === 'symbol' ? undefined : symbols;
  for (const field of fields) line += ` ${fieldText(field, event, named)}`;
  return line;
}

function fieldText(field: EventField, event: Event, symbols: Symbols | undefined): string {
  const value: unknown = event[field.name as keyof Event];
  const text = `${field.name}=${valueText(field, value)}`;
  if (field.type !== 'address' || symbols === undefined) return text;
  return text + symbols.note(Number(value));
}

function valueText({ type }: EventField, value: unknown): string {
  if (type === 'string') return quoted(String(value));
  if (type === 'address') return addressText(Number(value));
  if (type !== 'hex' && type !== 'u64') return String(value);
  return `0x${(value as number | bigint).toString(16)}`;
}

/** `0x14` from the start of the image, `user+0x0` from the start of the user segment, or `none`. */
function addressText(address: number): string {
  if (address === NO_ADDRESS) return 'none';
  if (address >= 0) return `0x${address.toString(16)}`;
  return `user+0x${((address - USER_BASE) >>> 0).toString(16)}`;
}

/** As it is when that is clear, else as a JSON string. */
export function quoted(text: string): string {
  return PLAIN_TEXT.test(text) ? text : printable(JSON.stringify(text));
}

/** Plain data on one line. */
function jsonText(value: unknown): string {
  return printable(JSON.stringify(value));
}

function* headerLines(header: RecordingHeader): Generator<string> {
  const { version, workload, profile, variants, chooser, options, image, modules } = header;
  yield `-- version ${jsonText(version)}`;
  yield `-- workload ${jsonText({ name: workload.name, file: workload.file })}`;
  yield '-- source';
  for (const line of workload.source.split('\n')) yield sourceLine(line);
  yield `-- model ${jsonText(workload.model)}`;
  yield `-- profile ${jsonText(profile)}`;
  yield `-- variants ${jsonText(variants)}`;
  yield `-- chooser ${jsonText(chooser)}`;
  yield `-- options ${jsonText(options)}`;
  if (image === null) yield '-- image null';
  else yield* fileLines('image', image);
  for (const module of modules ?? []) yield* fileLines('module', module);
}

/** A file that takes part: what it is on one line, then its bytes. */
function* fileLines(
  word: 'image' | 'module',
  file: NonNullable<RecordingHeader['image']> | RecordedModule,
): Generator<string> {
  const bytes = file.bytes === null ? null : file.bytes.length;
  yield `-- ${word} ${jsonText({ ...file, bytes })}`;
  yield* byteLines(file.bytes ?? new Uint8Array());
}

/** A line of the workload; as a JSON string if it could upset a screen, or an editor could trim it. */
function sourceLine(line: string): string {
  if (line === '') return '-|';
  const json = jsonText(line);
  const isPlain =
    line === line.trimEnd() && json.slice(1, -1).replaceAll(/\\(["\\])/g, '$1') === line;
  return isPlain ? `-| ${line}` : `-~ ${json}`;
}

function* byteLines(bytes: Uint8Array): Generator<string> {
  for (let at = 0; at < bytes.length; at += IMAGE_LINE_BYTES) {
    const line = bytes.subarray(at, at + IMAGE_LINE_BYTES);
    yield `-= ${Array.from(line, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  }
}

function* frameEndLines(frame: RecordedFrame): Generator<string> {
  const runs = readChoices(frame.choices).runs.map(({ index, times }) =>
    times === 1 ? `${index}` : `${index}*${times}`,
  );
  yield* listLines('choices', runs);
  yield* listLines('state', stateItems(frame.stateDigest));
  yield `-- digest ${frame.digest}`;
}

/** The digest of the whole state, then those of its parts. */
function stateItems(state: StateDigest | null): readonly string[] {
  return state === null ? ['none'] : [state.slice(0, WHOLE_DIGITS), ...partsIn(state)];
}

/** `-- NAME item item ...`, as many lines as it takes; none for an empty list. */
function* listLines(name: string, items: readonly string[]): Generator<string> {
  let line = `-- ${name}`;
  let isEmpty = true;
  for (const item of items) {
    if (!isEmpty && line.length + 1 + item.length > LIST_COLUMNS) {
      yield line;
      line = `-- ${name}`;
    }
    line += ` ${item}`;
    isEmpty = false;
  }
  if (!isEmpty) yield line;
}
