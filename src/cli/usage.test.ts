// Wrong command lines: one line on stderr, the nearest word, exit status 2. yargs' own English is read back by
// `usage.ts`; a version that says it differently fails here.
import { expect, test } from 'vitest';
import { capture } from './captured-shell.ts';
import { main } from './cli.ts';

async function refused(command: string): Promise<string> {
  const { shell, out, err } = capture();
  const status = await main(command === '' ? [] : command.split(' '), shell);
  expect({ status, out: out() }).toEqual({ status: 2, out: '' });
  expect(err()).toMatch(/^reprobe: [^\n]+\n$/u);
  return err().slice('reprobe: '.length, -1);
}

const COMMANDS =
  'expected one of record, replay, report, judge, explain, cat, eras, disasm, schema, variants, completion';

test.each([
  ['', `no command, ${COMMANDS}`],
  ['--seed', `no command before '--seed', ${COMMANDS}`],
  ['recrod x', `unknown command 'recrod', did you mean 'record'? ${COMMANDS}`],
  ['zzzzzzzz', `unknown command 'zzzzzzzz', ${COMMANDS}`],
  ['record', 'record expects a file'],
  ['record a b', "unexpected argument 'b' of record"],
  ['record a --sede 1', "unknown option '--sede' of record, did you mean '--seed'?"],
  ['record a --sede=1', "unknown option '--sede' of record, did you mean '--seed'?"],
  ['record a b --sede 1', "unknown option '--sede' of record, did you mean '--seed'?"],
  ['record a --no-json', "unknown option '--no-json' of record, did you mean '--json'?"],
  ['judge a -x', "unknown option '-x' of judge, expected one of --json, --help, --version"],
  ['disasm', 'disasm expects a file'],
  ['disasm a b c', "unexpected argument 'c' of disasm"],
  ['record a --seed', '--seed expects a value'],
  ['record a -o', '-o expects a value'],
  ['record a --seed 1 --seed 2', '--seed is given 2 times, expected it once'],
  [
    'record a --chooser clam',
    "--chooser: expected one of random, calm, found 'clam', did you mean 'calm'?",
  ],
  [
    'report a --format txt',
    "--format: expected one of text, ftrace, json, found 'txt', did you mean 'text'?",
  ],
  [
    'record golden/unregister-idle.yaml --variant m13',
    "--variant: unknown variant 'm13', did you mean 'M-13'? see all with reprobe variants",
  ],
  [
    'record golden/unregister-idle.yaml --variant nothing',
    "--variant: unknown variant 'nothing', see all with reprobe variants",
  ],
  [
    'record a --profile tody',
    "--profile: expected one of today, v6.18, v6.14, v6.12, v6.1, v5.18, v2.6.31, found 'tody', did you mean 'today'?",
  ],
])('`reprobe %s` says: %s', async (command, message) => {
  expect(await refused(command)).toBe(message);
});

test.each(['-1', '1.5', '1e3', '0x10', '4294967296', 'x', '99999999999999999999'])(
  'seed %s is no seed',
  async (seed) => {
    const file = 'golden/filter-swap-interrupted.yaml';
    expect(await refused(`record ${file} --seed=${seed}`)).toBe(
      `--seed: expected a whole number from 0 to 4294967295, found '${seed}'`,
    );
  },
);

async function complete(words: readonly string[]): Promise<readonly string[]> {
  const { shell, out } = capture();
  expect(await main(['--get-yargs-completions', 'reprobe', ...words], shell)).toBe(0);
  return out().trimEnd().split('\n');
}

test('completion knows commands, options and their values', async () => {
  expect(await complete(['re'])).toEqual(expect.arrayContaining(['record', 'replay', 'report']));
  expect(await complete(['record', '--'])).toEqual(expect.arrayContaining(['--seed', '--variant']));
  expect(await complete(['dis'])).toContain('disasm');
  expect(await complete(['report', '--format', ''])).toEqual(['text', 'ftrace', 'json']);
});
