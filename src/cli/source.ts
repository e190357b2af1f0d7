// Layer cli. A workload with the files that it names, and the options that say how it runs: what `record` and `eras`
// have in common.
import { SEED_DEFAULT, type WorkloadSource } from '../replay/run.ts';
import { LIMIT, type Workload } from '../replay/workload/model.ts';
import { parseWorkload } from '../replay/workload/parse.ts';
import { readText } from './file-kind.ts';
import { beside, readInput } from './files.ts';
import type { Shell } from './shell.ts';
import { wholeNumber } from './usage.ts';

export const seedOption = {
  type: 'string',
  requiresArg: true,
  describe: `Seed of the chooser [default: the workload's, or ${SEED_DEFAULT}]`,
} as const;

export const chooserOption = {
  choices: ['random', 'calm'] as const,
  default: 'random' as const,
  describe: 'Who decides what a machine leaves open',
} as const;

interface ReadWorkload {
  readonly source: WorkloadSource;
  readonly workload: Workload;
}

/** The workload of `file`, with its image and its modules. */
export function readSource(shell: Shell, file: string): ReadWorkload {
  const text = readText(shell, file);
  const { workload } = parseWorkload(text, file);
  const imageFile = workload.image === undefined ? undefined : beside(file, workload.image);
  const image = imageFile === undefined ? undefined : readInput(shell.cwd, imageFile, 'the image');
  const modules = Object.entries(workload.modules ?? {}).flatMap(([name, module]) => {
    if (module.image === undefined) return [];
    const moduleFile = beside(file, module.image);
    const bytes = readInput(shell.cwd, moduleFile, `module ${name}`);
    return [{ name, bytes, file: moduleFile }];
  });
  const source = { file, text, image, imageFile, ...(modules.length > 0 ? { modules } : {}) };
  return { source, workload };
}

/** `--seed`, or what the workload says. */
export function readSeed(given: string | undefined, { workload }: ReadWorkload): number {
  if (given !== undefined) return wholeNumber('seed', given, LIMIT.seed);
  return workload.machine.seed ?? SEED_DEFAULT;
}
