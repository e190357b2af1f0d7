// Layer emu: imports nothing above it, no package and no node: module.
// Parameters of modules, as include/linux/moduleparam.h leaves them in an object file. Left out: arrays, own types,
// and everything about sysfs.
import { type Address, NO_ADDRESS, toAddress } from './address.ts';
import { check, type ElfFile, LIMIT } from './elf-file.ts';
import type { ElfText } from './elf-functions.ts';

/** Where the macro puts them; include/linux/moduleparam.h repeats this and the offsets. */
export const PARAM_SECTION = '__param';
const PARAM_NAME = 0;
const PARAM_TYPE = 8;
const PARAM_ARG = 16;
const PARAM_BYTES = 32;

/** Bytes of each type, and the least and the greatest value of those that are numbers. */
export const PARAM_TYPES = {
  charp: { bytes: 8, range: undefined },
  bool: { bytes: 1, range: undefined },
  byte: { bytes: 1, range: [0, 0xff] },
  short: { bytes: 2, range: [-0x8000, 0x7fff] },
  ushort: { bytes: 2, range: [0, 0xffff] },
  int: { bytes: 4, range: [-0x80000000, 0x7fffffff] },
  uint: { bytes: 4, range: [0, 0xffffffff] },
  long: { bytes: 8, range: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] },
  ulong: { bytes: 8, range: [0, Number.MAX_SAFE_INTEGER] },
} as const satisfies Readonly<
  Record<string, { readonly bytes: number; readonly range: readonly [number, number] | undefined }>
>;
export type ParamType = keyof typeof PARAM_TYPES;

export interface ModuleParam {
  readonly name: string;
  readonly type: ParamType;
  /** The variable that it sets. */
  readonly address: Address;
}

/** The entries of a relocated `__param` section. `blocks` hold their strings and variables. */
export function readParams(
  file: ElfFile,
  section: Uint8Array,
  blocks: readonly ElfText[],
): ModuleParam[] {
  check(file, section.length % PARAM_BYTES === 0, `${PARAM_SECTION} ends in half a parameter`);
  const view = new DataView(section.buffer, section.byteOffset, section.length);
  const pointer = (at: number): Address =>
    toAddress(view.getInt32(at, true), view.getInt32(at + 4, true));
  const params: ModuleParam[] = [];
  for (let at = 0; at < section.length; at += PARAM_BYTES) {
    const name = textAt(file, blocks, pointer(at + PARAM_NAME));
    const type = textAt(file, blocks, pointer(at + PARAM_TYPE));
    const address = pointer(at + PARAM_ARG);
    check(file, isParamType(type), `parameter ${name} has the unknown type ${type}`);
    const known = blockOf(blocks, address, PARAM_TYPES[type].bytes) !== undefined;
    check(file, known, `parameter ${name} is no variable of the module`);
    const isNew = params.every((one) => one.name !== name);
    check(file, isNew, `two parameters are named ${name}`);
    params.push({ name, type, address });
  }
  return params;
}

function isParamType(type: string): type is ParamType {
  return Object.hasOwn(PARAM_TYPES, type);
}

function textAt(file: ElfFile, blocks: readonly ElfText[], address: Address): string {
  const block = blockOf(blocks, address, 1);
  check(file, block !== undefined, 'a parameter has no name');
  const from = address - block.base;
  const end = block.bytes.indexOf(0, from);
  check(file, end > from && end - from <= LIMIT.nameBytes, 'the name of a parameter has no end');
  return String.fromCharCode(...block.bytes.subarray(from, end));
}

function blockOf(blocks: readonly ElfText[], address: Address, bytes: number): ElfText | undefined {
  if (address === NO_ADDRESS) return undefined;
  return blocks.find(
    (one) => address >= one.base && address + bytes <= one.base + one.bytes.length,
  );
}
