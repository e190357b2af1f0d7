// Layer cli. `reprobe replay`: runs a recording again from its workload and choices; the same run, or the
// first difference.
import { InputError } from '../assert.ts';
import type { DefinedPath } from '../replay/handler.ts';
import { type ReplayOutcome, replayRecording } from '../replay/replay.ts';
import type { Command } from './command.ts';
import { refuseOthers } from './file-kind.ts';
import { readInput } from './files.ts';
import { findModules, handlersOption, loadHandlers } from './handlers.ts';
import { type Progress, startProgress } from './progress.ts';
import { EXIT, type Paint, paintFor } from './shell.ts';

const options = {
  handlers: handlersOption,
  json: { type: 'boolean', default: false, describe: 'Print the outcome as JSON' },
} as const;

export const replayCommand: Command<typeof options> = {
  name: 'replay',
  about: 'Run a recording again and compare every event',
  positional: { name: 'recording', about: 'A .trace file' },
  options,
  examples: [
    ['$0 replay swap.trace', 'identical, or the first difference'],
    ['$0 replay mine.trace --handlers mine.js', 'with its handlers in TypeScript'],
  ],
  async run(args, shell) {
    const bytes = readInput(shell.cwd, args.file, 'the recording');
    refuseOthers(bytes, args.file, shell);
    const handlers = await loadHandlers(findModules(shell.cwd, args.handlers));
    const progress = startProgress(shell, `replaying ${args.file}`);
    const outcome = replay(bytes, args.file, { progress, handlers });
    const text = args.json
      ? JSON.stringify({ file: args.file, ...outcome }, undefined, 2)
      : outcomeLines(outcome, paintFor(shell, shell.out)).join('\n');
    await shell.out.write(`${text}\n`);
    if (outcome.status === 'diverged') return EXIT.broken;
    if (outcome.damage !== undefined) throw new InputError(outcome.damage, args.file);
    return EXIT.fine;
  },
};

function replay(
  bytes: Uint8Array,
  file: string,
  {
    progress,
    handlers,
  }: { readonly progress: Progress; readonly handlers: readonly DefinedPath[] },
): ReplayOutcome {
  try {
    return replayRecording(bytes, { handlers, progress: (steps) => progress.update(steps) });
  } catch (error) {
    if (!(error instanceof InputError) || error.where !== undefined) throw error;
    throw new InputError(error.message, file);
  } finally {
    progress.end();
  }
}

function outcomeLines(outcome: ReplayOutcome, paint: Paint): readonly string[] {
  if (outcome.status === 'identical') {
    const { events, steps, digest, behind = 0, made = 0 } = outcome;
    const lost = made === 0 ? '' : `, ${made} lost events made again`;
    const more = behind === 0 ? '' : `, ${behind} events behind the damage`;
    const counts = `${events} events${lost}${more}, ${steps} steps, digest ${digest}`;
    return [`${paint('green', 'identical')}: ${counts}`];
  }
  const { at, recorded, replayed, before, state, damage } = outcome;
  return [
    `${paint('red', 'diverged')} at event ${at}`,
    ...before.map((line) => `             ${paint('dim', line)}`),
    `  recorded:  ${recorded ?? 'nothing: the recording ends here'}`,
    `  replayed:  ${replayed ?? 'nothing: the run ends here'}`,
    ...state.map((line) => `  state:     ${line}`),
    ...(damage === undefined ? [] : [`  damage:    ${damage}`]),
  ];
}
