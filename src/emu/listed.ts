// Layer emu: imports nothing above it, no package and no node: module.
// An ELF file to be listed: its sections of instructions, and what addresses are named after, by the rules of GNU
// objdump. Left out: symbols outside both halves of the address space.
import { known } from '../assert.ts';
import { type Address, guestValue, NO_ADDRESS } from './address.ts';
import {
  check,
  checkHeader,
  type ElfFile,
  type ElfSection,
  type ElfSymbol,
  ET_EXEC,
  readSections,
  readSymbols,
  SHT_NOBITS,
} from './elf-file.ts';
import type { NameOf } from './riscv/disassemble.ts';

const SHN_UNDEF = 0;
const STT_OBJECT = 1;
const STT_FUNC = 2;
const STT_SECTION = 3;
const STT_FILE = 4;
/** Symbols of assemblers, which name nothing: where instructions and data begin, and local labels. */
const MARK = /^\$[dx]/u;
const UNNAMED = /^(?:$|\$[dx]|\.L)/u;

export interface Listed {
  readonly file: ElfFile;
  readonly sections: readonly ElfSection[];
  /** In order of address; of one address the best name first. */
  readonly symbols: readonly ElfSymbol[];
  /** Where instructions (`$x`) and data (`$d`) begin, in order. */
  readonly marks: readonly Mark[];
}

interface Mark {
  readonly address: Address;
  readonly isData: boolean;
}

/** Reads an ELF file; `where` names it in messages. Throws InputError and nothing else. */
export function readListed(bytes: Uint8Array, where: string): Listed {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const file: ElfFile = { view, bytes, where };
  checkHeader(file, ET_EXEC);
  const sections = readSections(file);
  const placed = readSymbols(file, sections).filter(
    ({ address, section }) => address !== NO_ADDRESS && section !== SHN_UNDEF,
  );
  const symbols = placed
    .filter(({ name, type }) => !UNNAMED.test(name) && type !== STT_SECTION && type !== STT_FILE)
    .toSorted(compareSymbols);
  const marks = placed
    .filter(({ name }) => MARK.test(name))
    .map(({ name, address }) => ({ address, isData: name.startsWith('$d') }))
    .toSorted((a, b) => a.address - b.address);
  const listed = { file, sections, symbols, marks };
  for (const section of codeSections(listed)) checkSection(file, section);
  return listed;
}

function checkSection(file: ElfFile, { name, address, bytes }: ElfSection): void {
  const ends = address + bytes <= (address < 0 ? 0 : 0x80000000);
  check(file, address !== NO_ADDRESS && ends, `section ${name} is outside the address space`);
  check(file, (address & 1) === 0, `section ${name} begins at an odd address`);
}

/** Sections that hold instructions. */
export function codeSections({ sections }: Listed): readonly ElfSection[] {
  return sections.filter(
    ({ executable, type, bytes }) => executable && type !== SHT_NOBITS && bytes > 0,
  );
}

/** Functions first, then data; global names before local ones; else in alphabetical order. */
function compareSymbols(a: ElfSymbol, b: ElfSymbol): number {
  if (a.address !== b.address) return a.address - b.address;
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  return a.name < b.name ? -1 : Number(a.name > b.name);
}

function rank({ type, global }: ElfSymbol): number {
  const kind = type === STT_FUNC ? 0 : 2;
  return (kind === 2 && type !== STT_OBJECT ? 4 : kind) + (global ? 0 : 1);
}

/** The symbols that stand in `section`. */
export function symbolsIn({ sections, symbols }: Listed, section: ElfSection): ElfSymbol[] {
  const index = sections.indexOf(section);
  const end = section.address + section.bytes;
  return symbols.filter(
    (symbol) =>
      symbol.section === index && symbol.address >= section.address && symbol.address < end,
  );
}

/** Names addresses after the last symbol before them, or the first of all; of several one of `section`. */
export function namesFor({ symbols, sections }: Listed, section: ElfSection): NameOf {
  const index = sections.indexOf(section);
  const lastUpTo = (limit: bigint): number =>
    lastAtMost(symbols, limit, ({ address }) => guestValue(address));
  return (address) => {
    const last = symbols[Math.max(0, lastUpTo(address))];
    if (last === undefined) return labelOf(section.name, address - guestValue(section.address));
    let at = lastUpTo(guestValue(last.address) - 1n) + 1;
    const first = known(symbols[at], 'a symbol has this address');
    while (symbols[at]?.address === last.address && symbols[at]?.section !== index) at++;
    const own = symbols[at];
    const best = own?.address === last.address ? own : first;
    return labelOf(best.name, address - guestValue(best.address));
  };
}

function labelOf(name: string, offset: bigint): string {
  if (offset === 0n) return `<${name}>`;
  return `<${name}${offset < 0n ? '-' : '+'}0x${(offset < 0n ? -offset : offset).toString(16)}>`;
}

/** Whether data stands at `address`, and where the next mark is. */
export function markAt(
  { marks }: Listed,
  section: ElfSection,
  address: Address,
): { readonly isData: boolean; readonly next: Address } {
  const at = lastAtMost(marks, address, (mark) => mark.address);
  const { isData, address: from } = marks[at] ?? { isData: false, address };
  const next = marks[at + 1]?.address ?? section.address + section.bytes;
  return { isData: isData && from >= section.address, next };
}

/** Index of the last of the sorted items whose key is not above `limit`, or -1. */
function lastAtMost<T, K extends bigint | number>(
  items: readonly T[],
  limit: K,
  keyOf: (item: T) => K,
): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keyOf(known(items[middle], 'middle is below high')) <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
