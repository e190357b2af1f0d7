// Layer emu. Every bound of the machine, by name.
export const LIMITS = {
  /** A run that takes more steps ends with `no_progress`. */
  stepsMax: 50_000_000,
  cpusMax: 8,
  tasksMax: 256,
  /** Contexts stacked on one CPU: task, softirq, hardirq, NMI and traps between them. */
  contextsMax: 16,
  /** True calls that have not returned in one context. */
  callsMax: 4096,
  /** Activities (guest calls and paths) stacked in one context. */
  activitiesMax: 512,
} as const;
