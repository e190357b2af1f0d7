// Layer trace. Kernel symbols of the tracing subsystem that guest code can call; pinned order.
import type { Address } from '../emu/address.ts';
import { stubAddress, TRACE_STUBS_FIRST } from '../emu/stub-table.ts';
import type { FprobeEra } from './profile.ts';

export const TRACE_STUBS = [
  /** Hypercall of the generic caller: `ftrace_ops_list_func`. */
  'ftrace_ops_list_func',
  /** Hypercall of trampolines whose ops asks for help: `ftrace_ops_assist_func`. */
  'ftrace_ops_assist_func',
  'register_ftrace_function',
  'unregister_ftrace_function',
  'ftrace_set_filter',
  'ftrace_set_notrace',
  'ftrace_set_filter_ip',
  'ftrace_test_recursion_trylock',
  'ftrace_test_recursion_unlock',
  /** Callback action `regs` of workloads: a0 = ops, a1 = regs. */
  'reprobe_record_regs',
  /** Hypercall of the generic caller that saves all registers: `ftrace_ops_list_func`, with them. */
  'ftrace_ops_list_func_regs',
  /** Callback actions `set_reg` and `redirect` of workloads: a0 = ops, a1 = regs, a2 = register or 0, a3 = value. */
  'reprobe_write_reg',
  'ftrace_set_filter_ips',
  'ftrace_free_filter',
  /** What trampolines and the list function call in place of an ops' func while pids are set. */
  'ftrace_pid_func',
  'register_fprobe',
  'register_fprobe_ips',
  'register_fprobe_syms',
  'unregister_fprobe',
  'unregister_fprobe_async',
  'disable_fprobe',
  'enable_fprobe',
  'fprobe_is_registered',
  'kprobe_running',
  'kprobe_busy_begin',
  'kprobe_busy_end',
  /** Callback of the ftrace_ops that each fprobe of the rethook eras has. */
  'fprobe_handler',
  /** Hypercall of the text that a return taken by rethook comes to. */
  'rethook_trampoline_handler',
  /** Callback of the ftrace_ops that fprobes without exit handler share. */
  'fprobe_ftrace_entry',
  /** Callback of the ftrace_ops of the graph hook. */
  'ftrace_graph_func',
  /** Hypercall of the text that a return taken by fgraph comes to. */
  'ftrace_return_to_handler',
  'ftrace_location',
  'ftrace_kill',
  /** Callback action `show_data` of workloads: a0 = fp, a1 = entry_data. */
  'reprobe_record_data',
  /** Walks the shadow stack of the current task, as an unwinder does; an event for each frame. */
  'reprobe_unwind',
  'register_kprobe',
  'register_kprobes',
  'unregister_kprobe',
  'unregister_kprobes',
  'disable_kprobe',
  'enable_kprobe',
  /** Callback of the two ftrace_ops of kprobes on sites. */
  'kprobe_ftrace_handler',
  'register_kretprobe',
  'register_kretprobes',
  'unregister_kretprobe',
  'unregister_kretprobes',
  'disable_kretprobe',
  'enable_kretprobe',
  'register_jprobe',
  'register_jprobes',
  'unregister_jprobe',
  'unregister_jprobes',
  'disable_jprobe',
  'enable_jprobe',
  /** Not a call but a breakpoint (JP-5). */
  'jprobe_return',
  'dump_stack',
  /** Hypercall of the detour of a jump-optimised kprobe: a0 = the detour, a1 = regs. */
  'optimized_callback',
] as const;

/** Symbols that are there where fprobe is. */
const FPROBE_STUBS: ReadonlySet<TraceStub> = new Set([
  'register_fprobe',
  'register_fprobe_ips',
  'register_fprobe_syms',
  'unregister_fprobe',
  'unregister_fprobe_async',
  'disable_fprobe',
  'enable_fprobe',
  'fprobe_is_registered',
  'fprobe_handler',
  'fprobe_ftrace_entry',
  'ftrace_graph_func',
  'ftrace_return_to_handler',
]);

/** Those of the era that has jprobes. */
const JPROBE_STUBS: ReadonlySet<TraceStub> = new Set([
  'register_jprobe',
  'register_jprobes',
  'unregister_jprobe',
  'unregister_jprobes',
  'disable_jprobe',
  'enable_jprobe',
  'jprobe_return',
]);

/** Those that only the function-graph machine has. */
const FGRAPH_STUBS: ReadonlySet<TraceStub> = new Set(['unregister_fprobe_async', 'reprobe_unwind']);

/** Is there such a symbol in this era? */
export function isPublished(name: TraceStub, era: FprobeEra): boolean {
  if (era !== 'none' && JPROBE_STUBS.has(name)) return false;
  if (era === 'none') return !FPROBE_STUBS.has(name) && !FGRAPH_STUBS.has(name);
  return era === 'fgraph' || !FGRAPH_STUBS.has(name);
}

export type TraceStub = (typeof TRACE_STUBS)[number];

/** The address of `name`, published or not. */
export function traceStub(name: TraceStub): Address {
  return stubAddress(TRACE_STUBS_FIRST + TRACE_STUBS.indexOf(name));
}
