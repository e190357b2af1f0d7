// Layer cli. `reprobe report`: a recording to read, line by line or as the kernel would show it.
import type { Salvage } from '../replay/recording.ts';
import { summarizeRecording } from '../replay/report-summary.ts';
import { ftraceReport, jsonReport, summaryReport } from '../replay/report.ts';
import { textLines } from '../replay/text-form.ts';
import type { Command } from './command.ts';
import { openRecording } from './file-kind.ts';
import { readInput, refuseDamage } from './files.ts';
import { writeLines } from './lines.ts';
import { EXIT } from './shell.ts';
import { UsageError, wholeNumber } from './usage.ts';

/** For recordings that do not say how many CPUs there were. */
const CPUS_MAX = 256;

const options = {
  format: {
    choices: ['text', 'ftrace', 'json'] as const,
    default: 'text' as const,
    describe: 'text: every event, lossless; ftrace: as the kernel prints it',
  },
  cpu: { type: 'string', requiresArg: true, describe: 'Only events of this CPU' },
  summary: { type: 'boolean', default: false, describe: 'Count events instead of showing them' },
  json: { type: 'boolean', default: false, describe: 'The same as --format json' },
} as const;

export const reportCommand: Command<typeof options> = {
  name: 'report',
  about: 'Print a recording',
  positional: { name: 'recording', about: 'A .trace file' },
  options,
  examples: [
    ['$0 report swap.trace | less', 'every event'],
    ['$0 report swap.trace --format ftrace --cpu 1', 'what the kernel would print for CPU 1'],
    ['$0 report swap.trace --summary', 'how many events of which kind'],
  ],
  async run(args, shell) {
    const bytes = readInput(shell.cwd, args.file, 'the recording');
    const recording = openRecording(bytes, args.file, shell);
    const cpu = args.cpu === undefined ? undefined : readCpu(args.cpu, recording);
    if (args.json && args.format === 'ftrace')
      throw new UsageError('--json: expected no --format beside it, found ftrace');
    const format = args.json ? 'json' : args.format;
    await writeLines(shell.out, linesOf(recording, { format, cpu, summary: args.summary }));
    refuseDamage(recording, args.file);
    return EXIT.fine;
  },
};

interface View {
  readonly format: 'text' | 'ftrace' | 'json';
  readonly cpu: number | undefined;
  readonly summary: boolean;
}

function linesOf(recording: Salvage, { format, cpu, summary }: View): Iterable<string> {
  if (summary && format === 'json')
    return [JSON.stringify(summarizeRecording(recording, cpu), undefined, 2)];
  if (summary && format === 'ftrace')
    throw new UsageError('--summary: expected --format text or json, found ftrace');
  if (summary) return summaryReport(recording, { cpu });
  switch (format) {
    case 'text':
      return textLines(recording, { cpu });
    case 'ftrace':
      return ftraceReport(recording, { cpu });
    case 'json':
      return jsonReport(recording, { cpu });
  }
}

function readCpu(given: string, { header }: Salvage): number {
  const cpus = header?.options['cpus'];
  return wholeNumber('cpu', given, typeof cpus === 'number' ? cpus - 1 : CPUS_MAX);
}
