// Layer emu. Every bound of the machine, by name.
export const LIMITS = {
  /** A run that takes more steps ends with `no_progress`. */
  stepsMax: 50_000_000,
  cpusMax: 8,
  tasksMax: 256,
  /** Threads that guest code may make in one run. */
  kthreadsMax: 64,
  /** Characters of a task's name. */
  commMax: 15,
  /** Characters of one line of the kernel log. */
  printkMax: 1024,
  /** Contexts stacked on one CPU: task, softirq, hardirq, NMI and traps between them. */
  contextsMax: 16,
  /** True calls that have not returned in one context. */
  callsMax: 4096,
  /** Bytes of all objects of the kernel's own that guest code cannot see; the heap has as much for what it can. */
  kernelBytesMax: 0x1000000,
  /** Activities (guest calls and paths) stacked in one context. */
  activitiesMax: 512,
} as const;
