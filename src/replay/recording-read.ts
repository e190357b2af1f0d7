// Layer replay. The reading half of recording.ts: bytes that nobody vouches for to a recording. Events up to
// the first that is lost are one log, as if the run had been killed there; whole frames behind it are read as
// they are, each with its place in the run (`Island`). docs/format.md states what is promised.
import { InputError } from '../assert.ts';
import { type Assembled, assemble, lostEvents } from './assembly.ts';
import { type Damage, placeText } from './damage-place.ts';
import { type Scan, scanFrames } from './frame-scan.ts';
import { manglingOf, markBytes, withoutReturns } from './mangled.ts';
import { measure, pack, unpack } from './packed.ts';
import { checkHeader, plainBytes, type RecordingHeader } from './recording-header.ts';
import { FORMAT_MAGIC, FORMAT_VERSION, isSealed, sealAt } from './seal.ts';

/** What a file holds, whatever happened to it. */
export interface Salvage extends Omit<Assembled, 'damages' | 'headerCopy'> {
  /** Undefined when nothing sensible can be read in its place, nor in the end, which repeats it. */
  readonly header: RecordingHeader | undefined;
  /** Is the header damaged, and what is there now has to do for it? */
  readonly isHeaderDoubtful: boolean;
  /** The run that the file is of: the seal of its header. Undefined where nothing is left that tells. */
  readonly run: string | undefined;
  /** The first damage; undefined for a whole file. */
  readonly damage: Damage | undefined;
  /** Every place that is damaged, the first included, in the order of the file. */
  readonly damages: readonly Damage[];
}

export interface Recording extends Salvage {
  readonly header: RecordingHeader;
}

/** Values in a preamble: more is none. */
const PREAMBLE_ITEMS_MAX = 3;
const PREAMBLE_BYTES = pack([FORMAT_MAGIC, FORMAT_VERSION]).length;
/** Places of damage that a message names. */
const DAMAGES_SHOWN = 3;

/**
 * Reads a file: everything that is whole. Throws an InputError when that is not even the header, or when the
 * file is none of ours; `file` is its name for that message.
 */
export function readRecording(bytes: Uint8Array, file?: string): Recording {
  const found = salvageRecording(bytes, file);
  const { header } = found;
  if (header === undefined) {
    const advice = 'without it the run cannot be repeated, but its frames can be shown and judged';
    throw new InputError(`${damageText(found)}; ${advice}`, file);
  }
  return { ...found, header };
}

/** As `readRecording`, for those who can do without a header. Throws an InputError when there is no frame either. */
export function salvageRecording(bytes: Uint8Array, file?: string): Salvage {
  const given: unknown = bytes;
  if (!ArrayBuffer.isView(given))
    throw new InputError(`expected the bytes of a recording, found ${typeof given}`, file);
  const plain = plainBytes(bytes);
  const preamble = readPreamble(plain, file);
  const header = readHeader(plain, preamble.end);
  const { fault, seal } = header;
  const isWhole = header.value !== undefined && fault === undefined;
  // A whole header says the version, too: then it is the preamble that is damaged.
  if (preamble.isOther && !isWhole) throw preamble.fault;
  const at = preamble.fault === undefined ? preamble.end : 0;
  const { scan, from } = scanBehind(plain, at, header);
  const run = runIn(scan, isWhole ? seal : undefined);
  const isOurs = !isWhole || seal === run;
  const isHeader = isWhole && isOurs;
  const value = isOurs ? header.value : undefined;
  if (scan.objects.length === 0 && !isHeader) {
    if (preamble.fault !== undefined) throw preamble.fault;
    if (value === undefined)
      throw new InputError(`the header of the recording is damaged: ${fault}`, file);
  }
  // What lies where the header should be is the header's damage, not a frame's.
  const ruins = scan.ruins.filter(({ offset }) => offset > at);
  const isMoved = preamble.fault !== undefined || fault !== undefined;
  const { headerCopy, ...assembled } = assemble(
    plain,
    { ...scan, ruins },
    { from, isMoved, header: isHeader ? value : undefined, run },
  );
  const headerFaults: Damage[] = [];
  const damaged = (offset: number, what: string | undefined): void => {
    if (what !== undefined) headerFaults.push({ part: 'header', frame: undefined, offset, what });
  };
  damaged(0, preamble.fault === undefined ? undefined : (preamble.what ?? BEGINS_OTHERWISE));
  const what = isOurs ? fault : HEADER_FOREIGN;
  damaged(preamble.end, what === undefined || headerCopy === undefined ? what : what + COPIED);
  const damages = [...headerFaults, ...assembled.damages];
  return {
    ...assembled,
    header: isHeader ? value : (headerCopy ?? value),
    isHeaderDoubtful: !isHeader && headerCopy === undefined,
    run,
    damage: damages[0],
    damages,
  };
}

const COPIED = ', but the end repeats it';
const BEGINS_OTHERWISE = 'this is not how a recording begins';
const MARKED = 'a byte order mark stands before it: take the file as it was written';
const RETURNS = 'its line ends were changed, each LF to CR LF: take the file as it was written';
const HEADER_FOREIGN = 'it belongs to another recording than all that is behind it';

/**
 * The run that a file is of: its header's, as long as anything behind it is of that run, or nothing of any other.
 * Else that of what follows first.
 */
function runIn({ objects }: Scan, header: string | undefined): string | undefined {
  const first = objects[0]?.run;
  if (header === undefined) return first;
  return first === undefined || objects.some(({ run }) => run === header) ? header : first;
}

interface PreambleRead {
  /** Where the header starts. */
  readonly end: number;
  /** Set if that is only where it would be in a file of ours. */
  readonly fault: InputError | undefined;
  /** Nothing is wrong but the version. */
  readonly isOther: boolean;
  /** The fault in a few words, if it can be told so. */
  readonly what?: string;
}

function readPreamble(bytes: Uint8Array, file: string | undefined): PreambleRead {
  const expected = 'expected a recording (.trace)';
  if (bytes.length === 0) throw new InputError(`${expected}, the file is empty`, file);
  const mangling = manglingOf(bytes);
  if (mangling !== undefined) throw new InputError(`${expected}, found ${mangling}`, file);
  const mark = markBytes(bytes);
  const { end } = measure(bytes, mark, PREAMBLE_ITEMS_MAX);
  const value = end === undefined ? undefined : unpack(bytes.subarray(mark, end));
  const refuse = (found: string): PreambleRead => {
    const fault = new InputError(`${expected}, found ${found}`, file);
    return { end: PREAMBLE_BYTES, fault, isOther: false };
  };
  if (end === undefined || !Array.isArray(value) || value[0] !== FORMAT_MAGIC)
    return refuse('something else');
  const version: unknown = value[1];
  if (typeof version !== 'number' || value.length !== 2 || !(version >= 1))
    return refuse('no format version');
  if (version === FORMAT_VERSION && mark > 0) return { ...refuse(MARKED), end, what: MARKED };
  if (version === FORMAT_VERSION) return { end, fault: undefined, isOther: false };
  const found = `format version ${version}, but this reprobe reads version ${FORMAT_VERSION}`;
  const advice =
    version < FORMAT_VERSION
      ? 'record its workload again, or use the older reprobe that wrote it'
      : 'use a newer reprobe, as the one that wrote it';
  const what = `the recording has ${found}; ${advice}`;
  return { end, fault: new InputError(what, file), isOther: true };
}

/**
 * The objects behind a header at `at`, and where they should start if that is known. Where a damaged header
 * says that it ends is believed only if no frame starts before.
 */
function scanBehind(
  bytes: Uint8Array,
  at: number,
  { end, fault }: HeaderRead,
): { readonly scan: Scan; readonly from: number | undefined } {
  if (end !== undefined && fault === undefined) return { scan: scanFrames(bytes, end), from: end };
  const scan = scanFrames(bytes, at);
  const first = scan.objects[0]?.offset ?? bytes.length;
  if (end === undefined || first < end) return { scan, from: undefined };
  return { scan: first === end ? scan : scanFrames(bytes, end), from: end };
}

interface HeaderRead {
  readonly value: RecordingHeader | undefined;
  readonly end: number | undefined;
  readonly fault: string | undefined;
  /** Its seal; only a whole header's says anything. */
  readonly seal?: string;
}

/** The header at `at`, where it ends, and what is wrong with it, each as far as it can be told. */
function readHeader(bytes: Uint8Array, at: number): HeaderRead {
  const read = readHeaderAt(bytes, at);
  if (read.fault === undefined) return read;
  const undone = withoutReturns(bytes);
  const isUndone = undone.length < bytes.length && readHeaderAt(undone, at).fault === undefined;
  return isUndone ? { ...read, fault: RETURNS } : read;
}

function readHeaderAt(bytes: Uint8Array, at: number): HeaderRead {
  const measured = measure(bytes, at);
  const { end } = measured;
  if (end === undefined) return { value: undefined, end, fault: measured.fault };
  const value = unpack(bytes.subarray(at, end));
  if (!Array.isArray(value) || value.length !== 3 || value[1] !== FORMAT_VERSION)
    return { value: undefined, end: undefined, fault: 'it is no header' };
  const header = checkHeader(value[0]);
  // What it says about its own length is not worth more than the rest of it.
  if (typeof header === 'string') return { value: undefined, end: undefined, fault: header };
  return {
    value: header,
    end,
    fault: isSealed(bytes, at, end) ? undefined : 'its digest does not match',
    seal: sealAt(bytes, end),
  };
}

/** One line that says where a file is damaged and what is left. */
export function damageText(
  found: Pick<Salvage, 'damages' | 'frames' | 'log' | 'islands' | 'claim'>,
): string {
  const { damages, frames, log, islands } = found;
  if (damages.length === 0) return 'whole';
  const places = damages.slice(0, DAMAGES_SHOWN).map(placeText);
  const more = damages.length - places.length;
  if (more > 0) places.push(`${more} more places are damaged`);
  const left = `${frames.length} whole frames with ${log.count} events can be used`;
  const gaps = lostEvents(found).map(([from, to]) => `${from} to ${to}`);
  if (gaps.length === 0) return `${places.join('; ')}; ${left}`;
  const shown =
    gaps.slice(0, DAMAGES_SHOWN).join(', ') + (gaps.length > DAMAGES_SHOWN ? ', ...' : '');
  const behind = islands.flatMap((island) => island.frames);
  const events = behind.reduce((sum, { eventCount }) => sum + eventCount, 0);
  const lost = `events ${shown} are lost`;
  const rest = `, ${behind.length} frames with ${events} events behind them can be read`;
  return `${places.join('; ')}; ${lost}; ${left}${islands.length === 0 ? '' : rest}`;
}
