// Layer replay. A patched call site as a judge knows it: the values of its two halves by version, from
// `text_write` alone, and what an instruction made of them does; or those of its two instructions, from `text_pair`
// (FT-12).
import type { EventOf } from '../schema.ts';

/** Bytes of a site of one instruction, and of one of two. */
export const SITE_BYTES = 4;
export const PAIR_BYTES = 8;
/** The halfword that stands for a breakpoint while a site is rewritten (FT-6). */
const BREAKPOINT = 0x9002;
/** A value from before the first write that the run tells of. */
const UNKNOWN = -1;
/** Where a nop calls to. */
const NOWHERE = -1;

const OPCODE_MASK = 0x7f;
const OPCODE_JAL = 0x6f;
const OPCODE_AUIPC = 0x17;

/** One half of a site, by version: of its instruction, or one of its two. */
interface Half {
  readonly values: number[];
  /** Index of the event that wrote each version. */
  readonly written: number[];
}

export interface PatchedSite {
  readonly ip: number;
  readonly bytes: number;
  readonly low: Half;
  readonly high: Half;
  /** Newest version of the low half that each CPU fetched or wrote itself, by CPU. */
  readonly seen: number[];
  /** Index of the last event that wrote either half. */
  lastWritten: number;
  /** The CPU that did. */
  writer: number;
  /** Where the two latest whole instructions lead. */
  old: number;
  current: number;
  /** Traps that were over before the instruction was written that their breakpoint stood for. */
  readonly traps: EventOf<'trap_exit'>[];
}

/** A site is a nop at first (FT-4). */
export function newPatchedSite(ip: number, bytes: number): PatchedSite {
  const behind = ip + bytes;
  return {
    ip,
    bytes,
    low: newHalf(),
    high: newHalf(),
    seen: [],
    lastWritten: -1,
    writer: -1,
    old: behind,
    current: behind,
    traps: [],
  };
}

/** Version 0 is what was there before. */
function newHalf(): Half {
  return { values: [UNKNOWN], written: [-1] };
}

/** A half of `site` gets a new version, which its writer sees at once (CC-M5). */
export function writeSite(site: PatchedSite, e: EventOf<'text_write'>): void {
  const half = e.part === 0 ? site.low : site.high;
  half.values[e.version] = e.value;
  half.written[e.version] = e.index;
  site.lastWritten = e.index;
  site.writer = e.cpu;
  if (half !== site.low) return;
  site.seen[e.cpu] = e.version;
  if (e.value === BREAKPOINT) return;
  site.old = site.current;
  const tail = site.high.values.at(-1) ?? UNKNOWN;
  const target = tail === UNKNOWN ? NOWHERE : targetOf(site.ip, e.value | (tail << 16));
  site.current = target === NOWHERE ? site.ip + SITE_BYTES : target;
}

/** Both instructions of `site` get a new version. */
export function writePair(site: PatchedSite, e: EventOf<'text_pair'>): void {
  const { low, high } = site;
  low.values[e.version] = e.first;
  high.values[e.version] = e.second;
  low.written[e.version] = e.index;
  site.lastWritten = e.index;
  site.writer = e.cpu;
  site.seen[e.cpu] = e.version;
}

/** Is its newest version a breakpoint? */
export function isBreakpoint({ low }: PatchedSite): boolean {
  return low.values.at(-1) === BREAKPOINT;
}

/** Index of the event that replaced this version of the low half; undefined: it is the newest. */
export function replacedAt({ low }: PatchedSite, version: number): number | undefined {
  return low.written[version + 1];
}

/**
 * Is what a CPU did at the site what was written there? With the newest tail, or while the site is `changing`
 * with any. Also yes where the run does not tell what was written.
 */
export function isAsWritten(
  { ip, bytes, low, high }: PatchedSite,
  { seen, does, target }: EventOf<'site_fetch'>,
  changing: boolean,
): boolean {
  const first = low.values[seen] ?? UNKNOWN;
  if (first === UNKNOWN) return true;
  if (bytes === PAIR_BYTES) {
    return targetOfPair(ip, first, high.values[seen] ?? 0) === (does === 'call' ? target : NOWHERE);
  }
  if (first === BREAKPOINT) return does === 'break';
  const called = does === 'call' ? target : NOWHERE;
  const newest = high.values.length - 1;
  for (let version = newest; version >= (changing ? 0 : newest); version--) {
    const tail = high.values[version] ?? UNKNOWN;
    if (tail === UNKNOWN || targetOf(ip, first | (tail << 16)) === called) return does !== 'break';
  }
  return false;
}

/** Where the instruction `word` at `ip` calls to: a `jal`, or nowhere. */
function targetOf(ip: number, word: number): number {
  if ((word & OPCODE_MASK) !== OPCODE_JAL) return NOWHERE;
  const sign = (word >> 31) << 20;
  const offset = (word & 0xff000) | ((word >> 9) & 0x800) | ((word >> 20) & 0x7fe);
  return ip + (sign | offset);
}

/** Where AUIPC and JALR at `ip` call to; nowhere: they are nops. */
function targetOfPair(ip: number, first: number, second: number): number {
  if ((first & OPCODE_MASK) !== OPCODE_AUIPC) return NOWHERE;
  return ip + (first & 0xfffff000) + (second >> 20);
}
