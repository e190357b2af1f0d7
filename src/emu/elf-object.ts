// Layer emu: imports nothing above it, no package and no node: module.
// Modules: ELF64 object files for RISC-V, as `gcc -c` writes them. A file is read and checked without knowing where
// it will lie (`readObject`) and relocated when that is known (`placeObject`): code and what is read-only first,
// what is writable behind it. What is wrong with a file is an InputError. Left out: merging of equal strings, common
// symbols, sections that are thrown away after init.
import { type Address, addressLo, MODULE_BYTES_MAX, NO_ADDRESS, toAddress } from './address.ts';
import {
  check,
  checkHeader,
  type ElfFile,
  type ElfSection,
  type ElfSymbol,
  ET_REL,
  readSections,
  readSymbols,
  SHN_RESERVED,
  SHT_NOBITS,
  STT_OBJECT,
} from './elf-file.ts';
import {
  BLACKLIST_SECTION,
  checkSites,
  type ElfFunction,
  type ElfText,
  isPlaced,
  NOP,
  SITES_SECTION,
  textFunctions,
  withBlacklist,
  withSites,
} from './elf-functions.ts';
import { applyRelocations, type Relocation, readRelocations } from './elf-relocation.ts';
import type { ElfObject } from './elf.ts';
import { type ModuleParam, PARAM_SECTION, readParams } from './module-param.ts';

/** A section that takes part, with its place in one of the two blocks. */
export interface LaidSection {
  readonly section: ElfSection;
  /** Its number in the file. */
  readonly index: number;
  readonly block: 'text' | 'data';
  readonly offset: number;
}

/** A module that may lie anywhere. */
export interface ObjectFile {
  readonly file: ElfFile;
  readonly sections: readonly LaidSection[];
  readonly symbols: readonly ElfSymbol[];
  readonly relocations: readonly Relocation[];
  readonly textBytes: number;
  readonly dataBytes: number;
  /** Names that it takes from elsewhere, in order. */
  readonly wanted: readonly string[];
}

/** A module at its place. */
export interface LoadedObject {
  readonly text: ElfText;
  /** Writable, zero-initialised data included. */
  readonly data: ElfText;
  /** By address, then by name. */
  readonly functions: readonly ElfFunction[];
  readonly objects: readonly ElfObject[];
  /** Its init and exit functions, or NO_ADDRESS. */
  readonly init: Address;
  readonly exit: Address;
  readonly params: readonly ModuleParam[];
}

/** Where a module lies, and what it means by names that are not its own. */
export interface Placement {
  readonly base: Address;
  readonly resolve: (name: string) => Address;
}

const SHF_WRITE = 1;
const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;
const SHF_TLS = 0x400;
const SHN_UNDEF = 0;
const SHN_ABS = 0xfff1;
const SHN_COMMON = 0xfff2;
/** Blocks and modules begin at a multiple of this. */
const MODULE_ALIGNMENT = 16;
/** What module_init and module_exit make: other names of functions that have names of their own. */
const INIT = 'init_module';
const EXIT = 'cleanup_module';

/** Reads an object file; `where` names it in messages. Throws InputError and nothing else. */
export function readObject(bytes: Uint8Array, where: string): ObjectFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const file: ElfFile = { view, bytes, where };
  checkHeader(file, ET_REL);
  const all = readSections(file);
  const symbols = readSymbols(file, all);
  checkSymbols(file, symbols);
  const { sections, textBytes, dataBytes } = layOut(file, all);
  check(file, textBytes > 0, 'has no code');
  check(
    file,
    textBytes + dataBytes <= MODULE_BYTES_MAX,
    `needs more than the ${MODULE_BYTES_MAX} bytes that there are for modules`,
  );
  const relocations = readRelocations(file, all, { sections, symbols: symbols.length });
  const wanted = symbols.filter((one) => one.section === SHN_UNDEF && one.name !== '');
  const names = [...new Set(wanted.map(({ name }) => name))];
  return { file, sections, symbols, relocations, textBytes, dataBytes, wanted: names };
}

function checkSymbols(file: ElfFile, symbols: readonly ElfSymbol[]): void {
  for (const { name, section } of symbols) {
    check(file, section !== SHN_COMMON, `${name} is a common symbol; compile with -fno-common`);
  }
}

/** Code, then what else is read-only, then what is writable. */
function layOut(
  file: ElfFile,
  all: readonly ElfSection[],
): Pick<ObjectFile, 'sections' | 'textBytes' | 'dataBytes'> {
  const kept = all
    .map((section, index) => ({ section, index }))
    .filter(({ section }) => (section.flags & SHF_ALLOC) !== 0 && section.bytes > 0);
  const sections: LaidSection[] = [];
  const ends = { text: 0, data: 0 };
  for (const rank of [0, 1, 2]) {
    for (const { section, index } of kept) {
      if (rankOf(section) !== rank) continue;
      const { name, align, flags } = section;
      check(file, (flags & SHF_TLS) === 0, 'has thread-local data, which kernel code has not');
      check(file, align <= MODULE_ALIGNMENT, `${name} wants to be aligned to ${align} bytes`);
      const block = rank === 2 ? 'data' : 'text';
      const offset = roundUp(ends[block], align);
      ends[block] = offset + section.bytes;
      sections.push({ section, index, block, offset });
    }
  }
  return {
    sections,
    textBytes: roundUp(ends.text, MODULE_ALIGNMENT),
    dataBytes: roundUp(ends.data, MODULE_ALIGNMENT),
  };
}

function rankOf({ flags, name }: ElfSection): number {
  if ((flags & SHF_EXECINSTR) !== 0) return 0;
  // The compiler calls the list of call sites writable; nobody writes it.
  return (flags & SHF_WRITE) === 0 || name === SITES_SECTION ? 1 : 2;
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** Copies the module to its place and binds every name. */
export function placeObject(object: ObjectFile, placement: Placement): LoadedObject {
  const { file, textBytes, dataBytes, sections } = object;
  const text: ElfText = { base: placement.base, bytes: new Uint8Array(textBytes) };
  const data: ElfText = { base: text.base + textBytes, bytes: new Uint8Array(dataBytes) };
  const blocks = { text, data };
  for (const { section, block, offset } of sections) {
    if (section.type === SHT_NOBITS) continue;
    const from = file.bytes.subarray(section.offset, section.offset + section.bytes);
    blocks[block].bytes.set(from, offset);
  }
  const symbols = object.symbols.map((symbol) => bind(object, symbol, { blocks, placement }));
  applyRelocations(object, { blocks, symbols });
  const { functions, sites } = functionsOf(object, symbols, text);
  const words = new DataView(text.bytes.buffer);
  for (const site of sites) words.setInt32(site - text.base, NOP, true);
  return {
    text,
    data,
    functions: functions.filter(({ name }) => name !== INIT && name !== EXIT),
    objects: objectsOf(symbols),
    init: addressOf(functions, INIT),
    exit: addressOf(functions, EXIT),
    params: readParams(file, rangeOf(object, text, PARAM_SECTION), [text, data]),
  };
}

interface Binding {
  readonly blocks: Readonly<Record<'text' | 'data', ElfText>>;
  readonly placement: Placement;
}

/** The symbol with its address. */
function bind(object: ObjectFile, symbol: ElfSymbol, { blocks, placement }: Binding): ElfSymbol {
  const { name, section } = symbol;
  if (section === SHN_UNDEF) {
    return { ...symbol, address: name === '' ? NO_ADDRESS : placement.resolve(name) };
  }
  if (section === SHN_ABS || section >= SHN_RESERVED) return symbol;
  const laid = object.sections.find(({ index }) => index === section);
  if (laid === undefined) return { ...symbol, section: SHN_ABS, address: NO_ADDRESS };
  // In an object file a symbol's value is an offset into its section.
  const offset = addressLo(symbol.address);
  check(object.file, offset >= 0 && offset <= laid.section.bytes, `${name} is outside its section`);
  return { ...symbol, address: blocks[laid.block].base + laid.offset + offset };
}

function functionsOf(
  object: ObjectFile,
  symbols: readonly ElfSymbol[],
  text: ElfText,
): { functions: readonly ElfFunction[]; sites: readonly Address[] } {
  const { file } = object;
  const sites = checkSites(file, addressesIn(object, text, SITES_SECTION), text);
  const functions = withSites(file, textFunctions(file, symbols, text), sites);
  return {
    functions: withBlacklist(functions, addressesIn(object, text, BLACKLIST_SECTION)),
    sites,
  };
}

/** What a read-only section of addresses holds. */
function addressesIn(object: ObjectFile, text: ElfText, name: string): Address[] {
  const list = rangeOf(object, text, name);
  check(object.file, list.length % 8 === 0, `${name} ends in half an address`);
  const view = new DataView(list.buffer, list.byteOffset, list.length);
  const found: Address[] = [];
  for (let at = 0; at < list.length; at += 8) {
    found.push(toAddress(view.getInt32(at, true), view.getInt32(at + 4, true)));
  }
  return found;
}

/** The bytes of a read-only section at its place; none when there is no such section. */
function rangeOf({ sections, file }: ObjectFile, text: ElfText, name: string): Uint8Array {
  const laid = sections.filter(({ section }) => section.name === name);
  const [first] = laid;
  if (first === undefined) return new Uint8Array();
  check(file, laid.length === 1 && first.block === 'text', `expected one read-only ${name}`);
  return text.bytes.subarray(first.offset, first.offset + first.section.bytes);
}

function objectsOf(symbols: readonly ElfSymbol[]): ElfObject[] {
  return symbols
    .filter((symbol) => symbol.type === STT_OBJECT && isPlaced(symbol) && symbol.bytes > 0)
    .map(({ name, address, bytes }) => ({ name, address, bytes }));
}

function addressOf(functions: readonly ElfFunction[], name: string): Address {
  return functions.find((fn) => fn.name === name)?.address ?? NO_ADDRESS;
}

/** What a file offers to those who write about it, wherever it will lie. */
export interface ObjectSummary {
  readonly functions: readonly ElfFunction[];
  readonly objects: readonly ElfObject[];
  readonly params: readonly ModuleParam[];
  readonly wanted: readonly string[];
  readonly hasInit: boolean;
}

/** As `placeObject`, for questions that no address matters to. */
export function summariseObject(object: ObjectFile, base: Address): ObjectSummary {
  const { functions, objects, params, init } = placeObject(object, { base, resolve: () => base });
  return { functions, objects, params, wanted: object.wanted, hasInit: init !== NO_ADDRESS };
}
