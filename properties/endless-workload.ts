// A run that nobody sees the end of: for tests that kill it, or follow it for a while.
const TIMES = 1_000_000;

/** The workload in YAML, called `name`. */
export function endlessWorkload(name: string, seed: number): string {
  return `name: ${name}
machine: { cpus: 2, seed: ${seed}, steps_max: 50000000 }
functions:
  f: { body: [call g, call g, work 2] }
  g: { body: [work 1] }
tasks:
  t: { cpu: 0, run: f, times: ${TIMES} }
  u: { cpu: 1, run: f, times: ${TIMES} }
`;
}
