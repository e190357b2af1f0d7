// Layer emu: imports nothing above it, no package and no node: module.
// The instructions of an ELF file as text, as `objdump -d` of GNU binutils 2.40 lists them: sections, symbols, bytes,
// instructions. Left out: relocations, source lines.
import { type Address, guestValue } from './address.ts';
import type { ElfSection } from './elf-file.ts';
import { codeSections, type Listed, markAt, namesFor, symbolsIn } from './listed.ts';
import { Disassembler } from './riscv/disassemble.ts';
import { isWide } from './riscv/instruction.ts';

const GLOBAL_POINTER = '__global_pointer$';
/** So many bytes of zero are left out; at the end of a symbol a few are, too. */
const ZEROS_MIN = 8;
const ZEROS_AT_END_MAX = 2;
/** How wide the bytes of a line are, by their number. */
const BYTES_WIDTH: Readonly<Record<number, number>> = { 1: 18, 2: 20, 4: 18 };

/** What stands under one header. */
interface Chunk {
  readonly section: ElfSection;
  /** `<main>` */
  readonly label: string;
  readonly from: Address;
  readonly to: Address;
}

/** The names of what can be listed alone, in order of address. */
export function listedNames(listed: Listed): readonly string[] {
  return codeSections(listed).flatMap((section) =>
    symbolsIn(listed, section).map(({ name }) => name),
  );
}

/** The lines of the whole file, or of the symbols of that name. */
export function* listing(listed: Listed, symbol?: string): Iterable<string> {
  const pointer = listed.symbols.find(({ name }) => name === GLOBAL_POINTER);
  const globalPointer = pointer === undefined ? undefined : guestValue(pointer.address);
  const disassembler = new Disassembler(globalPointer);
  yield* ['', `${listed.file.where}:     file format elf64-littleriscv`, ''];
  for (const section of codeSections(listed)) {
    yield* ['', `Disassembly of section ${section.name}:`];
    const chunks =
      symbol === undefined ? allChunks(listed, section) : chunksNamed(listed, section, symbol);
    for (const chunk of chunks) {
      yield* ['', `${hex(chunk.from)} ${chunk.label}:`];
      yield* chunkLines(listed, chunk, disassembler);
    }
  }
}

/** One at each symbol; the section's own name heads what is before them. */
function allChunks(listed: Listed, section: ElfSection): readonly Chunk[] {
  const { address, bytes } = section;
  // Of one address the first symbol counts, hence the last that is set here.
  const names = new Map(
    symbolsIn(listed, section)
      .toReversed()
      .map((one) => [one.address, one.name]),
  );
  if (!names.has(address)) names.set(address, section.name);
  const starts = [...names].toReversed();
  return starts.map(([from, name], index) => {
    return { section, label: `<${name}>`, from, to: starts[index + 1]?.[0] ?? address + bytes };
  });
}

/** As long as the symbol says, but for what the next one begins. */
function chunksNamed(listed: Listed, section: ElfSection, symbol: string): readonly Chunk[] {
  const symbols = symbolsIn(listed, section);
  return symbols
    .filter(({ name }) => name === symbol)
    .map(({ name, address: from, bytes }) => {
      const after = symbols.find(({ address }) => address > from);
      const next = after?.address ?? section.address + section.bytes;
      return {
        section,
        label: `<${name}>`,
        from,
        to: bytes === 0 ? next : Math.min(next, from + bytes),
      };
    });
}

function* chunkLines(listed: Listed, chunk: Chunk, disassembler: Disassembler): Iterable<string> {
  const { section, from, to } = chunk;
  const nameOf = namesFor(listed, section);
  const skipped = leadingZeros(section);
  for (let at = from; at < to;) {
    const zeros = zerosLeftOut(listed, chunk, at);
    if (zeros > 0) {
      yield '\t...';
      at += zeros;
      continue;
    }
    const { isData, next } = markAt(listed, section, at);
    const bytes = isData ? dataBytes(next - at) : instructionBytes(listed, section, at);
    const word = read(listed, section, { at, bytes });
    const text = isData
      ? dataText(word, bytes)
      : disassembler.print({ pc: guestValue(at), low: word & 0xffff, high: word >>> 16 }, nameOf);
    yield `${columnOf(at, skipped)}:\t${bytesText(word, bytes)}\t${text}`;
    at += bytes;
  }
}

/** How many of the zeros from `at` on are not listed. */
function zerosLeftOut({ file }: Listed, { section, to }: Chunk, at: Address): number {
  const offset = section.offset - section.address;
  let end = at;
  while (end < to && file.bytes[offset + end] === 0) end++;
  const zeros = end - at;
  if (end === to && zeros <= ZEROS_AT_END_MAX) return zeros;
  if (zeros < ZEROS_MIN) return 0;
  return end === to ? zeros : zeros & ~3;
}

function instructionBytes(listed: Listed, section: ElfSection, at: Address): number {
  const left = section.address + section.bytes - at;
  if (left < 2) return 1;
  return isWide(read(listed, section, { at, bytes: 2 })) && left >= 4 ? 4 : 2;
}

/** Data is listed in words, as far as they go. */
function dataBytes(left: number): number {
  return left >= 4 ? 4 : left & 2 || 1;
}

interface Bytes {
  readonly at: Address;
  readonly bytes: number;
}

/** Up to four bytes, unsigned. */
function read({ file }: Listed, section: ElfSection, { at, bytes }: Bytes): number {
  const from = section.offset + at - section.address;
  const found = file.bytes.subarray(from, from + bytes);
  return found.reduceRight((word, byte) => ((word << 8) | byte) >>> 0, 0);
}

function dataText(word: number, bytes: number): string {
  const names: Readonly<Record<number, string>> = { 1: '.byte', 2: '.short', 4: '.word' };
  return `${names[bytes] ?? ''}\t0x${digits(word, bytes)}`;
}

function digits(word: number, bytes: number): string {
  return word.toString(16).padStart(2 * bytes, '0');
}

function bytesText(word: number, bytes: number): string {
  return digits(word, bytes).padEnd(BYTES_WIDTH[bytes] ?? 0);
}

function hex(address: Address): string {
  return guestValue(address).toString(16).padStart(16, '0');
}

/** How many digits, in groups of four, are 0 in each address of the section. */
function leadingZeros({ address, bytes }: ElfSection): number {
  const zeros = /^0*/u.exec(hex(address + bytes))?.[0].length ?? 0;
  return zeros & ~3;
}

function columnOf(address: Address, skipped: number): string {
  const shown = hex(address).slice(skipped);
  return shown.replace(/^0+(?=.)/u, (zeros) => ' '.repeat(zeros.length));
}
