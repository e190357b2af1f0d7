// Layer replay. The part of the workload schema that is about filters: patterns, and the operations that change them.
import * as z from 'zod';
import * as part from './schema-parts.ts';

export const callable = part.reference('A function of this workload or of the image.', 'vfs_open');
export const probe = part.reference('Name of a probe.', 'ops0');

const pattern = part.text('A pattern: name, name*, *name, *name*, a glob, or !pattern.', ['vfs_*']);
export const patterns = z
  .union([pattern.min(1, { error: 'expected a pattern' }), part.list(pattern, 'Patterns.', 1)], {
    error: 'expected a pattern or a list of patterns',
  })
  .meta({ examples: ['vfs_*', ['vfs_*', 'ksys_read']] });

export const setPattern = part
  .map({
    probe,
    pattern: z
      .union([pattern, z.null()], { error: 'expected a pattern or null' })
      .meta({ description: 'What to add; null adds nothing.', examples: ['kmalloc'] }),
    reset: part.flag('Forget the old set first.', false).exactOptional(),
  })
  .meta({ examples: [{ probe: 'ops0', pattern: 'kmalloc', reset: true }] });

export const setIp = part
  .map({
    probe,
    function: callable.meta({ description: 'The function whose address is meant.' }),
    remove: part.flag('Take it out instead.', false).exactOptional(),
    reset: part.flag('Forget the old set first.', false).exactOptional(),
  })
  .meta({ examples: [{ probe: 'ops0', function: 'vfs_open' }] });

export const setIps = part
  .map({
    probe,
    functions: part
      .list(callable, 'The functions whose addresses are meant: all of them or none.')
      .meta({ examples: [['vfs_open', 'vfs_read']] }),
    remove: part.flag('Take them out instead.', false).exactOptional(),
    reset: part.flag('Forget the old set first.', false).exactOptional(),
  })
  .meta({ examples: [{ probe: 'ops0', functions: ['vfs_open', 'vfs_read'] }] });
