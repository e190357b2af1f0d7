/*
 * A module that prints the arguments of do_fork: its handler is entered in place of do_fork, with the
 * same arguments in the same places, and leaves by jprobe_return(). For profile v2.6.31; compile it
 * with -DREPROBE_V2_6_31.
 */
#define pr_fmt(fmt) "jprobe_example: " fmt

#include <linux/kprobes.h>
#include <reprobe/module.h>

static u64 calls;

/* do_fork sees nothing of what becomes of the arguments here (JP-6). */
static long show_fork(unsigned long clone_flags, unsigned long stack_start, struct pt_regs *regs,
		      unsigned long stack_size, int *parent_tidptr, int *child_tidptr)
{
	calls++;
	pr_info("%s forks: clone_flags %lx, stack_size %lx, regs %p\n", current->comm, clone_flags,
		stack_size, regs);
	clone_flags = stack_size = ~0UL;
	__asm__ __volatile__("" : "+r"(clone_flags), "+r"(stack_size));
	jprobe_return();
	return 0;
}

static struct jprobe probe = { .kp.symbol_name = "do_fork", .entry = show_fork };

static int __init example_init(void)
{
	int ret = register_jprobe(&probe);

	if (ret)
		pr_err("no jprobe: %d\n", ret);
	else
		pr_info("jprobe at %pS, handler %ps\n", probe.kp.addr, probe.entry);
	return ret;
}

static void __exit example_exit(void)
{
	unregister_jprobe(&probe);
	pr_info("jprobe at %pS is gone, after %llu calls\n", probe.kp.addr, calls);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Prints the arguments of do_fork");
