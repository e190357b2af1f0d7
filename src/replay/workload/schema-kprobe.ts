// Layer replay. The part of the workload schema that is about kprobes and kretprobes.
import * as z from 'zod';
import { SYMBOL_PATTERN } from './line.ts';
import { KPROBE_FLAGS, type KprobeModel, type KretprobeModel } from './model-kprobe.ts';
import { LIMIT } from './model.ts';
import * as part from './schema-parts.ts';

/** Examples. */
export const P0 = { kind: 'kprobe', symbol: 'vfs_open', offset: 8, pre: 'count' };
const R0 = { kind: 'kretprobe', symbol: 'vfs_open', handler: 'count' };

const handler = part.reference('A callback, a function of the image, count, or nothing.', 'count');
const returns = part
  .int32('What count and nothing return; default 0.')
  .meta({ examples: [1] })
  .exactOptional();

const addressError = 'expected a name such as vfs_open or vfs_open+8';

const place = {
  symbol: part
    .text('symbol_name: a function by its symbol, or MODULE:FUNCTION.', ['vfs_open'])
    .max(LIMIT.kprobeSymbol, { error: `expected at most ${LIMIT.kprobeSymbol} characters` })
    .exactOptional(),
  addr: z
    .string({ error: addressError })
    .regex(SYMBOL_PATTERN, { error: addressError })
    .meta({ description: 'The address of this, instead of a symbol.', examples: ['vfs_open+8'] })
    .exactOptional(),
  offset: part
    .int32('Bytes behind that; default 0, the entry.')
    .meta({ examples: [8] })
    .exactOptional(),
  flags: part
    .list(part.word(KPROBE_FLAGS, 'One of KPROBE_FLAG_*.'), 'Flags of the kprobe; default none.')
    .meta({ examples: [['DISABLED']] })
    .exactOptional(),
  reuse: part
    .flag('Registered again as the kernel has left the struct, not filled in anew.', false)
    .exactOptional(),
};

export const kprobe = part
  .map({
    kind: z
      .literal('kprobe')
      .meta({ description: 'A probe of an instruction: kprobe.', examples: ['kprobe'] }),
    ...place,
    pre: handler.meta({ description: 'pre_handler; default NULL.' }).exactOptional(),
    post: handler.meta({ description: 'post_handler; default NULL.' }).exactOptional(),
    pre_returns: returns,
  })
  .check(part.belongsTo<KprobeModel>(['pre_returns'], ['pre']))
  .meta({ examples: [P0] });

export const kretprobe = part
  .map({
    kind: z
      .literal('kretprobe')
      .meta({ description: 'A probe of returns: kretprobe.', examples: ['kretprobe'] }),
    ...place,
    handler: handler.meta({ description: 'Runs at the return; default NULL.' }).exactOptional(),
    entry: handler.meta({ description: 'entry_handler; default NULL.' }).exactOptional(),
    entry_returns: returns,
    maxactive: part
      .int32('How many calls can be in flight; default 0, which lets the kernel choose.')
      .meta({ examples: [4] })
      .exactOptional(),
    data_size: part
      .whole(0, LIMIT.entryDataSize, 'Bytes that entry and handler share; default 0.')
      .meta({ examples: [8] })
      .exactOptional(),
  })
  .check(part.belongsTo<KretprobeModel>(['entry_returns'], ['entry']))
  .meta({ examples: [R0] });
