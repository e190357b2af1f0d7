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
  readonly second: string | undefined;
};

export interface Command<O extends Readonly<Record<string, Options>>> {
  readonly name: string;
  readonly about: string;
  readonly positional?: Positional;
  /** A further one, which may be left out. */
  readonly second?: Positional;
  readonly options: O;
  readonly examples: readonly (readonly [command: string, about: string])[];
  /** The exit status. `file` is the positional argument, `second` the further one. */
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
  const { name, options, positional, second } = command;
  const required = positional === undefined ? '' : ` <${positional.name}>`;
  const usage = `${name}${required}${second === undefined ? '' : ` [${second.name}]`}`;
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
          const further = second === undefined ? undefined : args[second.name];
          // What yargs parsed is what the options say; its own type says so for camel case only.
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion
          const parsed = { ...args, file, second: further } as unknown as Arguments<O>;
          end(await command.run(parsed, shell));
        },
      );
    },
  };
}

function describeCommand<O extends Readonly<Record<string, Options>>>(
  builder: Argv,
  { positional, second, options, examples }: Command<O>,
): Argv<InferredOptionTypes<O>> {
  for (const one of [positional, second]) {
    if (one !== undefined) builder.positional(one.name, { type: 'string', describe: one.about });
  }
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
