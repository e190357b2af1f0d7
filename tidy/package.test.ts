// The package in the hands of a user: installed from its tarball, checked by a compiler, run by a plain Node. Every
// example of the public API and of the documents runs there, and prints what it says.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Example, exampleOf, examplesIn, publicNames } from './examples.ts';
import { install, type Installed, run } from './installed.ts';
import { deadLinks, liveLinks } from './links.ts';
import { ROOT } from './source.ts';

const TIMEOUT_MS = 120_000;

/** By the name of its file; names that differ in their letters' case alone are two files everywhere. */
const examples: readonly (readonly [file: string, example: Example])[] = [
  ...publicNames().flatMap((name) => exampleOf(name) ?? []),
  ...examplesIn('README.md'),
  ...examplesIn('docs/api.md'),
].map((example, index) => [`${index}-${example.name}`, example]);

const OPTIONS = {
  target: 'es2023',
  lib: ['es2023'],
  module: 'nodenext',
  types: ['console'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  skipLibCheck: false,
  outDir: 'out',
};

/** All that the examples need of a host; the package's own declarations need nothing. */
const CONSOLE = 'declare var console: { log(...values: readonly unknown[]): void };\n';

/** Imports all examples, one after the other, and tells what each printed. */
const RUNNER = `
const printed = {};
for (const name of JSON.parse(process.argv[2])) {
  const lines = (printed[name] = []);
  console.log = (...values) => lines.push(values.map(String).join(' '));
  await import('./out/' + name + '.js');
}
process.stdout.write(JSON.stringify(printed));
`;

const COMMENT = /\/\*[\s\S]*?\*\/|\/\/.*$/gmu;

let installed: Installed = { app: '', folder: '' };

beforeAll(async () => {
  installed = await install();
  const { app } = installed;
  mkdirSync(join(app, 'node_modules/@types/console'), { recursive: true });
  const types = join(app, 'node_modules/@types/console');
  writeFileSync(join(types, 'index.d.ts'), CONSOLE);
  writeFileSync(join(types, 'package.json'), '{ "name": "@types/console", "version": "1.0.0" }');
}, TIMEOUT_MS);

afterAll(() => {
  rmSync(installed.folder, { recursive: true, force: true });
});

function write(file: string, text: string): void {
  writeFileSync(join(installed.app, file), text);
}

/** Checks and compiles `files` as a user's compiler does; what it complains about. */
async function compile(files: readonly string[]): Promise<string> {
  write('tsconfig.json', JSON.stringify({ compilerOptions: OPTIONS, files }));
  const { out } = await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', '.'], installed.app);
  return out;
}

async function reprobe(...words: readonly string[]): Promise<readonly [number | null, string]> {
  const { status, out, err } = await run('node_modules/.bin/reprobe', words, installed.app);
  return [status, out + err];
}

test('it holds what it should', () => {
  const found = readdirSync(join(installed.app, 'node_modules/reprobe'));
  expect(found.toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
    'ARCHITECTURE.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'LICENSE',
    'README.md',
    'dist',
    'docs',
    'include',
    'package.json',
  ]);
});

test('no link of its documents and no source map leads out of it', () => {
  const root = join(installed.app, 'node_modules/reprobe');
  expect(deadLinks(root)).toEqual([]);
  expect(liveLinks(join(root, 'README.md'))).toContain('docs/cli.md');
});

test('a link that leads nowhere is found', () => {
  const folder = join(installed.folder, 'links');
  mkdirSync(join(folder, 'inner'), { recursive: true });
  writeFileSync(join(folder, 'inner/a.md'), '[a](../b.md#c) [b](b.md) [c](https://c.md) [d](#d)');
  writeFileSync(join(folder, 'b.md'), '');
  writeFileSync(join(folder, 'a.js'), '//# sourceMappingURL=a.js.map\n');
  writeFileSync(join(folder, 'b.js'), '//# sourceMappingURL=b.js.map\n');
  writeFileSync(join(folder, 'b.js.map'), '{ "sources": ["b.ts"] }');
  expect(deadLinks(folder)).toEqual(['a.js: a.js.map', 'b.js.map: b.ts', 'inner/a.md: b.md']);
});

test(
  'every example compiles, and prints what it says',
  async () => {
    for (const [file, { code }] of examples) write(`${file}.ts`, `${code}export {};\n`);
    expect(await compile(examples.map(([file]) => `${file}.ts`))).toBe('');
    write('runner.js', RUNNER);
    const names = JSON.stringify(examples.map(([file]) => file));
    const { status, out, err } = await run(process.execPath, ['runner.js', names], installed.app);
    expect([status, err]).toEqual([0, '']);
    const expected = examples.map(([file, { prints }]) => [file, prints] as const);
    expect(JSON.parse(out)).toEqual(Object.fromEntries(expected));
  },
  TIMEOUT_MS,
);

test(
  'mistakes are found by the compiler',
  async () => {
    write(
      'mistakes.ts',
      `import { defineTask, record, workload } from 'reprobe';
const w = workload('mistakes', { cpus: 1 });
const open = w.function('vfs_open', (f) => [f.work(4)]);
const nap = defineTask('nap', 1, function* (cx) { yield* cx.sleep(1); });
w.task('t', { cpu: 0, run: 'vfs_open' });
w.irq('tick', { run: nap });
w.at('start', { register: open });
w.function('g', (f) => [f.call('rcu_read_lok')]);
w.function('h', (f) => [f.regs()]);
w.on({ event: 'irq_entr' }, { irq: open });
record(w, { sed: 1 });
`,
    );
    const lines = [...(await compile(['mistakes.ts'])).matchAll(/^mistakes\.ts\((\d+),/gmu)];
    expect(lines.map(([, line]) => Number(line))).toEqual([5, 6, 7, 8, 9, 10, 11]);
  },
  TIMEOUT_MS,
);

test('its declarations speak of nothing but itself', () => {
  const dist = join(installed.app, 'node_modules/reprobe/dist');
  const open = [join(dist, 'index.d.ts')];
  const seen = new Set<string>();
  const foreign: string[] = [];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = readFileSync(file, 'utf8').replaceAll(COMMENT, '');
    for (const [, name = ''] of text.matchAll(/(?:from|import\() ?['"]([^'"]+)['"]/gu)) {
      if (name.startsWith('.')) open.push(join(dirname(file), name.replace(/\.ts$/u, '.d.ts')));
      else foreign.push(`${file}: ${name}`);
    }
    if (/\b(?:NodeJS|Buffer)\b/u.test(text)) foreign.push(`${file}: Node`);
  }
  expect(foreign).toEqual([]);
  expect(seen.size).toBeGreaterThan(10);
});

test(
  'its program records and replays a workload whose handlers are JavaScript',
  async () => {
    write(
      'ticks.js',
      `import { defineHandler } from 'reprobe';
export const tick = defineHandler('tick', 1, function* (cx) {
  yield* cx.count('ticks');
});
`,
    );
    const api = readFileSync(join(ROOT, 'docs/api.md'), 'utf8');
    write('ticks.yaml', /^```yaml\n([\s\S]*?)^```$/mu.exec(api)?.[1] ?? '');
    const recorded = await reprobe('record', 'ticks.yaml', '--handlers', 'ticks.js');
    expect(recorded).toEqual([0, expect.stringContaining('ticks is 5: met')]);
    expect(recorded[1]).toContain('--handlers ticks.js');
    expect(await reprobe('replay', 'ticks.trace', '--handlers', 'ticks.js')).toEqual([
      0,
      expect.stringMatching(/^identical: \d+ events/u),
    ]);
    expect(await reprobe('replay', 'ticks.trace')).toEqual([
      2,
      expect.stringMatching(/'tick' version 1 is missing.*--handlers/u),
    ]);
  },
  TIMEOUT_MS,
);
