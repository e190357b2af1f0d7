// Layer trace. Probes on ftrace sites (KP-50..KP-56, CC-S12). Left out so far: all of it; this kernel is as one without
// KPROBES_ON_FTRACE, which refuses them (KP-10.6).
import type { Context } from '../emu/context.ts';
import type { Path } from '../emu/path.ts';
import { EINVAL, type Errno } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { KprobeNode } from './kprobe.ts';

/** `arm_kprobe_ftrace`. */
export function* armKprobeFtrace(_cx: Context, _k: Kernel, _node: KprobeNode): Path<Errno> {
  return -EINVAL;
}

/** `disarm_kprobe_ftrace`. */
export function* disarmKprobeFtrace(_cx: Context, _k: Kernel, _node: KprobeNode): Path<Errno> {
  return -EINVAL;
}
