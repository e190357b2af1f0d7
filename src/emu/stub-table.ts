// Layer emu. Kernel symbols that guest code can call, at pinned addresses: the position in the list is
// part of the published ABI (include/reprobe.ld), so new names are appended.
import { type Address, STUB_BASE } from './address.ts';

/** Bytes between two stubs. A stub is `ecall; ret`, then nops. */
export const STUB_STRIDE = 16;
/** Stubs of the tracing layer start at this index. */
export const TRACE_STUBS_FIRST = 128;
/** Those of a workload's TypeScript paths start here, so that a new symbol of the kernel moves none of them. */
export const PATH_STUBS_FIRST = 1024;

export const EMU_STUBS = [
  /** Where a guest function that a path called returns to; never called by name. */
  '__return_to_path',
  'preempt_disable',
  'preempt_enable',
  'local_irq_disable',
  'local_irq_enable',
  'local_bh_disable',
  'local_bh_enable',
  'rcu_read_lock',
  'rcu_read_unlock',
  'rcu_is_watching',
  'synchronize_rcu',
  'synchronize_rcu_tasks',
  'synchronize_rcu_tasks_rude',
  'msleep',
  'usleep_range',
  'mutex_lock',
  'mutex_unlock',
  '_raw_spin_lock_irqsave',
  '_raw_spin_unlock_irqrestore',
  'kmalloc',
  'kfree',
  '_printk',
  'smp_processor_id',
  'ktime_get',
  'raise_softirq',
  'do_exit',
  'num_online_cpus',
  '_raw_spin_lock',
  '_raw_spin_unlock',
  'kthread_create_on_node',
  'kthread_create_on_cpu',
  'wake_up_process',
  'kthread_should_stop',
  'kthread_stop',
] as const;

export type EmuStub = (typeof EMU_STUBS)[number];

/** The address of stub number `index`. */
export function stubAddress(index: number): Address {
  return STUB_BASE + index * STUB_STRIDE;
}

/** Where `run` meets a guest function's return to the path that called it. */
export const RETURN_STUB: Address = stubAddress(0);
