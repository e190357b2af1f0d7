// Layer trace. Calls on kprobes, kretprobes and jprobes, as a guest or a workload makes them, between the events that
// say so. A batch is one call on several probes (KP-13, KP-20): its `ctl_begin` names the first, and its text all of
// them by their numbers, a blank between.
import type { Kprobe } from './kprobe.ts';

type One = 'kprobe' | 'kretprobe' | 'jprobe';
type Verb = 'register' | 'unregister' | 'disable' | 'enable';

/** By the kernel's name: `register_kprobe`, `unregister_kretprobes`, `disable_jprobe` ... */
export type KprobeCall = `${Verb}_${One}` | `${Exclude<Verb, 'disable' | 'enable'>}_${One}s`;

/** In the caller's order; of a call that takes one probe there is one. Empty: num <= 0, or NULL. */
export interface KprobeRequest {
  readonly op: KprobeCall;
  readonly probes: readonly Kprobe[];
}

/** A write to debugfs `kprobes/enabled` (KP-26, KP-27). */
export interface KprobesEnabledRequest {
  readonly op: 'kprobes_enabled';
  readonly text: string;
}
