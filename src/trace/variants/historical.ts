// Layer trace. Historical bugs (docs/spec/mutants.md, section 2) by the ids of their fixes: most are a seeded fault
// under another name, as the table there says. H-12 is in recursion.ts, H-34 and H-35 in module.ts,
// H-37 in ftrace-stop.ts.
import { writeOnce } from '../../emu/path.ts';
import { addFtraceOps } from '../ftrace.ts';
import { CALLER_VARIANTS } from './caller.ts';
import { FPROBE_FGRAPH_VARIANTS } from './fprobe-fgraph.ts';
import { FTRACE_VARIANTS } from './ftrace.ts';
import { RECURSION_VARIANTS } from './recursion.ts';
import type { Variant } from './variant.ts';

/** By id: the subject of the fix, and the fault that brings the bug back. */
const SAME_AS: readonly (readonly [id: string, about: string, fault: string])[] = [
  ['H-01', 'unregister_fprobe does not wait for a grace period', 'M-46'],
  ['H-02', 'unregister returns early, without waits, when no code update is needed', 'M-03'],
  ['H-05', 'register_fprobe, when it fails, frees nodes that hits can still find', 'M-50'],
  ['H-06', 'a site stays hooked while an fprobe of the other hook type wants it', 'M-59'],
  ['H-10', 'an interrupt that is traced before its level is visible looks like recursion', 'M-22'],
  ['H-11', 'the recursion bit of an NMI is computed wrongly', 'M-23'],
  ['H-13', 'the recursion lock is taken while the task can be preempted', 'M-24'],
  ['H-14', 'a new function can run with the ops of the one before', 'M-20'],
  ['H-15', 'unregister waits before the sites are patched', 'M-04'],
  ['H-45', 'the second walk of an entry does not see that fprobes have come', 'M-55'],
];

/** Breaks FT-40 at registration: for a while everybody is selected. Needs a site that calls the list function. */
const H_40: Variant = {
  id: 'H-40',
  about: 'an ops is on the list before its filter is filled: empty means all',
  links: {
    *addFtraceOps(cx, k, ops) {
      const filter = cx.read(ops.filterHash);
      yield* writeOnce(ops.filterHash, k.ftrace.emptyHash);
      yield* addFtraceOps(cx, k, ops);
      yield* writeOnce(ops.filterHash, filter);
    },
  },
};

const FAULTS = [
  ...CALLER_VARIANTS,
  ...FTRACE_VARIANTS,
  ...RECURSION_VARIANTS,
  ...FPROBE_FGRAPH_VARIANTS,
];

export const HISTORICAL_VARIANTS: readonly Variant[] = [
  ...SAME_AS.flatMap(([id, about, fault]) =>
    FAULTS.filter((one) => one.id === fault).map(({ links }) => ({ id, about, links })),
  ),
  H_40,
];
