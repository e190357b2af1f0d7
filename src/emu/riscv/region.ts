// Layer emu. A range of text with what it decodes to. Entries are decoded when they are first executed.
import type { Address } from '../address.ts';
import type { Segment } from '../memory.ts';
import { decodeCompressed } from './decode-compressed.ts';
import { decode } from './decode.ts';
import { ATTENDED, type Decoded, FLAGGED, OP, pack } from './ops.ts';

/** Flag: a choice is offered before this instruction. */
export const VISIBLE = 1;
/** Flag: as VISIBLE, and the machine itself must look before it executes. */
export const ATTENTION = 2;

/** What decoding and forgetting leave alone. */
const KEPT = FLAGGED | ATTENDED;

/** Text within one segment. The arrays grow with the segment. */
export class TextRegion {
  /** Constant but for the region of `Core.fetched`. */
  base: Address;
  readonly segment: Segment;
  /** How many bytes there are so far. */
  size = 0;
  /** For the halfword at byte offset `i` (even): [i] the packed instruction (ops.ts), [i + 1] its imm. */
  code: Int32Array = new Int32Array(0);
  /** By halfword. */
  flags: Uint8Array = new Uint8Array(0);

  constructor(segment: Segment) {
    this.base = segment.base;
    this.segment = segment;
    this.fit();
  }

  /** Decodes the instruction at byte `offset`. */
  decodeAt(offset: number): void {
    const { halves } = this.segment;
    const low = halves[offset >> 1] as number;
    const high = offset + 2 < this.size ? halves[(offset >> 1) + 1] : undefined;
    const decoded = decodeHalves(low, high, this.base + offset);
    const flagged = (this.code[offset] as number) & KEPT;
    this.code[offset] = pack(decoded, isCompressed(low) ? 2 : 4) | flagged;
    this.code[offset + 1] = decoded.imm;
  }

  /** Forgets what the instructions that cover the halfword at `offset` decoded to; flags stay. */
  forget(offset: number): void {
    const { code } = this;
    code[offset] = (code[offset] as number) & KEPT;
    if (offset > 0) code[offset - 2] = (code[offset - 2] as number) & KEPT;
  }

  setFlags(offset: number, flags: number): void {
    this.flags[offset >> 1] = flags;
    const word = (this.code[offset] as number) & ~KEPT;
    const looks = (flags & (VISIBLE | ATTENTION)) === 0 ? 0 : FLAGGED;
    this.code[offset] = word | looks | ((flags & ATTENTION) === 0 ? 0 : ATTENDED);
  }

  flagsAt(offset: number): number {
    return this.flags[offset >> 1] as number;
  }

  /** Takes over the size of the segment. */
  fit(): void {
    const { code, flags, size } = this;
    this.size = this.segment.size;
    this.code = new Int32Array(this.size);
    this.code.set(code);
    this.flags = new Uint8Array(this.size >> 1);
    this.flags.set(flags);
    if (size > 0) this.forget(size - 2); // Its second half may have been missing.
  }
}

function isCompressed(low: number): boolean {
  return (low & 3) !== 3;
}

/** Decodes what starts with halfword `low` at `pc`; `high` is undefined where text ends. */
function decodeHalves(low: number, high: number | undefined, pc: Address): Decoded {
  if (isCompressed(low)) return decodeCompressed(low);
  if (high === undefined) return { op: OP.missing, rd: 0, rs1: 0, rs2: 0, imm: 0 };
  return decode(low | (high << 16), pc);
}
