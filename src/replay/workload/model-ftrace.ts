// Layer replay. The part of the workload model that is about ftrace_ops.

export interface FtraceProbeModel {
  readonly kind: 'ftrace';
  readonly filter?: string | readonly string[];
  readonly notrace?: string | readonly string[];
  readonly callback: string;
  /** An ops in core kernel data (FT-31). Only where there are no trampolines. */
  readonly static?: boolean;
  /** What ops->flags ask for. */
  readonly flags?: readonly OpsFlag[];
}

/** FTRACE_OPS_FL_* that a probe can set, by what follows. */
export const OPS_FLAGS = [
  'SAVE_REGS',
  'SAVE_REGS_IF_SUPPORTED',
  'RECURSION',
  'IPMODIFY',
  'RCU',
  'PID',
  'PERMANENT',
] as const;
export type OpsFlag = (typeof OPS_FLAGS)[number];
