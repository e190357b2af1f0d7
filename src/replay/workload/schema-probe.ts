// Layer replay. The part of the workload schema that is about probes, kind by kind.
import * as z from 'zod';
import {
  FPROBE_FLAGS,
  FPROBE_OPS_FLAGS,
  type FprobeModel,
  type RegisterModel,
} from './model-fprobe.ts';
import { OPS_FLAGS } from './model-ftrace.ts';
import { LIMIT, type ProbeModel } from './model.ts';
import { callable, patterns, probe } from './schema-filter.ts';
import { kprobe, kretprobe, P0 } from './schema-kprobe.ts';
import * as part from './schema-parts.ts';

/** An example. */
export const OPS0: Readonly<Record<string, string>> = {
  kind: 'ftrace',
  filter: 'vfs_*',
  callback: 'count',
};

const ftraceProbe = part.map({
  kind: z
    .literal('ftrace')
    .meta({ description: 'A function hook: ftrace_ops.', examples: ['ftrace'] }),
  filter: patterns
    .meta({ description: 'Functions to hook, set before the run; default all.' })
    .exactOptional(),
  notrace: patterns
    .meta({ description: 'Functions never to hook, set before the run.' })
    .exactOptional(),
  callback: part.reference('A callback, a function of the image, count, or nothing.', 'count'),
  flags: part
    .list(part.word(OPS_FLAGS, 'One of FTRACE_OPS_FL_*.'), 'Flags of the ops; default none.')
    .meta({ examples: [['SAVE_REGS', 'RECURSION']] })
    .exactOptional(),
  static: part
    .flag('The ops is part of the kernel itself: unregister waits for nobody.', false)
    .exactOptional(),
});

const FP0 = { kind: 'fprobe', filter: 'vfs_*', entry: 'count', exit: 'count' };
const TARGETS = ['filter', 'ips', 'syms'] as const;

const glob = part.text('A glob.', ['vfs_*']);
const handler = part.reference('A callback, a function of the image, count, or nothing.', 'count');

const target = {
  filter: z
    .union([glob, z.null()], { error: 'expected a pattern or null' })
    .meta({ description: 'What register_fprobe hooks; null: NULL.', examples: ['vfs_*'] })
    .exactOptional(),
  ips: part
    .list(callable, 'Functions whose addresses register_fprobe_ips is given.')
    .meta({ examples: [['vfs_open']] })
    .exactOptional(),
  syms: part
    .list(part.text('A name.', ['vfs_open']), 'Names that register_fprobe_syms is given.')
    .meta({ examples: [['vfs_open']] })
    .exactOptional(),
  notfilter: glob
    .meta({ description: 'What it does not hook, though `filter` matches.' })
    .exactOptional(),
};

const again = part
  .map({ probe: probe.meta({ description: 'An fprobe.', examples: ['fp0'] }), ...target })
  .check(
    part.exactlyOne<RegisterModel>(TARGETS),
    part.belongsTo<RegisterModel>(['notfilter'], ['filter']),
  )
  .meta({
    description: 'An fprobe, and what it hooks this time.',
    oneOf: part.requiredOne(TARGETS),
    examples: [{ probe: 'fp0', syms: ['vfs_read'] }],
  });

const several = part.list(probe, 'Kprobes, or kretprobes.', 1).meta({ examples: [['p0', 'p1']] });

export const register: z.ZodType<string | readonly string[] | RegisterModel> = z
  .union([probe, several, again], {
    error: 'expected the name of a probe, a list of names, or { probe: NAME, filter: PATTERN }',
  })
  .meta({ examples: ['ops0', ['p0', 'p1'], { probe: 'fp0', syms: ['vfs_read'] }] });

export const unregister: z.ZodType<string | readonly string[]> = z
  .union([probe, several], { error: 'expected the name of a probe, or a list of names' })
  .meta({ examples: ['ops0', ['p0', 'p1']] });

const fprobe = part
  .map({
    kind: z
      .literal('fprobe')
      .meta({ description: 'A probe of entry and exit: fprobe.', examples: ['fprobe'] }),
    ...target,
    entry: handler.meta({ description: 'entry_handler; default NULL.' }).exactOptional(),
    exit: handler.meta({ description: 'exit_handler; default NULL.' }).exactOptional(),
    entry_returns: part
      .int32('What count and nothing return from the entry; not 0: no exit. Default 0.')
      .meta({ examples: [1] })
      .exactOptional(),
    entry_data_size: part
      .whole(0, LIMIT.entryDataSize, 'Bytes that entry and exit share; default 0.')
      .meta({ examples: [8] })
      .exactOptional(),
    nr_maxactive: part
      .int32('How many calls can be in flight (rethook); default 0, which lets the kernel choose.')
      .meta({ examples: [4] })
      .exactOptional(),
    flags: part
      .list(part.word(FPROBE_FLAGS, 'One of FPROBE_FL_*.'), 'Flags of the fprobe; default none.')
      .meta({ examples: [['KPROBE_SHARED']] })
      .exactOptional(),
    ops_flags: part
      .list(
        part.word(FPROBE_OPS_FLAGS, 'One of FTRACE_OPS_FL_*.'),
        'Flags of fp->ops (rethook); default none.',
      )
      .meta({ examples: [['RECURSION']] })
      .exactOptional(),
  })
  .check(
    part.exactlyOne<FprobeModel>(TARGETS),
    part.belongsTo<FprobeModel>(['notfilter'], ['filter']),
    part.belongsTo<FprobeModel>(['entry_returns'], ['entry']),
  )
  .meta({ oneOf: part.requiredOne(TARGETS), examples: [FP0] });

export const probeModel: z.ZodType<ProbeModel> = z
  .discriminatedUnion('kind', [ftraceProbe, fprobe, kprobe, kretprobe], {
    error: 'expected a map with kind: ftrace, kind: fprobe, kind: kprobe or kind: kretprobe',
  })
  .meta({
    description: 'A probe.',
    examples: [OPS0, FP0, P0],
  });
