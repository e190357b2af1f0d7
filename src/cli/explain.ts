// Layer cli. `reprobe explain`: why hits of a recording ran no handler. Without `--miss` a list, so that a user finds
// the number to ask for.
import { explainMiss } from '../replay/explain/explain-miss.ts';
import { groupMisses, type Miss, missesOf } from '../replay/explain/misses.ts';
import type { Command } from './command.ts';
import { groupLines, missLines } from './explain-miss.ts';
import { openRecording } from './file-kind.ts';
import { readInput, refuseDamage } from './files.ts';
import { writeLines } from './lines.ts';
import { EXIT, paintFor } from './shell.ts';
import { UsageError } from './usage.ts';

const options = {
  miss: {
    type: 'string',
    requiresArg: true,
    describe: 'Why this one was missed or passed over; they count from 1',
  },
  json: { type: 'boolean', default: false, describe: 'Print the list, or the answer, as JSON' },
} as const;

export const explainCommand: Command<typeof options> = {
  name: 'explain',
  about: 'Say why a hit of a recording ran no handler',
  positional: { name: 'recording', about: 'A .trace file' },
  options,
  examples: [
    ['$0 explain swap.trace', 'misses by probe and reason, with their numbers'],
    ['$0 explain swap.trace --miss 3', 'the third one: its rule, and who held what'],
  ],
  async run(args, shell) {
    const bytes = readInput(shell.cwd, args.file, 'the recording');
    const recording = openRecording(bytes, args.file, shell);
    const { log } = recording;
    const misses = missesOf(log);
    const paint = paintFor(shell, shell.out);
    if (args.miss === undefined) {
      const groups = groupMisses(misses);
      const json = { file: args.file, misses: misses.length, groups };
      const lines = (): readonly string[] =>
        groupLines({ file: args.file, count: misses.length, groups }, paint, shell.out);
      await writeLines(shell.out, args.json ? [JSON.stringify(json, undefined, 2)] : lines());
    } else {
      const miss = explainMiss(log, chosen(misses, args.miss));
      const json = JSON.stringify({ file: args.file, miss }, undefined, 2);
      await writeLines(shell.out, args.json ? [json] : missLines(miss, paint, shell.out));
    }
    refuseDamage(recording, args.file);
    return EXIT.fine;
  },
};

function chosen(misses: readonly Miss[], given: string): Miss {
  const miss = /^\d{1,9}$/u.test(given) ? misses[Number(given) - 1] : undefined;
  if (miss !== undefined) return miss;
  const expected =
    misses.length === 0
      ? 'no hit of this recording was missed'
      : `expected a whole number from 1 to ${misses.length}`;
  throw new UsageError(`--miss: ${expected}, found '${given}'`);
}
