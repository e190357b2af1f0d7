// Layer trace. Where v6.14 and v6.18 differ from fprobe on the function-graph machine as it is today (fprobe.md 5 to 7).
// What they lack was fixed later: H-01, H-06, H-23, H-25, H-45.
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { Errno } from './errno.ts';
import type { FgraphLinks } from './fgraph-link.ts';
import type { GraphReturn } from './fgraph.ts';
import { fprobeLink } from './fprobe-fgraph.ts';
import type { HookUse } from './fprobe-hook.ts';
import { type FprobeHlist, nodesOf } from './fprobe-table.ts';
import type { Fprobe } from './fprobe.ts';
import type { Kernel } from './kernel.ts';

/** FP-55.6 is missing: guarantee FP-6 does not hold (FP-56). */
function* noWait(): Path<void> {
  // Nobody waits.
}

/** FP-71.2 is missing: what exit handlers call may come back here. */
function withoutLock(cx: Context, k: Kernel, call: GraphReturn): Path<void> {
  return k.fn.fgraphCallRetFuncs(cx, k, call);
}

/** FP-53: that it is there already is seen, and nobody is told. Its nodes are linked once more. */
function* linkAnyway(cx: Context, k: Kernel, fp: Fprobe, hlist: FprobeHlist): Path<Errno> {
  yield* fprobeLink(cx, k, fp, hlist);
  return 0;
}

/** Entry-only fprobes on their own ftrace_ops, no wait. */
export const V6_18_LINKS: Partial<FgraphLinks> = {
  fprobeUnregisterWait: noWait,
  fgraphCallReturn: withoutLock,
  /** FP-70.7 is missing. */
  fprobeHasGrown: () => false,
  /** An fprobe of the other hook type keeps the site (H-06). */
  fprobeIpIsUsed: (k, ip) => nodesOf(k, ip).some(({ fp }) => fp.value !== undefined),
  /** A module that goes may leave the hook with an empty filter (H-23). */
  fprobeHookIsOver: ({ users }: HookUse) => users === 0,
};

/** As first shipped: one hook for all. */
export const V6_14_LINKS: Partial<FgraphLinks> = {
  ...V6_18_LINKS,
  fprobeHookType: () => 'fgraph',
  fprobeLink: linkAnyway,
};
