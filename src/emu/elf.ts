// Layer emu: imports nothing above it, no package and no node: module.
// ELF64 files for RISC-V, as a linker driven by include/reprobe.ld writes them: static, soft-float,
// text and data where they will run. Whatever is wrong with a file is an InputError, found before
// any of it is used. Left out: relocation, dynamic linking, compressed sections, debug information.
import { type Address, hexAddress, IMAGE_BASE, NO_ADDRESS } from './address.ts';
import {
  check,
  checkHeader,
  type ElfFile,
  type ElfSection,
  type ElfSegment,
  type ElfSymbol,
  ET_EXEC,
  LIMIT,
  readAddress,
  readSections,
  readSegments,
  readSymbols,
  SHT_NOBITS,
  STT_NOTYPE,
  STT_OBJECT,
} from './elf-file.ts';
import {
  BLACKLIST_SECTION,
  checkSites,
  type ElfFunction,
  isPlaced,
  SITES_SECTION,
  textFunctions,
  withBlacklist,
  withSites,
} from './elf-functions.ts';

export interface ElfObject {
  readonly name: string;
  readonly address: Address;
  readonly bytes: number;
}

export interface LoadedElf {
  /** Everything read-only, from IMAGE_BASE; unused bytes are 0, an illegal instruction. */
  readonly text: Uint8Array;
  /** Everything writable, .bss included, from `dataBase`. */
  readonly data: Uint8Array;
  /** NO_ADDRESS without data. */
  readonly dataBase: Address;
  /** By address, then by name. */
  readonly functions: readonly ElfFunction[];
  readonly objects: ReadonlyMap<string, ElfObject>;
  /** Symbols that the linker script fixed: the kernel symbols that the code uses. */
  readonly absolutes: ReadonlyMap<string, Address>;
}

const SHN_ABS = 0xfff1;

/** Reads an ELF file; `where` names it in messages. Throws InputError and nothing else. */
export function loadElf(bytes: Uint8Array, where: string): LoadedElf {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const file: ElfFile = { view, bytes, where };
  checkHeader(file, ET_EXEC);
  const segments = readSegments(file);
  const { text, data, dataBase } = layOut(file, segments);
  const sections = readSections(file);
  const symbols = readSymbols(file, sections);
  const objects = dataObjects(file, symbols, { text, data, dataBase });
  const code = { base: IMAGE_BASE, bytes: text };
  const sites = checkSites(file, addressesIn(file, sections, SITES_SECTION), code);
  const functions = withSites(file, textFunctions(file, symbols, code), sites);
  return {
    text,
    data,
    dataBase,
    functions: withBlacklist(functions, addressesIn(file, sections, BLACKLIST_SECTION)),
    objects,
    absolutes: absoluteSymbols(symbols),
  };
}

interface Layout {
  readonly text: Uint8Array;
  readonly data: Uint8Array;
  readonly dataBase: Address;
}

/** Segments, sorted by address, to one block of text and one of data. */
function layOut(file: ElfFile, segments: readonly ElfSegment[]): Layout {
  let end = 0;
  let textEnd = 0;
  let dataBase = NO_ADDRESS;
  for (const { address, bytes, writable } of segments) {
    check(file, address >= end, `two segments overlap at ${hexAddress(address)}`);
    end = address + bytes;
    if (writable && dataBase === NO_ADDRESS) dataBase = address & ~15;
    if (writable) continue;
    check(file, dataBase === NO_ADDRESS, 'read-only segments lie above writable ones');
    textEnd = (end + 3) & ~3;
  }
  check(file, textEnd > 0, 'has no code; link it with include/reprobe.ld');
  check(
    file,
    dataBase === NO_ADDRESS || textEnd <= dataBase,
    'text and data share 16 bytes; align .data to 16',
  );
  const text = new Uint8Array(textEnd);
  const data = new Uint8Array(dataBase === NO_ADDRESS ? 0 : ((end + 15) & ~15) - dataBase);
  for (const { address, offset, fileBytes, writable } of segments) {
    const from = file.bytes.subarray(offset, offset + fileBytes);
    if (writable) data.set(from, address - dataBase);
    else text.set(from, address);
  }
  return { text, data, dataBase };
}

/** Named data; of equal names the global one, else the first. */
function dataObjects(
  file: ElfFile,
  symbols: readonly ElfSymbol[],
  { text, data, dataBase }: Layout,
): ReadonlyMap<string, ElfObject> {
  const objects = new Map<string, ElfObject>();
  for (const symbol of symbols) {
    const { name, address, bytes, global } = symbol;
    if (symbol.type !== STT_OBJECT || !isPlaced(symbol) || bytes === 0) continue;
    const end = address + bytes;
    const inText = address >= 0 && end <= text.length;
    const inData = dataBase >= 0 && address >= dataBase && end <= dataBase + data.length;
    check(file, inText || inData, `object ${name} is outside the image`);
    if (global || !objects.has(name)) objects.set(name, { name, address, bytes });
  }
  return objects;
}

function absoluteSymbols(symbols: readonly ElfSymbol[]): ReadonlyMap<string, Address> {
  return new Map(
    symbols
      .filter(
        ({ name, section, type }) => section === SHN_ABS && name !== '' && type === STT_NOTYPE,
      )
      .map(({ name, address }) => [name, address]),
  );
}

/** What a section of addresses holds: call sites that the compiler left room for (FT-4), functions on the blacklist. */
function addressesIn(file: ElfFile, sections: readonly ElfSection[], name: string): Address[] {
  const section = sections.find((one) => one.name === name);
  if (section === undefined) return [];
  check(file, section.type !== SHT_NOBITS, `${name} has no contents`);
  check(file, section.bytes % 8 === 0, `${name} ends in half an address`);
  check(file, section.bytes / 8 <= LIMIT.symbols, `${name} is too long`);
  const found: Address[] = [];
  for (let at = section.offset; at < section.offset + section.bytes; at += 8) {
    found.push(readAddress(file, at));
  }
  return found;
}
