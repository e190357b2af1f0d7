// Layer trace. Kernel symbols of the function-graph machine: what its trampolines call.
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { Stub, StubArguments } from '../emu/stubs.ts';
import type { Kernel } from './kernel.ts';
import type { TraceStub } from './stub-table.ts';

type FgraphStub = Extract<TraceStub, 'ftrace_graph_func' | 'ftrace_return_to_handler'>;

export function fgraphStubs(k: Kernel): Readonly<Record<FgraphStub, Stub>> {
  return {
    ftrace_graph_func: { path: (cx, args) => graphFunc(cx, k, args) },
    ftrace_return_to_handler: {
      path: (cx, args) => k.fn.ftraceReturnToHandler(cx, k, args.address(0)),
      pointer: true,
    },
  };
}

function* graphFunc(cx: Context, k: Kernel, args: StubArguments): Path<number> {
  const [ip, parentIp, regs] = [args.address(0), args.address(1), args.address(3)];
  yield* k.fn.functionGraphEnter(cx, k, { ip, parentIp, regs });
  return 0;
}
