// Layer cli. What yargs refuses, in one line that names the nearest valid word. The English of yargs is read
// back here; `usage.test.ts` fails when another version says it differently.
import type { Options } from 'yargs';
import { InputError } from '../assert.ts';
import { didYouMean } from '../replay/workload/nearest.ts';

/** The command line is wrong. */
export class UsageError extends InputError {}

interface Named {
  readonly name: string;
  readonly options: Readonly<Record<string, Options>>;
}

const EVERYWHERE: readonly string[] = ['help', 'version'];

/** One sentence about what is wrong with `argv`. */
export function explain(
  message: string,
  argv: readonly string[],
  commands: readonly Named[],
): string {
  const names = commands.map(({ name }) => name);
  const word = argv.find((one) => !one.startsWith('-'));
  const command = commands.find(({ name }) => name === word);
  if (command === undefined) return explainCommand(word, names, argv);
  const unknown = /^Unknown arguments?: (.*)$/u.exec(message)?.[1];
  if (unknown !== undefined) return explainUnknown(unknown.split(', '), argv, command);
  const invalid = /^Invalid values:\s+Argument: (\S+), Given: "(.*)", Choices: /u.exec(message);
  if (invalid !== null) return explainValue(invalid[1] ?? '', invalid[2] ?? '', command);
  const empty = /^Not enough arguments following: (.*)$/u.exec(message)?.[1];
  if (empty !== undefined) return `${dashed(empty)} expects a value`;
  if (message.startsWith('Not enough non-option arguments'))
    return `${command.name} expects a file`;
  return message;
}

function explainCommand(
  word: string | undefined,
  names: readonly string[],
  argv: readonly string[],
): string {
  const expected = `expected one of ${names.join(', ')}`;
  if (word !== undefined)
    return `unknown command '${word}'${didYouMean(word, names) || ','} ${expected}`;
  const [option] = argv;
  if (option === undefined) return `no command, ${expected}`;
  return `no command before '${option}', ${expected}`;
}

function explainUnknown(
  unknown: readonly string[],
  argv: readonly string[],
  command: Named,
): string {
  const [first = ''] = unknown;
  const isOption = argv.some(
    (one) => one.startsWith('-') && one.replace(/^-+/u, '').startsWith(first),
  );
  if (!isOption) return `unexpected argument '${first}' of ${command.name}`;
  const known = [...Object.keys(command.options), ...EVERYWHERE].map((name) => `--${name}`);
  const given = dashed(first);
  const hint = didYouMean(given, known);
  return `unknown option '${given}' of ${command.name}${hint || `, expected one of ${known.join(', ')}`}`;
}

function explainValue(name: string, given: string, { options }: Named): string {
  const choices = (options[name]?.choices ?? []).map(String);
  const hint = didYouMean(given, choices);
  return `--${name}: expected one of ${choices.join(', ')}, found '${given}'${hint}`;
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

/** A whole number from 0 to `max`, of decimal digits only. */
export function wholeNumber(name: string, given: string, max: number): number {
  const value = /^\d{1,15}$/u.test(given) ? Number(given) : Number.NaN;
  if (value <= max) return value;
  throw new UsageError(`--${name}: expected a whole number from 0 to ${max}, found '${given}'`);
}
