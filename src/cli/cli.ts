// Layer cli. From arguments to an exit status. Everything that a command throws ends here, and only here.
import yargs, { type Argv } from 'yargs';
import { InputError } from '../assert.ts';
import { VERSION } from '../replay/version.ts';
import { catCommand } from './cat.ts';
import { type CommandFace, face } from './command.ts';
import { completionCommand } from './completion.ts';
import { disasmCommand } from './disasm.ts';
import { erasCommand } from './eras.ts';
import { explainCommand } from './explain.ts';
import { faultLines } from './fault.ts';
import { judgeCommand } from './judge.ts';
import { commandLine } from './quote.ts';
import { recordCommand } from './record.ts';
import { replayCommand } from './replay.ts';
import { reportCommand } from './report.ts';
import { schemaCommand } from './schema.ts';
import { EXIT, type Shell, paintFor } from './shell.ts';
import { UsageError, explain } from './usage.ts';
import { variantsCommand } from './variants.ts';

const COMMANDS: readonly CommandFace[] = [
  face(recordCommand),
  face(replayCommand),
  face(reportCommand),
  face(judgeCommand),
  face(explainCommand),
  face(catCommand),
  face(erasCommand),
  face(disasmCommand),
  face(schemaCommand),
  face(variantsCommand),
  face(completionCommand),
];

const EXIT_STATUS = `Exit status:
  0  fine
  1  a divergence, a broken guarantee, or an expectation that was not met
  2  wrong input or usage
 70  a fault of reprobe itself; it prints the seed and the command that shows it
130  stopped by Ctrl-C; the recording holds what was done
141  nobody reads the output`;

const EXAMPLES: readonly (readonly [command: string, about: string])[] = [
  ['$0 record swap.yaml -o swap.trace --seed 7', 'run a workload and write down the run'],
  ['$0 replay swap.trace', 'run it again and compare every event'],
  ['$0 report swap.trace --format ftrace', "read it as the kernel's trace file"],
  ['$0 judge swap.trace', 'see which documented guarantees held'],
];

/** Runs one command; the exit status. */
export async function main(argv: readonly string[], shell: Shell): Promise<number> {
  try {
    return await runCommand(argv, shell);
  } catch (error) {
    return await endBadly(error, argv, shell);
  }
}

async function runCommand(argv: readonly string[], shell: Shell): Promise<number> {
  let status: number = EXIT.fine;
  let output = '';
  const parser = parserFor(argv);
  for (const command of COMMANDS) command.attach(parser, shell, (end) => (status = end));
  await parser.parseAsync([...argv], {}, (_error, _args, text) => {
    output = text;
  });
  if (output !== '') await shell.out.write(`${output}\n`);
  return status;
}

function parserFor(argv: readonly string[]): Argv {
  const parser = yargs()
    .scriptName('reprobe')
    .usage('$0 <command>\n\nDeterministic record and replay for Linux function tracing.')
    .detectLocale(false)
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .exitProcess(false)
    .wrap(80)
    .strict()
    .demandCommand(1)
    .version(VERSION)
    .help()
    .alias('help', 'h')
    .epilogue(EXIT_STATUS)
    .fail((message: string | undefined, error: Error | undefined) => {
      if (error !== undefined && error.name !== 'YError') throw error;
      throw new UsageError(explain(message ?? '', argv, COMMANDS));
    });
  for (const [command, about] of EXAMPLES) parser.example(command, about);
  return parser;
}

async function endBadly(error: unknown, argv: readonly string[], shell: Shell): Promise<number> {
  if (isBrokenPipe(error)) return EXIT.pipe;
  const paint = paintFor(shell, shell.err);
  const lines =
    error instanceof InputError
      ? [`${paint('red', 'reprobe')}: ${error.message}`]
      : faultLines(error, commandLine(shell.self, argv));
  try {
    await shell.err.write(`${lines.join('\n')}\n`);
  } catch {
    // Nobody listens on stderr either: the status has to tell.
  }
  return error instanceof InputError ? EXIT.wrong : EXIT.fault;
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}
