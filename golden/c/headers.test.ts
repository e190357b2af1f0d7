// What guest code is compiled and linked against says the same as the emulator.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { stubAddresses } from './stubs.ts';

const include = new URL('../../include/', import.meta.url);

function read(name: string): string {
  return readFileSync(new URL(name, include), 'utf8');
}

/** Entered by trampolines and by the machine itself, never called by C. */
const NOT_FOR_C = new Set(['__return_to_path', 'ftrace_ops_list_func', 'ftrace_ops_assist_func']);

test('reprobe.ld provides every kernel symbol at the address of its stub, and no other', () => {
  const provided = [...read('reprobe.ld').matchAll(/^PROVIDE\((\w+) = 0x(\w+)\);$/gm)];
  const published = [...stubAddresses()].map(([name, address]) => [
    name,
    (0xffffffff80000000n + BigInt(address)).toString(16),
  ]);
  expect(provided.map(([, name, address]) => [name, address])).toEqual(published);
});

test('every kernel symbol that C may call has one prototype', () => {
  const headers = readdirSync(new URL('linux', include)).map((name) => read(`linux/${name}`));
  const prototypes = headers.flatMap((text) =>
    [...text.matchAll(/^(?!#|typedef).*?\b(\w+)\([^()]*\);$/gm)].map(([, name]) => name),
  );
  const callable = [...stubAddresses().keys()].filter((name) => !NOT_FOR_C.has(name));
  expect(prototypes.length).toBe(callable.length);
  expect(new Set(prototypes)).toEqual(new Set(callable));
});

test('headers need nothing but each other and the compiler', () => {
  const here = readdirSync(new URL('linux', include));
  for (const name of here) {
    for (const [, wanted = ''] of read(`linux/${name}`).matchAll(/#include <(.*)>/g)) {
      expect(['stddef.h', ...here.map((other) => `linux/${other}`)]).toContain(wanted);
    }
  }
});
