// Layer replay. The part of the workload model that is about fprobes.

/** What register hooks: exactly one of the first three. */
export interface FprobeTargetModel {
  /** null: NULL. */
  readonly filter?: string | null;
  /** Addresses of these functions (`register_fprobe_ips`). */
  readonly ips?: readonly string[];
  readonly syms?: readonly string[];
  /** Beside `filter`. */
  readonly notfilter?: string;
}

/** A registration that hooks something else than the fprobe says. */
export interface RegisterModel extends FprobeTargetModel {
  readonly probe: string;
}

export interface FprobeModel extends FprobeTargetModel {
  readonly kind: 'fprobe';
  /** Callbacks; without, the handler is NULL. */
  readonly entry?: string;
  readonly exit?: string;
  /** What the entry handler returns; a callback of the workload says so itself (`return 1`). */
  readonly entry_returns?: number;
  readonly entry_data_size?: number;
  readonly nr_maxactive?: number;
  readonly flags?: readonly FprobeFlag[];
  /** `fp->ops.flags`, in the eras of rethook (FP-20). */
  readonly ops_flags?: readonly FprobeOpsFlag[];
}

/** FPROBE_FL_* that a probe can set, by what follows. */
export const FPROBE_FLAGS = ['DISABLED', 'KPROBE_SHARED'] as const;
export type FprobeFlag = (typeof FPROBE_FLAGS)[number];

/** FTRACE_OPS_FL_* that the documents name for `fp->ops.flags`, by what follows. */
export const FPROBE_OPS_FLAGS = ['RECURSION', 'RCU'] as const;
export type FprobeOpsFlag = (typeof FPROBE_OPS_FLAGS)[number];

/** Keys of `machine:`. */
export interface FprobeMachineModel {
  readonly missPolicy?: 'both' | 'exitOnly';
  readonly countRecursion?: boolean;
  readonly racyCounters?: boolean;
  readonly sharedStrict?: boolean;
  readonly fprobeNonWatching?: boolean;
}
