/*
 * A module with a thread on every CPU, each of which registers, moves and unregisters a hook of its
 * own again and again, while the others do and while the workload runs what is hooked. Deleting the
 * module tells the threads to stop and waits for them; each comes to the end of its round first, so
 * that no hook outlives its thread.
 */
#define pr_fmt(fmt) "kthread_stress: " fmt

#include <reprobe/module.h>

static char *first = "vfs_*";
module_param(first, charp, 0444);
MODULE_PARM_DESC(first, "what a hook selects when it is registered");

static char *second = "kmalloc";
module_param(second, charp, 0444);
MODULE_PARM_DESC(second, "and what it is moved to");

static uint pause_us = 40;
module_param(pause_us, uint, 0444);
MODULE_PARM_DESC(pause_us, "how long a thread sleeps between two calls");

struct worker {
	struct task_struct *task;
	u64 hits;
	struct ftrace_ops ops;
};

static struct worker workers[NR_CPUS];

/* Of all workers together, under the lock. */
static DEFINE_SPINLOCK(totals_lock);
static struct {
	u64 rounds;
	u64 errors;
} totals;

static notrace void worker_callback(unsigned long ip, unsigned long parent_ip,
				    struct ftrace_ops *op, struct ftrace_regs *regs)
{
	__atomic_fetch_add(&container_of(op, struct worker, ops)->hits, 1, __ATOMIC_RELAXED);
}

static int select(struct worker *worker, const char *pattern)
{
	return ftrace_set_filter(&worker->ops, (unsigned char *)pattern, strlen(pattern), 1);
}

/* Registers, moves, unregisters; whether everything went well. */
static int worker_round(struct worker *worker)
{
	int ret = select(worker, first);

	if (ret == 0)
		ret = register_ftrace_function(&worker->ops);
	if (ret != 0)
		return ret;
	usleep_range(pause_us, 2 * pause_us);
	ret = select(worker, second);
	usleep_range(pause_us, 2 * pause_us);
	return unregister_ftrace_function(&worker->ops) ?: ret;
}

static int worker_thread(void *data)
{
	struct worker *worker = data;
	int rounds = 0;

	while (!kthread_should_stop()) {
		int ret = worker_round(worker);

		spin_lock(&totals_lock);
		totals.rounds++;
		totals.errors += ret != 0;
		spin_unlock(&totals_lock);
		if (ret != 0)
			pr_err("%s: round %d failed: %d\n", current->comm, rounds, ret);
		rounds++;
		usleep_range(pause_us, 2 * pause_us);
	}
	return rounds;
}

static void stop_workers(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		struct worker *worker = &workers[cpu];
		int rounds;

		if (worker->task == NULL)
			continue;
		rounds = kthread_stop(worker->task);
		pr_info("CPU %u: %d rounds, %llu hits\n", cpu, rounds, worker->hits);
		worker->task = NULL;
	}
}

static int __init stress_init(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		struct worker *worker = &workers[cpu];
		struct task_struct *task;

		worker->ops.func = worker_callback;
		task = kthread_run_on_cpu(worker_thread, worker, cpu, "stress/%u");
		if (IS_ERR(task)) {
			stop_workers();
			return PTR_ERR(task);
		}
		worker->task = task;
	}
	return 0;
}

static void __exit stress_exit(void)
{
	stop_workers();
	pr_info("%llu rounds, %llu errors\n", totals.rounds, totals.errors);
}

module_init(stress_init);
module_exit(stress_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Registers and moves hooks from many threads");
