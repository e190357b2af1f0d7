/* The example of docs/c.md, word for word. */
#include <reprobe/module.h>

static char *func = "vfs_*";
module_param(func, charp, 0444);

static DEFINE_PER_CPU(u64, hits);

static notrace void count(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *op,
			  struct ftrace_regs *regs)
{
	int bit = ftrace_test_recursion_trylock(ip, parent_ip);

	if (bit < 0)
		return;
	this_cpu_inc(hits);
	ftrace_test_recursion_unlock(bit);
}

static struct ftrace_ops ops = { .func = count };

static int __init mine_init(void)
{
	int ret = ftrace_set_filter(&ops, (unsigned char *)func, strlen(func), 1);

	return ret ?: register_ftrace_function(&ops);
}

static void __exit mine_exit(void)
{
	unregister_ftrace_function(&ops);
	pr_info("%llu hits on CPU 0\n", per_cpu(hits, 0));
}

module_init(mine_init);
module_exit(mine_exit);
MODULE_LICENSE("MIT");
