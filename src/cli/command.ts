// Layer cli. A command as data, from which parsing, help, completion and "did you mean" all come.
import type { Argv, InferredOptionTypes, Options } from 'yargs';
import type { Shell } from './shell.ts';
import { UsageError } from './usage.ts';

interface Positional {
  readonly name: string;
  readonly about: string;
}

export type NoOptions = Readonly<Record<string, never>>;

type Arguments<O extends Readonly<Record<string, Options>>> = InferredOptionTypes<O> & {
  readonly file: string;
};

export interface Command<O extends Readonly<Record<string, Options>>> {
  readonly name: string;
  readonly about: string;
  readonly positional?: Positional;
  readonly options: O;
  readonly examples: readonly (readonly [command: string, about: string])[];
  /** The exit status. `file` is the positional argument. */
  run(args: Arguments<O>, shell: Shell): Promise<number>;
}

/** What is left of a command for those who only look it up. */
export interface CommandFace {
  readonly name: string;
  readonly options: Readonly<Record<string, Options>>;
  attach(parser: Argv, shell: Shell, end: (status: number) => void): void;
}

export function face<O extends Readonly<Record<string, Options>>>(
  command: Command<O>,
): CommandFace {
  const { name, options, positional } = command;
  const usage = positional === undefined ? name : `${name} <${positional.name}>`;
  return {
    name,
    options,
    attach(parser, shell, end) {
      parser.command(
        usage,
        command.about,
        (builder) => describeCommand(builder, command),
        async (args) => {
          refuseRepeated(args, options);
          const file = positional === undefined ? '' : String(args[positional.name]);
          // What yargs parsed is what the options say; its own type says so for camel case only.
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion
          const parsed = { ...args, file } as unknown as Arguments<O>;
          end(await command.run(parsed, shell));
        },
      );
    },
  };
}

function describeCommand<O extends Readonly<Record<string, Options>>>(
  builder: Argv,
  { positional, options, examples }: Command<O>,
): Argv<InferredOptionTypes<O>> {
  if (positional !== undefined)
    builder.positional(positional.name, { type: 'string', describe: positional.about });
  for (const [command, about] of examples) builder.example(command, about);
  return builder.options(options);
}

/** An option given twice is a slip unless it takes a list. */
function refuseRepeated(
  args: Readonly<Record<string, unknown>>,
  options: Readonly<Record<string, Options>>,
): void {
  for (const [name, option] of Object.entries(options)) {
    if (option.array !== true && Array.isArray(args[name]))
      throw new UsageError(`--${name} is given ${args[name].length} times, expected it once`);
  }
}
