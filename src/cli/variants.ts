// Layer cli. `reprobe variants`: the planted faults, harmless changes and historical bugs for `record --variant`.
import { variants } from '../replay/api/catalogue.ts';
import { didYouMean } from '../replay/workload/nearest.ts';
import type { Command, NoOptions } from './command.ts';
import { EXIT } from './shell.ts';
import { UsageError } from './usage.ts';

export const variantsCommand: Command<NoOptions> = {
  name: 'variants',
  about: 'List the changed kernels for record --variant',
  options: {},
  examples: [['$0 variants | grep filter', 'those that are about filters']],
  async run(_args, shell) {
    const all = variants().toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const width = Math.max(...all.map(({ name }) => name.length));
    const lines = all.map(({ name, about }) => `${name.padEnd(width)}  ${about}`);
    await shell.out.write(`${lines.join('\n')}\n`);
    return EXIT.fine;
  },
};

/** Refuses an id that there is no variant of. */
export function checkVariant(given: string): void {
  const names = variants().map(({ name }) => name);
  if (names.includes(given)) return;
  const hint = didYouMean(given, names);
  throw new UsageError(
    `--variant: unknown variant '${given}'${hint || ','} see all with reprobe variants`,
  );
}
