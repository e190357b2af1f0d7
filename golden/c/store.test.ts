// The compiled example: what the loader makes of it, and that it belongs to its sources.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError } from '../../src/assert.ts';
import { NO_ADDRESS } from '../../src/emu/address.ts';
import { loadElf, NOP } from '../../src/emu/elf.ts';
import { buildImage, functionsNamed } from '../../src/emu/image.ts';
import { stubAddresses } from './stubs.ts';

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

test('the program is small and was built from the sources beside it', () => {
  expect(file.length).toBeLessThan(16 * 1024);
  const sums = read('SHA256SUMS').toString().trim().split('\n');
  expect(sums.map((line) => line.slice(66))).toContain('store.elf');
  for (const line of sums) {
    const digest = createHash('sha256')
      .update(read(line.slice(66)))
      .digest('hex');
    expect(`${digest}  ${line.slice(66)}`).toBe(line);
  }
});

test('the readme tells the command that built it', () => {
  const script = read('build.sh').toString();
  const command = script.slice(script.indexOf('riscv64'), script.indexOf('# The test'));
  expect(read('README.md').toString()).toContain(command);
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
