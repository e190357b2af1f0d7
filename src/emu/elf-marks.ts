// Layer emu: imports nothing above it, no package and no node: module.
// What headers of include/ say in compiled files about how they were used: words, each ended by a NUL, in a section that
// is not loaded. What they mean is the business of whoever published the header.
import {
  check,
  checkHeader,
  type ElfFile,
  type ET_EXEC,
  type ET_REL,
  readSections,
  SHT_NOBITS,
} from './elf-file.ts';

const MARKS_SECTION = '.reprobe.abi';
const MARKS_BYTES_MAX = 4096;

/** The words of an ELF file, each once; InputError for what is no file of that type. */
export function readMarks(
  bytes: Uint8Array,
  where: string,
  type: typeof ET_EXEC | typeof ET_REL,
): readonly string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const file: ElfFile = { view, bytes, where };
  checkHeader(file, type);
  const section = readSections(file).find(({ name }) => name === MARKS_SECTION);
  if (section === undefined) return [];
  check(file, section.type !== SHT_NOBITS, `${MARKS_SECTION} has no contents`);
  check(file, section.bytes <= MARKS_BYTES_MAX, `${MARKS_SECTION} is too long`);
  const text = String.fromCharCode(
    ...bytes.subarray(section.offset, section.offset + section.bytes),
  );
  return [...new Set(text.split('\0').filter((word) => word !== ''))];
}
