// Layer replay. One frame of a recording: from its bytes, whose seal is right, to rows of events; or what is
// wrong with it. Nothing is believed of what it says about itself.
import { readChoices } from './choices.ts';
import { decodeColumns } from './columns-read.ts';
import { FRAME_EVENTS_MAX } from './columns.ts';
import { DIGEST_HEX, type DigestHex } from './digest.ts';
import type { FoundObject } from './frame-scan.ts';
import { unpack } from './packed.ts';
import { plainBytes } from './recording-header.ts';
import { FRAME_ITEMS } from './seal.ts';
import { STATE_DIGEST, type StateDigest } from './state-digest.ts';

/** What a frame repeats of the one before it, in case that one gets lost. */
export interface FrameBefore {
  readonly eventCount: number;
  readonly choices: Uint8Array;
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
  readonly stateDigest: StateDigest | null;
  /** Null in the first frame of a run. */
  readonly before: FrameBefore | null;
  /** Of the frame's own bytes. */
  readonly digest: DigestHex;
}

/** What the frames before this one leave to it. */
export interface FrameContext {
  /** Its events may name strings below this, and its own. */
  readonly strings: number;
  /** Was this text listed before? */
  hasText(text: string): boolean;
}

export type FrameRead =
  | { readonly frame: RecordedFrame; readonly rows: Int32Array; readonly fault: undefined }
  | { readonly fault: string };

/** Reads the frame that `found` says is there. */
export function readFrame(bytes: Uint8Array, found: FoundObject, context: FrameContext): FrameRead {
  const value = unpack(bytes.subarray(found.offset, found.end));
  const fields = fieldsOf(value);
  if (typeof fields === 'string') return { fault: fields };
  const { eventCount, columns, choices, strings } = fields;
  const { count: choiceCount, fault: choiceFault } = readChoices(choices);
  if (choiceFault !== undefined) return { fault: choiceFault };
  if (new Set(strings).size !== strings.length || strings.some((text) => context.hasText(text)))
    return { fault: 'its strings are not all new ones' };
  const read = decodeColumns(columns, {
    events: eventCount,
    strings: context.strings + strings.length,
  });
  if (read.fault !== undefined) return { fault: read.fault };
  const { firstEvent, stateDigest, before, digest } = fields;
  const frame = { offset: found.offset, firstEvent, eventCount, choices, choiceCount };
  const rest = { strings, stateDigest, before, digest };
  return { frame: { ...frame, ...rest }, rows: read.rows, fault: undefined };
}

interface FrameFields {
  readonly firstEvent: number;
  readonly eventCount: number;
  readonly columns: Uint8Array;
  readonly choices: Uint8Array;
  readonly strings: readonly string[];
  readonly stateDigest: StateDigest | null;
  readonly before: FrameBefore | null;
  readonly digest: DigestHex;
}

function fieldsOf(value: unknown): FrameFields | string {
  if (!Array.isArray(value) || value.length !== FRAME_ITEMS) return 'this is no frame';
  const [firstEvent, eventCount, columns, choices, strings, stateDigest, repeats, run, digest] =
    value as readonly unknown[];
  if (!isDigest(digest) || !isDigest(run) || !isCount(firstEvent)) return 'this is no frame';
  if (!isCount(eventCount) || eventCount > FRAME_EVENTS_MAX)
    return `expected at most ${FRAME_EVENTS_MAX} events`;
  if (!(columns instanceof Uint8Array) || !(choices instanceof Uint8Array))
    return 'its columns or choices are no bytes';
  if (stateDigest !== null && !isState(stateDigest)) return 'its state is no digest';
  if (!isTexts(strings)) return 'its strings are no texts';
  const before = readBefore(repeats);
  if (typeof before === 'string') return before;
  const made = { choices: plainBytes(choices), strings, stateDigest, before };
  return { firstEvent, eventCount, columns, ...made, digest };
}

/** What a frame, or the end, repeats of the frame before it; a text says what is wrong with that. */
export function readBefore(value: unknown): FrameBefore | null | string {
  if (value === null) return null;
  const what = 'what it repeats of the frame before it is nothing of the kind';
  if (!Array.isArray(value) || value.length !== 2) return what;
  const [eventCount, choices] = value as readonly unknown[];
  if (!isCount(eventCount) || !(choices instanceof Uint8Array)) return what;
  return readChoices(choices).fault ?? { eventCount, choices: plainBytes(choices) };
}

/** Is `frame` what `before` repeats? */
export function repeatsFrame(
  before: FrameBefore | null,
  frame: RecordedFrame | undefined,
): boolean {
  if (frame === undefined || before === null) return frame === undefined && before === null;
  const { choices } = frame;
  if (frame.eventCount !== before.eventCount || choices.length !== before.choices.length)
    return false;
  return choices.every((byte, i) => byte === before.choices[i]);
}

/**
 * The choices in an object whose seal is wrong, if they still look like some. Whether they are those that
 * were made, only a replay can tell.
 */
export function choicesIn(bytes: Uint8Array): Uint8Array | undefined {
  const value = unpack(bytes);
  if (!Array.isArray(value) || value.length !== FRAME_ITEMS) return undefined;
  const choices: unknown = value[3];
  if (!(choices instanceof Uint8Array)) return undefined;
  const plain = plainBytes(choices);
  return readChoices(plain).fault === undefined ? plain : undefined;
}

/** How many events and strings a frame says it has; undefined if it says nothing of the kind. */
export function sizeOf(
  bytes: Uint8Array,
): { readonly events: number; readonly strings: number } | undefined {
  const value = unpack(bytes);
  if (!Array.isArray(value) || value.length !== FRAME_ITEMS) return undefined;
  const [, events, , , strings] = value as readonly unknown[];
  if (!isCount(events) || !Array.isArray(strings)) return undefined;
  return { events, strings: strings.length };
}

export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isDigest(value: unknown): value is DigestHex {
  return typeof value === 'string' && DIGEST_HEX.test(value);
}

function isState(value: unknown): value is StateDigest {
  return typeof value === 'string' && STATE_DIGEST.test(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
