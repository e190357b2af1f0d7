// Layer cli. `reprobe schema`: what an editor or a validator needs to know about workloads.
import { workloadJsonSchema } from '../replay/workload/json-schema.ts';
import type { Command, NoOptions } from './command.ts';
import { EXIT } from './shell.ts';

export const schemaCommand: Command<NoOptions> = {
  name: 'schema',
  about: 'Print the JSON schema of a workload',
  options: {},
  examples: [['$0 schema > workload.schema.json', 'for editors that check YAML']],
  async run(_args, shell) {
    await shell.out.write(`${JSON.stringify(workloadJsonSchema(), undefined, 2)}\n`);
    return EXIT.fine;
  },
};
