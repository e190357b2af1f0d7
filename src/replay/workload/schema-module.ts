// Layer replay. The part of the workload schema that is about modules.
import * as z from 'zod';
import type { InitModule, ModuleModel, ParamsModel } from './model.ts';
import * as part from './schema-parts.ts';

export const moduleName: z.ZodString = part.reference('Name of a module.', 'sample');

const params: z.ZodType<ParamsModel> = part
  .namedValues(
    z.union(
      [
        part.text('A text.', ['vfs_*']).regex(/^[\u0020-\u007e]*$/u, {
          error: 'expected printable ASCII',
        }),
        z.int({ error: 'expected a whole number' }),
        z.boolean(),
      ],
      { error: 'expected a text, a whole number, true or false' },
    ),
  )
  .meta({ description: 'Parameters by name.', examples: [{ func: 'vfs_*' }] });

export const moduleModel: z.ZodType<ModuleModel> = part
  .map({
    image: part
      .text('An ELF object file (gcc -c), relative to this file.', ['c/ftrace_sample.ko'])
      .min(1, { error: 'expected a file name' })
      .exactOptional(),
    params: params.exactOptional(),
    init: part.reference('The function of it that runs when it comes.', 'm_init').exactOptional(),
    exit: part.reference('The function of it that runs when it goes.', 'm_exit').exactOptional(),
  })
  .meta({
    description:
      'A module, from a file or made of the functions that name it: it comes and goes when the timeline says.',
  });

export const initModule: z.ZodType<string | InitModule> = z
  .union([moduleName, part.map({ module: moduleName, params: params.exactOptional() })], {
    error: 'expected the name of a module, or { module: NAME, params: { ... } }',
  })
  .meta({ examples: ['sample', { module: 'sample', params: { func: 'vfs_open' } }] });
