/* reprobe: kernel threads. A thread runs on one CPU, that of its maker unless another is named. */
#ifndef _LINUX_KTHREAD_H
#define _LINUX_KTHREAD_H

#include <linux/err.h>
#include <linux/sched.h>

#define NUMA_NO_NODE (-1)

/*
 * Makes a thread that will call threadfn(data) once wake_up_process() was told of it; an ERR_PTR
 * when there is no such CPU (-EINVAL) or no room (-EAGAIN). Sleeps. A name has 15 characters.
 */
struct task_struct *__printf(4, 5) kthread_create_on_node(int (*threadfn)(void *data), void *data, int node, const char *namefmt, ...);

/* `namefmt` may hold one %u, for the CPU. */
struct task_struct *kthread_create_on_cpu(int (*threadfn)(void *data), void *data, unsigned int cpu, const char *namefmt);

#define kthread_create(threadfn, data, namefmt, ...) \
	kthread_create_on_node(threadfn, data, NUMA_NO_NODE, namefmt, ##__VA_ARGS__)

#define __reprobe_woken(task) \
	({ \
		struct task_struct *__task = (task); \
		if (!IS_ERR(__task)) \
			wake_up_process(__task); \
		__task; \
	})

#define kthread_run(threadfn, data, namefmt, ...) \
	__reprobe_woken(kthread_create(threadfn, data, namefmt, ##__VA_ARGS__))

#define kthread_run_on_cpu(threadfn, data, cpu, namefmt) \
	__reprobe_woken(kthread_create_on_cpu(threadfn, data, cpu, namefmt))

/* For the thread: has somebody called kthread_stop()? */
bool kthread_should_stop(void);

/* Asks the thread to return and sleeps until it has: what it returned, or -EINTR if it never ran. */
int kthread_stop(struct task_struct *task);

#endif
