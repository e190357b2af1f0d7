// How long something took. The processor time of this process, collector and compiler threads included, is what it
// costs whatever else the host does; wall time is what a user waits for.

/** Runs `work` once; the seconds that it took. */
export type Clock = (work: () => void) => number;

export const wallClock: Clock = (work) => {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1e3;
};

export const cpuClock: Clock = (work) => {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
};
