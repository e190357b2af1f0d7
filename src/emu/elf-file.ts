// Layer emu: imports nothing above it, no package and no node: module.
// The records of an ELF64 RISC-V file - segments, sections, symbols - each checked against the
// file's bounds before anything uses it. What they mean is `elf.ts`.
import { InputError } from '../assert.ts';
import { type Address, hexAddress, IMAGE_BYTES_MAX, toAddress } from './address.ts';

/** What a file may have at most; more is damage, not a program. */
export const LIMIT = {
  fileBytes: 0x400000,
  programHeaders: 32,
  sections: 1024,
  symbols: 0x8000,
  nameBytes: 255,
} as const;

const FILE_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;

/** A relocatable file, and a linked program. */
export const ET_REL = 1;
export const ET_EXEC = 2;
const ET_NAMES: Readonly<Record<number, string>> = {
  [ET_REL]: 'an object file (ET_REL)',
  [ET_EXEC]: 'a linked program (ET_EXEC)',
};
const EM_RISCV = 243;
/** Float ABI and RVE in e_flags; compressed code (1) and TSO are welcome. */
const EF_UNWANTED = 0x0e;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const PT_TLS = 7;
const PF_X = 1;
const PF_W = 2;
const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
export const SHT_NOBITS = 8;
const SHF_EXECINSTR = 4;
/** From here on a section number has a meaning of its own. */
export const SHN_RESERVED = 0xff00;
const STB_GLOBAL = 1;
export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;

/** The file's bytes, and the name under which messages speak of it. */
export interface ElfFile {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly where: string;
}

export interface ElfSegment {
  readonly address: Address;
  readonly offset: number;
  readonly fileBytes: number;
  readonly bytes: number;
  readonly writable: boolean;
}

export interface ElfSection {
  readonly name: string;
  readonly type: number;
  /** Whether it holds instructions. */
  readonly executable: boolean;
  /** Where it is in memory; NO_ADDRESS for one that is nowhere in it. */
  readonly address: Address;
  readonly offset: number;
  readonly bytes: number;
  readonly link: number;
  /** SHF_*. */
  readonly flags: number;
  /** A power of two. */
  readonly align: number;
  /** Of relocations: the section that they change. */
  readonly info: number;
}

export interface ElfSymbol {
  readonly name: string;
  readonly type: number;
  readonly global: boolean;
  readonly section: number;
  readonly address: Address;
  readonly bytes: number;
}

export function check(file: ElfFile, fact: boolean, what: string): asserts fact {
  if (!fact) throw new InputError(what, file.where);
}

/** An offset or size: 64 bits in the file, 31 of them of use. */
function readSize(file: ElfFile, at: number, what: string): number {
  const lo = file.view.getInt32(at, true);
  check(file, file.view.getInt32(at + 4, true) === 0 && lo >= 0, `${what} is out of range`);
  return lo;
}

export function readAddress(file: ElfFile, at: number): Address {
  return toAddress(file.view.getInt32(at, true), file.view.getInt32(at + 4, true));
}

function checkRange(file: ElfFile, what: string, offset: number, bytes: number): void {
  const size = file.bytes.length;
  check(
    file,
    offset + bytes <= size,
    `${what} lies beyond the end of the file (${offset + bytes} of ${size} bytes)`,
  );
}

export function checkHeader(file: ElfFile, expected: typeof ET_REL | typeof ET_EXEC): void {
  const { view, bytes } = file;
  check(file, bytes.length >= 4 && view.getUint32(0) === 0x7f454c46, 'not an ELF file');
  check(file, bytes.length >= FILE_HEADER_BYTES, 'truncated in the ELF header');
  check(file, bytes.length <= LIMIT.fileBytes, `larger than ${LIMIT.fileBytes} bytes; strip it`);
  check(file, view.getUint8(4) === 2, 'not a 64-bit ELF file');
  check(file, view.getUint8(5) === 1, 'not a little-endian ELF file');
  const type = view.getUint16(16, true);
  check(
    file,
    type === expected,
    `expected ${ET_NAMES[expected] ?? ''}, found ${ET_NAMES[type] ?? `ELF type ${type}`}${expected === ET_REL ? '; compile with -c' : ''}`,
  );
  const machine = view.getUint16(18, true);
  check(file, machine === EM_RISCV, `expected RISC-V (machine ${EM_RISCV}), found ${machine}`);
  check(
    file,
    (view.getUint32(48, true) & EF_UNWANTED) === 0,
    'built for a floating-point or embedded ABI; compile with -march=rv64imac -mabi=lp64',
  );
}

export function readSegments(file: ElfFile): ElfSegment[] {
  const { view } = file;
  const offset = readSize(file, 32, 'the program header table');
  const count = view.getUint16(56, true);
  check(file, count > 0, 'has no program headers; link it with include/reprobe.ld');
  check(file, count <= LIMIT.programHeaders, `has ${count} program headers`);
  check(file, view.getUint16(54, true) === PROGRAM_HEADER_BYTES, 'odd program header size');
  checkRange(file, 'the program header table', offset, count * PROGRAM_HEADER_BYTES);
  const segments: ElfSegment[] = [];
  for (let index = 0; index < count; index++) {
    const at = offset + index * PROGRAM_HEADER_BYTES;
    const type = view.getUint32(at, true);
    check(file, type !== PT_DYNAMIC && type !== PT_INTERP, 'is linked dynamically; use -static');
    check(file, type !== PT_TLS, 'has thread-local data, which kernel code has not');
    if (type === PT_LOAD) segments.push(readSegment(file, at, index));
  }
  return segments.filter(({ bytes }) => bytes > 0).toSorted((a, b) => a.address - b.address);
}

function readSegment(file: ElfFile, at: number, index: number): ElfSegment {
  const what = `segment ${index}`;
  const flags = file.view.getUint32(at + 4, true);
  const offset = readSize(file, at + 8, `the offset of ${what}`);
  const address = readAddress(file, at + 16);
  const fileBytes = readSize(file, at + 32, `the size of ${what}`);
  const bytes = readSize(file, at + 40, `the size of ${what}`);
  const writable = (flags & PF_W) !== 0;
  checkRange(file, what, offset, fileBytes);
  check(file, fileBytes <= bytes, `${what} has more bytes in the file than in memory`);
  check(
    file,
    bytes === 0 || (address >= 0 && address + bytes <= IMAGE_BYTES_MAX),
    `${what} is outside the image (${IMAGE_BYTES_MAX} bytes from ${hexAddress(0)}); ` +
      'link with include/reprobe.ld',
  );
  check(
    file,
    !(writable && (flags & PF_X) !== 0),
    `${what} is both writable and executable; link with include/reprobe.ld`,
  );
  return { address, offset, fileBytes, bytes, writable };
}

export function readSections(file: ElfFile): ElfSection[] {
  const { view } = file;
  const offset = readSize(file, 40, 'the section header table');
  const count = view.getUint16(60, true);
  const namesIndex = view.getUint16(62, true);
  check(file, count > 0, 'has no sections; strip debug information only (--strip-debug)');
  check(file, count <= LIMIT.sections, `has ${count} sections`);
  check(file, view.getUint16(58, true) === SECTION_HEADER_BYTES, 'odd section header size');
  checkRange(file, 'the section header table', offset, count * SECTION_HEADER_BYTES);
  check(file, namesIndex < count, 'the section of section names does not exist');
  const at = (index: number): number => offset + index * SECTION_HEADER_BYTES;
  const names = readSection(file, at(namesIndex), () => '');
  return Array.from({ length: count }, (_, index) =>
    readSection(file, at(index), (nameAt) => readName(file, names, nameAt)),
  );
}

function readSection(file: ElfFile, at: number, name: (nameAt: number) => string): ElfSection {
  const type = file.view.getUint32(at + 4, true);
  const offset = readSize(file, at + 24, 'the offset of a section');
  const bytes = readSize(file, at + 32, 'the size of a section');
  if (type !== SHT_NOBITS) checkRange(file, 'a section', offset, bytes);
  const flags = file.view.getUint32(at + 8, true);
  const link = file.view.getUint32(at + 40, true);
  const info = file.view.getUint32(at + 44, true);
  const align = Math.max(1, readSize(file, at + 48, 'the alignment of a section'));
  check(file, (align & (align - 1)) === 0, 'the alignment of a section is no power of two');
  const address = readAddress(file, at + 16);
  return {
    name: name(file.view.getUint32(at, true)),
    type,
    executable: (flags & SHF_EXECINSTR) !== 0,
    address,
    offset,
    bytes,
    link,
    flags,
    align,
    info,
  };
}

/** A NUL-terminated printable string of a string table. */
function readName(file: ElfFile, table: ElfSection, nameAt: number): string {
  check(file, table.type !== SHT_NOBITS && nameAt < Math.max(table.bytes, 1), 'a name is missing');
  const from = table.offset + nameAt;
  const limit = Math.min(table.offset + table.bytes, from + LIMIT.nameBytes + 1);
  let name = '';
  for (let at = from; at < limit; at++) {
    const code = file.bytes[at] ?? 0;
    if (code === 0) return name;
    check(file, code >= 0x20 && code < 0x7f, 'a name is not printable ASCII');
    name += String.fromCharCode(code);
  }
  check(file, table.bytes === 0, `a name has no end within ${LIMIT.nameBytes} bytes`);
  return name;
}

export function readSymbols(file: ElfFile, sections: readonly ElfSection[]): ElfSymbol[] {
  const tables = sections.filter(({ type }) => type === SHT_SYMTAB);
  const [table] = tables;
  check(file, table !== undefined, 'has no symbols; strip debug information only (--strip-debug)');
  check(file, tables.length === 1, `has ${tables.length} symbol tables`);
  check(file, table.bytes % SYMBOL_BYTES === 0, 'the symbol table ends in half a symbol');
  const count = table.bytes / SYMBOL_BYTES;
  check(file, count <= LIMIT.symbols, `has ${count} symbols`);
  const names = sections[table.link];
  check(file, names?.type === SHT_STRTAB, 'the symbol table has no string table');
  const symbols: ElfSymbol[] = [];
  for (let index = 1; index < count; index++) {
    symbols.push(readSymbol(file, table.offset + index * SYMBOL_BYTES, names));
  }
  for (const { name, section } of symbols) {
    const exists = section < sections.length || section >= SHN_RESERVED;
    check(file, exists, `symbol ${name} is in a section that does not exist`);
  }
  return symbols;
}

function readSymbol(file: ElfFile, at: number, names: ElfSection): ElfSymbol {
  const info = file.view.getUint8(at + 4);
  const [type, global] = [info & 15, info >> 4 === STB_GLOBAL];
  const name = readName(file, names, file.view.getUint32(at, true));
  return {
    name,
    type,
    global,
    section: file.view.getUint16(at + 6, true),
    address: readAddress(file, at + 8),
    bytes: readSize(file, at + 16, `the size of symbol ${name}`),
  };
}
