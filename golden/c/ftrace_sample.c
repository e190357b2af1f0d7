/*
 * A module that hooks what its parameter `func` names and counts the hits of each CPU. Its callback
 * protects itself with the recursion lock and then calls a function that it hooks too: the hook of
 * that call runs once, on the spare bit of the lock, and the one within it is refused.
 */
#define pr_fmt(fmt) "ftrace_sample: " fmt

#include <reprobe/module.h>

static char *func = "vfs_*";
module_param(func, charp, 0444);
MODULE_PARM_DESC(func, "which functions to hook: a pattern of ftrace_set_filter");

static bool nest = true;
module_param(nest, bool, 0444);
MODULE_PARM_DESC(nest, "call a hooked function in the callback");

struct sample {
	u64 notes;
	u64 refused;
	u64 unwatched;
	struct ftrace_ops ops;
};

static DEFINE_PER_CPU(u64, hits);

/* What the callback calls: hooked, and on every level of it that got the lock. */
noinline void sample_note(struct sample *sample)
{
	__atomic_fetch_add(&sample->notes, 1, __ATOMIC_RELAXED);
}

static notrace void sample_callback(unsigned long ip, unsigned long parent_ip,
				    struct ftrace_ops *op, struct ftrace_regs *regs)
{
	struct sample *sample = container_of(op, struct sample, ops);
	int bit;

	if (!rcu_is_watching()) {
		__atomic_fetch_add(&sample->unwatched, 1, __ATOMIC_RELAXED);
		return;
	}
	bit = ftrace_test_recursion_trylock(ip, parent_ip);
	if (bit < 0) {
		__atomic_fetch_add(&sample->refused, 1, __ATOMIC_RELAXED);
		return;
	}
	this_cpu_inc(hits);
	if (nest)
		sample_note(sample);
	ftrace_test_recursion_unlock(bit);
}

static struct sample sample = { .ops = { .func = sample_callback } };

static int hook(const char *pattern, int reset)
{
	int ret = ftrace_set_filter(&sample.ops, (unsigned char *)pattern, strlen(pattern), reset);

	if (ret < 0)
		pr_err("%s matches nothing: %d\n", pattern, ret);
	return ret;
}

static int __init sample_init(void)
{
	int ret = hook(func, 1);

	if (ret == 0 && nest)
		ret = hook("sample_note", 0);
	if (ret == 0)
		ret = register_ftrace_function(&sample.ops);
	if (ret == 0)
		pr_info("%s[%d] hooked %s with %ps\n", current->comm, current->pid, func,
			(void *)sample.ops.func);
	return ret;
}

static void __exit sample_exit(void)
{
	ktime_t begin = ktime_get();
	unsigned int cpu;

	unregister_ftrace_function(&sample.ops);
	pr_info("unhooked in %lld ns\n", ktime_to_ns(ktime_sub(ktime_get(), begin)));
	for_each_online_cpu(cpu)
		pr_info("CPU %u: %4llu hits\n", cpu, per_cpu(hits, cpu));
	pr_info("%llu notes, %llu refused, %llu where RCU did not watch\n", sample.notes,
		sample.refused, sample.unwatched);
}

module_init(sample_init);
module_exit(sample_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Counts hits of function hooks");
