// Layer trace. ops->flags: FTRACE_OPS_FL_*, as include/linux/ftrace.h publishes those that a user sets (ftrace.md 3).
import type { Context } from '../emu/context.ts';
import { useOps } from './ftrace-ops-memory.ts';
import type { FtraceOps } from './ftrace-ops.ts';
import type { Kernel } from './kernel.ts';

export const FTRACE_OPS_FL_ENABLED: number = 1 << 0;
export const FTRACE_OPS_FL_DYNAMIC: number = 1 << 1;
export const FTRACE_OPS_FL_SAVE_REGS: number = 1 << 2;
export const FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED: number = 1 << 3;
export const FTRACE_OPS_FL_RECURSION: number = 1 << 4;
/** Core code is about to get rid of the ops: it is not registered again. */
export const FTRACE_OPS_FL_DELETED: number = 1 << 7;
export const FTRACE_OPS_FL_IPMODIFY: number = 1 << 12;
export const FTRACE_OPS_FL_RCU: number = 1 << 14;
/** Obeys `set_ftrace_pid` (FT-18). */
export const FTRACE_OPS_FL_PID: number = 1 << 13;
/** Blocks `ftrace_enabled` = 0 (FT-48). */
export const FTRACE_OPS_FL_PERMANENT: number = 1 << 16;
/** What a user sets. */
export const FTRACE_OPS_FL_USER: number =
  FTRACE_OPS_FL_SAVE_REGS |
  FTRACE_OPS_FL_SAVE_REGS_IF_SUPPORTED |
  FTRACE_OPS_FL_RECURSION |
  FTRACE_OPS_FL_IPMODIFY |
  FTRACE_OPS_FL_RCU;
export const FTRACE_OPS_FL_INITIALIZED: number = 1 << 8;
export const FTRACE_OPS_FL_ADDING: number = 1 << 10;
export const FTRACE_OPS_FL_REMOVING: number = 1 << 11;

/** Is any of `bits` set in ops->flags? Caller holds `ftrace_lock`. */
export function opsHas(cx: Context, ops: FtraceOps, bits: number): boolean {
  useOps(cx, ops);
  return (cx.read(ops.flags) & bits) !== 0;
}

/** Is the callback to get all registers? Caller holds `ftrace_lock`. */
export function wantsRegs(cx: Context, k: Kernel, ops: FtraceOps): boolean {
  return k.arch.regs && opsHas(cx, ops, FTRACE_OPS_FL_SAVE_REGS);
}

/** Does it keep its trampoline for ever, as nobody waits for who is in it (FT-31)? */
export function keepsTrampoline({ kind }: FtraceOps): boolean {
  return kind === 'graph_ops' || kind === 'kprobe_ops';
}

/** Is it the kernel's own, for other kinds of probes? */
export function isKernelOps({ kind }: FtraceOps): boolean {
  return kind === 'fprobe_ops' || kind === 'graph_ops' || kind === 'kprobe_ops';
}

/** Does the function go on where `regs->ip` says? Handlers of kprobes redirect it without IPMODIFY, too (KP-45). */
export function redirects({ kind }: FtraceOps, flags: number): boolean {
  return (flags & FTRACE_OPS_FL_IPMODIFY) !== 0 || kind === 'kprobe_ops';
}
