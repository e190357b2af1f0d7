// Graph hooks whose functions are those of a test, for tests of src/trace/fgraph*.ts.
import type { Context } from '../src/emu/context.ts';
import type { Access, Path } from '../src/emu/path.ts';
import { type FgraphOps, newFgraphOps } from '../src/trace/fgraph-state.ts';
import type { GraphCall, GraphReturn } from '../src/trace/fgraph.ts';
import type { SmallKernel } from './small-kernel.ts';

interface HookFunctions {
  /** Is the return wanted? Yes by default. */
  readonly entry?: (cx: Context, call: GraphCall, idx: number) => boolean | Path<boolean>;
  readonly exit?: (cx: Context, call: GraphReturn) => Path<unknown> | void;
}

/** A hook, not registered. */
export function graphHook(m: SmallKernel, name: string, functions: HookFunctions = {}): FgraphOps {
  const { entry, exit } = functions;
  return newFgraphOps(m.k, {
    name,
    *entryfunc(cx, _k, { idx }, call) {
      const wants = entry?.(cx, call, idx.value) ?? true;
      return typeof wants === 'boolean' ? wants : yield* wants;
    },
    *retfunc(cx, _k, _gops, call) {
      yield* exit?.(cx, call) ?? NOTHING;
    },
  });
}

const NOTHING: readonly Access[] = [];

/** Sets the filter of `gops` to these functions, and registers it. */
export function* hookOn(
  cx: Context,
  m: SmallKernel,
  gops: FgraphOps,
  names: readonly string[],
): Path<number> {
  yield* addFilter(cx, m, gops, names);
  return yield* m.k.fn.registerFtraceGraph(cx, m.k, gops);
}

/** Adds these functions to the filter of `gops`. */
export function addFilter(
  cx: Context,
  m: SmallKernel,
  gops: FgraphOps,
  names: readonly string[],
): Path<number> {
  const ips = names.map((name) => m.fn(name).address);
  return m.k.fn.ftraceSetHash(cx, m.k, gops.ops, { which: 'filterHash', ips, reset: false });
}
