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

/* Records the traced function's argument registers as `regs` events. */
void reprobe_record_regs(struct ftrace_ops *op, struct ftrace_regs *regs);

/*
 * What the callback line `set_reg a0 5` of a workload does, and `redirect` with register 0, which is
 * `ip`: as a store to struct pt_regs, and an event. Needs SAVE_REGS.
 */
int reprobe_write_reg(struct ftrace_ops *op, struct ftrace_regs *regs, int reg,
		      unsigned long value);

/*
 * Walks the shadow stack of the current task, as an unwinder in an interrupt does: an `unwind` event
 * for each call whose return is taken. How many there are.
 */
int reprobe_unwind(void);

#endif
