// Layer replay. The part of the workload model that is about kprobes and kretprobes.

export interface KprobeModel extends KprobePlaceModel {
  readonly kind: 'kprobe';
  /** Callbacks; without, the handler is NULL. */
  readonly pre?: string;
  readonly post?: string;
  /** What the pre_handler returns; a callback of the workload says so itself (`return 1`). */
  readonly pre_returns?: number;
}

export interface KretprobeModel extends KprobePlaceModel {
  readonly kind: 'kretprobe';
  readonly handler?: string;
  readonly entry?: string;
  /** As `pre_returns`; not 0: no handler for this call. */
  readonly entry_returns?: number;
  readonly maxactive?: number;
  readonly data_size?: number;
}

/** Where a probe is planted: by `symbol`, or by `addr`, and as far behind as `offset` says. */
export interface KprobePlaceModel {
  /** `symbol_name`: a function as the symbol table names it, or `MODULE:FUNCTION`. */
  readonly symbol?: string;
  /** The address of a function or of data: `vfs_open`, `vfs_open+8`. */
  readonly addr?: string;
  readonly offset?: number;
  readonly flags?: readonly KprobeFlag[];
  /** Registered again as the kernel has left the struct; else filled in anew (KP-10.1, KP-10.5). */
  readonly reuse?: boolean;
}

/** KPROBE_FLAG_* that a user can set, by what follows (KP-2). */
export const KPROBE_FLAGS = ['DISABLED'] as const;
export type KprobeFlag = (typeof KPROBE_FLAGS)[number];

/** Keys of `machine:`. */
export interface KprobeMachineModel {
  readonly optprobes?: boolean;
  readonly detourTasksWait?: boolean;
}
