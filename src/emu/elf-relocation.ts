// Layer emu: imports nothing above it, no package and no node: module.
// The relocation sections of an object file: read and checked before anything is placed, applied when symbols have
// addresses. What each type writes is `relocate.ts`.
import { type Address, addressLo, hexAddress, NO_ADDRESS } from './address.ts';
import {
  check,
  type ElfFile,
  type ElfSection,
  type ElfSymbol,
  LIMIT,
  readAddress,
} from './elf-file.ts';
import type { ElfText } from './elf-functions.ts';
import type { LaidSection, ObjectFile } from './elf-object.ts';
import { RELOCATION, relocate, relocatedBytes } from './relocate.ts';

export interface Relocation {
  readonly type: number;
  /** The section that it changes, and where. */
  readonly section: LaidSection;
  readonly offset: number;
  /** Number of the symbol in the file, from 1; 0: none. */
  readonly symbol: number;
  readonly addend: number;
}

const SHT_RELA = 4;
const SHT_REL = 9;
const RELA_BYTES = 24;
/** `R_RISCV_RELAX`: a hint for linkers. */
const R_RISCV_RELAX = 51;

/** All relocations of the sections that take part. */
export function readRelocations(
  file: ElfFile,
  all: readonly ElfSection[],
  { sections, symbols }: { readonly sections: readonly LaidSection[]; readonly symbols: number },
): Relocation[] {
  const relocations: Relocation[] = [];
  for (const table of all) {
    const section = sections.find(({ index }) => index === table.info);
    if (section === undefined) continue;
    check(file, table.type !== SHT_REL, 'has relocations without addends');
    if (table.type !== SHT_RELA) continue;
    check(file, table.bytes % RELA_BYTES === 0, `${table.name} ends in half a relocation`);
    check(file, table.bytes / RELA_BYTES <= LIMIT.symbols, `${table.name} is too long`);
    for (let at = table.offset; at < table.offset + table.bytes; at += RELA_BYTES) {
      const relocation = readRelocation(file, at, section);
      check(file, relocation.symbol <= symbols, 'a relocation names a symbol that does not exist');
      if (relocation.type !== R_RISCV_RELAX) relocations.push(relocation);
    }
  }
  return relocations;
}

function readRelocation(file: ElfFile, at: number, section: LaidSection): Relocation {
  const { view } = file;
  const type = view.getUint32(at + 8, true);
  const bytes = type === R_RISCV_RELAX ? 0 : relocatedBytes(type);
  const { name, bytes: size } = section.section;
  check(
    file,
    bytes !== undefined,
    `${name} has a relocation of type ${type}; compile with -mcmodel=medany -mno-relax -fno-pic`,
  );
  const offset = addressLo(readAddress(file, at));
  check(file, offset >= 0 && offset + bytes <= size, `a relocation is outside ${name}`);
  const addend = view.getInt32(at + 16, true);
  check(file, view.getInt32(at + 20, true) === addend >> 31, 'an addend is out of range');
  return { type, section, offset, symbol: view.getUint32(at + 12, true), addend };
}

/** Writes them; `symbols` are those of the file, with addresses. */
export function applyRelocations(
  { file, relocations }: ObjectFile,
  {
    blocks,
    symbols,
  }: {
    readonly blocks: Readonly<Record<'text' | 'data', ElfText>>;
    readonly symbols: readonly ElfSymbol[];
  },
): void {
  const valueOf = ({ symbol, addend }: Relocation): Address => {
    const found = symbols[symbol - 1];
    const isBound = found !== undefined && found.address !== NO_ADDRESS;
    check(file, symbol === 0 || isBound, `a relocation names ${found?.name ?? 'nothing'}`);
    return (found?.address ?? 0) + addend;
  };
  const placeOf = ({ section, offset }: Relocation): Address =>
    blocks[section.block].base + section.offset + offset;
  const highs = highParts(relocations, placeOf);
  for (const relocation of relocations) {
    const { type, section, offset } = relocation;
    const { bytes } = blocks[section.block];
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const at = section.offset + offset;
    if (isLowPart(type)) {
      // Its symbol is the instruction that holds the upper part, which says what both are about.
      const high = highs.get(valueOf(relocation));
      check(file, high !== undefined, 'half of an address has no other half');
      relocate(type, { view, at, place: placeOf(high), value: valueOf(high) });
      continue;
    }
    const [place, value] = [placeOf(relocation), valueOf(relocation)];
    const isReached = relocate(type, { view, at, place, value });
    check(file, isReached, `${hexAddress(place)} cannot reach ${hexAddress(value)}`);
  }
}

function highParts(
  relocations: readonly Relocation[],
  placeOf: (relocation: Relocation) => Address,
): ReadonlyMap<Address, Relocation> {
  return new Map(
    relocations
      .filter(({ type }) => type === RELOCATION.R_RISCV_PCREL_HI20)
      .map((relocation) => [placeOf(relocation), relocation]),
  );
}

function isLowPart(type: number): boolean {
  return type === RELOCATION.R_RISCV_PCREL_LO12_I || type === RELOCATION.R_RISCV_PCREL_LO12_S;
}
