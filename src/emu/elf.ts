// Layer emu: imports nothing above it, no package and no node: module.
// ELF64 files for RISC-V, as a linker driven by include/reprobe.ld writes them: static, soft-float,
// text and data where they will run. Whatever is wrong with a file is an InputError, found before
// any of it is used. Left out: relocation, dynamic linking, compressed sections, debug information.
import { known } from '../assert.ts';
import { type Address, hexAddress, NO_ADDRESS } from './address.ts';
import {
  check,
  checkHeader,
  type ElfFile,
  type ElfSection,
  type ElfSegment,
  type ElfSymbol,
  LIMIT,
  readAddress,
  readSections,
  readSegments,
  readSymbols,
  SHN_RESERVED,
  SHT_NOBITS,
} from './elf-file.ts';

/** A function of the file. `site` is where the compiler left room for a call, or NO_ADDRESS. */
export interface ElfFunction {
  readonly name: string;
  readonly address: Address;
  readonly size: number;
  readonly site: Address;
}

interface ElfObject {
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

const SITES_SECTION = '__patchable_function_entries';
const SHN_UNDEF = 0;
const SHN_ABS = 0xfff1;
const STT_NOTYPE = 0;
const STT_OBJECT = 1;
const STT_FUNC = 2;

/** `c.nop; c.nop`: what two patchable bytes become with compressed code. */
export const C_NOP_PAIR = 0x00010001;
/** `nop`, 4 bytes. */
export const NOP = 0x00000013;

/** Reads an ELF file; `where` names it in messages. Throws InputError and nothing else. */
export function loadElf(bytes: Uint8Array, where: string): LoadedElf {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const file: ElfFile = { view, bytes, where };
  checkHeader(file);
  const segments = readSegments(file);
  const { text, data, dataBase } = layOut(file, segments);
  const sections = readSections(file);
  const symbols = readSymbols(file, sections);
  const objects = dataObjects(file, symbols, { text, data, dataBase });
  const functions = textFunctions(file, symbols, text);
  return {
    text,
    data,
    dataBase,
    functions: withSites(file, functions, readSites(file, sections, text)),
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

function isPlaced({ name, section }: ElfSymbol): boolean {
  return name !== '' && section !== SHN_UNDEF && section < SHN_RESERVED;
}

/** Functions by address; one without a size reaches up to the next. */
function textFunctions(
  file: ElfFile,
  symbols: readonly ElfSymbol[],
  text: Uint8Array,
): ElfFunction[] {
  const found = symbols
    .filter((symbol) => symbol.type === STT_FUNC && isPlaced(symbol))
    .toSorted((a, b) => a.address - b.address || compareText(a.name, b.name));
  const functions: ElfFunction[] = [];
  let next = text.length;
  for (let index = found.length - 1; index >= 0; index--) {
    const { name, address, bytes } = known(found[index], 'index is in range');
    const limit =
      found[index + 1]?.address === address ? next : (found[index + 1]?.address ?? next);
    check(file, address >= 0 && address < text.length, `function ${name} is outside the text`);
    check(file, (address & 1) === 0, `function ${name} begins at an odd address`);
    check(file, address + bytes <= limit, `function ${name} reaches into what follows it`);
    functions.push({
      name,
      address,
      size: bytes === 0 ? limit - address : bytes,
      site: NO_ADDRESS,
    });
    next = limit;
  }
  return functions.toReversed();
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
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

/** Call sites that the compiler left room for, in order of address (FT-4). */
function readSites(file: ElfFile, sections: readonly ElfSection[], text: Uint8Array): Address[] {
  const section = sections.find(({ name }) => name === SITES_SECTION);
  if (section === undefined) return [];
  check(file, section.type !== SHT_NOBITS, `${SITES_SECTION} has no contents`);
  check(file, section.bytes % 8 === 0, `${SITES_SECTION} ends in half an address`);
  check(file, section.bytes / 8 <= LIMIT.symbols, `${SITES_SECTION} is too long`);
  const code = new DataView(text.buffer);
  const sites: Address[] = [];
  for (let at = section.offset; at < section.offset + section.bytes; at += 8) {
    const site = readAddress(file, at);
    check(file, site >= 0 && site + 4 <= text.length, 'a call site is outside the text');
    const named = `call site ${hexAddress(site)}`;
    check(file, site % 4 === 0, `${named} is not aligned to 4; use -falign-functions=4`);
    const word = code.getInt32(site, true);
    check(
      file,
      word === C_NOP_PAIR || word === NOP,
      `${named} does not hold 4 bytes of nop; use -fpatchable-function-entry=2`,
    );
    sites.push(site);
  }
  return sites.toSorted((a, b) => a - b);
}

/** Gives every function the site inside it (aliases share it); no site may be left over. */
function withSites(
  file: ElfFile,
  functions: readonly ElfFunction[],
  sites: readonly Address[],
): ElfFunction[] {
  const claimed = new Set<Address>();
  const done = functions.map((fn) => {
    const end = fn.address + fn.size;
    const first = firstFrom(sites, fn.address);
    const site = sites[first];
    if (site === undefined || site >= end) return fn;
    const alone = (sites[first + 1] ?? end) >= end;
    check(file, alone && site + 4 <= end, `function ${fn.name} has no room for its call sites`);
    claimed.add(site);
    return { ...fn, site };
  });
  check(file, claimed.size === sites.length, 'a call site belongs to no function');
  return done;
}

/** Index of the first of the sorted `sites` at or above `address`. */
function firstFrom(sites: readonly Address[], address: Address): number {
  let low = 0;
  let high = sites.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (known(sites[middle], 'middle is below high') < address) low = middle + 1;
    else high = middle;
  }
  return low;
}
