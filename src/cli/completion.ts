// Layer cli. `reprobe completion`: a script for bash or zsh, whichever SHELL names. yargs writes it, and the
// script asks `reprobe --get-yargs-completions`, which the parser of `cli.ts` answers from the commands.
import yargs from 'yargs';
import type { Command, NoOptions } from './command.ts';
import { EXIT } from './shell.ts';

export const completionCommand: Command<NoOptions> = {
  name: 'completion',
  about: 'Print a completion script for bash or zsh',
  options: {},
  examples: [['$0 completion >> ~/.bashrc', 'complete commands and options']],
  async run(_args, shell) {
    await shell.out.write(`${await completionScript()}\n`);
    return EXIT.fine;
  },
};

/** yargs prints only while it parses. */
async function completionScript(): Promise<string> {
  let script = '';
  const parser = yargs().scriptName('reprobe').exitProcess(false);
  parser.command('$0', '', {}, () => void parser.showCompletionScript());
  await parser.parseAsync([], {}, (_error, _args, text) => {
    script = text;
  });
  return script;
}
