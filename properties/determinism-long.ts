// A long run for determinism.test.ts and for recordings that are killed: four CPUs, a busy task on each, three
// kinds of interrupts, and a probe that comes, changes and goes all the time.

/** A workload's text has a limit. */
const TURNS_MAX = 200;

/** The workload as YAML; `rounds` makes it longer: about 100,000 steps for 250. */
export function longWorkload(rounds: number): string {
  const cpus = [0, 1, 2, 3];
  const turns = Math.min(Math.ceil(rounds / 12), TURNS_MAX);
  const changes = Array.from({ length: turns }, (_, turn) => turn * 4000);
  return [
    'name: long',
    `machine: { cpus: ${cpus.length}, seed: 2027, steps_max: 50000000 }`,
    'data: { hits: 8, shared: 16 }',
    'functions:',
    '  vfs_open: { body: [work 3, add shared 1, call kmalloc] }',
    '  vfs_read: { body: [rcu_read_lock, load shared, work 2, rcu_read_unlock] }',
    '  kmalloc: { body: [preempt_off, amoadd shared+8 1, preempt_on] }',
    ...cpus.map(
      (cpu) => `  loop_${cpu}: { body: [call vfs_open, call vfs_read, sleep ${cpu + 2}] }`,
    ),
    'tasks:',
    ...cpus.map((cpu) => `  task${cpu}: { cpu: ${cpu}, run: loop_${cpu}, times: ${rounds} }`),
    `  extra: { cpu: 1, run: loop_0, times: ${rounds} }`,
    'handlers:',
    `  tick: { irq: vfs_open, inject: ${rounds} }`,
    `  bottom: { softirq: vfs_read, inject: ${rounds} }`,
    `  watchdog: { nmi: kmalloc, inject: ${rounds} }`,
    'probes:',
    '  ops0: { kind: ftrace, filter: "vfs_*", callback: count }',
    '  ops1: { kind: ftrace, filter: kmalloc, callback: count }',
    'timeline:',
    '  - { at: start, register: ops1 }',
    ...changes.flatMap((step) => [
      `  - { at: { step: ${step + 100} }, register: ops0 }`,
      `  - { at: { step: ${step + 1200} }, set_filter: { probe: ops0, pattern: kmalloc, reset: true } }`,
      `  - { at: { step: ${step + 2200} }, set_filter: { probe: ops0, pattern: "vfs_*", reset: true } }`,
      `  - { at: { step: ${step + 3200} }, unregister: ops0 }`,
    ]),
    '',
  ].join('\n');
}
