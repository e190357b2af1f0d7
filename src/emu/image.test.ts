import { expect, test } from 'vitest';
import { InputError } from '../assert.ts';
import { IMAGE_BYTES_MAX, NO_ADDRESS } from './address.ts';
import { C_NOP_PAIR, NOP } from './elf-functions.ts';
import type { LoadedElf } from './elf.ts';
import { buildImage, functionAt, functionsNamed, type Image, type ImageSource } from './image.ts';
import type { ScriptFunction } from './script.ts';

const elf: LoadedElf = {
  text: new Uint8Array(Int32Array.of(C_NOP_PAIR, 0x00008067, C_NOP_PAIR, 0x00008067).buffer),
  data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  dataBase: 0x1000,
  functions: [
    { name: 'early', address: 0, size: 8, site: 0 },
    { name: 'alias', address: 8, size: 4, site: NO_ADDRESS },
    { name: 'early', address: 8, size: 8, site: NO_ADDRESS },
  ],
  objects: new Map([['table', { name: 'table', address: 0x1000, bytes: 8 }]]),
  absolutes: new Map([['kfree', 0xc0140]]),
};

function script(name: string, ...calls: string[]): ScriptFunction {
  const body = calls.map((target) => ({ op: 'call', target }) as const);
  return { name, body, notrace: false, callback: false };
}

function build(change: Partial<ImageSource>): Image {
  const stubs = new Map([['kfree', 0xc0140]]);
  return buildImage({ functions: [], data: [], stubs, landingPad: true, ...change });
}

/** Where the first `jal` of a function leads. */
function callee(image: Image, name: string): number | undefined {
  const [fn] = functionsNamed(image, name);
  const words = new Int32Array(image.text.buffer);
  for (let at = fn?.address ?? 0; at < image.text.length; at += 4) {
    const word = words[at >> 2] ?? 0;
    if ((word & 0xfff) !== 0x0ef) continue;
    const [high, low] = [(word >> 31) << 20, (word >>> 20) & 0x7fe];
    return at + (high | (word & 0xff000) | ((word >>> 9) & 0x800) | low);
  }
  return undefined;
}

test('compiled code keeps its place, scripted text follows it, data follows data', () => {
  const image = build({
    elf,
    functions: [script('f', 'early')],
    data: [{ name: 'mine', bytes: 12 }],
  });
  expect(image.functions.map(({ name, address }) => [name, address])).toEqual([
    ['early', 0],
    ['alias', 8],
    ['early', 8],
    ['f', 16],
  ]);
  expect(image.dataBase).toBe(0x1000);
  expect([...image.dataSymbols]).toEqual([
    ['table', { address: 0x1000, bytes: 8 }],
    ['mine', { address: 0x1008, bytes: 12 }],
  ]);
  expect(image.data).toEqual(
    Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
  );
});

test('a site of two compressed nops becomes one nop; the file itself stays as it was', () => {
  const words = new Int32Array(build({ elf }).text.buffer);
  expect([...words]).toEqual([NOP, 0x00008067, C_NOP_PAIR, 0x00008067]);
  expect(new Int32Array(elf.text.buffer)[0]).toBe(C_NOP_PAIR);
});

test('an image of scripts alone has its data on the next page', () => {
  const image = build({ functions: [script('f')], data: [{ name: 'x', bytes: 8 }] });
  expect([image.text.length, image.dataBase, image.data.length]).toEqual([16, 0x1000, 8]);
});

test('calls reach the scripted function first, then the compiled one, then the kernel', () => {
  const source = { elf, functions: [script('a', 'early'), script('b', 'kfree'), script('c', 'a')] };
  const image = build(source);
  expect(callee(image, 'a')).toBe(0);
  expect(callee(image, 'b')).toBe(0xc0140);
  expect(callee(image, 'c')).toBe(16);
  const hiding = build({
    elf,
    functions: [script('a', 'early'), script('early'), script('kfree')],
  });
  expect(callee(hiding, 'a')).toBe(functionsNamed(hiding, 'early')[2]?.address);
});

test('functionAt finds the function around an address', () => {
  const image = build({ elf, functions: [script('f')] });
  const names = [0, 7, 8, 11, 12, 15, 16, 31, 32, -1].map((at) => functionAt(image, at)?.name);
  expect(names).toEqual([
    'early',
    'early',
    'alias',
    'alias',
    'early',
    'early',
    'f',
    'f',
    undefined,
    undefined,
  ]);
});

test.each<readonly [string, Partial<ImageSource>]>([
  ['two scripted functions are named f', { functions: [script('f'), script('f')] }],
  [
    'two data symbols are named x',
    {
      data: [
        { name: 'x', bytes: 8 },
        { name: 'x', bytes: 8 },
      ],
    },
  ],
  [
    'data x does not fit',
    {
      data: [
        { name: 'x', bytes: IMAGE_BYTES_MAX },
        { name: 'y', bytes: 1 },
      ],
    },
  ],
  ['takes kfree for 0xffffffff800c0140, which is not known here', { elf, stubs: new Map() }],
  ['which is at 0xffffffff80000008 here', { elf, stubs: new Map([['kfree', 8]]) }],
  [
    'more than the 16 bytes of text there are before the data of the compiled image',
    { elf: { ...elf, dataBase: 16 }, functions: [script('f')] },
  ],
])('what cannot be built is an input error: %s', (message, change) => {
  expect(() => build(change)).toThrow(InputError);
  expect(() => build(change)).toThrow(message);
});

test('more text than the image holds is an input error', () => {
  const body = Array.from({ length: 1000 }, () => ({ op: 'call', target: 'f0' }) as const);
  const functions = Array.from({ length: 140 }, (_, i) => ({ ...script(`f${i}`), body }));
  expect(() => build({ functions })).toThrow('the functions need more than the 524288 bytes');
});
