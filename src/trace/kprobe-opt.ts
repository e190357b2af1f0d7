// Layer trace. Jump-optimised probes (KP-60..KP-63, CC-S13). Left out so far: all of it; this machine is as one with
// `debug.kprobes-optimization` 0, which KP-63 has as the default.
import type { Address } from '../emu/address.ts';
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import type { Kernel } from './kernel.ts';
import type { CurrentKprobe, KprobeNode } from './kprobe.ts';

/** `try_to_optimize_kprobe`. */
export function* tryToOptimizeKprobe(_cx: Context, _k: Kernel, _node: KprobeNode): Path<void> {
  // Off.
}

/** `unoptimize_kprobe`. */
export function* unoptimizeKprobe(
  _cx: Context,
  _k: Kernel,
  _node: KprobeNode,
  _force: boolean,
): Path<void> {
  // Nothing is optimised.
}

/** `setup_detour_execution` (KP-41.1). */
export function* setupDetourExecution(
  _cx: Context,
  _k: Kernel,
  _node: KprobeNode,
  _interrupted: CurrentKprobe | undefined,
): Path<Address | undefined> {
  yield* [];
  return undefined;
}

/** `wait_for_kprobe_optimizer`. */
export function* waitForKprobeOptimizer(_cx: Context, _k: Kernel): Path<void> {
  // Nothing is pending.
}
