/*
 * What the examples of kprobes are planted in: a system call that makes processes, or rather says that
 * it does, tasks that make it, a kernel thread that does so too, one that replaces what its task goes
 * on with, and a task that ends inside a function. do_fork is notrace, so that a probe of its entry is one of an instruction in all eras
 * (KP-10.6).
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

#define CSIGNAL 17
#define CLONE_VM 0x100

static int last_pid = 300;

long do_fork(unsigned long clone_flags, unsigned long stack_start, struct pt_regs *regs,
	     unsigned long stack_size, int *parent_tidptr, int *child_tidptr);
void sys_fork(void);
void sys_vfork(void);
void start_kthreadd(void);
void do_group_exit(int code);
void sys_exit_group(void);
long do_execve(struct pt_regs *regs, unsigned long entry);
void sys_execve(void);

/* The number of the new process. Sleeps, so that calls of several tasks are under way at once. */
notrace noinline long do_fork(unsigned long clone_flags, unsigned long stack_start,
			      struct pt_regs *regs, unsigned long stack_size, int *parent_tidptr,
			      int *child_tidptr)
{
	int pid = __atomic_add_fetch(&last_pid, 1, __ATOMIC_RELAXED);

	if (parent_tidptr)
		*parent_tidptr = pid;
	if (!(clone_flags & CLONE_VM))
		usleep_range(40, 60);
	return pid;
}

static __always_inline long fork_with(unsigned long flags, unsigned long stack_size)
{
	struct pt_regs regs = { .ip = 0 };
	int parent = 0, child = 0;
	long pid = do_fork(flags, kernel_stack_pointer(&regs), &regs, stack_size, &parent, &child);

	return pid == parent ? pid : -EINVAL;
}

noinline void sys_fork(void)
{
	fork_with(CSIGNAL, 0x1000);
}

noinline void sys_vfork(void)
{
	fork_with(CSIGNAL | CLONE_VM, 0x2000);
}

static int kthreadd(void *data)
{
	sys_fork();
	sys_fork();
	return 0;
}

void start_kthreadd(void)
{
	kthread_run(kthreadd, NULL, "kthreadd");
}

/* Ends the task: never returns. */
noinline void do_group_exit(int code)
{
	usleep_range(10, 20);
	do_exit(code);
}

void sys_exit_group(void)
{
	sys_fork();
	do_group_exit(3);
}

/* Gives the task another program: it goes on elsewhere in user mode, but returns here as others do. */
noinline long do_execve(struct pt_regs *regs, unsigned long entry)
{
	usleep_range(10, 20);
	regs->ip = entry;
	regs->ra = 0;
	return 0;
}

void sys_execve(void)
{
	struct pt_regs regs;

	regs.ip = 0x1000;
	if (do_execve(&regs, 0x4000) || regs.ip != 0x4000)
		do_exit(1);
	sys_fork();
}
