/*
 * reprobe: everything that a function hook written in C needs, in one place. The headers themselves
 * are under include/linux, with the names and prototypes that the documents use, so that a source
 * written for a kernel compiles as it is; what only reprobe has is declared here.
 */
#ifndef _REPROBE_FTRACE_H
#define _REPROBE_FTRACE_H

#include <linux/ftrace.h> /* struct ftrace_ops, register_ftrace_function, filters, trylock */
#include <linux/kernel.h> /* container_of */
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/rcupdate.h> /* rcu_is_watching, synchronize_rcu */
#include <linux/sched.h>    /* current */
#include <linux/smp.h>

/*
 * Records the traced function's argument registers, with SAVE_REGS all registers, as `regs` events.
 * `probe` is the struct ftrace_ops, or struct fprobe, that the callback was given.
 */
void reprobe_record_regs(void *probe, void *regs);

/*
 * What the callback line `set_reg a0 5` of a workload does, and `redirect` with register 0, which is
 * `ip`: as a store to struct pt_regs, and an event. Needs SAVE_REGS; handlers of an fprobe can change
 * argument registers, and at the exit what the function returns, without it.
 */
int reprobe_write_reg(void *probe, void *regs, int reg, unsigned long value);

/*
 * Walks the shadow stack of the current task, as an unwinder in an interrupt does: an `unwind` event
 * for each call whose return is taken. How many there are.
 */
int reprobe_unwind(void);

#endif
