// What a property can insist on in its random workloads (`workloads.ts`).

/** What a property insists on; everything else is left to chance. */
export interface Features {
  readonly cpus?: 1 | 2 | 3 | 4;
  /**
   * How many probes. With two, a site that both select is served by the list function; with three it
   * stays so when one of them goes or does not select it (nothing is patched, only the list decides).
   */
  readonly probes?: 1 | 2 | 3;
  /**
   * Three probes, of which the second and third select everything from start to end: whatever the first
   * does, it does on sites that call the list function. Some faults live only there (CC-G1, CC-G3, CC-G4).
   */
  readonly shared?: boolean;
  /** The first probe's filter is swapped again and again, each time for one or two functions. */
  readonly swaps?: boolean;
  /** Hooked code in the idle task of the last CPU. */
  readonly idle?: boolean;
  /** The last CPU has nothing but its idle task, whose hits are when the first probe is due to change or to go. */
  readonly lone?: boolean;
  /** A second task on every CPU. */
  readonly crowded?: boolean;
  /** The first probe's callback takes the recursion lock, calls what may be hooked, and shows its arguments. */
  readonly guarded?: boolean;
  /**
   * No trampolines, and probes that are part of the kernel itself: who is alone is called without the list
   * function, and each comes and goes again and again (CC-S3, CC-N1).
   */
  readonly direct?: boolean;
  /**
   * Probes ask for attributes (FTRACE_OPS_FL_*); one with SAVE_REGS shows and changes registers. `drawn`: any, while
   * set_ftrace_pid and `ftrace_enabled` are written and calls are refused. `redirects`: all of them want to redirect
   * functions, so they get into each other's way (CC-G15); `rcu`: all of them need RCU.
   */
  readonly flags?: 'drawn' | 'redirects' | 'rcu';
  /** Handlers run hooked code before their level shows, and after (CC-H5). */
  readonly early?: boolean;
  /** Two probes that select everything from the start, and others that come for the first time later on. */
  readonly joins?: boolean;
  /** Between its operations the first probe is told what has to be refused. */
  readonly refusals?: boolean;
  /** Sites are patched while all CPUs are stopped (FT-12). */
  readonly stopped?: boolean;
  /** Every task is a program in user mode, with hooked code on the way in and out; or none is. */
  readonly programs?: boolean;
  /** The last CPU goes and comes back. */
  readonly hotplug?: boolean;
  /** Every probe is unregistered in the end. */
  readonly ends?: boolean;
  /** A module whose functions tasks and handlers call while it comes and goes (CC-S20). */
  readonly module?: boolean;
  /** With it ftrace dies, and everybody asks for the place where it lay. */
  readonly kills?: boolean;
  /** `ftrace_enabled` is 0 around every unregister. */
  readonly disables?: boolean;
  /** Probes obey set_ftrace_pid, which is written, and come back; with `redirects` they are refused as well. */
  readonly pids?: boolean;
  /** Few functions, rounds and changes: a run takes a third of the time. */
  readonly small?: boolean;
  /** At least this many injectable handlers. */
  readonly handlers?: 0 | 1 | 2;
}
