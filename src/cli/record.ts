// Layer cli. `reprobe record`: runs a workload, writes the recording while it grows, says how the run ended
// and how to have the same run again.
import { basename, extname } from 'node:path';
import type { InferredOptionTypes } from 'yargs';
import { InputError } from '../assert.ts';
import { profiles } from '../replay/api/catalogue.ts';
import { readRecording } from '../replay/recording.ts';
import type { Command } from './command.ts';
import { withSeed } from './fault.ts';
import { isSameFile, OutputFile, readInput } from './files.ts';
import { findModules, handlersOption } from './handlers.ts';
import { type Progress, startProgress } from './progress.ts';
import { commandLine } from './quote.ts';
import { recordJson, recordText } from './record-summary.ts';
import type { RecordJob, RecordSummary } from './recorder.ts';
import { EXIT, paintFor, type Shell } from './shell.ts';
import { chooserOption, readSeed, readSource, seedOption } from './source.ts';
import { UsageError } from './usage.ts';
import { checkVariant } from './variants.ts';
import { isBroken } from './verdict.ts';

const options = {
  output: {
    alias: 'o',
    type: 'string',
    requiresArg: true,
    describe: 'File to write [default: WORKLOAD.trace here]',
  },
  seed: seedOption,
  chooser: chooserOption,
  profile: {
    choices: profiles().map(({ name }) => name),
    default: 'today',
    describe: 'Which kernel era is emulated',
  },
  variant: {
    type: 'string',
    array: true,
    requiresArg: true,
    nargs: 1,
    default: [] as string[],
    describe: 'Replace parts of the kernel by a variant (see: reprobe variants)',
  },
  handlers: handlersOption,
  json: { type: 'boolean', default: false, describe: 'Print the summary as JSON' },
} as const;

export const recordCommand: Command<typeof options> = {
  name: 'record',
  about: 'Run a workload and record the run',
  positional: { name: 'workload', about: 'A YAML file (see: reprobe schema)' },
  options,
  examples: [
    ['$0 record swap.yaml', 'write swap.trace'],
    [
      '$0 record swap.yaml -o bad.trace --seed 7 --variant M-13',
      'run a kernel with a planted fault',
    ],
  ],
  async run(args, shell) {
    const job = readJob(args.file, args, shell);
    const file = args.output ?? `${basename(args.file, extname(args.file))}.trace`;
    const output = openOutput(file, job, shell);
    const command = reproduction(file, job, shell);
    const summary = await withSeed(job.settings.seed, command, () => recordTo(output, job, shell));
    if (summary === undefined) return EXIT.interrupted;
    const recorded = { file, job, command, summary };
    const text = args.json
      ? recordJson(recorded)
      : recordText(recorded, paintFor(shell, shell.out));
    await shell.out.write(`${text}\n`);
    const { verdicts, expectations, unfired } = summary;
    if (verdicts.some(isBroken) || !expectations.every(({ met }) => met)) {
      if (unfired.length > 0) await shell.err.write(`${unfired.join('\n')}\n`);
      return EXIT.broken;
    }
    if (unfired.length > 0) throw new InputError(unfired.join('\n'));
    return EXIT.fine;
  },
};

function readJob(file: string, args: InferredOptionTypes<typeof options>, shell: Shell): RecordJob {
  const source = readSource(shell, file);
  const { chooser, profile, variant } = args;
  const seed = readSeed(args.seed, source);
  variant.forEach(checkVariant);
  return {
    source: source.source,
    settings: { seed, chooser, profile, variants: variant },
    modules: findModules(shell.cwd, args.handlers),
  };
}

function openOutput(file: string, { source }: RecordJob, shell: Shell): OutputFile {
  if (file === '' || file === '-')
    throw new UsageError(`--output: expected the name of a file, found '${file}'`);
  if (isSameFile(shell.cwd, file, source.file))
    throw new UsageError('--output: expected another file than the workload', file);
  if (source.imageFile !== undefined && isSameFile(shell.cwd, file, source.imageFile))
    throw new UsageError("--output: expected another file than the workload's image", file);
  for (const module of source.modules ?? []) {
    if (module.file !== undefined && isSameFile(shell.cwd, file, module.file))
      throw new UsageError(`--output: expected another file than module ${module.name}`, file);
  }
  return new OutputFile(shell.cwd, file);
}

/** The command that records the same run, with everything said that a default could change. */
function reproduction(file: string, job: RecordJob, shell: Shell): string {
  const { source, settings, modules } = job;
  const { seed, chooser, profile, variants } = settings;
  return commandLine(shell.self, [
    'record',
    source.file,
    '-o',
    file,
    '--seed',
    String(seed),
    '--chooser',
    chooser,
    ...(profile === 'today' ? [] : ['--profile', profile]),
    ...variants.flatMap((variant) => ['--variant', variant]),
    ...modules.flatMap((module) => ['--handlers', module.file]),
  ]);
}

/** Undefined when the user stopped it. */
async function recordTo(
  output: OutputFile,
  job: RecordJob,
  shell: Shell,
): Promise<RecordSummary | undefined> {
  const progress = startProgress(shell, `recording ${output.name}`);
  const running = shell.record(job, {
    bytes: (chunk) => output.append(chunk),
    progress: (steps) => progress.update(steps),
  });
  const forget = shell.onInterrupt(() => running.stop());
  try {
    const summary = await running.done;
    output.close();
    if (summary === undefined) await sayInterrupted(output, shell, progress);
    return summary;
  } finally {
    forget();
    progress.end();
    output.close();
  }
}

async function sayInterrupted(output: OutputFile, shell: Shell, progress: Progress): Promise<void> {
  progress.end();
  await shell.err.write(`interrupted: ${leftBehind(output, shell)}\n`);
}

/** What the file holds after a run that was stopped. */
function leftBehind(output: OutputFile, shell: Shell): string {
  if (output.bytes === 0) return `nothing was recorded, ${output.name} is not touched`;
  try {
    const { log } = readRecording(readInput(shell.cwd, output.name, 'the recording'));
    return `${output.name} holds the first ${log.count} events and can be replayed`;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return `${output.name} holds nothing that can be replayed`; // Such as /dev/null.
  }
}
