// Layer cli. `reprobe eras`: one workload in several kernel eras, and what differs.
import { profiles } from '../replay/api/catalogue.ts';
import { erasOf } from '../replay/eras.ts';
import { prepare } from '../replay/prepare.ts';
import { SEED_DEFAULT } from '../replay/run.ts';
import { didYouMean } from '../replay/workload/nearest.ts';
import type { Command } from './command.ts';
import { eraJson, eraLines } from './era-table.ts';
import { findModules, handlersOption, loadHandlers } from './handlers.ts';
import { writeLines } from './lines.ts';
import { EXIT } from './shell.ts';
import { chooserOption, readSeed, readSource, seedOption } from './source.ts';
import { UsageError } from './usage.ts';

const options = {
  profiles: {
    type: 'string',
    requiresArg: true,
    describe: 'Eras, with commas between [default: all that have what it uses]',
  },
  seed: {
    ...seedOption,
    describe:
      'Seed of the chooser in every era; schedules still differ where eras take different steps ' +
      `[default: the workload's, or ${SEED_DEFAULT}]`,
  },
  chooser: chooserOption,
  handlers: handlersOption,
  all: { type: 'boolean', default: false, describe: 'Also what is the same in every era' },
  json: { type: 'boolean', default: false, describe: 'Print the rows as JSON' },
} as const;

export const erasCommand: Command<typeof options> = {
  name: 'eras',
  about: 'Run a workload in several kernel eras, show what differs',
  positional: { name: 'workload', about: 'A YAML file (see: reprobe schema)' },
  options,
  examples: [
    ['$0 eras swap.yaml', 'what differs between all eras'],
    ['$0 eras swap.yaml --profiles v6.12,today --chooser calm', 'between two, without preemption'],
  ],
  async run(args, shell) {
    const read = readSource(shell, args.file);
    const chosen = args.profiles === undefined ? undefined : readProfiles(args.profiles);
    const handlers = await loadHandlers(findModules(shell.cwd, args.handlers));
    const source = { ...read.source, handlers };
    const settings = { seed: readSeed(args.seed, read), chooser: args.chooser, variants: [] };
    const eras = erasOf(prepare(source), { source, settings, profiles: chosen });
    const shown = { file: args.file, eras, all: args.all };
    await writeLines(shell.out, args.json ? [eraJson(shown)] : eraLines(shown, shell));
    return EXIT.fine;
  },
};

/** `v6.12,today`. */
function readProfiles(given: string): readonly string[] {
  const names = profiles().map(({ name }) => name);
  const chosen = given.split(',').map((name) => name.trim());
  for (const [index, name] of chosen.entries()) {
    if (!names.includes(name)) {
      const hint = didYouMean(name, names);
      const expected = `expected some of ${names.join(', ')}`;
      throw new UsageError(`--profiles: ${expected}, found '${name}'${hint}`);
    }
    if (chosen.indexOf(name) !== index)
      throw new UsageError(`--profiles: expected each era once, found '${name}' twice`);
  }
  return chosen;
}
