// Layer trace. Kernel symbols of the tracing subsystem that guest code can call; pinned order.
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
  'ftrace_location',
  'ftrace_kill',
] as const;

export type TraceStub = (typeof TRACE_STUBS)[number];
