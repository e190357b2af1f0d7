// Layer cli. `reprobe cat`: a file of debugfs as it was at an event of a recording.
import { InputError } from '../assert.ts';
import { readDebugFile } from '../replay/debug-file.ts';
import { readRecording } from '../replay/recording.ts';
import type { Command } from './command.ts';
import { refuseOthers } from './file-kind.ts';
import { readInput, refuseDamage } from './files.ts';
import { findModules, handlersOption, loadHandlers } from './handlers.ts';
import { EXIT } from './shell.ts';
import { UsageError, wholeNumber } from './usage.ts';

const options = {
  at: {
    type: 'string',
    requiresArg: true,
    describe: 'Number of an event [default: the last one]',
  },
  handlers: handlersOption,
} as const;

export const catCommand: Command<typeof options> = {
  name: 'cat',
  about: 'Print a file of debugfs as it was at an event',
  positional: { name: 'recording', about: 'A .trace file' },
  second: { name: 'path', about: 'kprobes/list, kprobes/enabled or kprobes/blacklist' },
  options,
  examples: [
    ['$0 cat swap.trace kprobes/list', 'at the end of the run'],
    ['$0 cat swap.trace kprobes/list --at 120', 'behind the step of event 120'],
  ],
  async run(args, shell) {
    if (args.second === undefined) {
      throw new UsageError('cat expects a file of debugfs behind the recording: kprobes/list');
    }
    const bytes = readInput(shell.cwd, args.file, 'the recording');
    refuseOthers(bytes, args.file, shell);
    const recording = readRecording(bytes, args.file);
    const last = recording.log.count - 1;
    const at = args.at === undefined ? undefined : wholeNumber('at', args.at, last);
    const handlers = await loadHandlers(findModules(shell.cwd, args.handlers));
    await shell.out.write(printed(args.file, { recording, file: args.second, at, handlers }));
    refuseDamage(recording, args.file);
    return EXIT.fine;
  },
};

type Asked = Parameters<typeof readDebugFile>[1] & {
  readonly recording: Parameters<typeof readDebugFile>[0];
};

/** Messages that name no place are about the recording. */
function printed(name: string, { recording, ...request }: Asked): string {
  try {
    return readDebugFile(recording, request);
  } catch (error) {
    if (!(error instanceof InputError) || error.where !== undefined) throw error;
    throw new InputError(error.message, name);
  }
}
