// Layer trace. Kernel symbols of the function-graph machine: what its trampolines call.
import type { Stub, StubArguments } from '../emu/stubs.ts';
import type { GraphHit } from './fgraph.ts';
import type { Kernel } from './kernel.ts';
import type { TraceStub } from './stub-table.ts';

type FgraphStub = Extract<
  TraceStub,
  'fprobe_ftrace_entry' | 'ftrace_graph_func' | 'ftrace_return_to_handler' | 'reprobe_unwind'
>;

export function fgraphStubs(k: Kernel): Readonly<Record<FgraphStub, Stub>> {
  return {
    fprobe_ftrace_entry: {
      path: (cx, args) => k.fn.fprobeFtraceEntry(cx, k, hitOf(args)),
    },
    ftrace_graph_func: {
      path: (cx, args) => k.fn.functionGraphEnter(cx, k, hitOf(args)),
    },
    ftrace_return_to_handler: {
      path: (cx, args) => k.fn.ftraceReturnToHandler(cx, k, args.address(0)),
      pointer: true,
    },
    reprobe_unwind: { path: (cx) => k.fn.unwindShadowStack(cx, k) },
  };
}

/** ip, parent_ip and regs, in a0, a1 and a3. */
function hitOf(args: StubArguments): GraphHit {
  return { ip: args.address(0), parentIp: args.address(1), regs: args.address(3) };
}
