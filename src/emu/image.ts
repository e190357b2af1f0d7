// Layer emu: imports nothing above it, no package and no node: module.
// What a loader hands over: code and data where they will run, functions with their call sites, and
// named data. Code comes from a compiled file (`elf.ts`), from scripts (`assemble.ts`), or from
// both; then the file keeps its addresses and the scripts' text goes between its text and its data.
import { InputError, known } from '../assert.ts';
import { type Address, hexAddress, IMAGE_BASE, IMAGE_BYTES_MAX, NO_ADDRESS } from './address.ts';
import { assembleFunction, type Linker, type SiteShape } from './assemble.ts';
import { type ElfFunction, NOP } from './elf-functions.ts';
import type { LoadedElf } from './elf.ts';
import { type ImageModule, type ModuleSource, placeModules } from './module.ts';
import { placeScripts } from './script-text.ts';
import type { ScriptData, ScriptFunction } from './script.ts';

export interface FunctionSymbol {
  readonly name: string;
  /** What a script calls it, where the symbol table has another name for it. */
  readonly key?: string;
  readonly address: Address;
  readonly size: number;
  /** The 4 bytes that hold `nop` or a call; NO_ADDRESS when it can never be hooked (FT-4). */
  readonly site: Address;
  readonly notrace: boolean;
  /** No kprobe may be in it (`NOKPROBE_SYMBOL`). */
  readonly nokprobe?: true;
  /** A scripted probe callback. */
  readonly callback: boolean;
  /** A call site without a function (FT-61). */
  readonly orphan?: true;
  /** The module that it is part of, if it is part of one. */
  readonly module?: string;
}

interface DataSymbol {
  readonly address: Address;
  readonly bytes: number;
}

export interface Image {
  /** Code and read-only data from IMAGE_BASE. */
  readonly text: Uint8Array;
  /** Writable data from `dataBase`, zero-initialised data included. May be empty. */
  readonly data: Uint8Array;
  readonly dataBase: Address;
  /** By address, aliases by name. */
  readonly functions: readonly FunctionSymbol[];
  readonly dataSymbols: ReadonlyMap<string, DataSymbol>;
  /** In order of their addresses; their functions and data are among those above. */
  readonly modules: readonly ImageModule[];
}

export interface ImageSource extends SiteShape {
  readonly functions: readonly ScriptFunction[];
  readonly data: readonly ScriptData[];
  readonly elf?: LoadedElf | undefined;
  readonly modules?: readonly ModuleSource[];
  /** Kernel symbols that code may call. */
  readonly stubs: ReadonlyMap<string, Address>;
}

/** Without a compiled file data begins at the next multiple of this. */
const DATA_ALIGNMENT = 0x1000;
const DATA_SYMBOL_ALIGNMENT = 8;
/** Scripted loads and stores are of 8 bytes. */
const ACCESS_BYTES = 8;

/** Builds the image; whatever a user can get wrong is an InputError. */
export function buildImage(source: ImageSource): Image {
  const { elf } = source;
  checkNames(source);
  if (elf !== undefined) checkKernelSymbols(elf, source.stubs);
  const scripted = placeFunctions(source, elf?.text.length ?? IMAGE_BASE);
  const last = scripted.at(-1);
  const textEnd = last === undefined ? (elf?.text.length ?? IMAGE_BASE) : last.address + last.size;
  const { dataBase, symbols, dataEnd } = placeData(source, textEnd);
  const text = new Uint8Array(textEnd);
  const data = new Uint8Array(dataEnd - dataBase);
  const compiled = (elf?.functions ?? []).map(compiledFunction);
  if (elf !== undefined) {
    text.set(elf.text);
    data.set(elf.data);
    for (const { site } of elf.functions) if (site !== NO_ADDRESS) writeWord(text, site, NOP);
  }
  const core = { compiled, scripted, symbols };
  const modules = placeModules(source.modules ?? [], {
    resolve: (name) => symbolOf(source, core, name),
    shape: source,
  });
  const moduleFunctions = modules.flatMap((module) => module.functions);
  const dataSymbols = withModuleData(symbols, modules);
  const linker = linkerOf(source, { ...core, moduleFunctions, symbols: dataSymbols });
  const main = { placed: scripted, base: IMAGE_BASE, text, shape: source, linker };
  writeScripts(source.functions, main);
  source.modules?.forEach((module, index) => {
    if ('object' in module) return;
    const { functions: placed, object } = known(modules[index], 'every module has its place');
    const { base, bytes } = object.text;
    writeScripts(module.functions, { placed, base, text: bytes, shape: source, linker });
  });
  const functions = [...compiled, ...scripted, ...moduleFunctions];
  return { text, data, dataBase, functions, dataSymbols, modules };
}

interface ScriptsPlaced {
  readonly placed: readonly FunctionSymbol[];
  /** Where `text` begins. */
  readonly base: Address;
  readonly text: Uint8Array;
  readonly shape: SiteShape;
  readonly linker: Linker;
}

/** Assembles scripted functions where they were placed. */
function writeScripts(
  functions: readonly ScriptFunction[],
  { placed, base, text, shape, linker }: ScriptsPlaced,
): void {
  functions.forEach((fn, index) => {
    const { address } = known(placed[index], 'every scripted function has its place');
    const { landingPad, siteBytes } = shape;
    const halves = assembleFunction(fn, { at: address, landingPad, siteBytes, linker });
    text.set(new Uint8Array(halves.buffer), address - base);
  });
}

/** The function whose code includes `address`; of aliases the first by name. */
export function functionAt(image: Image, address: Address): FunctionSymbol | undefined {
  const { functions } = image;
  let low = 0;
  let high = functions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (known(functions[middle], 'middle is below high').address <= address) low = middle + 1;
    else high = middle;
  }
  const start = functions[low - 1]?.address;
  let found: FunctionSymbol | undefined;
  for (let index = low - 1; functions[index]?.address === start && index >= 0; index--) {
    const fn = known(functions[index], 'index is in range');
    if (address < fn.address + fn.size) found = fn;
  }
  return found;
}

/** All functions that a script can mean by `name`, by address: a compiled file may have several. */
export function functionsNamed(image: Image, name: string): readonly FunctionSymbol[] {
  return image.functions.filter((fn) => keyOf(fn) === name);
}

/** What scripts call a function. */
export function keyOf({ key, name }: Pick<FunctionSymbol, 'key' | 'name'>): string {
  return key ?? name;
}

function checkNames({ functions, data, modules }: ImageSource): void {
  const own = modules?.flatMap((module) => ('object' in module ? [] : module.functions)) ?? [];
  checkDistinct('scripted functions', [...functions, ...own]);
  checkDistinct('data symbols', data);
}

function checkDistinct(what: string, named: readonly { readonly name: string }[]): void {
  const seen = new Set<string>();
  for (const { name } of named) {
    if (seen.has(name)) throw new InputError(`two ${what} are named ${name}`);
    seen.add(name);
  }
}

/** A file linked with another reprobe.ld would call whatever lies at its addresses. */
function checkKernelSymbols(elf: LoadedElf, stubs: ReadonlyMap<string, Address>): void {
  for (const [name, address] of elf.absolutes) {
    const here = stubs.get(name);
    if (here === address) continue;
    const found = here === undefined ? 'is not known here' : `is at ${hexAddress(here)} here`;
    throw new InputError(
      `the compiled image takes ${name} for ${hexAddress(address)}, which ${found}; ` +
        'link it again with include/reprobe.ld',
    );
  }
}

function compiledFunction(fn: ElfFunction): FunctionSymbol {
  return { ...fn, notrace: fn.site === NO_ADDRESS, callback: false };
}

/** What a name means to a module: a function or data of the workload, or a kernel symbol. */
function symbolOf(
  { stubs }: ImageSource,
  { compiled, scripted, symbols }: Names,
  name: string,
): Address | undefined {
  const named = (fn: FunctionSymbol): boolean => keyOf(fn) === name;
  const fn = scripted.find(named) ?? compiled.find(named);
  return fn?.address ?? symbols.get(name)?.address ?? stubs.get(name);
}

/** Data of modules by name too; a name that is taken stays with its first owner. */
function withModuleData(
  core: ReadonlyMap<string, DataSymbol>,
  modules: readonly ImageModule[],
): ReadonlyMap<string, DataSymbol> {
  const symbols = new Map(core);
  for (const { name, address, bytes } of modules.flatMap(({ object }) => object.objects)) {
    if (!symbols.has(name)) symbols.set(name, { address, bytes });
  }
  return symbols;
}

function placeFunctions(source: ImageSource, textBase: Address): FunctionSymbol[] {
  const placed = placeScripts(source.functions, textBase, source);
  const last = placed.at(-1);
  if (last !== undefined) checkFits(source, last.address + last.size);
  return placed;
}

function checkFits({ elf }: ImageSource, textEnd: Address): void {
  const dataBase = elf?.dataBase ?? NO_ADDRESS;
  const room = dataBase === NO_ADDRESS ? IMAGE_BYTES_MAX : dataBase;
  if (textEnd > room) {
    const hint = room === IMAGE_BYTES_MAX ? '' : ' before the data of the compiled image';
    throw new InputError(`the functions need more than the ${room} bytes of text there are${hint}`);
  }
}

interface PlacedData {
  readonly dataBase: Address;
  readonly dataEnd: Address;
  readonly symbols: ReadonlyMap<string, DataSymbol>;
}

/** Compiled data first, then the scripts'; a scripted name hides a compiled one. */
function placeData({ elf, data }: ImageSource, textEnd: Address): PlacedData {
  const symbols = new Map<string, DataSymbol>();
  for (const [name, { address, bytes }] of elf?.objects ?? [])
    symbols.set(name, { address, bytes });
  const compiled = elf === undefined || elf.dataBase === NO_ADDRESS ? undefined : elf;
  const dataBase = compiled?.dataBase ?? roundUp(Math.max(textEnd, 1), DATA_ALIGNMENT);
  let dataEnd = dataBase + (compiled?.data.length ?? 0);
  for (const { name, bytes } of data) {
    if (!Number.isInteger(bytes) || bytes < 1) {
      throw new InputError(`data ${name} has ${bytes} bytes; expected a count from 1`);
    }
    const address = roundUp(dataEnd, DATA_SYMBOL_ALIGNMENT);
    symbols.set(name, { address, bytes });
    dataEnd = address + bytes;
    if (dataEnd > IMAGE_BYTES_MAX) {
      throw new InputError(
        `data ${name} does not fit: text and data have ${IMAGE_BYTES_MAX} bytes`,
      );
    }
  }
  return { dataBase, dataEnd, symbols };
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

interface Names {
  readonly compiled: readonly FunctionSymbol[];
  readonly scripted: readonly FunctionSymbol[];
  readonly symbols: ReadonlyMap<string, DataSymbol>;
}

/** Names as scripts see them: scripted functions hide compiled ones, those of modules, and the kernel's. */
function linkerOf(
  { stubs }: ImageSource,
  {
    compiled,
    scripted,
    moduleFunctions,
    symbols,
  }: Names & { readonly moduleFunctions: readonly FunctionSymbol[] },
): Linker {
  const targets = new Map(stubs);
  for (const { name, address } of moduleFunctions.toReversed()) targets.set(name, address);
  // Of several compiled functions with one name the first is called.
  for (const { name, address } of compiled.toReversed()) targets.set(name, address);
  for (const fn of scripted) targets.set(keyOf(fn), fn.address);
  return {
    callTarget(name) {
      const target = targets.get(name);
      if (target === undefined) throw new InputError(`no function to call is named ${name}`);
      return target;
    },
    kernelSymbol(name) {
      const symbol = stubs.get(name);
      if (symbol === undefined) throw new InputError(`the kernel has no symbol ${name}`);
      return symbol;
    },
    dataAddress(name, offset) {
      const symbol = symbols.get(name);
      if (symbol === undefined) throw new InputError(`no data is named ${name}`);
      if (offset < 0 || offset % ACCESS_BYTES !== 0 || offset + ACCESS_BYTES > symbol.bytes) {
        throw new InputError(`${name} has ${symbol.bytes} bytes; ${offset} is no word of them`);
      }
      return symbol.address + offset;
    },
  };
}

function writeWord(text: Uint8Array, at: Address, word: number): void {
  new DataView(text.buffer).setInt32(at, word, true);
}
