// Listings of machine code: ours are those of GNU objdump, which are committed beside the programs, and compared again
// where the tool is installed.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError } from '../../src/assert.ts';
import { readListed } from '../../src/emu/listed.ts';
import { listedNames, listing } from '../../src/emu/listing.ts';
import { FORMS, identify } from '../../src/emu/riscv/instruction.ts';

const OBJDUMP = 'riscv64-unknown-elf-objdump';
/** What the committed listings were made with; others spell some instructions in other ways. */
const PINNED = /^GNU objdump \(.*\) 2\.40\b/u;

/** The C image, and a program of everything that there is to be listed. */
const PROGRAMS = ['../c/store', './all'] as const;

function read(name: string): Buffer {
  return readFileSync(new URL(name, import.meta.url));
}

/** The name of the file as it was when the listing was made: without its folder. */
function plain(name: string): string {
  return name.replace(/^.*\//u, '');
}

function lines(name: string, symbol?: string): string {
  const listed = readListed(read(`${name}.elf`), `${plain(name)}.elf`);
  return `${[...listing(listed, symbol)].join('\n')}\n`;
}

/** What objdump prints, or why it cannot be asked. */
function objdump(name: string, ...options: readonly string[]): string | { readonly why: string } {
  const version = spawnSync(OBJDUMP, ['--version'], { encoding: 'utf8' });
  if (version.error !== undefined) return { why: 'is not installed' };
  const [first = ''] = version.stdout.split('\n');
  if (!PINNED.test(first)) return { why: `is ${first}, expected 2.40` };
  const cwd = new URL(name.replace(/[^/]*$/u, ''), import.meta.url);
  return spawnSync(OBJDUMP, [...options, `${plain(name)}.elf`], { cwd, encoding: 'utf8' }).stdout;
}

function tellNotCovered(why: string): void {
  console.log(`not covered: asking ${OBJDUMP}, which ${why}; its committed listings are compared`);
}

test.each(PROGRAMS)('%s is listed as it was by GNU objdump', (name) => {
  expect(lines(name)).toBe(read(`${name}.lst`).toString());
});

test.each(PROGRAMS)('%s is listed as by the GNU objdump that is installed', (name) => {
  const theirs = objdump(name, '-d');
  if (typeof theirs !== 'string') tellNotCovered(theirs.why);
  expect(lines(name)).toBe(typeof theirs === 'string' ? theirs : read(`${name}.lst`).toString());
});

/** What the committed listing says under the header of a symbol, as far as its bytes go. */
function committed(name: string, symbol: string): string {
  const text = read(`${name}.lst`).toString();
  const from = text.indexOf(`<${symbol}>:\n`);
  return text.slice(from, text.indexOf('\n\n', from)).replace(/\n[^\n]*\tnop$/u, '');
}

test.each(['queue_pop', 'copy_bytes', 'table_remove', 'store_check'])(
  'the function %s alone is listed as by GNU objdump',
  (symbol) => {
    const [name] = PROGRAMS;
    const ours = lines(name, symbol);
    const theirs = objdump(name, `--disassemble=${symbol}`);
    if (typeof theirs === 'string') expect(ours).toBe(theirs);
    else tellNotCovered(theirs.why);
    expect(ours).toContain(committed(name, symbol));
  },
);

test('the program of everything holds every instruction and compressed form', () => {
  const seen = new Set<string>();
  for (const [, digits = ''] of read('all.lst')
    .toString()
    .matchAll(/^ +\w+:\t(\w+) /gmu)) {
    const word = Number.parseInt(digits, 16);
    seen.add(identify(word & 0xffff, word >>> 16)?.form.name ?? 'none');
  }
  expect(FORMS.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([]);
});

test('what can be listed alone is known by name', () => {
  const listed = readListed(read('all.elf'), 'all.elf');
  expect(listedNames(listed)).toEqual(
    expect.arrayContaining(['base', 'alias', 'other', 'local', 'named', 'second']),
  );
  expect(listedNames(listed)).not.toContain('counter');
  expect(lines('./all', 'local')).toContain('00000000000102f6 <local>:\n   102f6:\t8082 ');
});

test('a damaged program is listed or is an input error', () => {
  const file = read('all.elf');
  const patch = fc.tuple(fc.nat(file.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(patch, { maxLength: 6 }), fc.boolean(), (patches, cut) => {
      const copy = new Uint8Array(file.subarray(0, cut ? patches[0]?.[0] : file.length));
      for (const [at, value] of patches) if (at < copy.length) copy[at] = value;
      try {
        const listed = readListed(copy, 'damaged.elf');
        expect([...listing(listed)].length).toBeGreaterThan(3);
        for (const name of listedNames(listed)) {
          expect([...listing(listed, name)].length).toBeGreaterThan(5);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
      }
    }),
    { numRuns: 200 },
  );
});
