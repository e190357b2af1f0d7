/* reprobe: the running task. */
#ifndef _LINUX_SCHED_H
#define _LINUX_SCHED_H

#include <linux/kernel.h>

#define TASK_COMM_LEN 16

#define PF_IDLE 0x00000002
#define PF_KTHREAD 0x00200000

struct mm_struct;

/*
 * The offsets are this project's ABI; src/emu/task.ts repeats them as constants: change both or
 * neither. The kernel owns it: a store is a fault of the run.
 */
struct task_struct {
	int pid;                  /*  0: from 1; 0 for the idle tasks */
	int tgid;                 /*  4: the same */
	char comm[TASK_COMM_LEN]; /*  8: the name in the workload */
	unsigned int flags;       /* 24: PF_* */
	unsigned int cpu;         /* 28: tasks never migrate */
	struct mm_struct *mm;     /* 32: NULL for kernel threads; points to nothing of use */
	u64 reserved[3];          /* 40: zero */
};

_Static_assert(offsetof(struct task_struct, comm) == 8, "ABI");
_Static_assert(offsetof(struct task_struct, flags) == 24, "ABI");
_Static_assert(offsetof(struct task_struct, cpu) == 28, "ABI");
_Static_assert(offsetof(struct task_struct, mm) == 32, "ABI");
_Static_assert(sizeof(struct task_struct) == 64, "ABI");

/*
 * As on the real architecture, tp holds it all the time, which makes `current` a register and no
 * call. Interrupts see the task that they interrupted.
 */
register struct task_struct *reprobe_current_in_tp __asm__("tp");
#define current reprobe_current_in_tp

/* 1 when this made a new thread run; see linux/kthread.h. */
int wake_up_process(struct task_struct *task);

#endif
