/*
 * A module with a kprobe at the entry of what its parameter `func` names. It prints registers before
 * and after the first instruction of each call, and the stack if it is asked to.
 */
#define pr_fmt(fmt) "kprobe_example: " fmt

#include <linux/kprobes.h>
#include <reprobe/module.h>

static char *func = "do_fork";
module_param(func, charp, 0444);
MODULE_PARM_DESC(func, "whose entry to probe");

static bool stack = true;
module_param(stack, bool, 0444);
MODULE_PARM_DESC(stack, "show who called");

static int show_before(struct kprobe *p, struct pt_regs *regs)
{
	pr_info("before %pS: ip %lx ra %lx sp %lx a0 %lx a3 %lx t0 %lx\n", p->addr,
		instruction_pointer(regs), regs->ra, regs->sp, regs->a[0], regs->a[3], regs->t0);
	if (stack)
		dump_stack();
	return 0;
}
NOKPROBE_SYMBOL(show_before);

static void show_after(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
	pr_info("after %pS: ip %lx sp %lx, flags %lu\n", p->addr, instruction_pointer(regs),
		kernel_stack_pointer(regs), flags);
}
NOKPROBE_SYMBOL(show_after);

#ifdef REPROBE_V2_6_31
/* A fault of the two above, or of the instruction itself. It stays one: 0. */
static int show_fault(struct kprobe *p, struct pt_regs *regs, int trapnr)
{
	pr_info("trap %d at %pS\n", trapnr, p->addr);
	return 0;
}
#endif

static struct kprobe probe = {
	.pre_handler = show_before,
	.post_handler = show_after,
#ifdef REPROBE_V2_6_31
	.fault_handler = show_fault,
#endif
};

static int __init example_init(void)
{
	int ret;

	probe.symbol_name = func;
	ret = register_kprobe(&probe);
	if (ret)
		pr_err("no kprobe at %s: %d\n", func, ret);
	else
		pr_info("kprobe at %pS\n", probe.addr);
	return ret;
}

static void __exit example_exit(void)
{
	unregister_kprobe(&probe);
	pr_info("kprobe at %pS is gone, %lu hits were missed\n", probe.addr, probe.nmissed);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Prints registers where a function is called");
