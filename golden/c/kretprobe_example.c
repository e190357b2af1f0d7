/*
 * A module with a return probe on what its parameter `func` names: for each call it prints the value
 * that was returned and the time between entry and return. Kernel threads, which have no memory of
 * their own, are left out.
 */
#define pr_fmt(fmt) "kretprobe_example: " fmt

#include <linux/kprobes.h>
#include <linux/ktime.h>
#include <reprobe/module.h>

static char *func = "do_fork";
module_param(func, charp, 0444);
MODULE_PARM_DESC(func, "whose returns to probe");

static int maxactive = 20;
module_param(maxactive, int, 0444);
MODULE_PARM_DESC(maxactive, "how many calls can be under way at once");

/* What is kept of a call while it is under way. */
struct visit {
	ktime_t since;
};

static int arrive(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct visit *visit = (struct visit *)ri->data;

	if (!current->mm)
		return -1;
	visit->since = ktime_get();
	return 0;
}
NOKPROBE_SYMBOL(arrive);

static int leave(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	const struct visit *visit = (const struct visit *)ri->data;
	s64 took = ktime_to_ns(ktime_sub(ktime_get(), visit->since));

	pr_info("%s returned %ld after %lld ns\n", func, (long)regs_return_value(regs), took);
	return 0;
}
NOKPROBE_SYMBOL(leave);

static struct kretprobe probe = {
	.entry_handler = arrive,
	.handler = leave,
	.data_size = sizeof(struct visit),
};

static int __init example_init(void)
{
	int ret;

	probe.kp.symbol_name = func;
	probe.maxactive = maxactive;
	ret = register_kretprobe(&probe);
	if (ret)
		pr_err("no return probe on %s: %d\n", func, ret);
	else
		pr_info("return probe at %pS\n", probe.kp.addr);
	return ret;
}

static void __exit example_exit(void)
{
	unregister_kretprobe(&probe);
	/* More than none: maxactive is too small. */
	pr_info("Missed probing %d instances of %s\n", probe.nmissed, func);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Prints what a function returns, and how long it took");
