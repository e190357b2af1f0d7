// Layer trace. Every variant that can be chosen by name.
import { CALLER_VARIANTS } from './caller.ts';
import { FILE_VARIANTS } from './files.ts';
import { FLAGS_VARIANTS } from './flags.ts';
import { FPROBE_FGRAPH_VARIANTS } from './fprobe-fgraph.ts';
import { FPROBE_MISS_VARIANTS } from './fprobe-miss.ts';
import { FPROBE_RETHOOK_VARIANTS } from './fprobe-rethook.ts';
import { FTRACE_STOP_VARIANTS } from './ftrace-stop.ts';
import { FTRACE_VARIANTS } from './ftrace.ts';
import { HISTORICAL_VARIANTS } from './historical.ts';
import { KPROBE_EQUIVALENTS } from './kprobe-equivalents.ts';
import { KPROBE_OPT_VARIANTS } from './kprobe-opt.ts';
import { KPROBE_VARIANTS } from './kprobe.ts';
import { KRETPROBE_VARIANTS } from './kretprobe.ts';
import { MODULE_VARIANTS } from './module.ts';
import { PLANTED_VARIANTS } from './planted.ts';
import { RECURSION_VARIANTS } from './recursion.ts';
import { TEXT_POKE_VARIANTS } from './text-poke.ts';
import type { Variant } from './variant.ts';

/** By id, in the order of docs/spec/mutants.md. */
export const VARIANTS: ReadonlyMap<string, Variant> = new Map(
  [
    ...TEXT_POKE_VARIANTS,
    ...FTRACE_VARIANTS,
    ...FLAGS_VARIANTS,
    ...CALLER_VARIANTS,
    ...FILE_VARIANTS,
    ...RECURSION_VARIANTS,
    ...FPROBE_RETHOOK_VARIANTS,
    ...FPROBE_FGRAPH_VARIANTS,
    ...FPROBE_MISS_VARIANTS,
    ...KPROBE_VARIANTS,
    ...KRETPROBE_VARIANTS,
    ...KPROBE_EQUIVALENTS,
    ...PLANTED_VARIANTS,
    ...HISTORICAL_VARIANTS,
    ...MODULE_VARIANTS,
    ...FTRACE_STOP_VARIANTS,
    ...KPROBE_OPT_VARIANTS,
  ].map((variant) => [variant.id, variant]),
);
