// The workload of the benchmarks of whole runs: four CPUs call into a small file system while a filter is swapped
// and an interrupt comes, then the probes go. `times` says how long it lives; 2,000 steps or so by default.
import type { Workload } from '../src/replay/workload/model.ts';

/** Rounds of each task in a run of about 2,000 steps. */
export const TIMES = 10;

export function fileSystem(times: number = TIMES): Workload {
  return {
    name: 'file-system',
    machine: { cpus: 4, steps_max: 10_000_000 },
    data: { inodes: 16, bytes_read: 8 },
    functions: {
      do_sys_open: { body: ['call vfs_open', 'work 3'] },
      ksys_read: { body: [{ loop: 2, body: ['call vfs_read'] }, 'sleep 5'] },
      ksys_write: { body: ['call vfs_open', 'call vfs_write', 'work 2'] },
      sync_fs: { body: ['rcu_read_lock', 'load inodes', 'rcu_read_unlock', 'call vfs_write'] },
      vfs_open: { body: ['work 4', 'call kmalloc', 'amoadd inodes 1'] },
      vfs_read: { body: ['work 6', 'load inodes', 'add bytes_read 512'] },
      vfs_write: { body: ['work 5', 'call kmalloc', 'store inodes+8 1'] },
      kmalloc: { body: ['work 8'] },
      timer_tick: { body: ['call vfs_read', 'work 2'] },
    },
    tasks: {
      opener: { cpu: 0, run: 'do_sys_open', times },
      reader: { cpu: 1, run: 'ksys_read', times },
      writer: { cpu: 2, run: 'ksys_write', times },
      syncer: { cpu: 3, run: 'sync_fs', times },
    },
    handlers: { tick: { irq: 'timer_tick', inject: 2 } },
    probes: {
      ops0: { kind: 'ftrace', filter: 'vfs_*', notrace: 'vfs_write', callback: 'count' },
      ops1: { kind: 'ftrace', filter: ['kmalloc', 'vfs_write'], callback: 'nothing' },
    },
    timeline: [
      { at: 'start', register: 'ops0' },
      { at: 'start', register: 'ops1' },
      { on: { enter: 'vfs_read', nth: 2 }, irq: 'tick' },
      {
        on: { enter: 'kmalloc', nth: 2 },
        set_filter: { probe: 'ops0', pattern: 'kmalloc', reset: true },
      },
      { on: { enter: 'kmalloc', nth: 3 }, unregister: 'ops1' },
      { at: 'end', unregister: 'ops0' },
    ],
    expect: ['unregister', 'filter-swap', 'notrace', 'memory'],
  };
}
