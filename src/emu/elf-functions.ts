// Layer emu: imports nothing above it, no package and no node: module.
// Functions of an ELF file and the call sites that the compiler left room for in them (FT-4): the same for linked
// programs (`elf.ts`) and for modules (`elf-object.ts`).
import { known } from '../assert.ts';
import { type Address, hexAddress, IMAGE_BASE, NO_ADDRESS } from './address.ts';
import { check, type ElfFile, type ElfSymbol, SHN_RESERVED, STT_FUNC } from './elf-file.ts';

/** A function of the file. `site` is where the compiler left room for a call, or NO_ADDRESS. */
export interface ElfFunction {
  readonly name: string;
  readonly address: Address;
  readonly size: number;
  readonly site: Address;
  /** Marked with NOKPROBE_SYMBOL. */
  readonly nokprobe?: true;
  /** No function: a call site that is left of one whose name is gone, such as a weak one that was overridden. */
  readonly orphan?: true;
}

/** What a call site without a function is listed as, before the distance to the function that it follows. */
const INVALID_NAME = '__ftrace_invalid_address__';

/** Code and read-only data where they will run. */
export interface ElfText {
  readonly base: Address;
  readonly bytes: Uint8Array;
}

export const SITES_SECTION = '__patchable_function_entries';
/** Where NOKPROBE_SYMBOL of include/linux/kprobes.h names functions; include/reprobe.ld keeps it. */
export const BLACKLIST_SECTION = '_kprobe_blacklist';
const SHN_UNDEF = 0;
const SITE_BYTES = 4;

/** `c.nop; c.nop`: what two patchable bytes become with compressed code. */
export const C_NOP_PAIR = 0x00010001;
/** `nop`, 4 bytes. */
export const NOP = 0x00000013;

/** Is it a named thing of one of the file's sections? */
export function isPlaced({ name, section }: ElfSymbol): boolean {
  return name !== '' && section !== SHN_UNDEF && section < SHN_RESERVED;
}

/** Functions by address; one without a size reaches up to the next. */
export function textFunctions(
  file: ElfFile,
  symbols: readonly ElfSymbol[],
  text: ElfText,
): ElfFunction[] {
  const found = symbols
    .filter((symbol) => symbol.type === STT_FUNC && isPlaced(symbol))
    .toSorted((a, b) => a.address - b.address || compareText(a.name, b.name));
  const functions: ElfFunction[] = [];
  const end = text.base + text.bytes.length;
  let next = end;
  for (let index = found.length - 1; index >= 0; index--) {
    const { name, address, bytes } = known(found[index], 'index is in range');
    const limit =
      found[index + 1]?.address === address ? next : (found[index + 1]?.address ?? next);
    check(file, address >= text.base && address < end, `function ${name} is outside the text`);
    check(file, (address & 1) === 0, `function ${name} begins at an odd address`);
    check(file, address + bytes <= limit, `function ${name} reaches into what follows it`);
    const size = bytes === 0 ? limit - address : bytes;
    functions.push({ name, address, size, site: NO_ADDRESS });
    next = limit;
  }
  return functions.toReversed();
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Call sites in order of address, each seen to be one. */
export function checkSites(file: ElfFile, sites: readonly Address[], text: ElfText): Address[] {
  const { base, bytes } = text;
  const code = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const site of sites) {
    const isInside = site >= base && site + 4 <= base + bytes.length;
    check(file, isInside, 'a call site is outside the text');
    const named = `call site ${hexAddress(site)}`;
    check(file, site % 4 === 0, `${named} is not aligned to 4; use -falign-functions=4`);
    const word = code.getInt32(site - base, true);
    check(
      file,
      word === C_NOP_PAIR || word === NOP,
      `${named} does not hold 4 bytes of nop; use -fpatchable-function-entry=2`,
    );
  }
  return sites.toSorted((a, b) => a - b);
}

/**
 * Gives every function the site inside it (aliases share it). The linker keeps the code and the site of a weak function
 * that another one overrides, but not its name: what is left over is an orphan (FT-61). By address.
 */
export function withSites(
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
  const orphans = sites.filter((site) => !claimed.has(site)).map((site) => orphanAt(done, site));
  return [...done, ...orphans].toSorted((a, b) => a.address - b.address);
}

/** Marks those that the blacklist names, aliases too (KP-14). What else it names is nobody's business here. */
export function withBlacklist(
  functions: readonly ElfFunction[],
  blacklist: readonly Address[],
): ElfFunction[] {
  const refused = new Set(blacklist);
  return functions.map((fn) => (refused.has(fn.address) ? { ...fn, nokprobe: true } : fn));
}

function orphanAt(functions: readonly ElfFunction[], site: Address): ElfFunction {
  const before = functions.findLast(({ address }) => address <= site);
  const name = `${INVALID_NAME}_${site - (before?.address ?? IMAGE_BASE)}`;
  return { name, address: site, size: SITE_BYTES, site, orphan: true };
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
