import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError } from '../assert.ts';
import { NO_ADDRESS } from './address.ts';
import { C_NOP_PAIR, NOP } from './elf-functions.ts';
import { type LoadedElf, loadElf } from './elf.ts';

const DATA_BASE = 0x1000;

interface SampleSymbol {
  readonly name: string;
  readonly address: number;
  readonly bytes: number;
  /** STT_FUNC unless said otherwise. */
  readonly type?: number;
  readonly section?: number;
  readonly global?: boolean;
}

interface Sample {
  readonly code: readonly number[];
  readonly symbols: readonly SampleSymbol[];
  readonly sites: readonly number[];
}

/** Two functions, one with a site, and 8 bytes of data. */
const sample: Sample = {
  code: [C_NOP_PAIR, 0x00008067, NOP, 0x00008067],
  symbols: [
    { name: 'traced', address: 0, bytes: 8, global: true },
    { name: 'plain', address: 8, bytes: 8 },
    { name: 'counter', address: DATA_BASE, bytes: 8, type: 1, section: 2, global: true },
    { name: 'mutex_lock', address: 0xc00f0, bytes: 0, type: 0, section: 0xfff1, global: true },
  ],
  sites: [0],
};

const HEADER = 64;
const SEGMENT = 56;
const SECTION = 64;
const CODE_AT = 0x100;
const NAMES = '\0.text\0.data\0__patchable_function_entries\0.symtab\0.strtab\0';

/** A file of two segments (code; 16 bytes of data, 8 of them not stored) and six sections. */
function build({ code, symbols, sites }: Sample): Uint8Array {
  const file = new Uint8Array(0x600);
  const view = new DataView(file.buffer);
  const strings = `${NAMES}${symbols.map(({ name }) => `${name}\0`).join('')}`;
  const u64 = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  const address = (at: number, value: number): void =>
    view.setBigUint64(at, 0xffffffff80000000n + BigInt(value), true);
  const [sitesAt, symbolsAt, stringsAt, sectionsAt] = [0x200, 0x240, 0x380, 0x480];
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 243, true);
  view.setUint32(48, 1, true);
  u64(32, HEADER);
  u64(40, sectionsAt);
  [64, SEGMENT, 2, SECTION, 6, 5].forEach((v, i) => view.setUint16(52 + 2 * i, v, true));
  const segment = (index: number, flags: number, at: number, [from, to]: number[]): void => {
    const start = HEADER + index * SEGMENT;
    view.setUint32(start, 1, true);
    view.setUint32(start + 4, flags, true);
    u64(start + 8, at);
    address(start + 16, index * DATA_BASE);
    u64(start + 32, from ?? 0);
    u64(start + 40, to ?? 0);
  };
  segment(0, 5, CODE_AT, [4 * code.length, 4 * code.length]);
  segment(1, 6, CODE_AT + 0x80, [8, 16]);
  code.forEach((word, i) => view.setInt32(CODE_AT + 4 * i, word, true));
  file.fill(7, CODE_AT + 0x80, CODE_AT + 0x88);
  sites.forEach((site, i) => address(sitesAt + 8 * i, site));
  symbols.forEach((symbol, i) => {
    const at = symbolsAt + 24 * (i + 1);
    view.setUint32(at, strings.indexOf(`\0${symbol.name}\0`) + 1, true);
    view.setUint8(at + 4, (symbol.global === true ? 16 : 0) | (symbol.type ?? 2));
    view.setUint16(at + 6, symbol.section ?? 1, true);
    address(at + 8, symbol.address);
    u64(at + 16, symbol.bytes);
  });
  file.set(
    Array.from(strings, (c) => c.charCodeAt(0)),
    stringsAt,
  );
  const section = (index: number, name: string, type: number, [at, bytes]: number[]): void => {
    const start = sectionsAt + index * SECTION;
    view.setUint32(start, NAMES.indexOf(`\0${name}\0`) + 1, true);
    view.setUint32(start + 4, type, true);
    u64(start + 24, at ?? 0);
    u64(start + 32, bytes ?? 0);
    view.setUint32(start + 40, 5, true);
  };
  section(1, '.text', 1, [CODE_AT, 4 * code.length]);
  section(2, '.data', 8, [0, 16]);
  section(3, '__patchable_function_entries', 1, [sitesAt, 8 * sites.length]);
  section(4, '.symtab', 2, [symbolsAt, 24 * (symbols.length + 1)]);
  section(5, '.strtab', 3, [stringsAt, strings.length]);
  return file;
}

function load(change: Partial<Sample> = {}): LoadedElf {
  return loadElf(build({ ...sample, ...change }), 'sample.elf');
}

/** Loads the sample with bytes overwritten at `at`. */
function damaged(at: number, ...bytes: number[]): LoadedElf {
  const file = build(sample);
  file.set(bytes, at);
  return loadElf(file, 'sample.elf');
}

test('a file becomes text, data, functions with their sites, objects and kernel symbols', () => {
  const elf = load();
  expect(elf.functions).toEqual([
    { name: 'traced', address: 0, size: 8, site: 0 },
    { name: 'plain', address: 8, size: 8, site: NO_ADDRESS },
  ]);
  expect([...elf.objects.values()]).toEqual([{ name: 'counter', address: DATA_BASE, bytes: 8 }]);
  expect([...elf.absolutes]).toEqual([['mutex_lock', 0xc00f0]]);
  expect(new Int32Array(elf.text.buffer)).toEqual(Int32Array.from(sample.code));
  expect(elf.dataBase).toBe(DATA_BASE);
  expect([...elf.data]).toEqual([7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test('aliases share a site, and a function without a size reaches up to the next', () => {
  const symbols = [
    { name: 'b', address: 0, bytes: 8 },
    { name: 'a', address: 0, bytes: 0 },
    { name: 'c', address: 8, bytes: 0 },
  ];
  expect(load({ symbols }).functions).toEqual([
    { name: 'a', address: 0, size: 8, site: 0 },
    { name: 'b', address: 0, size: 8, site: 0 },
    { name: 'c', address: 8, size: 8, site: NO_ADDRESS },
  ]);
});

test('of equal names the global object wins', () => {
  const local = { name: 'x', address: DATA_BASE, bytes: 8, type: 1, section: 2 };
  const symbols = [local, { ...local, address: DATA_BASE + 8, global: true }, local];
  expect(load({ symbols, sites: [] }).objects.get('x')?.address).toBe(DATA_BASE + 8);
});

test.each<readonly [string, () => LoadedElf]>([
  ['not an ELF file', () => damaged(1, 0x4d)],
  ['not an ELF file', () => loadElf(new Uint8Array(0), 'sample.elf')],
  ['truncated in the ELF header', () => loadElf(build(sample).subarray(0, 63), 'sample.elf')],
  ['not a 64-bit ELF file', () => damaged(4, 1)],
  ['not a little-endian ELF file', () => damaged(5, 2)],
  ['expected a linked program (ET_EXEC), found ELF type 3', () => damaged(16, 3)],
  ['expected RISC-V (machine 243), found 62', () => damaged(18, 62)],
  ['compile with -march=rv64imac -mabi=lp64', () => damaged(48, 5)],
  ['has 255 program headers', () => damaged(56, 255)],
  ['program header table lies beyond the end', () => damaged(32, 0, 7)],
  ['program header table is out of range', () => damaged(36, 1)],
  ['is linked dynamically', () => damaged(HEADER, 2)],
  ['segment 0 lies beyond the end of the file', () => damaged(HEADER + 8, 0, 7)],
  ['segment 0 has more bytes in the file than in memory', () => damaged(HEADER + 40, 4)],
  ['segment 0 is outside the image', () => damaged(HEADER + 16, 0, 0, 8)],
  ['segment 0 is outside the image', () => damaged(HEADER + 20, 0)],
  ['segment 0 is outside the image', () => damaged(HEADER + 40, 0, 0, 9)],
  ['segment 0 is both writable and executable', () => damaged(HEADER + 4, 7)],
  ['two segments overlap', () => damaged(HEADER + SEGMENT + 16, 8, 0)],
  ['read-only segments lie above writable', () => damaged(HEADER + 16, 0, 0x20)],
  ['has 65280 sections', () => damaged(60, 0, 255)],
  ['has no symbols', () => damaged(0x480 + 4 * SECTION + 4, 1)],
  ['a name is missing', () => damaged(0x240 + 24, 0, 9)],
  ['a name is not printable ASCII', () => damaged(0x380 + NAMES.length, 9)],
  ['is in a section that does not exist', () => damaged(0x240 + 24 + 6, 6)],
  ['function traced is outside the text', () => damaged(0x240 + 24 + 8, 0, 1)],
  ['function traced begins at an odd address', () => damaged(0x240 + 24 + 8, 1)],
  ['function traced reaches into what follows it', () => damaged(0x240 + 24 + 16, 9)],
  ['object counter is outside the image', () => damaged(0x240 + 72 + 16, 17)],
  ['is not aligned to 4; use -falign-functions=4', () => load({ sites: [2] })],
  ['does not hold 4 bytes of nop; use -fpatchable-function-entry=2', () => load({ sites: [4] })],
  ['a call site is outside the text', () => load({ sites: [0x100] })],
  ['has no room for its call sites', () => load({ sites: [0, 0] })],
])('a wrong file says why: %s', (message, attempt) => {
  expect(attempt).toThrow(InputError);
  expect(attempt).toThrow(message);
  expect(attempt).toThrow(/^sample\.elf: /);
});

test('whatever bytes are damaged, the file loads or is an input error', () => {
  const file = build(sample);
  const patch = fc.tuple(fc.nat(file.length - 1), fc.nat(255));
  let rejected = 0;
  fc.assert(
    fc.property(fc.array(patch, { minLength: 1, maxLength: 4 }), fc.nat(16), (patches, cut) => {
      const copy = file.slice(0, cut === 0 ? (patches[0]?.[0] ?? 0) : file.length);
      for (const [at, value] of patches) if (at < copy.length) copy[at] = value;
      rejected += isRejected(copy) ? 1 : 0;
    }),
    { numRuns: 3000 },
  );
  expect(rejected).toBeGreaterThan(300);
});

/** Whether the file is an input error; anything else that is thrown fails the test. */
function isRejected(file: Uint8Array): boolean {
  try {
    const { text, functions } = loadElf(file, 'damaged.elf');
    for (const { address, size } of functions)
      expect(address + size).toBeLessThanOrEqual(text.length);
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return true;
  }
}

test('a call site whose function has no name any more is an orphan (FT-61)', () => {
  const { functions } = load({ symbols: sample.symbols.slice(1), sites: [0, 8] });
  expect(functions).toEqual([
    { name: '__ftrace_invalid_address___0', address: 0, size: 4, site: 0, orphan: true },
    { name: 'plain', address: 8, size: 8, site: 8 },
  ]);
});
