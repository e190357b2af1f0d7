/*
 * A module that checks what linux/fprobe.h and linux/kprobes.h promise, from the side of C, in both
 * eras: the struct, what is refused, soft disabling, the dummy kprobe, and access to registers. Its
 * init function returns 0 when all of it is so; a check that fails says so in the log.
 */
#define pr_fmt(fmt) "check: " fmt

#include <reprobe/fprobe.h>
#include <reprobe/module.h>

static int failures;

#define CHECK(fact) \
	do { \
		if (!(fact)) { \
			failures++; \
			pr_err("not so: %s\n", #fact); \
		} \
	} while (0)

#ifdef REPROBE_FPROBE_RETHOOK
#define REGS pt_regs
#else
#define REGS ftrace_regs
#endif

static int entry(struct fprobe *fp, unsigned long entry_ip, unsigned long ret_ip, struct REGS *regs,
		 void *entry_data)
{
	return 0;
}

static void exit_handler(struct fprobe *fp, unsigned long entry_ip, unsigned long ret_ip,
			 struct REGS *regs, void *entry_data)
{
}

static struct fprobe fp = {
	.entry_handler = entry,
	.exit_handler = exit_handler,
	.entry_data_size = 24,
	.flags = FPROBE_FL_KPROBE_SHARED,
};

static void check_refusals(void)
{
	static unsigned long addrs[1];
	static const char *syms[1];

	CHECK(register_fprobe(NULL, "*", NULL) == -EINVAL);
	CHECK(register_fprobe(&fp, NULL, "*") == -EINVAL);
	CHECK(register_fprobe_ips(&fp, NULL, 1) == -EINVAL);
	CHECK(register_fprobe_ips(&fp, addrs, 0) == -EINVAL);
	CHECK(register_fprobe_ips(&fp, addrs, -1) == -EINVAL);
	CHECK(register_fprobe_syms(&fp, NULL, 1) == -EINVAL);
	CHECK(register_fprobe_syms(&fp, syms, 0) == -EINVAL);
	CHECK(unregister_fprobe(NULL) == -EINVAL);
	CHECK(!fprobe_is_registered(&fp));
	CHECK(!fprobe_is_registered(NULL));
}

static void check_disabling(void)
{
	disable_fprobe(NULL);
	enable_fprobe(NULL);
	CHECK(!fprobe_disabled(NULL));
	CHECK(!fprobe_disabled(&fp));
	disable_fprobe(&fp);
	disable_fprobe(&fp);
	CHECK(fprobe_disabled(&fp));
	CHECK(fp.flags == (FPROBE_FL_DISABLED | FPROBE_FL_KPROBE_SHARED));
	enable_fprobe(&fp);
	CHECK(!fprobe_disabled(&fp));
	CHECK(fp.entry_data_size == 24);
	CHECK(fp.nmissed == 0);
}

static void check_busy(void)
{
	CHECK(!kprobe_running());
	kprobe_busy_begin();
	CHECK(kprobe_running());
	kprobe_busy_end();
	CHECK(!kprobe_running());
}

static void check_regs(void)
{
	static struct pt_regs regs = { .a = { 10, 11 }, .kind = 1, .ip = 80, .sp = 88, .s11 = 248 };
	static struct pt_regs few = { .a = { 20, 21 }, .ra = 64, .kind = 72 };
	struct ftrace_regs *args = (struct ftrace_regs *)&few;
	struct ftrace_regs *full = (struct ftrace_regs *)&regs;

	CHECK(regs_get_kernel_argument(&regs, 1) == 11);
	CHECK(regs_return_value(&regs) == 10);
	regs_set_return_value(&regs, 9);
	CHECK(regs_return_value(&regs) == 9);
	CHECK(instruction_pointer(&regs) == 80);
	CHECK(kernel_stack_pointer(&regs) == 88);
	CHECK(regs_get_register(&regs, regs_query_register_offset("s11")) == 248);
	CHECK(regs_query_register_offset("a7") == 56);
	CHECK(regs_query_register_offset("t0") == -EINVAL);
	CHECK(regs_query_register_offset("s") == -EINVAL);
	CHECK(ftrace_get_regs(full) == &regs);
	CHECK(ftrace_regs_get_instruction_pointer(full) == 80);
	CHECK(ftrace_regs_get_stack_pointer(full) == 88);
	CHECK(!ftrace_get_regs(args));
	CHECK(ftrace_regs_get_argument(args, 1) == 21);
	CHECK(ftrace_regs_get_argument(args, 8) == 0);
	CHECK(ftrace_regs_get_instruction_pointer(args) == 72);
	CHECK(ftrace_regs_get_stack_pointer(args) == (unsigned long)args + 80);
	ftrace_regs_set_return_value(args, 5);
	CHECK(ftrace_regs_get_return_value(args) == 5);
	CHECK(ftrace_regs_query_register_offset("ra") == 64);
}

static int __init check_init(void)
{
	check_refusals();
	check_disabling();
	check_busy();
	check_regs();
	pr_info("%d failures\n", failures);
	return failures ? -EINVAL : 0;
}

module_init(check_init);
MODULE_LICENSE("MIT");
