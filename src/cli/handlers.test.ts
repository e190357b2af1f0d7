// `--handlers`: modules of a user's own, as the commands take them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { capture } from './captured-shell.ts';
import { main } from './cli.ts';

const WORKLOAD = `name: ticks
machine: { cpus: 1 }
data: { ticks: 8 }
functions: { f: { body: [work 9, sleep 50] } }
typescript: { tick: 1 }
tasks: { t: { cpu: 0, run: f, times: 9 } }
handlers: { clock: { timer: tick, cpu: 0, first: 10, every: 20, times: 5 } }
expect: [{ counter: ticks, is: 5 }]
`;

/** As `defineHandler` makes them; these modules lie where no package is. */
function moduleOf(version: number, body: string): string {
  const path = `function* (cx) { ${body} }`;
  return `export const tick = { kind: 'handler', name: 'tick', version: ${version}, path: ${path} };
export const other = 5;\n`;
}

const MODULES = {
  'ticks.mjs': moduleOf(1, "yield* cx.count('ticks');"),
  'newer.mjs': moduleOf(2, "yield* cx.count('ticks');"),
  'other.mjs': moduleOf(1, "yield* cx.count('ticks'); yield* cx.printk('more');"),
  'boom.mjs': moduleOf(1, "if ((yield* cx.count('ticks')) === 2) throw new Error('boom');"),
  'typo.mjs': moduleOf(1, "yield* cx.count('tocks');"),
  'empty.mjs': 'export const a = 1;\n',
  'broken.mjs': "throw new TypeError('not today');\n",
};

let cwd = '';

async function reprobe(line: string): Promise<readonly [status: number, out: string, err: string]> {
  const { shell, out, err } = capture({ cwd });
  const status = await main(line.split(' '), shell);
  return [status, out(), err()];
}

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'reprobe-handlers-'));
  writeFileSync(join(cwd, 'ticks.yaml'), WORKLOAD);
  for (const [name, text] of Object.entries(MODULES)) writeFileSync(join(cwd, name), text);
  const [status, out] = await reprobe('record ticks.yaml --handlers ticks.mjs');
  expect([status, out]).toEqual([0, expect.stringContaining('ticks is 5: met')]);
  expect(out).toContain(
    'reprobe record ticks.yaml -o ticks.trace --seed 1 --chooser random --handlers ticks.mjs',
  );
});

afterAll(() => {
  rmSync(cwd, { recursive: true });
});

test('a recording replays with the same handlers, wherever they are among the modules', async () => {
  const line = 'replay ticks.trace --handlers newer.mjs --handlers ticks.mjs';
  const [status, out, err] = await reprobe(line);
  expect([status, err]).toEqual([0, '']);
  expect(out).toMatch(/^identical: /u);
});

test('it is judged and reported without them', async () => {
  expect((await reprobe('judge ticks.trace'))[0]).toBe(0);
  expect((await reprobe('report ticks.trace'))[1]).toContain('name=tick ');
});

test('another behaviour under the same version is a divergence', async () => {
  const [status, out] = await reprobe('replay ticks.trace --handlers other.mjs');
  expect([status, out]).toEqual([1, expect.stringContaining('text=more')]);
});

test('a handler that throws ends the run with an oops and says where it threw', async () => {
  const [status, out, err] = await reprobe('record ticks.yaml -o boom.trace --handlers boom.mjs');
  expect([status, err]).toEqual([1, '']);
  expect(out).toMatch(
    /ended with oops\n {2}by .*reason="handler tick threw Error: boom".*\n +at .*boom\.mjs:1:\d+/u,
  );
  expect((await reprobe('replay boom.trace --handlers boom.mjs'))[0]).toBe(0);
});

const MISSING =
  'give the module that defines it (--handlers MODULE.js on the command line, `handlers` in a program)';

test.each([
  [
    'record ticks.yaml -o x.trace',
    `ticks.yaml:5:21: the TypeScript handler 'tick' version 1 is missing, none is given: ${MISSING}`,
  ],
  [
    'replay ticks.trace',
    `ticks.yaml: typescript.tick: the TypeScript handler 'tick' version 1 is missing, none is given: ${MISSING}`,
  ],
  [
    'replay ticks.trace --handlers newer.mjs',
    "ticks.yaml: typescript.tick: expected the TypeScript handler 'tick' version 1, found version 2: give the module as it was at version 1 (--handlers MODULE.js on the command line, `handlers` in a program)",
  ],
  [
    'replay ticks.trace --handlers empty.mjs',
    'empty.mjs: expected a module that exports what defineHandler or defineTask made, found none',
  ],
  [
    'replay ticks.trace --handlers broken.mjs',
    'broken.mjs: cannot load the handlers: TypeError: not today',
  ],
  [
    'replay ticks.trace --handlers tick.mjs',
    "tick.mjs: cannot read the handlers: no such file or directory, did you mean 'ticks.mjs'?",
  ],
  [
    'record ticks.yaml -o x.trace --handlers typo.mjs',
    "handler 'tick' (version 1): count('tocks'): unknown data 'tocks', did you mean 'ticks'? expected one of ticks",
  ],
  [
    'replay ticks.trace --handlers ticks.mjs --handlers other.mjs',
    "handlers: handler 'tick' (version 1) is given twice, with different paths",
  ],
])('%s: one clear sentence', async (line, message) => {
  expect(await reprobe(line)).toEqual([2, '', `reprobe: ${message}\n`]);
});
