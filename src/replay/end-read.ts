// Layer replay. The last object of a complete recording: what the run came to, and what it repeats of other
// objects. Its seal is right; whether what it says fits what else is in the file is for assembly.ts to find.
import { DIGEST_HEX, type DigestHex } from './digest.ts';
import { type FrameBefore, isCount, readBefore } from './frame-read.ts';
import type { FoundObject } from './frame-scan.ts';
import { unpack } from './packed.ts';
import { checkHeader, type RecordingHeader } from './recording-header.ts';

/** Totals of a run. */
export interface RunTotals {
  readonly events: number;
  readonly steps: number;
  readonly choices: number;
  readonly strings: number;
  /** `RunDigest` of all events. */
  readonly digest: DigestHex;
}

/** What the run came to; the last object of a complete file. */
export interface RecordingEnd extends RunTotals {
  /** Where each frame starts in the file, and its first event. */
  readonly frames: readonly (readonly [offset: number, firstEvent: number])[];
}

/** An end that says what an end says. */
export interface ReadEnd {
  readonly totals: RunTotals;
  /** The index, of whatever make. */
  readonly frames: readonly unknown[];
  /** The last frame's; null after a run without frames. */
  readonly last: FrameBefore | null;
  readonly header: RecordingHeader;
}

/** Reads the end at `found`; a text says what is wrong with it. */
export function readEnd(bytes: Uint8Array, found: FoundObject): ReadEnd | string {
  const value = unpack(bytes.subarray(found.offset, found.end));
  const map: unknown = Array.isArray(value) ? value[0] : undefined;
  if (typeof map !== 'object' || map === null) return 'it is no map';
  const said: Partial<Record<string, unknown>> = { ...map };
  const { events, steps, choices, strings, digest, frames } = said;
  if (!isCount(events)) return 'its number of events is none';
  if (!isCount(steps)) return 'its number of steps is none';
  if (!isCount(choices)) return 'its number of choices is none';
  if (!isCount(strings)) return 'its number of strings is none';
  if (typeof digest !== 'string' || !DIGEST_HEX.test(digest)) return 'its digest is none';
  if (!Array.isArray(frames)) return 'its index is no list';
  const last = readBefore(said['last']);
  if (typeof last === 'string') return last;
  const header = checkHeader(said['header']);
  if (typeof header === 'string') return `the header that it repeats is none: ${header}`;
  return { totals: { events, steps, choices, strings, digest }, frames, last, header };
}
