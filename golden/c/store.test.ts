// The compiled example: what the loader makes of it, and that it belongs to its sources.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError } from '../../src/assert.ts';
import { NO_ADDRESS } from '../../src/emu/address.ts';
import { NOP } from '../../src/emu/elf-functions.ts';
import { loadElf } from '../../src/emu/elf.ts';
import { buildImage, functionsNamed } from '../../src/emu/image.ts';
import { stubAddresses } from './stubs.ts';

/** What build.sh reads and makes. */
const BUILT = /\.(c|h|elf|ko)$|^build\.sh$/;

function read(name: string): Buffer {
  return readFileSync(new URL(name, import.meta.url));
}

const file = read('store.elf');
const elf = loadElf(file, 'store.elf');

test('every function but the callback has a call site at its first byte', () => {
  const traced = elf.functions.filter(({ site }) => site !== NO_ADDRESS);
  expect(traced.length).toBe(elf.functions.length - 1);
  for (const { address, site } of traced) expect(site).toBe(address);
  expect(elf.functions.filter(({ site }) => site === NO_ADDRESS).map(({ name }) => name)).toEqual([
    'count_nothing',
  ]);
  expect(elf.functions.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['producer', 'consumer', 'tick', 'store_check']),
  );
});

test('two compressed nops become one nop, and a workload may add functions and data', () => {
  const image = buildImage({
    functions: [
      {
        name: 'driver',
        body: [{ op: 'call', target: 'producer' }],
        notrace: false,
        callback: false,
      },
    ],
    data: [{ name: 'mine', bytes: 8 }],
    elf,
    stubs: stubAddresses(),
    landingPad: true,
  });
  const words = new DataView(image.text.buffer);
  for (const { site } of image.functions) {
    if (site !== NO_ADDRESS) expect(words.getInt32(site, true)).toBe(NOP);
  }
  expect(functionsNamed(image, 'driver')[0]?.address).toBeGreaterThanOrEqual(elf.text.length);
  expect(image.dataBase).toBe(elf.dataBase);
  expect(image.dataSymbols.get('stats')?.bytes).toBe(40);
  expect(image.dataSymbols.get('mine')?.address).toBeGreaterThanOrEqual(
    elf.dataBase + elf.data.length,
  );
});

test('every program and module is small and was built from the sources beside it', () => {
  const sums = read('SHA256SUMS').toString().trim().split('\n');
  const here = readdirSync(new URL('.', import.meta.url)).filter((name) => BUILT.test(name));
  expect(sums.map((line) => line.slice(66)).toSorted()).toEqual(
    expect.arrayContaining(here.toSorted()),
  );
  expect(here.filter((name) => /\.(elf|ko)$/.test(name)).length).toBeGreaterThanOrEqual(4);
  for (const name of here.filter((one) => /\.(elf|ko)$/.test(one)))
    expect(read(name).length).toBeLessThan(32 * 1024);
  for (const line of sums) {
    const digest = createHash('sha256')
      .update(read(line.slice(66)))
      .digest('hex');
    expect(`${digest}  ${line.slice(66)}`).toBe(line);
  }
});

test('the document on C code tells the commands that built them', () => {
  const script = read('build.sh').toString();
  const document = read('../../docs/c.md').toString();
  const flags = /flags="([^"]*)"/.exec(script)?.[1] ?? '';
  const words = flags.split(/\s+/).filter((word) => word.startsWith('-') && word !== '-I');
  expect(words.length).toBeGreaterThan(15);
  for (const word of words) expect(document).toContain(word);
  for (const word of ['-nostdlib -static', '--build-id=none', 'include/reprobe.ld'])
    expect(document).toContain(word);
});

test('a damaged program loads or is an input error', () => {
  const patch = fc.tuple(fc.nat(file.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(patch, { maxLength: 6 }), fc.boolean(), (patches, cut) => {
      const copy = new Uint8Array(file.subarray(0, cut ? patches[0]?.[0] : file.length));
      for (const [at, value] of patches) if (at < copy.length) copy[at] = value;
      try {
        const { functions, text } = loadElf(copy, 'damaged.elf');
        for (const { address } of functions) expect(address).toBeLessThan(text.length);
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
      }
    }),
  );
});
