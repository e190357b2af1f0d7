// Layer cli. `reprobe judge`: every guarantee over a recording.
import { judgeLog } from '../replay/judge-recording.ts';
import { damageText, type Salvage } from '../replay/recording.ts';
import type { Command } from './command.ts';
import { openRecording } from './file-kind.ts';
import { readInput, refuseDamage } from './files.ts';
import { EXIT, paintFor } from './shell.ts';
import { isBroken, summarizeVerdicts, verdictLines } from './verdict.ts';

const options = {
  json: { type: 'boolean', default: false, describe: 'Print the verdicts as JSON' },
} as const;

export const judgeCommand: Command<typeof options> = {
  name: 'judge',
  about: 'Judge a recording by every documented guarantee',
  positional: { name: 'recording', about: 'A .trace file' },
  options,
  examples: [['$0 judge swap.trace --json', 'verdicts for a program']],
  async run(args, shell) {
    const bytes = readInput(shell.cwd, args.file, 'the recording');
    const recording = openRecording(bytes, args.file, shell);
    const { log } = recording;
    const verdicts = summarizeVerdicts(judgeLog(log), log);
    const text = args.json
      ? JSON.stringify(
          { file: args.file, events: log.count, verdicts, damage: recording.damage },
          undefined,
          2,
        )
      : [
          `${args.file}: ${log.count} events${upTo(recording)}`,
          ...verdictLines(verdicts, paintFor(shell, shell.out)),
        ].join('\n');
    await shell.out.write(`${text}\n`);
    if (!verdicts.some(isBroken)) {
      refuseDamage(recording, args.file);
      return EXIT.fine;
    }
    if (recording.damage !== undefined) {
      await shell.err.write(`${args.file}: ${damageText(recording)}\n`);
    }
    return EXIT.broken;
  },
};

/** A judge that missed something would blame the innocent: it hears nothing behind a gap. */
function upTo({ islands }: Salvage): string {
  return islands.length === 0 ? '' : ', up to the first that is lost';
}
